"""What a replay of a bucket's history gives: at each moment, what a cleanup would have left."""

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


def replay(*deployments, pins=(), minimum=1, ends_at=NOW, **rules):
    policy = RetentionPolicy(**{"keep_count": 1, **rules})
    found = inventory(*deployments)
    return simulate(found, policy, pins, minimum_keep_count=minimum, ends_at=ends_at)


def kept_counts(simulation: Simulation):
    return [(round((NOW - one.at) / DAY, 3), one.kept_count) for one in simulation.states]


def test_moments_are_each_completion_and_each_day_between_and_the_end():
    simulation = replay(deployment("d1", 3.2), deployment("d2", 1.7), keep_count=9)

    assert kept_counts(simulation) == [(3.2, 1), (2.2, 1), (1.7, 2), (1.2, 2), (0.2, 2), (0, 2)]


def test_deployment_that_keep_within_holds_goes_once_its_clock_has_run_out():
    simulation = replay(deployment("d1", 10), deployment("d2", 8), keep_within=Duration.parse("3d"))

    counts = dict(kept_counts(simulation))
    assert [counts[age] for age in (10, 9, 8, 7, 6, 5, 4, 3, 0)] == [1, 1, 2, 2, 2, 2, 1, 1, 1]


def test_deployment_stands_from_its_newest_object_on():
    simulation = replay(deployment("d1", 9, 4), deployment("d2", 5), keep_count=9)

    assert kept_counts(simulation)[:2] == [(5, 1), (4, 2)]


def test_two_policies_on_the_same_history_give_their_own_numbers():
    history = [deployment(f"d{age}", age) for age in range(10)]

    few, many = replay(*history, keep_count=2), replay(*history, keep_count=6)

    assert [one.at for one in few.states] == [one.at for one in many.states]
    assert [one.kept_count for one in few.states] == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert [one.kept_count for one in many.states] == [1, 2, 3, 4, 5, 6, 6, 6, 6, 6]
    assert [one.kept_bytes for one in few.states][-1] == 2 * 2000
    assert [state.without_cleanup_count for state in few.states] == list(range(1, 11))
    assert [state.without_cleanup_bytes for state in few.states][-1] == 10 * 2000


@pytest.mark.parametrize("name", POLICIES)
def test_last_moment_is_what_the_policy_decides_of_all_that_stands_now(name):
    policy, pins = POLICIES[name], pin_protected(["release-*"])

    last = simulate(HISTORY, policy, pins, minimum_keep_count=2, ends_at=NOW).states[-1]

    kept = [one for one in decide(HISTORY, policy, pins, NOW, 2) if not one.is_delete]
    assert last.at == NOW
    assert last.kept_count == len(kept)
    assert last.kept_bytes == sum(one.deployment.size_bytes for one in kept)


@pytest.mark.parametrize("name", POLICIES)
def test_each_deployment_is_deleted_at_most_once_or_stands(name):
    simulation = simulate(HISTORY, POLICIES[name], (), minimum_keep_count=1, ends_at=NOW)

    gone = 0
    for moment in simulation.states:
        gone += moment.deleted_count
        assert moment.kept_count + gone == moment.without_cleanup_count
    assert simulation.deleted_count == gone


@pytest.mark.parametrize("count", [1, 3, 40, 700])
@pytest.mark.parametrize("keep_count", [1, 30])
def test_moments_ascend_are_bounded_and_keep_the_first_and_the_last(count, keep_count):
    history = [deployment(f"d{number}", 0.9 * number + 0.3) for number in range(count)]

    simulation = replay(*history, keep_count=keep_count)

    times = [one.at for one in simulation.states]
    assert all(one < other for one, other in pairwise(times))
    assert len(times) == min(simulation.possible_state_count, MAX_STATES)
    assert times[0] == history[-1].newest_at
    assert times[-1] == NOW


def test_moments_are_fewer_where_each_costs_many_decisions():
    history = [deployment(f"d{number}", 0.2 * number + 0.1) for number in range(2000)]

    few, many = replay(*history, keep_count=5), replay(*history, keep_count=5000)

    assert len(few.states) == MAX_STATES
    assert sum(one.kept_count for one in many.states) < 120_000
    assert 50 < len(many.states) < MAX_STATES
    assert many.states[-1].kept_count == 2000
    gaps = {
        other.without_cleanup_count - one.without_cleanup_count
        for one, other in pairwise(many.states)
    }
    assert max(gaps) - min(gaps) <= 5


def test_only_protected_names_are_pinned_in_the_past():
    history = [deployment("abc1234", 5), deployment("release-1", 4), deployment("d1", 1)]
    pins = (*pin_protected(["release-*"]), *pin_commits(["abc1234" + "0" * 33]))

    last = replay(*history, pins=pins).states[-1]

    assert (last.kept_count, last.without_cleanup_count) == (2, 3)


def test_minimum_stays_whatever_the_policy_says():
    history = [deployment(f"d{age}", age) for age in range(6)]

    assert replay(*history, keep_count=1, minimum=3).states[-1].kept_count == 3


def test_roll_back_reaches_to_the_oldest_complete_deployment_besides_the_newest():
    history = [
        deployment("d1", 9),
        deployment("d2", 6),
        deployment("d3", 2),
        marker_only_deployment("m", 1),
    ]

    last = replay(*history, keep_count=2).states[-1]

    assert (last.kept_count, last.rollback_count) == (3, 1)
    assert last.rollback_window == 6 * DAY


def test_newest_alone_is_nothing_to_roll_back_to():
    first = replay(deployment("d1", 9), deployment("d2", 6), keep_count=2).states[0]

    assert (first.rollback_count, first.rollback_window) == (0, timedelta(0))


def test_newest_of_another_group_is_nothing_to_roll_back_to():
    history = [deployment("a-1", 9), deployment("a-2", 6), deployment("b-1", 8)]

    last = replay(*history, keep_count=5, group_by=re.compile(r"(.)-\d")).states[-1]

    assert (last.rollback_count, last.rollback_window) == (1, 9 * DAY)


def test_policy_is_settled_from_the_first_deletion_of_a_complete_deployment_on():
    history = [
        marker_only_deployment("torn", 10.5),
        *(deployment(f"d{age}", age) for age in (10, 9, 8, 7)),
    ]

    settled = replay(*history, keep_count=3, ends_at=days_ago(7)).steady_states

    assert [one.at for one in settled] == [days_ago(7)]
    assert replay(*history, keep_count=9).steady_states == ()


def test_mean_weighs_a_moment_by_how_long_it_lasts():
    simulation = replay(deployment("d1", 10), deployment("d2", 2.5), keep_count=9)

    assert simulation.mean(lambda one: one.kept_count) == pytest.approx((7.5 * 1 + 2.5 * 2) / 10)
    assert simulation.maximum(lambda one: one.kept_count) == 2


def test_equal_times_are_one_moment():
    simulation = replay(*(deployment(f"d{number}", 0) for number in range(3)))

    assert kept_counts(simulation) == [(0, 3)]
    assert simulation.mean(lambda one: one.kept_count) == 3


def test_deployment_that_is_ahead_of_the_clock_is_the_end():
    simulation = replay(deployment("d1", 3), deployment("d2", 1), ends_at=days_ago(5))

    assert kept_counts(simulation) == [(3, 1), (2, 1), (1, 1)]
    assert simulation.states[-1].without_cleanup_count == 2


def test_nothing_to_replay_makes_no_moments():
    simulation = replay(empty_deployment("e1"))

    assert simulation.states == simulation.steady_states == ()
    assert simulation.duration == timedelta(0)
    assert simulation.mean(lambda one: one.kept_count) == 0
    assert simulation.maximum(lambda one: one.kept_count) == 0


def test_what_could_not_be_replayed_is_counted():
    found = Inventory(
        deployments=(
            deployment("d1", 3),
            replace(deployment("d2", 2), is_fully_listed=False),
            empty_deployment("e"),
        ),
        unlisted=(UnlistedFolder(name="h", reason="AccessDenied"),),
    )

    simulation = simulate(
        found, RetentionPolicy(keep_count=5), (), minimum_keep_count=1, ends_at=NOW
    )

    assert (simulation.deployment_count, simulation.empty_count) == (2, 1)
    assert simulation.unreadable_count == 1
    assert simulation.has_partial_listings
    assert not replay(deployment("d1", 3)).has_partial_listings
