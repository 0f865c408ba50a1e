"""Settles what a crash left open: looks what became of objects whose outcome nobody wrote down."""

from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.journal.entry import JournalEntry
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import JournalFile
from ci3.engine.journal.writer import Journal
from ci3.errors import AccessError

if TYPE_CHECKING:
    from ci3.core.model.objects import StoredObject

_OPEN = (None, ObjectOutcome.UNKNOWN)
_GONE = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")
_THERE = KeyOutcome(outcome=ObjectOutcome.FAILED, message="still there when looked at again")
_CHANGED = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it changed meanwhile")


def settle_open(reader: BucketReader, written: JournalFile, journal: Journal) -> None:
    """List each deployment with open outcomes, and write down what is there.

    What can't be listed stays open.
    """
    for prefix in written.open_prefixes:
        attempts = [one for one in written.attempts(prefix) if one.entry.outcome in _OPEN]
        try:
            said = _Seen(reader, prefix, with_versions=any(one.entry.is_final for one in attempts))
        except AccessError:
            continue
        settled: dict[int, list[tuple[int, KeyOutcome]]] = {}
        for one in attempts:
            settled.setdefault(one.batch, []).append((one.position, said.of(one.entry)))
        for batch, rows in settled.items():
            journal.settle(batch, rows)


class _Seen:
    """What stands under a prefix now."""

    def __init__(self, reader: BucketReader, prefix: str, *, with_versions: bool) -> None:
        objects = (one for page in reader.list_pages(prefix) for one in page.objects)
        self._objects: dict[str, StoredObject] = {one.key: one for one in objects}
        self._versions: set[tuple[str, str]] = set()
        if with_versions:
            versions = (one for page in reader.list_versions(prefix) for one in page)
            self._versions = {(one.key, one.version_id) for one in versions}

    def of(self, entry: JournalEntry) -> KeyOutcome:
        if entry.is_final:
            return _THERE if (entry.key, entry.version_id) in self._versions else _GONE
        found = self._objects.get(entry.key)
        if found is None:
            return _GONE
        was = entry.etag, entry.size_bytes, entry.modified_at
        is_same = (found.etag, found.size_bytes, found.modified_at) == was
        return _THERE if is_same else _CHANGED
