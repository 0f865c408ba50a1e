"""Which deployments came after which: an order that takes nothing for older that may not be."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate

from ci3.core.model.deployment import Deployment


class AgeFrom(StrEnum):
    """Which of a deployment's times tell whether it is older than another."""

    SPAN = "span"
    OLDEST = "oldest"
    NEWEST = "newest"
    FIRST_OBJECT = "first-object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A deployment that has objects, and the time from `start` to `end` that stands for its age."""

    deployment: Deployment
    start: datetime
    end: datetime
    done_at: datetime
    """When its newest object was modified."""

    @property
    def place(self) -> tuple[float, float, str]:
        """What orders it among others, newest first."""
        return -self.end.timestamp(), -self.start.timestamp(), self.deployment.name


def date(deployment: Deployment, age_from: AgeFrom) -> Dated | None:
    """Give a deployment's age, or None where it has no objects.

    `first-object` ends with the newest object where all of them are known, so that one that was
    changed after its first object is not taken for older than it is.
    """
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None:
        return None
    first_at = deployment.first_at or oldest_at
    start, end = {
        AgeFrom.SPAN: (oldest_at, newest_at),
        AgeFrom.OLDEST: (oldest_at, oldest_at),
        AgeFrom.NEWEST: (newest_at, newest_at),
        AgeFrom.FIRST_OBJECT: (first_at, newest_at if deployment.is_whole else first_at),
    }[age_from]
    return Dated(deployment=deployment, start=start, end=end, done_at=newest_at)


def newest_first(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Order deployments as every listing of them stands: without objects last."""
    return tuple(sorted(deployments, key=_order))


def _order(deployment: Deployment) -> tuple[bool, float, float, str]:
    dated = date(deployment, AgeFrom.SPAN)
    return (True, 0, 0, deployment.name) if dated is None else (False, *dated.place)


class Succession:
    """The complete deployments of a group, and which of them are known to be newer than one."""

    def __init__(self, complete: Iterable[Dated]) -> None:
        self.newest_first: Sequence[Dated] = sorted(complete, key=lambda one: one.place)
        self.places = {one.deployment.name: place for place, one in enumerate(self.newest_first)}
        by_start = sorted(self.newest_first, key=lambda one: one.start)
        self._starts = [one.start for one in by_start]
        self._followers = list(accumulate(reversed(by_start), _earlier_done))[::-1]
        self.last_done_at = max((one.done_at for one in self.newest_first), default=None)

    def newer_count(self, one: Dated) -> int:
        """How many are known to be newer: they start after all of this one."""
        return len(self._starts) - bisect_right(self._starts, one.end)

    def follower(self, one: Dated) -> Dated | None:
        """The first one, by the time it was done, that is known to be newer."""
        first = bisect_right(self._starts, one.end)
        return self._followers[first] if first < len(self._followers) else None

    def overlapping(self, one: Dated) -> Dated | None:
        """One that stands before this one in the order without being known to be newer."""
        for other in self.newest_first:
            if other.place >= one.place:
                return None
            if other.start <= one.end:
                return other
        return None


def _earlier_done(one: Dated, other: Dated) -> Dated:
    return min(one, other, key=lambda dated: (dated.done_at, dated.deployment.name))
