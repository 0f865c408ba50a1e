"""Sends versions and delete markers, each named by its version ID.

An ID names one version forever, except `null`: while versioning is suspended, an upload overwrites
that version in place.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ci3.aws.deletion.outcomes import CHANGED, KeyOutcome
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.engine.deletion.sender import BatchPart, Sender, keep_unless_absent, not_listed
from ci3.engine.inventory.versions import list_all_versions

VersionIdentity = tuple[str, str]
"""Key and version ID of a version or delete marker."""


def identify(version: StoredVersion) -> VersionIdentity:
    """Return key and version ID."""
    return version.key, version.version_id


@dataclass(slots=True, kw_only=True)
class VersionSender(Sender[StoredVersion, VersionIdentity]):
    """Deletes versions and delete markers by their IDs; a batch is of one deployment.

    With `refreshes_null`, versions with the ID `null` are listed again if their listing is older
    than FRESH_SECONDS, and before each retry. If one has changed, no more of its deployment is
    sent than versions that no upload replaces.
    """

    remover: VersionRemover
    may_name_null: bool = True
    refreshes_null: bool = True

    def _identify(self, entry: StoredVersion) -> VersionIdentity:
        return identify(entry)

    def _request(
        self, entries: Sequence[StoredVersion], may_continue: Callable[[], bool]
    ) -> Mapping[VersionIdentity, KeyOutcome]:
        return self.remover.remove_versions(
            [*map(identify, entries)],
            is_null_allowed=self.may_name_null,
            may_continue=may_continue,
        )

    def _list_current(
        self, part: BatchPart[StoredVersion]
    ) -> Mapping[VersionIdentity, StoredVersion]:
        """List the versions whose keys begin with the common prefix of the part's keys."""
        keys = [version.key for version in part.entries]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(min(keys), max(keys), strict=False))
        prefix = "".join(character for character, _ in same)
        return {identify(version): version for version in list_all_versions(self.reader, prefix)}

    def _is_same(self, entry: StoredVersion, listed: StoredVersion | None) -> bool:
        """Return True if the content is equal; being current or noncurrent does not matter."""
        return listed is not None and entry == replace(listed, is_latest=entry.is_latest)

    def _refresh(
        self, part: BatchPart[StoredVersion], *, is_retry: bool
    ) -> tuple[BatchPart[StoredVersion], Mapping[VersionIdentity, KeyOutcome]]:
        nulls = tuple(version for version in part.entries if version.version_id == NULL_VERSION_ID)
        is_stale = is_retry or not self._is_fresh(part.listed_at)
        is_changed = part.prefix in self._changed_prefixes
        if not (self.refreshes_null and nulls):
            return replace(part, listed_at=math.inf), {}
        if not (is_stale or is_changed):
            return part, {}
        began_at = self.control.monotonic()
        try:
            current = self._list_current(replace(part, entries=nulls))
        except Exception as exc:  # noqa: BLE001 - what cannot be listed is not sent
            return part, dict.fromkeys(map(identify, nulls), not_listed(exc))
        not_sent = self._changed(nulls, current)
        if is_changed or CHANGED in not_sent.values():
            self._changed_prefixes.add(part.prefix)
            not_sent = {
                identity: keep_unless_absent(not_sent.get(identity))
                for identity in map(identify, part.entries)
            }
        return replace(part, listed_at=began_at), not_sent
