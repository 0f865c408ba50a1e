"""A replay of a bucket's own history under a policy: what would have stayed at each moment.

The history is what stands in the bucket now; what was deleted before is not known.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from ci3.core.live.pins import Pin
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import Judgement, RetentionPolicy, judge
from ci3.core.retention.rollback import rollback_targets

MOMENTS_LIMIT = 500

_EVERY = timedelta(days=1)
# A decision takes some 30 µs, so this many are a few seconds; a probe tells how many there will be.
_DECISIONS_LIMIT = 100_000
_PROBE_MOMENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A bucket right after a cleanup, and what would stand in it if there had never been one.

    `rollback_window` is the age of the oldest deployment that one could have rolled back to, zero
    where there was none.
    """

    at: datetime
    kept_count: int
    kept_bytes: int
    deleted_count: int
    deleted_complete_count: int
    rollback_count: int
    rollback_window: timedelta
    uncleaned_count: int
    uncleaned_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The moments of a replay in the order of time; none where there are no deployments.

    `possible_count` says how many moments there were to choose from. `left_out_count` counts the
    folders without objects, `unreadable_count` those that could not be listed. Where sizes
    `are_lower_bounds`, some deployment was not listed in full.
    """

    moments: tuple[Moment, ...]
    deployment_count: int
    possible_count: int
    left_out_count: int
    unreadable_count: int
    are_lower_bounds: bool

    @property
    def settled(self) -> tuple[Moment, ...]:
        """The moments from the first deletion of a complete deployment on.

        Before that the policy took nothing that one could have rolled back to: there was only not
        yet more.
        """
        for place, moment in enumerate(self.moments):
            if moment.deleted_complete_count:
                return self.moments[place:]
        return ()

    @property
    def deleted_count(self) -> int:
        """How many deployments the replay deleted."""
        return sum(moment.deleted_count for moment in self.moments)

    @property
    def length(self) -> timedelta:
        """How long it is from the first moment to the last."""
        return self.moments[-1].at - self.moments[0].at if self.moments else timedelta(0)

    def mean(self, value: Callable[[Moment], float]) -> float:
        """Average over time: a moment counts for as long as it is until the next."""
        seconds = self.length.total_seconds()
        if not seconds:
            return value(self.moments[-1]) if self.moments else 0
        weighted = (
            value(moment) * (following.at - moment.at).total_seconds()
            for moment, following in pairwise(self.moments)
        )
        return sum(weighted) / seconds

    def maximum(self, value: Callable[[Moment], float]) -> float:
        """Give the highest value of all moments."""
        return max((value(moment) for moment in self.moments), default=0)


def simulate(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Iterable[Pin],
    *,
    minimum_keep_count: int,
    ends_at: datetime,
) -> Simulation:
    """Replay a bucket's history with a cleanup after each deployment and once a day.

    It ends at `ends_at`, or with a deployment that is newer. Of the pins only protected names
    count, since what was live or current in the past is not known. At most `MOMENTS_LIMIT` moments
    are looked at, fewer where much is kept; they are spread evenly and the first and last are
    among them.
    """
    replay = _Replay(
        history=_in_time(inventory.deployments),
        policy=policy,
        pins=tuple(pin for pin in pins if pin.code is ReasonCode.PROTECTED),
        minimum_keep_count=minimum_keep_count,
    )
    times = _sample_times([done_at for done_at, _ in replay.history], ends_at)
    moments = replay.run(_thinned(times, _PROBE_MOMENTS))
    affordable = _affordable_count(moments)
    if len(moments) < min(len(times), affordable):
        moments = replay.run(_thinned(times, affordable))
    return Simulation(
        moments=moments,
        deployment_count=len(replay.history),
        possible_count=len(times),
        left_out_count=len(inventory.deployments) - len(replay.history),
        unreadable_count=len(inventory.holes),
        are_lower_bounds=any(not deployment.is_whole for _, deployment in replay.history),
    )


def _in_time(deployments: Iterable[Deployment]) -> tuple[tuple[datetime, Deployment], ...]:
    dated = ((one.newest_at, one) for one in deployments)
    known = [(done_at, one) for done_at, one in dated if done_at is not None]
    return tuple(sorted(known, key=lambda pair: (pair[0], pair[1].name)))


def _sample_times(completions: Sequence[datetime], ends_at: datetime) -> list[datetime]:
    if not completions:
        return []
    last = max(ends_at, completions[-1])
    days = (last - completions[0]) // _EVERY
    daily = (completions[0] + _EVERY * day for day in range(1, days + 1))
    return sorted({*completions, *daily, last})


def _thinned(times: Sequence[datetime], limit: int) -> list[datetime]:
    if len(times) <= limit:
        return list(times)
    last = len(times) - 1
    return [times[round(place * last / (limit - 1))] for place in range(limit)]


def _affordable_count(moments: Sequence[Moment]) -> int:
    """Say how many moments may be looked at, by what a few of them cost."""
    decisions = sum(moment.kept_count + moment.deleted_count for moment in moments)
    return min(MOMENTS_LIMIT, _DECISIONS_LIMIT * len(moments) // max(decisions, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """A history in the order of time, and the rules of the cleanups."""

    history: Sequence[tuple[datetime, Deployment]]
    policy: RetentionPolicy
    pins: Sequence[Pin]
    minimum_keep_count: int

    def run(self, times: Iterable[datetime]) -> tuple[Moment, ...]:
        """Clean up at each of these times, which ascend."""
        moments = []
        standing: tuple[Deployment, ...] = ()
        arrived = uncleaned_bytes = 0
        for at in times:
            new = []
            while arrived < len(self.history) and self.history[arrived][0] <= at:
                new.append(self.history[arrived][1])
                arrived += 1
            uncleaned_bytes += sum(one.size_bytes for one in new)
            found = Inventory(deployments=(*standing, *new))
            decisions = judge(found, self.policy, self.pins, at, self.minimum_keep_count)
            standing = tuple(one.deployment for one in decisions if not one.is_delete)
            moments.append(_moment(at, decisions, arrived, uncleaned_bytes))
        return tuple(moments)


def _moment(
    at: datetime, decisions: Sequence[Judgement], uncleaned_count: int, uncleaned_bytes: int
) -> Moment:
    kept = [one.deployment for one in decisions if not one.is_delete]
    doomed = [one.deployment for one in decisions if one.is_delete]
    times = [one.deployment.newest_at for one in rollback_targets(decisions)]
    return Moment(
        at=at,
        kept_count=len(kept),
        kept_bytes=sum(one.size_bytes for one in kept),
        deleted_count=len(doomed),
        deleted_complete_count=sum(one.complete for one in doomed),
        rollback_count=len(times),
        rollback_window=max((at - one for one in times if one is not None), default=timedelta(0)),
        uncleaned_count=uncleaned_count,
        uncleaned_bytes=uncleaned_bytes,
    )
