"""Decides which deletions can be restored, given the versions that exist now.

Restoring removes only delete markers, so that it cannot destroy content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ci3.core.journal.entry import (
    AMBIGUOUS_OUTCOMES,
    NOT_DELETED_OUTCOMES,
    JournalEntry,
    object_identity,
)
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.core.model.result import ObjectOutcome

CLOCK_ALLOWANCE = timedelta(minutes=15)
"""How far the run's clock may have been ahead of S3's.

S3 rejects requests with a larger difference (RequestTimeTooSkewed). Such a large allowance is safe:
the run listed the version as the current one, so that all versions above it are newer anyway.
"""


class SkipReason(StrEnum):
    """The reason why an object is not restored."""

    NOT_DELETED = "not-deleted"
    ALREADY_THERE = "already-there"
    NEWER_VERSION = "newer-version"
    OLDER_MARKER = "older-marker"
    NEWER_DELETED = "newer-deleted"
    NOT_CURRENT = "not-current"
    VERSION_GONE = "version-gone"
    NULL_VERSION = "null-version"
    NULL_MARKER = "null-marker"
    NO_VERSIONS = "no-versions"
    FINAL = "final"
    EXPIRED = "expired"

    @property
    def is_unrecoverable(self) -> bool:
        """True if the object cannot be restored; False if it does not need to be."""
        return self not in (self.NOT_DELETED, self.ALREADY_THERE, self.NEWER_VERSION)

    @property
    def description(self) -> str:
        """The reason as text."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    SkipReason.NOT_DELETED: "not deleted by the run",
    SkipReason.ALREADY_THERE: "already current",
    SkipReason.NEWER_VERSION: "a newer version was uploaded and is kept",
    SkipReason.OLDER_MARKER: "already deleted earlier",
    SkipReason.NEWER_DELETED: (
        "a newer version was uploaded and deleted since: restore that deletion instead"
    ),
    SkipReason.NOT_CURRENT: ("a version exists, but the store does not list it as current"),
    SkipReason.VERSION_GONE: "the version no longer exists: it expired or was permanently deleted",
    SkipReason.NULL_VERSION: "versioning was suspended, so the deletion was permanent",
    SkipReason.NULL_MARKER: (
        "versioning is suspended: an upload could replace the delete marker and be deleted with it"
    ),
    SkipReason.NO_VERSIONS: "the bucket does not keep versions, so the deletion was permanent",
    SkipReason.FINAL: "the run permanently deleted its versions",
    SkipReason.EXPIRED: "S3 deleted it by the lifecycle rule, and no version of it remains",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreObject:
    """An object to restore by removing its delete markers; then `version_id` is current."""

    key: str
    version_id: str
    size_bytes: int
    modified_at: datetime
    marker_version_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipObject:
    """An object that is not restored; its size is 0 if no version of it exists.

    If `object_count` is more than 1, it represents several objects, and `key` is their prefix.
    """

    key: str
    size_bytes: int
    reason: SkipReason
    object_count: int = 1


RestoreAction = RestoreObject | SkipObject


def decide_entry_restore(
    entry: JournalEntry,
    versions: Sequence[StoredVersion],
    *,
    started_at: datetime,
    versioning: Versioning,
) -> RestoreAction:
    """Decide how to restore the object of a journal entry.

    `versions` are those of the key, newest first; `started_at` is the start of the run;
    `versioning` is the bucket's current state. Examples for an entry of version V1, where the
    markers M1 and M2 are of the run's time and M0 is older:

    | `versions`  | result                 |
    |-------------|------------------------|
    | M1 V1       | restore: remove M1     |
    | M2 M1 V1    | restore: remove M2, M1 |
    | V1          | skip: `already-there`  |
    | V2 M1 V1    | skip: `newer-version`  |
    | M2 V2 M1 V1 | skip: `newer-deleted`  |
    | M1 M0 V1    | skip: `older-marker`   |
    | M1          | skip: `version-gone`   |

    The first one must be listed as the latest, and no other. If none or several are, nothing is
    known to be current: `not-current`. Some stores list none after a delete marker was removed.

    Objects with the outcome `absent`, `changed` or `failed` are treated like deleted ones: the
    run's own request may have deleted them, if its response was lost or it was executed late.
    """
    if entry.outcome in NOT_DELETED_OUTCOMES or entry.is_permanent:
        has_version = any(version.version_id == entry.version_id for version in versions)
        is_lost = entry.is_permanent and not has_version
        return _skip(entry, SkipReason.FINAL if is_lost else SkipReason.NOT_DELETED)
    index = next((i for i, version in enumerate(versions) if _is_of_entry(version, entry)), None)
    if index is None:
        return _skip(entry, _missing_version_reason(entry, versions, versioning))
    above = versions[:index]
    latest = find_latest(versions)
    if latest is None or not all(version.is_delete_marker for version in above):
        return _skip(entry, _not_restorable_reason(latest, versions[index]))
    if not above:
        is_failed = entry.outcome is ObjectOutcome.FAILED
        reason = SkipReason.NOT_DELETED if is_failed else SkipReason.ALREADY_THERE
        return _skip(entry, reason)
    since = started_at - CLOCK_ALLOWANCE
    # Later markers may have the ID `null` too, so that it does not identify the run's marker.
    run_marker_ids = entry.marker_version_ids - {NULL_VERSION_ID}
    if any(
        marker.modified_at < since and marker.version_id not in run_marker_ids for marker in above
    ):
        return _skip(entry, SkipReason.OLDER_MARKER)
    return _remove_markers(versions[index], above, versioning)


def decide_restore_since(
    versions: Sequence[StoredVersion], *, since: datetime, versioning: Versioning
) -> RestoreAction | None:
    """Decide without a journal how to restore a key; None if it was not deleted since `since`.

    It was if its newest version is a delete marker created at `since` or later. It is restored if
    all markers above its newest object version were. `versions` are those of the key, newest first.
    """
    newest = find_latest(versions)
    if newest is None:
        return _skip(versions[0], SkipReason.NOT_CURRENT)
    if not newest.is_delete_marker or newest.modified_at < since:
        return None
    index = next((i for i, version in enumerate(versions) if not version.is_delete_marker), None)
    if index is None:
        return SkipObject(key=newest.key, size_bytes=0, reason=SkipReason.VERSION_GONE)
    version, above = versions[index], versions[:index]
    if any(marker.modified_at < since for marker in above):
        return _skip(version, SkipReason.OLDER_MARKER)
    return _remove_markers(version, above, versioning)


def decide_expired_restore(
    prefix: str,
    by_key: Iterable[Sequence[StoredVersion]],
    *,
    approved_count: int,
    since: datetime,
    versioning: Versioning,
) -> tuple[RestoreAction, ...]:
    """Decide how to restore a deployment that S3 deletes by a lifecycle rule.

    The rule is removed before. `by_key` has the versions of each key, newest first. The journal has
    no keys of such a deployment, only the number of objects: those that are neither current nor
    restorable are reported as lost, in one `SkipObject`.
    """
    keys = list(by_key)
    actions = [
        action
        for versions in keys
        if (action := decide_restore_since(versions, since=since, versioning=versioning))
        is not None
    ]
    restored_count = sum(isinstance(action, RestoreObject) for action in actions)
    latest_versions = [find_latest(versions) for versions in keys]
    current = [version for version in latest_versions if version and not version.is_delete_marker]
    not_current_count = latest_versions.count(None)
    if current:
        size_bytes = sum(version.size_bytes for version in current)
        actions.append(_skip_group(prefix, SkipReason.ALREADY_THERE, len(current), size_bytes))
    lost_count = approved_count - len(current) - restored_count - not_current_count
    if lost_count > 0:
        actions = [
            action
            for action in actions
            if isinstance(action, RestoreObject)
            or action.reason is SkipReason.NOT_CURRENT
            or not action.reason.is_unrecoverable
        ]
        actions.append(_skip_group(prefix, SkipReason.EXPIRED, lost_count, 0))
    return tuple(actions)


def find_latest(versions: Sequence[StoredVersion]) -> StoredVersion | None:
    """Return the first version if it alone is listed as the latest of its key, or else None."""
    latest = [version for version in versions if version.is_latest]
    return latest[0] if len(latest) == 1 and latest[0] is versions[0] else None


def _not_restorable_reason(latest: StoredVersion | None, version: StoredVersion) -> SkipReason:
    """Return the reason if nothing is known to be latest, or another version is above this one.

    If the latest one is older than this one, the store made a wrong version current.
    """
    if latest is None:
        return SkipReason.NOT_CURRENT
    if latest.is_delete_marker:
        return SkipReason.NEWER_DELETED
    is_newer = latest.modified_at >= version.modified_at
    return SkipReason.NEWER_VERSION if is_newer else SkipReason.NOT_CURRENT


def _remove_markers(
    version: StoredVersion, markers: Sequence[StoredVersion], versioning: Versioning
) -> RestoreAction:
    """Restore a version by removing the markers above it, unless that could destroy an upload.

    Unless versioning is enabled, an upload replaces the `null` marker and has its ID. Removing the
    marker would then delete the upload.
    """
    marker_version_ids = tuple(marker.version_id for marker in markers)
    if NULL_VERSION_ID in marker_version_ids and versioning is not Versioning.ENABLED:
        return _skip(version, SkipReason.NULL_MARKER)
    return RestoreObject(
        key=version.key,
        version_id=version.version_id,
        size_bytes=version.size_bytes,
        modified_at=version.modified_at,
        marker_version_ids=marker_version_ids,
    )


def _is_of_entry(version: StoredVersion, entry: JournalEntry) -> bool:
    """Return True if a version is that of the entry: by its ID or, if that is ambiguous, content.

    A `null` version can be overwritten, and has the same ID then.
    """
    if version.is_delete_marker:
        return False
    if entry.version_id and entry.version_id != version.version_id:
        return False
    if entry.version_id and entry.version_id != NULL_VERSION_ID:
        return True
    return object_identity(entry) == object_identity(version)


def _missing_version_reason(
    entry: JournalEntry, versions: Sequence[StoredVersion], versioning: Versioning
) -> SkipReason:
    latest = find_latest(versions)
    if latest and not latest.is_delete_marker and latest.modified_at >= entry.modified_at:
        return SkipReason.NEWER_VERSION
    if entry.outcome in AMBIGUOUS_OUTCOMES:
        return SkipReason.NOT_DELETED
    if versioning is Versioning.DISABLED:
        return SkipReason.NO_VERSIONS
    if entry.version_id == NULL_VERSION_ID or (
        not entry.version_id and NULL_VERSION_ID in entry.marker_version_ids
    ):
        return SkipReason.NULL_VERSION
    return SkipReason.VERSION_GONE


def _skip(skipped: JournalEntry | StoredVersion, reason: SkipReason) -> SkipObject:
    return SkipObject(key=skipped.key, size_bytes=skipped.size_bytes, reason=reason)


def _skip_group(prefix: str, reason: SkipReason, count: int, size_bytes: int) -> SkipObject:
    return SkipObject(key=prefix, size_bytes=size_bytes, reason=reason, object_count=count)
