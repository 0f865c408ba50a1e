"""Age order of deployments. Overlapping uploads have no order: neither supersedes the other.

Worked example, with `age-from: span` and each deployment's oldest and newest object in days:

    a  day 1 to 2
    b  day 4 to 6
    c  day 5 to 8    overlaps b
    d  day 7 to 9    overlaps c

    deployment   known to be newer    successor               overlapping
    d            none                 none                    none
    c            none                 none                    d
    b            d                    d                       c
    a            b, c, d              b (completed first)     none

A deployment is known to be newer only if it starts after the other one ends.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import accumulate

from ci3.core.model.deployment import Deployment


class AgeFrom(StrEnum):
    """Setting `age-from`: which of a deployment's times define its age, or whether its name does.

    With `name`, see `ci3.core.retention.name_order`; the times are then those of `newest`.
    """

    SPAN = "span"
    OLDEST = "oldest"
    NEWEST = "newest"
    FIRST_OBJECT = "first-object"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedDeployment:
    """A deployment that has objects, with the time span (`start` to `end`) used as its age."""

    deployment: Deployment
    start: datetime
    end: datetime
    completed_at: datetime
    """When its newest object was modified."""

    @property
    def sort_key(self) -> tuple[float, float, str]:
        """Key that sorts deployments newest first, with ties by name."""
        return -self.end.timestamp(), -self.start.timestamp(), self.deployment.name


def date_deployment(deployment: Deployment, age_from: AgeFrom) -> DatedDeployment | None:
    """Return a deployment with its age, or None if it has no objects.

    With `first-object`, the span ends with the newest object if all objects are listed. A
    deployment that was changed after its first object is then not ranked as older than it is.
    """
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None:
        return None
    first_at = deployment.first_object_at or oldest_at
    start, end = {
        AgeFrom.SPAN: (oldest_at, newest_at),
        AgeFrom.OLDEST: (oldest_at, oldest_at),
        AgeFrom.NEWEST: (newest_at, newest_at),
        AgeFrom.NAME: (newest_at, newest_at),
        AgeFrom.FIRST_OBJECT: (first_at, newest_at if deployment.is_fully_listed else first_at),
    }[age_from]
    return DatedDeployment(deployment=deployment, start=start, end=end, completed_at=newest_at)


def sort_newest_first(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Return deployments in display order: newest first, those without objects last."""
    return tuple(sorted(deployments, key=_display_key))


def _display_key(deployment: Deployment) -> tuple[bool, float, float, str]:
    dated = date_deployment(deployment, AgeFrom.SPAN)
    return (True, 0, 0, deployment.name) if dated is None else (False, *dated.sort_key)


class AgeOrder:
    """The complete deployments of a group, searchable for those known to be newer than another."""

    def __init__(self, complete: Iterable[DatedDeployment]) -> None:
        self.deployments: Sequence[DatedDeployment] = sorted(
            complete, key=lambda dated: dated.sort_key
        )
        self.positions = {
            dated.deployment.name: position for position, dated in enumerate(self.deployments)
        }
        by_start = sorted(self.deployments, key=lambda dated: dated.start)
        self._starts = [dated.start for dated in by_start]
        # At each index of `_starts`: the first completed deployment from that index on.
        self._successors = list(accumulate(reversed(by_start), _first_completed))[::-1]
        self.last_completed_at = max(
            (dated.completed_at for dated in self.deployments), default=None
        )

    def count_newer(self, dated: DatedDeployment) -> int:
        """Count the deployments known to be newer: those that start after this one ends."""
        return len(self._starts) - bisect_right(self._starts, dated.end)

    def find_successor(self, dated: DatedDeployment) -> DatedDeployment | None:
        """Return the deployment that was completed first of those known to be newer, if any."""
        index = bisect_right(self._starts, dated.end)
        return self._successors[index] if index < len(self._successors) else None

    def find_overlapping(self, dated: DatedDeployment) -> DatedDeployment | None:
        """Return the first deployment sorted before this one but not known to be newer, if any."""
        for candidate in self.deployments:
            if candidate.sort_key >= dated.sort_key:
                return None
            if candidate.start <= dated.end:
                return candidate
        return None


def _first_completed(left: DatedDeployment, right: DatedDeployment) -> DatedDeployment:
    return min(left, right, key=lambda dated: (dated.completed_at, dated.deployment.name))
