"""Simulation: replays a bucket's upload history under a policy, with a cleanup at each step.

The history consists of the deployments in the bucket now. Earlier deletions are not known.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

from ci3.core.live.pins import Pin
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.evaluation import Evaluation
from ci3.core.retention.rollback import find_rollback_targets

MAX_STATES = 500

_CLEANUP_INTERVAL = timedelta(days=1)
# A decision takes about 30 µs, so that this many take a few seconds. A short probe run estimates
# how many decisions there will be.
_DECISIONS_LIMIT = 100_000
_PROBE_STATES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedState:
    """A bucket's state right after a simulated cleanup.

    `without_cleanup_count` and `without_cleanup_bytes` are what the bucket would hold without any
    cleanup. `rollback_window` is the age of the oldest rollback target, or zero if there is none.
    """

    at: datetime
    kept_count: int
    kept_bytes: int
    deleted_count: int
    deleted_complete_count: int
    rollback_count: int
    rollback_window: timedelta
    without_cleanup_count: int
    without_cleanup_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The states of a replay in chronological order; none if there are no deployments.

    `possible_state_count` is how many states there were to sample from. `empty_count` counts the
    folders without objects, `unreadable_count` those that could not be listed. With
    `has_partial_listings`, some deployment was not listed in full, and sizes are lower bounds.
    """

    states: tuple[SimulatedState, ...]
    deployment_count: int
    possible_state_count: int
    empty_count: int
    unreadable_count: int
    has_partial_listings: bool

    @property
    def steady_states(self) -> tuple[SimulatedState, ...]:
        """The states from the first deletion of a complete deployment on.

        Earlier states do not show the policy's effect: there were few deployments to roll back to
        because few had been uploaded.
        """
        for index, state in enumerate(self.states):
            if state.deleted_complete_count:
                return self.states[index:]
        return ()

    @property
    def deleted_count(self) -> int:
        """The number of deployments that the replay deleted."""
        return sum(state.deleted_count for state in self.states)

    @property
    def duration(self) -> timedelta:
        """The time from the first state to the last."""
        return self.states[-1].at - self.states[0].at if self.states else timedelta(0)

    def mean(self, value: Callable[[SimulatedState], float]) -> float:
        """Return the time-weighted mean: each state counts until the next one."""
        seconds = self.duration.total_seconds()
        if not seconds:
            return value(self.states[-1]) if self.states else 0
        weighted = (
            value(state) * (next_state.at - state.at).total_seconds()
            for state, next_state in pairwise(self.states)
        )
        return sum(weighted) / seconds

    def maximum(self, value: Callable[[SimulatedState], float]) -> float:
        """Return the highest value of any state, or 0 if there are no states."""
        return max((value(state) for state in self.states), default=0)


def simulate(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Iterable[Pin],
    *,
    minimum_keep_count: int,
    ends_at: datetime,
) -> Simulation:
    """Replay a bucket's history with a cleanup after each deployment and once a day.

    The replay ends at `ends_at`, or with the newest deployment if that is later. Of the pins, only
    protected names apply, since what was live or current in the past is not known. At most
    `MAX_STATES` states are computed, or fewer if many deployments are kept. They are spread evenly
    and include the first and the last.
    """
    history = _sort_by_completion(inventory.deployments)
    protected = tuple(pin for pin in pins if pin.code is ReasonCode.PROTECTED)
    run_cleanups = partial(_run_cleanups, history, policy, protected, minimum_keep_count)
    times = _cleanup_times([completed_at for completed_at, _ in history], ends_at)
    states = run_cleanups(_sample(times, _PROBE_STATES))
    affordable = _affordable_count(states)
    if len(states) < min(len(times), affordable):
        states = run_cleanups(_sample(times, affordable))
    return Simulation(
        states=states,
        deployment_count=len(history),
        possible_state_count=len(times),
        empty_count=len(inventory.deployments) - len(history),
        unreadable_count=len(inventory.unlisted),
        has_partial_listings=any(not deployment.is_fully_listed for _, deployment in history),
    )


def _sort_by_completion(
    deployments: Iterable[Deployment],
) -> tuple[tuple[datetime, Deployment], ...]:
    timed = [
        (deployment.newest_at, deployment)
        for deployment in deployments
        if deployment.newest_at is not None
    ]
    return tuple(sorted(timed, key=lambda pair: (pair[0], pair[1].name)))


def _cleanup_times(completion_times: Sequence[datetime], ends_at: datetime) -> list[datetime]:
    if not completion_times:
        return []
    first, last = completion_times[0], max(ends_at, completion_times[-1])
    days = (last - first) // _CLEANUP_INTERVAL
    daily = (first + _CLEANUP_INTERVAL * day for day in range(1, days + 1))
    return sorted({*completion_times, *daily, last})


def _sample(times: Sequence[datetime], limit: int) -> list[datetime]:
    if len(times) <= limit:
        return list(times)
    last = len(times) - 1
    return [times[round(index * last / (limit - 1))] for index in range(limit)]


def _affordable_count(states: Sequence[SimulatedState]) -> int:
    """Return how many states may be computed, extrapolated from the cost of the given ones."""
    decisions = sum(state.kept_count + state.deleted_count for state in states)
    return min(MAX_STATES, _DECISIONS_LIMIT * len(states) // max(decisions, 1))


def _run_cleanups(
    history: Sequence[tuple[datetime, Deployment]],
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    minimum_keep_count: int,
    times: Iterable[datetime],
) -> tuple[SimulatedState, ...]:
    """Run a cleanup at each of these times; they and the history are in chronological order."""
    states = []
    remaining: tuple[Deployment, ...] = ()
    uploaded_count = uploaded_bytes = 0
    for at in times:
        uploaded = []
        while uploaded_count < len(history) and history[uploaded_count][0] <= at:
            uploaded.append(history[uploaded_count][1])
            uploaded_count += 1
        uploaded_bytes += sum(deployment.size_bytes for deployment in uploaded)
        inventory = Inventory(deployments=(*remaining, *uploaded))
        evaluations = evaluate(inventory, policy, pins, at, minimum_keep_count)
        remaining = tuple(
            evaluation.deployment for evaluation in evaluations if not evaluation.is_delete
        )
        states.append(_summarize(at, evaluations, uploaded_count, uploaded_bytes))
    return tuple(states)


def _summarize(
    at: datetime, evaluations: Sequence[Evaluation], uploaded_count: int, uploaded_bytes: int
) -> SimulatedState:
    kept = [evaluation.deployment for evaluation in evaluations if not evaluation.is_delete]
    deleted = [evaluation.deployment for evaluation in evaluations if evaluation.is_delete]
    rollback_times = [
        evaluation.deployment.newest_at for evaluation in find_rollback_targets(evaluations)
    ]
    return SimulatedState(
        at=at,
        kept_count=len(kept),
        kept_bytes=sum(deployment.size_bytes for deployment in kept),
        deleted_count=len(deleted),
        deleted_complete_count=sum(deployment.is_complete for deployment in deleted),
        rollback_count=len(rollback_times),
        rollback_window=max(
            (at - time for time in rollback_times if time is not None), default=timedelta(0)
        ),
        without_cleanup_count=uploaded_count,
        without_cleanup_bytes=uploaded_bytes,
    )
