"""The decision: which deployments stay and which go; keep rules are a union, doubt keeps."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from ci3.core.model import Action, Decision, Deployment, Inventory, Reason, ReasonCode
from ci3.core.pins import Pin
from ci3.core.wording import ago, counted, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """The rules that keep deployments."""

    keep_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """Everything in force that can keep a deployment, and the time that dates the sentences."""

    keep_count: int
    minimum_keep_count: int
    pins: Sequence[Pin]
    now: datetime

    @property
    def needed_count(self) -> int:
        """How many complete ones must be known to be newer before one may go."""
        return max(self.keep_count, self.minimum_keep_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dated:
    """A deployment that has objects, so that its times are known."""

    deployment: Deployment
    oldest_at: datetime
    newest_at: datetime


def decide(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    now: datetime,
    minimum_keep_count: int,
) -> tuple[Decision, ...]:
    """Decide about every deployment of an inventory; newest first, without objects last.

    Independent of the inventory's order; `now` only dates the sentences. Raises ValueError for a
    minimum below 1, because then a group could lose its last deployment.
    """
    if minimum_keep_count < 1:
        raise ValueError(f"minimum_keep_count must be at least 1, not {minimum_keep_count}")
    rules = _Rules(
        keep_count=policy.keep_count, minimum_keep_count=minimum_keep_count, pins=pins, now=now
    )
    return tuple(_decide_group("", newest_first(inventory.deployments), rules))


def newest_first(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """Order deployments as every listing of them stands: without objects last."""
    return tuple(sorted(deployments, key=_order))


def _order(deployment: Deployment) -> tuple[bool, float, float, str]:
    if deployment.newest_at is None or deployment.oldest_at is None:
        return True, 0, 0, deployment.name
    return (
        False,
        -deployment.newest_at.timestamp(),
        -deployment.oldest_at.timestamp(),
        deployment.name,
    )


def _decide_group(
    group: str, newest_first: Sequence[Deployment], rules: _Rules
) -> Iterable[Decision]:
    dated = {
        one.name: _Dated(deployment=one, oldest_at=one.oldest_at, newest_at=one.newest_at)
        for one in newest_first
        if one.oldest_at is not None and one.newest_at is not None
    }
    complete = _Succession([one for one in dated.values() if one.deployment.complete])
    for deployment in newest_first:
        keep = [pin.reason() for pin in rules.pins if pin.holds(deployment.name)]
        one = dated.get(deployment.name)
        if one is None:
            keep.append(Reason(code=ReasonCode.NO_OBJECTS, message="nothing was found in it"))
        else:
            keep += _kept_by_count(one, complete, rules)
        if keep or one is None:
            action, reasons = Action.KEEP, tuple(keep)
        else:
            action, reasons = Action.DELETE, (_superseded(one, complete, rules.now),)
        yield Decision(deployment=deployment, group=group, action=action, reasons=reasons)


class _Succession:
    """The complete deployments of a group, and which of them are known to be newer than one."""

    def __init__(self, newest_first: Sequence[_Dated]) -> None:
        self.newest_first = newest_first
        self.places = {one.deployment.name: place for place, one in enumerate(newest_first)}
        by_start = sorted(newest_first, key=lambda one: one.oldest_at)
        self._starts = [one.oldest_at for one in by_start]
        self._followers = list(accumulate(reversed(by_start), _earlier_done))[::-1]

    def newer_count(self, one: _Dated) -> int:
        """How many are known to be newer: every object of theirs is newer than all of this one."""
        return len(self._starts) - bisect_right(self._starts, one.newest_at)

    def follower(self, one: _Dated) -> _Dated:
        """The first one, by the time it was done, that is known to be newer; there must be one."""
        return self._followers[bisect_right(self._starts, one.newest_at)]

    def overlapping(self, one: _Dated) -> _Dated | None:
        """One that stands before this one in the order without being known to be newer."""
        for other in self.newest_first:
            if other is one or other.newest_at < one.oldest_at:
                return None
            if other.oldest_at <= one.newest_at:
                return other
        return None


def _earlier_done(one: _Dated, other: _Dated) -> _Dated:
    return min(one, other, key=lambda dated: (dated.newest_at, dated.deployment.name))


def _kept_by_count(one: _Dated, complete: _Succession, rules: _Rules) -> list[Reason]:
    place = complete.places.get(one.deployment.name)
    if place is None:
        if not complete.newest_first or one.newest_at >= complete.newest_first[0].newest_at:
            message = "incomplete and newer than every complete one: it may still be uploading"
            return [Reason(code=ReasonCode.IN_PROGRESS, message=message)]
    elif place < rules.keep_count:
        return [_newest_of(place, ReasonCode.KEEP_COUNT, rules.keep_count)]
    elif place < rules.minimum_keep_count:
        return [_newest_of(place, ReasonCode.MINIMUM_KEEP_COUNT, rules.minimum_keep_count)]
    newer_count = complete.newer_count(one)
    if newer_count >= rules.needed_count:
        return []
    return [_too_few_newer(one, complete.overlapping(one), newer_count, rules.needed_count)]


def _newest_of(place: int, code: ReasonCode, count: int) -> Reason:
    if place == 0:
        return Reason(code=code, message="the newest")
    return Reason(code=code, message=f"number {place + 1} of the {count} newest")


def _too_few_newer(one: _Dated, other: _Dated | None, newer_count: int, needed: int) -> Reason:
    known = f"only {newer_count} of {needed} complete ones are known to be newer"
    if other is None:
        return Reason(code=ReasonCode.KEEP_COUNT, message=known)
    is_same_time = other.oldest_at == other.newest_at == one.oldest_at == one.newest_at
    how = "has the same time" if is_same_time else "was uploaded in overlapping time"
    return Reason(
        code=ReasonCode.AMBIGUOUS_AGE,
        message=f"not known to be older than {other.deployment.name}, which {how}; {known}",
    )


def _superseded(one: _Dated, complete: _Succession, now: datetime) -> Reason:
    follower = complete.follower(one)
    when = f"{moment(follower.newest_at)}, {ago(now - follower.newest_at)}"
    return Reason(
        code=ReasonCode.SUPERSEDED,
        message=f"{counted(complete.newer_count(one), 'newer one')}; "
        f"{follower.deployment.name} followed it on {when}",
    )
