"""Resolve the outcomes that a crash left unknown, by listing the deployments again."""

from collections.abc import Mapping, Set
from itertools import groupby
from operator import attrgetter

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import ABSENT, CHANGED, KeyOutcome
from ci3.core.journal.entry import JournalEntry, object_identity
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import JournalFile
from ci3.engine.journal.writer import Journal
from ci3.errors import AccessError

_UNRESOLVED = (None, ObjectOutcome.UNKNOWN)
_NOT_DELETED = KeyOutcome(
    outcome=ObjectOutcome.FAILED, message="still existed when it was listed again"
)


def resolve_unknown_outcomes(
    reader: BucketReader, journal_file: JournalFile, journal: Journal
) -> None:
    """List each deployment that has unknown outcomes, and record the outcomes that this shows.

    What cannot be listed stays unknown. The outcome of an object:

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
        version_ids: set[tuple[str, str]] = set()
        try:
            objects = {
                stored.key: stored for page in reader.list_pages(prefix) for stored in page.objects
            }
            if any(attempt.entry.is_permanent for attempt in attempts):
                versions = (version for page in reader.list_versions(prefix) for version in page)
                version_ids = {(version.key, version.version_id) for version in versions}
        except AccessError:
            continue
        for batch, attempts_of_batch in groupby(attempts, key=attrgetter("batch")):
            rows = [
                (attempt.position, _find_outcome(attempt.entry, objects, version_ids))
                for attempt in attempts_of_batch
            ]
            journal.record_resolved(batch, rows)


def _find_outcome(
    entry: JournalEntry, objects: Mapping[str, StoredObject], version_ids: Set[tuple[str, str]]
) -> KeyOutcome:
    if entry.is_permanent:
        return _NOT_DELETED if (entry.key, entry.version_id) in version_ids else ABSENT
    stored = objects.get(entry.key)
    if stored is None:
        return ABSENT
    return _NOT_DELETED if object_identity(stored) == object_identity(entry) else CHANGED
