"""Summaries of deployments, built while their objects are listed, in one pass or in parts."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ci3.core.inventory.columns import ObjectColumns, parse_listing_time
from ci3.core.inventory.fingerprint import FingerprintBuilder, to_sorted_columns
from ci3.core.inventory.subfolders import (
    ENOUGH_SUBFOLDERS,
    find_deployment_subfolders,
    join_subfolders,
    may_hold_deployments,
)
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject


def summarize_folder(
    name: str,
    prefix: str,
    objects: Iterable[StoredObject],
    *,
    required_file: str = "",
    is_fully_listed: bool = True,
) -> Deployment:
    """Return the deployment in one folder, given its objects in any order.

    It is complete if it has the required file or, if none is required, any object with content.
    """
    builder = SummaryBuilder(prefix, required_file)
    builder.add_objects(to_sorted_columns(objects))
    return builder.build_deployment(name, is_fully_listed=is_fully_listed)


class DeploymentSummary(NamedTuple):
    """The summary of a deployment's objects.

    The times are texts in the format of `format_listing_time`, empty if there are no objects.
    """

    object_count: int
    size_bytes: int
    oldest_time: str
    newest_time: str
    first_object_time: str
    """Modification time of the first object by key."""
    newest_key: str
    """Key of the newest object, the first of several."""
    is_complete: bool
    fingerprint: str
    subfolders: tuple[str, ...]

    def to_deployment(self, name: str, prefix: str, *, is_fully_listed: bool = True) -> Deployment:
        """Return the deployment; if not fully listed, without count, size and fingerprint."""
        return Deployment(
            name=name,
            prefix=prefix,
            object_count=self.object_count if is_fully_listed else 0,
            size_bytes=self.size_bytes if is_fully_listed else 0,
            oldest_at=parse_listing_time(self.oldest_time) if self.oldest_time else None,
            newest_at=parse_listing_time(self.newest_time) if self.newest_time else None,
            is_complete=self.is_complete,
            fingerprint=self.fingerprint if is_fully_listed else "",
            is_fully_listed=is_fully_listed,
            first_object_at=parse_listing_time(self.first_object_time)
            if self.first_object_time
            else None,
            newest_key=self.newest_key if is_fully_listed else "",
            subfolders=self.subfolders,
        )


@dataclass(slots=True)
class SummaryBuilder:
    """Builds the summary of one deployment, or of a part of it that is listed separately.

    Objects are added in the order of their keys. Only the part that `is_first_part` has the first
    of them.
    """

    prefix: str
    required_file: str = ""
    is_first_part: bool = True
    object_count: int = 0
    size_bytes: int = 0
    oldest_time: str = ""
    newest_time: str = ""
    first_object_time: str = ""
    newest_key: str = ""
    is_complete: bool = False
    subfolders: tuple[str, ...] = ()
    """The first sub-folders that are named like deployments; see `find_deployment_subfolders`."""
    fingerprint_builder: FingerprintBuilder = field(init=False)
    _is_searched: bool = field(init=False)
    """True if the folder may hold several deployments."""

    def __post_init__(self) -> None:
        self.fingerprint_builder = FingerprintBuilder(is_first_part=self.is_first_part)
        self._is_searched = may_hold_deployments(self.prefix[:-1].rpartition("/")[2])

    def add_objects(self, columns: ObjectColumns) -> None:
        """Add the next objects."""
        if not columns.keys:
            return
        self.object_count += len(columns.keys)
        self.size_bytes += sum(map(int, columns.sizes))
        newest_time = max(columns.times)
        if newest_time > self.newest_time:
            self.newest_key = columns.keys[columns.times.index(newest_time)]
        self._merge_times(min(columns.times), newest_time, columns.times[0])
        self.is_complete = self.is_complete or self._completes(columns)
        if self._is_searched and len(self.subfolders) < ENOUGH_SUBFOLDERS:
            subfolders = find_deployment_subfolders(columns.keys, self.prefix)
            self.subfolders = join_subfolders(self.subfolders, subfolders)
        self.fingerprint_builder.add_objects(columns)

    def append_part(self, later: "SummaryBuilder") -> None:
        """Append the part that follows this one."""
        if not later.object_count:
            return
        self.object_count += later.object_count
        self.size_bytes += later.size_bytes
        if later.newest_time > self.newest_time:
            self.newest_key = later.newest_key
        self._merge_times(later.oldest_time, later.newest_time, later.first_object_time)
        self.is_complete = self.is_complete or later.is_complete
        self.subfolders = join_subfolders(self.subfolders, later.subfolders)
        self.fingerprint_builder.append_part(later.fingerprint_builder)

    def build_summary(self) -> DeploymentSummary:
        """Return the summary of the objects added so far."""
        return DeploymentSummary(
            self.object_count,
            self.size_bytes,
            self.oldest_time,
            self.newest_time,
            self.first_object_time,
            self.newest_key,
            self.is_complete,
            self.fingerprint_builder.finish(),
            self.subfolders,
        )

    def build_deployment(self, name: str, *, is_fully_listed: bool = True) -> Deployment:
        """Return the deployment as `DeploymentSummary.to_deployment` does."""
        return self.build_summary().to_deployment(
            name, self.prefix, is_fully_listed=is_fully_listed
        )

    def _merge_times(self, oldest: str, newest: str, first: str) -> None:
        self.oldest_time = min(self.oldest_time or oldest, oldest)
        self.newest_time = max(self.newest_time, newest)
        self.first_object_time = self.first_object_time or first

    def _completes(self, columns: ObjectColumns) -> bool:
        """Return True if one of these objects makes the deployment complete."""
        if self.required_file:
            required_key = f"{self.prefix}{self.required_file}"
            index = bisect_left(columns.keys, required_key)
            return index < len(columns.keys) and columns.keys[index] == required_key
        pairs = zip(columns.keys, columns.sizes, strict=True)
        return any(size != "0" or not key.endswith("/") for key, size in pairs)
