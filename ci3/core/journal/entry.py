"""Entries of a journal: objects that a run was about to delete, with their last known outcome."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.model.result import ObjectOutcome

NOT_DELETED_OUTCOMES = (ObjectOutcome.DENIED,)
"""S3 denied the request: the object was not deleted."""
AMBIGUOUS_OUTCOMES = (ObjectOutcome.ABSENT, ObjectOutcome.CHANGED)
"""Outcomes of a retried request that are also possible if the first one deleted the object.

That is so if the response to the first request was lost.
"""
MAYBE_DELETED_OUTCOMES = (None, ObjectOutcome.UNKNOWN, ObjectOutcome.FAILED)
"""Outcomes of requests that S3 may have executed, or may still execute.

An object of a failed request was listed afterwards and did still exist.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """An object that a run was about to delete, with its last known outcome.

    `version_id` is empty if the run did not know it. `outcome` is None if the journal has only the
    intent, so that the outcome is unknown. `is_permanent`: the request named exactly this version,
    so that it cannot be restored; only then the version may be a delete marker.
    """

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime
    version_id: str = ""
    outcome: ObjectOutcome | None = None
    marker_version_ids: frozenset[str] = frozenset()
    is_permanent: bool = False
    is_delete_marker: bool = False

    def is_same_object(self, other: "JournalEntry") -> bool:
        """Return True if both entries, which have the same key, are of the same version."""
        if self.version_id and other.version_id and self.version_id != other.version_id:
            return False
        return object_identity(self) == object_identity(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAttempt:
    """One object in one batch, by its position there, and its outcome."""

    batch: int
    position: int
    entry: JournalEntry


def merge_entries(earlier: JournalEntry, later: JournalEntry) -> JournalEntry:
    """Merge two entries of one key, from a retried request or from a resumed run.

    - Same version: the outcome that is the surest evidence of a deletion wins. For example, a
      deleted object is absent when the resumed run retries: the result is `deleted`.
    - Different versions: the later entry wins if its outcome is at least as sure evidence of a
      deletion, or if S3 may have executed its request all the same.

    | same version | earlier   | later     | result             |
    |--------------|-----------|-----------|--------------------|
    | yes          | `deleted` | `absent`  | `deleted`          |
    | yes          | intent    | `failed`  | intent             |
    | yes          | `unknown` | `absent`  | `unknown`          |
    | no           | `deleted` | `absent`  | earlier            |
    | no           | `deleted` | `denied`  | earlier            |
    | no           | `deleted` | `failed`  | later              |
    | no           | `failed`  | `failed`  | later              |
    """
    is_later_surer = _deletion_evidence(later) >= _deletion_evidence(earlier)
    if not earlier.is_same_object(later):
        return later if is_later_surer or later.outcome in MAYBE_DELETED_OUTCOMES else earlier
    return replace(
        later,
        version_id=later.version_id or earlier.version_id,
        outcome=later.outcome if is_later_surer else earlier.outcome,
        marker_version_ids=earlier.marker_version_ids | later.marker_version_ids,
    )


def _deletion_evidence(entry: JournalEntry) -> int:
    """Return how sure it is that the object was deleted: 0 is the least, 3 is certain."""
    outcome = entry.outcome
    if outcome in (*NOT_DELETED_OUTCOMES, ObjectOutcome.FAILED):
        return 0
    if outcome in AMBIGUOUS_OUTCOMES:
        return 1
    return 3 if outcome is ObjectOutcome.DELETED else 2


def object_identity(
    entry: JournalEntry | StoredObject | StoredVersion,
) -> tuple[str, int, datetime]:
    """Return what identifies an object's content if no version ID is known."""
    return entry.etag, entry.size_bytes, entry.modified_at


class RulesOutcome(StrEnum):
    """The outcome of writing lifecycle rules."""

    WRITTEN = "written"
    NOT_WRITTEN = "not-written"
    ROLLED_BACK = "rolled-back"
    UNKNOWN = "unknown"
