"""Resolve the outcomes that a crash left unknown, by listing the deployments again."""

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

_UNRESOLVED = (None, ObjectOutcome.UNKNOWN)
_ABSENT = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")
_NOT_DELETED = KeyOutcome(outcome=ObjectOutcome.FAILED, message="still there when looked at again")
_CHANGED = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it changed meanwhile")


def resolve_unknown_outcomes(
    reader: BucketReader, journal_file: JournalFile, journal: Journal
) -> None:
    """List each deployment that has unknown outcomes, and record the outcomes that this shows.

    What can't be listed stays unknown. The outcome of an object:

    | in the listing | outcome |
    |---|---|
    | missing | absent |
    | same ETag, size and time | failed: not deleted |
    | another ETag, size or time | changed |
    """
    for prefix in journal_file.unresolved_prefixes:
        attempts = [
            attempt
            for attempt in journal_file.read_attempts(prefix)
            if attempt.entry.outcome in _UNRESOLVED
        ]
        try:
            listing = _Listing(
                reader,
                prefix,
                with_versions=any(attempt.entry.is_permanent for attempt in attempts),
            )
        except AccessError:
            continue
        resolved: dict[int, list[tuple[int, KeyOutcome]]] = {}
        for attempt in attempts:
            outcome = listing.get_outcome(attempt.entry)
            resolved.setdefault(attempt.batch, []).append((attempt.position, outcome))
        for batch, rows in resolved.items():
            journal.record_resolved(batch, rows)


class _Listing:
    """The objects, and optionally the versions, that are under a prefix now."""

    def __init__(self, reader: BucketReader, prefix: str, *, with_versions: bool) -> None:
        objects = (stored for page in reader.list_pages(prefix) for stored in page.objects)
        self._objects: dict[str, StoredObject] = {stored.key: stored for stored in objects}
        self._versions: set[tuple[str, str]] = set()
        if with_versions:
            versions = (version for page in reader.list_versions(prefix) for version in page)
            self._versions = {(version.key, version.version_id) for version in versions}

    def get_outcome(self, entry: JournalEntry) -> KeyOutcome:
        if entry.is_permanent:
            return _NOT_DELETED if (entry.key, entry.version_id) in self._versions else _ABSENT
        stored = self._objects.get(entry.key)
        if stored is None:
            return _ABSENT
        recorded = entry.etag, entry.size_bytes, entry.modified_at
        is_same = (stored.etag, stored.size_bytes, stored.modified_at) == recorded
        return _NOT_DELETED if is_same else _CHANGED
