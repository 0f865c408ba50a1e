"""Entries of a journal: objects that a run was about to delete, and the last known outcome."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome

UNTOUCHED_OUTCOMES = (ObjectOutcome.DENIED,)
"""S3 refused the request: the object was not deleted."""
ALREADY_GONE_OUTCOMES = (ObjectOutcome.ABSENT, ObjectOutcome.CHANGED)
"""What S3 also answers when the request comes again and the first answer was lost."""
PENDING_OUTCOMES = (None, ObjectOutcome.UNKNOWN, ObjectOutcome.FAILED)
"""What S3 may have done after all; of what failed, after it was looked at again and still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One object that a run was about to delete, and the last that is known of it.

    `version_id` is empty where the run did not know it. `outcome` is None where the journal has the
    intent alone: what became of it is unknown. `is_final` where exactly this version was named, so
    that nothing brings it back; then it may be a delete marker.
    """

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime
    version_id: str = ""
    outcome: ObjectOutcome | None = None
    marker_version_ids: frozenset[str] = frozenset()
    is_final: bool = False
    is_marker: bool = False

    def is_same_object(self, other: "JournalEntry") -> bool:
        """Whether two entries of one key are about the same version of it."""
        if self.version_id and other.version_id and self.version_id != other.version_id:
            return False
        return object_identity(self) == object_identity(other)


def merge_entries(earlier: JournalEntry, later: JournalEntry) -> JournalEntry:
    """Join what a journal says twice of one key: sent again, or by a run that was resumed.

    Of one version, the outcome stays that says most of a deletion: what is deleted once is absent
    when the run comes again. Of two versions the later stays, unless nothing was done to it.
    """
    is_later = _weight(later) >= _weight(earlier)
    if not earlier.is_same_object(later):
        return later if is_later or later.outcome in PENDING_OUTCOMES else earlier
    return replace(
        later,
        version_id=later.version_id or earlier.version_id,
        outcome=later.outcome if is_later else earlier.outcome,
        marker_version_ids=earlier.marker_version_ids | later.marker_version_ids,
    )


def _weight(entry: JournalEntry) -> int:
    """Say how surely what became of it is a deletion."""
    outcome = entry.outcome
    if outcome in (*UNTOUCHED_OUTCOMES, ObjectOutcome.FAILED):
        return 0
    if outcome in ALREADY_GONE_OUTCOMES:
        return 1
    return 3 if outcome is ObjectOutcome.DELETED else 2


def object_identity(entry: JournalEntry | StoredVersion) -> tuple[str, int, datetime]:
    """Return what identifies an object's content where no version ID does."""
    return entry.etag, entry.size_bytes, entry.modified_at


class RulesOutcome(StrEnum):
    """What became of lifecycle rules that were to be written."""

    WRITTEN = "written"
    NOT_WRITTEN = "not-written"
    PUT_BACK = "put-back"
    UNKNOWN = "unknown"
