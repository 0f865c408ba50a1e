"""What of a run's deletions is undone, given the versions that stand now; pure, it removes nothing.

An undo removes delete markers and nothing else, so that it can destroy no content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ci3.core.journal.entry import (
    ALREADY_GONE_OUTCOMES,
    UNTOUCHED_OUTCOMES,
    JournalEntry,
    object_identity,
)
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.core.model.result import ObjectOutcome

CLOCK_ALLOWANCE = timedelta(minutes=15)
"""How far the clock of the run may have been ahead of S3's.

S3 refuses requests whose clock is off by more (RequestTimeTooSkewed). It may be as wide as that:
the run listed the version as the current one, so that whatever stands above it is younger anyway.
"""


class SkipReason(StrEnum):
    """Why an object is not brought back."""

    NOT_DELETED = "not-deleted"
    ALREADY_THERE = "already-there"
    NEWER_VERSION = "newer-version"
    OLDER_MARKER = "older-marker"
    VERSION_GONE = "version-gone"
    NULL_VERSION = "null-version"
    NULL_MARKER = "null-marker"
    NO_VERSIONS = "no-versions"
    FINAL = "final"
    EXPIRED = "expired"

    @property
    def is_lost(self) -> bool:
        """Whether what was deleted can't be brought back, rather than needs not to be."""
        return self not in (self.NOT_DELETED, self.ALREADY_THERE, self.NEWER_VERSION)

    @property
    def why(self) -> str:
        """The reason in words."""
        return _WHY[self]


_WHY = {
    SkipReason.NOT_DELETED: "not deleted by the run",
    SkipReason.ALREADY_THERE: "there already",
    SkipReason.NEWER_VERSION: "a newer version was uploaded, and is left alone",
    SkipReason.OLDER_MARKER: "deleted before that too, which is left alone",
    SkipReason.VERSION_GONE: "the deleted version is gone: it expired, or was removed for good",
    SkipReason.NULL_VERSION: "versioning was suspended, so that the deletion was final",
    SkipReason.NULL_MARKER: (
        "versioning is suspended: an upload would take the place of the delete marker, and be "
        "removed with it"
    ),
    SkipReason.NO_VERSIONS: "this bucket keeps no versions, so that the deletion was final",
    SkipReason.FINAL: "the run deleted its versions too, which was final",
    SkipReason.EXPIRED: "S3 has deleted it by its lifecycle rule, and no version of it is left",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """An object that comes back when its markers are removed; `version_id` is current then."""

    key: str
    version_id: str
    size_bytes: int
    marker_version_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """An object that is left as it is; its size is 0 where nothing of it is left.

    It may stand for several, where `key` is the prefix that they are under.
    """

    key: str
    size_bytes: int
    reason: SkipReason
    object_count: int = 1


Undoing = Undo | Skip


def undo_entry(
    entry: JournalEntry,
    versions: Sequence[StoredVersion],
    *,
    started_at: datetime,
    versioning: Versioning,
) -> Undoing:
    """Decide what is undone of one journaled key.

    `versions` are those of the key, newest first; `versioning` is the bucket's as it is now. An
    object that was `absent`, `changed` or `failed` is looked at like a deleted one: it may have
    been deleted by the run's own request, whose first answer was lost or which came late.
    """
    if entry.outcome in UNTOUCHED_OUTCOMES or entry.is_final:
        is_there = any(one.version_id == entry.version_id for one in versions)
        is_gone = entry.is_final and not is_there
        return _skip(entry, SkipReason.FINAL if is_gone else SkipReason.NOT_DELETED)
    place = next((at for at, one in enumerate(versions) if _is_journaled(entry, one)), None)
    if place is None:
        return _skip(entry, _why_gone(entry, versions, versioning))
    if place == 0:
        is_failed = entry.outcome is ObjectOutcome.FAILED
        return _skip(entry, SkipReason.NOT_DELETED if is_failed else SkipReason.ALREADY_THERE)
    above = versions[:place]
    if not all(one.is_marker for one in above):
        return _skip(entry, SkipReason.NEWER_VERSION)
    since = started_at - CLOCK_ALLOWANCE
    known = entry.marker_version_ids - {NULL_VERSION_ID}  # that name is taken over and over
    older = [one for one in above if one.modified_at < since and one.version_id not in known]
    if older:
        return _skip(entry, SkipReason.OLDER_MARKER)
    return _undo(versions[place], above, versioning)


def undo_since(
    versions: Sequence[StoredVersion], *, since: datetime, versioning: Versioning
) -> Undoing | None:
    """Decide what is undone of one key without a journal, or None where it is out of question.

    It is in question when the newest of it is a delete marker made at `since` or later. It comes
    back when every marker above its newest version was.
    """
    newest = versions[0]
    if not newest.is_marker or newest.modified_at < since:
        return None
    place = next((at for at, one in enumerate(versions) if not one.is_marker), None)
    if place is None:
        return Skip(key=newest.key, size_bytes=0, reason=SkipReason.VERSION_GONE)
    stored, above = versions[place], versions[:place]
    if any(one.modified_at < since for one in above):
        reason = SkipReason.OLDER_MARKER
        return Skip(key=stored.key, size_bytes=stored.size_bytes, reason=reason)
    return _undo(stored, above, versioning)


def undo_expiry(
    prefix: str,
    by_key: Iterable[Sequence[StoredVersion]],
    *,
    approved_count: int,
    since: datetime,
    versioning: Versioning,
) -> tuple[Undoing, ...]:
    """Decide what is undone of a deployment that was left to S3, whose rule is taken away before.

    No key is known, but how many objects there were: what is neither there nor hidden is lost.
    """
    listed = list(by_key)
    found = [undo_since(one, since=since, versioning=versioning) for one in listed]
    undoings = [one for one in found if one is not None]
    there = [one[0] for one in listed if not one[0].is_marker]
    if there:
        size_bytes = sum(one.size_bytes for one in there)
        undoings.append(_skip_all(prefix, SkipReason.ALREADY_THERE, len(there), size_bytes))
    if (lost := approved_count - len(there) - sum(isinstance(one, Undo) for one in undoings)) > 0:
        undoings = [one for one in undoings if isinstance(one, Undo) or not one.reason.is_lost]
        undoings.append(_skip_all(prefix, SkipReason.EXPIRED, lost, 0))
    return tuple(undoings)


def _skip_all(prefix: str, reason: SkipReason, count: int, size_bytes: int) -> Skip:
    return Skip(key=prefix, size_bytes=size_bytes, reason=reason, object_count=count)


def _undo(stored: StoredVersion, above: Sequence[StoredVersion], versioning: Versioning) -> Undoing:
    """Undo by removing the markers above, unless one could give way to an upload before that.

    While versioning is not enabled an upload takes the place of what is called `null`, and removing
    that would then destroy the upload.
    """
    marker_version_ids = tuple(one.version_id for one in above)
    if NULL_VERSION_ID in marker_version_ids and versioning is not Versioning.ENABLED:
        reason = SkipReason.NULL_MARKER
        return Skip(key=stored.key, size_bytes=stored.size_bytes, reason=reason)
    return Undo(
        key=stored.key,
        version_id=stored.version_id,
        size_bytes=stored.size_bytes,
        marker_version_ids=marker_version_ids,
    )


def _is_journaled(entry: JournalEntry, version: StoredVersion) -> bool:
    if version.is_marker:
        return False
    if entry.version_id and entry.version_id != version.version_id:
        return False
    if entry.version_id and entry.version_id != NULL_VERSION_ID:
        return True
    return object_identity(entry) == object_identity(version)


def _why_gone(
    entry: JournalEntry, versions: Sequence[StoredVersion], versioning: Versioning
) -> SkipReason:
    if versions and not versions[0].is_marker:
        return SkipReason.NEWER_VERSION
    if entry.outcome in ALREADY_GONE_OUTCOMES:
        return SkipReason.NOT_DELETED
    if versioning is Versioning.DISABLED:
        return SkipReason.NO_VERSIONS
    if entry.version_id == NULL_VERSION_ID or (
        not entry.version_id and NULL_VERSION_ID in entry.marker_version_ids
    ):
        return SkipReason.NULL_VERSION
    return SkipReason.VERSION_GONE


def _skip(entry: JournalEntry, reason: SkipReason) -> Skip:
    return Skip(key=entry.key, size_bytes=entry.size_bytes, reason=reason)
