"""Summaries of deployments, built while their objects are listed, in one pass or in parts."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ci3.core.inventory.columns import Listed, moment_of
from ci3.core.inventory.fingerprint import Fingerprinting, sorted_by_key
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject


def describe(
    name: str,
    prefix: str,
    objects: Iterable[StoredObject],
    *,
    required_file: str = "",
    is_whole: bool = True,
) -> Deployment:
    """Return the deployment in one folder, given its objects in any order.

    It is complete if it has the required file or, if none is required, any object with content.
    """
    builder = Content(prefix, required_file)
    builder.add(sorted_by_key(objects))
    return builder.describe(name, is_whole=is_whole)


class Sum(NamedTuple):
    """The summary of a deployment's objects.

    The times are texts in the format of `format_listing_time`, empty if there are no objects.
    """

    object_count: int
    size_bytes: int
    oldest: str
    newest: str
    first: str
    """Modification time of the first object by key."""
    is_complete: bool
    fingerprint: str

    def describe(self, name: str, prefix: str, *, is_whole: bool = True) -> Deployment:
        """Return the deployment; if not fully listed, without count, size and fingerprint."""
        return Deployment(
            name=name,
            prefix=prefix,
            object_count=self.object_count if is_whole else 0,
            size_bytes=self.size_bytes if is_whole else 0,
            oldest_at=moment_of(self.oldest) if self.oldest else None,
            newest_at=moment_of(self.newest) if self.newest else None,
            complete=self.is_complete,
            fingerprint=self.fingerprint if is_whole else "",
            is_whole=is_whole,
            first_at=moment_of(self.first) if self.first else None,
        )


@dataclass(slots=True)
class Content:
    """Builds the summary of one deployment, or of a part of it that is listed separately.

    Objects are added in the order of their keys. Only the part that `is_first_part` has the first
    of them.
    """

    prefix: str
    required_file: str = ""
    is_first: bool = True
    object_count: int = 0
    size_bytes: int = 0
    oldest: str = ""
    newest: str = ""
    first: str = ""
    is_complete: bool = False
    fingerprinting: Fingerprinting = field(init=False)

    def __post_init__(self) -> None:
        self.fingerprinting = Fingerprinting(is_first=self.is_first)

    def add(self, columns: Listed) -> None:
        """Add the next objects."""
        if not columns.keys:
            return
        self.object_count += len(columns.keys)
        self.size_bytes += sum(map(int, columns.sizes))
        self._merge_times(min(columns.times), max(columns.times), columns.times[0])
        self.is_complete = self.is_complete or self._completes(columns)
        self.fingerprinting.add(columns)

    def join(self, later: "Content") -> None:
        """Append the part that follows this one."""
        if not later.object_count:
            return
        self.object_count += later.object_count
        self.size_bytes += later.size_bytes
        self._merge_times(later.oldest, later.newest, later.first)
        self.is_complete = self.is_complete or later.is_complete
        self.fingerprinting.join(later.fingerprinting)

    def sum_up(self) -> Sum:
        """Return the summary of the objects added so far."""
        return Sum(
            self.object_count,
            self.size_bytes,
            self.oldest,
            self.newest,
            self.first,
            self.is_complete,
            self.fingerprinting.finish(),
        )

    def describe(self, name: str, *, is_whole: bool = True) -> Deployment:
        """Return the deployment as `DeploymentSummary.to_deployment` does."""
        return self.sum_up().describe(name, self.prefix, is_whole=is_whole)

    def _merge_times(self, oldest: str, newest: str, first: str) -> None:
        self.oldest = min(self.oldest or oldest, oldest)
        self.newest = max(self.newest, newest)
        self.first = self.first or first

    def _completes(self, columns: Listed) -> bool:
        """Return True if one of these objects makes the deployment complete."""
        if self.required_file:
            required_key = f"{self.prefix}{self.required_file}"
            index = bisect_left(columns.keys, required_key)
            return index < len(columns.keys) and columns.keys[index] == required_key
        pairs = zip(columns.keys, columns.sizes, strict=True)
        return any(size != "0" or not key.endswith("/") for key, size in pairs)
