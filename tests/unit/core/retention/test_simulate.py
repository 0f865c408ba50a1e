"""The simulation of a policy: what would have been kept at each time in a bucket's history."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.deployment import Inventory, UnlistedFolder
from ci3.core.retention.decide import RetentionPolicy, decide
from ci3.core.retention.simulate import MAX_STATES, Simulation, simulate
from ci3.core.units import Duration
from tests.support.builders import (
    NOW,
    days_ago,
    deployment,
    empty_deployment,
    inventory,
    marker_only_deployment,
    pin_commits,
)

DAY = timedelta(days=1)
HISTORY = inventory(
    *(deployment(f"d{number:02}", 0.7 * number + number % 3 * 0.2) for number in range(1, 60)),
    deployment("long", 20, 12),
    deployment("release-1", 33),
    marker_only_deployment("torn", 17.5),
)
POLICIES = {
    "count": RetentionPolicy(keep_count=4),
    "within": RetentionPolicy(keep_count=1, keep_within=Duration.parse("8d")),
    "periods": RetentionPolicy(keep_count=1, keep_daily=3, keep_weekly=2, keep_monthly=2),
    "groups": RetentionPolicy(keep_count=2, group_by=re.compile(r"(d\d).*")),
    "all": RetentionPolicy(keep_count=100),
}


def run_simulation(*deployments, pins=(), minimum=1, ends_at=NOW, **rules):
    policy = RetentionPolicy(**{"keep_count": 1, **rules})
    history = inventory(*deployments)
    return simulate(history, policy, pins, minimum_keep_count=minimum, ends_at=ends_at)


def list_kept_counts(simulation: Simulation):
    """Return the age in days and the count of kept deployments of each state."""
    return [(round((NOW - state.at) / DAY, 3), state.kept_count) for state in simulation.states]


def test_states_are_at_each_completion_and_each_day_between_and_at_the_end():
    simulation = run_simulation(deployment("d1", 3.2), deployment("d2", 1.7), keep_count=9)

    assert list_kept_counts(simulation) == [
        (3.2, 1),
        (2.2, 1),
        (1.7, 2),
        (1.2, 2),
        (0.2, 2),
        (0, 2),
    ]


def test_deployment_is_deleted_when_keep_within_no_longer_keeps_it():
    simulation = run_simulation(
        deployment("d1", 10), deployment("d2", 8), keep_within=Duration.parse("3d")
    )

    counts = dict(list_kept_counts(simulation))
    assert [counts[age] for age in (10, 9, 8, 7, 6, 5, 4, 3, 0)] == [1, 1, 2, 2, 2, 2, 1, 1, 1]


def test_deployment_exists_from_the_time_of_its_newest_object():
    simulation = run_simulation(deployment("d1", 9, 4), deployment("d2", 5), keep_count=9)

    assert list_kept_counts(simulation)[:2] == [(5, 1), (4, 2)]


def test_numbers_depend_on_the_policy():
    history = [deployment(f"d{age}", age) for age in range(10)]

    few, many = run_simulation(*history, keep_count=2), run_simulation(*history, keep_count=6)

    assert [state.at for state in few.states] == [state.at for state in many.states]
    assert [state.kept_count for state in few.states] == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert [state.kept_count for state in many.states] == [1, 2, 3, 4, 5, 6, 6, 6, 6, 6]
    assert [state.kept_bytes for state in few.states][-1] == 2 * 2000
    assert [state.without_cleanup_count for state in few.states] == list(range(1, 11))
    assert [state.without_cleanup_bytes for state in few.states][-1] == 10 * 2000


@pytest.mark.parametrize("name", POLICIES)
def test_last_state_is_what_the_policy_keeps_now(name):
    policy, pins = POLICIES[name], pin_protected(["release-*"])

    last = simulate(HISTORY, policy, pins, minimum_keep_count=2, ends_at=NOW).states[-1]

    decisions = decide(HISTORY, policy, pins, NOW, 2)
    kept = [decision for decision in decisions if not decision.is_delete]
    assert last.at == NOW
    assert last.kept_count == len(kept)
    assert last.kept_bytes == sum(decision.deployment.size_bytes for decision in kept)


@pytest.mark.parametrize("name", POLICIES)
def test_each_deployment_is_either_kept_or_deleted_once(name):
    simulation = simulate(HISTORY, POLICIES[name], (), minimum_keep_count=1, ends_at=NOW)

    deleted_count = 0
    for state in simulation.states:
        deleted_count += state.deleted_count
        assert state.kept_count + deleted_count == state.without_cleanup_count
    assert simulation.deleted_count == deleted_count


@pytest.mark.parametrize("count", [1, 3, 40, 700])
@pytest.mark.parametrize("keep_count", [1, 30])
def test_states_are_ascending_and_limited_and_include_the_first_and_last(count, keep_count):
    history = [deployment(f"d{number}", 0.9 * number + 0.3) for number in range(count)]

    simulation = run_simulation(*history, keep_count=keep_count)

    times = [state.at for state in simulation.states]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert len(times) == min(simulation.possible_state_count, MAX_STATES)
    assert times[0] == history[-1].newest_at
    assert times[-1] == NOW


def test_states_are_fewer_if_each_requires_many_decisions():
    history = [deployment(f"d{number}", 0.2 * number + 0.1) for number in range(2000)]

    few, many = run_simulation(*history, keep_count=5), run_simulation(*history, keep_count=5000)

    assert len(few.states) == MAX_STATES
    assert sum(state.kept_count for state in many.states) < 120_000
    assert 50 < len(many.states) < MAX_STATES
    assert many.states[-1].kept_count == 2000
    gaps = {
        later.without_cleanup_count - earlier.without_cleanup_count
        for earlier, later in pairwise(many.states)
    }
    assert max(gaps) - min(gaps) <= 5


def test_only_protected_names_are_pinned_in_the_past():
    history = [deployment("abc1234", 5), deployment("release-1", 4), deployment("d1", 1)]
    pins = (*pin_protected(["release-*"]), *pin_commits(["abc1234" + "0" * 33]))

    last = run_simulation(*history, pins=pins).states[-1]

    assert (last.kept_count, last.without_cleanup_count) == (2, 3)


def test_minimum_is_kept_regardless_of_the_policy():
    history = [deployment(f"d{age}", age) for age in range(6)]

    assert run_simulation(*history, keep_count=1, minimum=3).states[-1].kept_count == 3


def test_rollback_window_ends_at_the_oldest_complete_deployment_behind_the_newest():
    history = [
        deployment("d1", 9),
        deployment("d2", 6),
        deployment("d3", 2),
        marker_only_deployment("m", 1),
    ]

    last = run_simulation(*history, keep_count=2).states[-1]

    assert (last.kept_count, last.rollback_count) == (3, 1)
    assert last.rollback_window == 6 * DAY


def test_only_deployment_has_no_rollback_target():
    first = run_simulation(deployment("d1", 9), deployment("d2", 6), keep_count=2).states[0]

    assert (first.rollback_count, first.rollback_window) == (0, timedelta(0))


def test_newest_deployment_of_another_group_is_no_rollback_target():
    history = [deployment("a-1", 9), deployment("a-2", 6), deployment("b-1", 8)]

    last = run_simulation(*history, keep_count=5, group_by=re.compile(r"(.)-\d")).states[-1]

    assert (last.rollback_count, last.rollback_window) == (1, 9 * DAY)


def test_steady_states_begin_with_the_first_deletion_of_a_complete_deployment():
    history = [
        marker_only_deployment("torn", 10.5),
        *(deployment(f"d{age}", age) for age in (10, 9, 8, 7)),
    ]

    steady_states = run_simulation(*history, keep_count=3, ends_at=days_ago(7)).steady_states

    assert [state.at for state in steady_states] == [days_ago(7)]
    assert run_simulation(*history, keep_count=9).steady_states == ()


def test_mean_weights_states_by_duration():
    simulation = run_simulation(deployment("d1", 10), deployment("d2", 2.5), keep_count=9)

    assert simulation.mean(lambda state: state.kept_count) == pytest.approx(
        (7.5 * 1 + 2.5 * 2) / 10
    )
    assert simulation.maximum(lambda state: state.kept_count) == 2


def test_equal_times_have_one_state():
    simulation = run_simulation(*(deployment(f"d{number}", 0) for number in range(3)))

    assert list_kept_counts(simulation) == [(0, 3)]
    assert simulation.mean(lambda state: state.kept_count) == 3


def test_simulation_ends_at_a_deployment_that_is_later_than_the_clock():
    simulation = run_simulation(deployment("d1", 3), deployment("d2", 1), ends_at=days_ago(5))

    assert list_kept_counts(simulation) == [(3, 1), (2, 1), (1, 1)]
    assert simulation.states[-1].without_cleanup_count == 2


def test_empty_history_has_no_states():
    simulation = run_simulation(empty_deployment("e1"))

    assert simulation.states == simulation.steady_states == ()
    assert simulation.duration == timedelta(0)
    assert simulation.mean(lambda state: state.kept_count) == 0
    assert simulation.maximum(lambda state: state.kept_count) == 0


def test_deployments_that_cannot_be_simulated_are_counted():
    history = Inventory(
        deployments=(
            deployment("d1", 3),
            replace(deployment("d2", 2), is_fully_listed=False),
            empty_deployment("e"),
        ),
        unlisted=(UnlistedFolder(name="h", reason="AccessDenied"),),
    )

    simulation = simulate(
        history, RetentionPolicy(keep_count=5), (), minimum_keep_count=1, ends_at=NOW
    )

    assert (simulation.deployment_count, simulation.empty_count) == (2, 1)
    assert simulation.unreadable_count == 1
    assert simulation.has_partial_listings
    assert not run_simulation(deployment("d1", 3)).has_partial_listings
