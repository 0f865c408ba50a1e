"""How many states a simulation has, and how far back a rollback is possible."""

from datetime import timedelta

import pytest

from ci3.core.retention.decide import RetentionPolicy
from ci3.core.retention.simulate import (
    MAX_STATES,
    SimulatedState,
    _affordable_count,
    simulate,
)
from tests.support.builders import NOW, deployment, inventory

DAY = timedelta(days=1)


def make_state(*, kept_count: int, deleted_count: int) -> SimulatedState:
    return SimulatedState(
        at=NOW,
        kept_count=kept_count,
        kept_bytes=0,
        deleted_count=deleted_count,
        deleted_complete_count=deleted_count,
        rollback_count=0,
        rollback_window=timedelta(0),
        without_cleanup_count=0,
        without_cleanup_bytes=0,
    )


@pytest.mark.parametrize(
    ("kept_count", "deleted_count", "state_count"),
    [
        (10_000, 0, 10),
        (10, 9_990, 10),
        (9_000, 0, 11),
        (1, 0, MAX_STATES),
    ],
)
def test_states_need_at_most_a_hundred_thousand_decisions(kept_count, deleted_count, state_count):
    states = [make_state(kept_count=kept_count, deleted_count=deleted_count)] * 20

    affordable = _affordable_count(states)

    assert affordable == state_count
    assert type(affordable) is int


def test_rollback_window_ends_at_the_oldest_of_several_targets():
    history = inventory(deployment("d1", 9), deployment("d2", 6), deployment("d3", 2))

    simulation = simulate(
        history, RetentionPolicy(keep_count=3), (), minimum_keep_count=1, ends_at=NOW
    )

    assert simulation.states[-1].rollback_count == 2
    assert simulation.states[-1].rollback_window == 9 * DAY
