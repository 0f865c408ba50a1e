"""What stands in a deployment, summed up while its listing passes, in whatever parts it comes."""

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
    """Sum up a listing of one folder.

    It is complete when it has the required file, or where none is required any object with
    content of its own.
    """
    content = Content(prefix, required_file)
    content.add(sorted_by_key(objects))
    return content.describe(name, is_whole=is_whole)


class Sum(NamedTuple):
    """What a deployment's objects come to; the times are texts as `time_text` writes them."""

    object_count: int
    size_bytes: int
    oldest: str
    newest: str
    first: str
    is_complete: bool
    fingerprint: str

    def describe(self, name: str, prefix: str, *, is_whole: bool = True) -> Deployment:
        """Describe the deployment; one that is not whole has no count, size or fingerprint."""
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
    """The objects of one deployment as they were listed so far, or of a part that was listed apart.

    Objects are taken in the order of their keys; a part that `is_first` has the first of them.
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

    def add(self, run: Listed) -> None:
        """Take the next objects."""
        if not run.keys:
            return
        self.object_count += len(run.keys)
        self.size_bytes += sum(map(int, run.sizes))
        self._date(min(run.times), max(run.times), run.times[0])
        self.is_complete = self.is_complete or self._completes(run)
        self.fingerprinting.add(run)

    def join(self, later: "Content") -> None:
        """Take a part that was listed apart and follows this one."""
        if not later.object_count:
            return
        self.object_count += later.object_count
        self.size_bytes += later.size_bytes
        self._date(later.oldest, later.newest, later.first)
        self.is_complete = self.is_complete or later.is_complete
        self.fingerprinting.join(later.fingerprinting)

    def sum_up(self) -> Sum:
        """Sum up what was taken."""
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
        """Sum up what was taken as a deployment; see there."""
        return self.sum_up().describe(name, self.prefix, is_whole=is_whole)

    def _date(self, oldest: str, newest: str, first: str) -> None:
        self.oldest = min(self.oldest or oldest, oldest)
        self.newest = max(self.newest, newest)
        self.first = self.first or first

    def _completes(self, run: Listed) -> bool:
        if self.required_file:
            wanted = f"{self.prefix}{self.required_file}"
            place = bisect_left(run.keys, wanted)
            return place < len(run.keys) and run.keys[place] == wanted
        pairs = zip(run.keys, run.sizes, strict=True)
        return any(size != "0" or not key.endswith("/") for key, size in pairs)
