"""What each engine takes, with its arithmetic, and which one is chosen."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.model.decision import Engine
from ci3.core.plan.engine_choice import (
    KEYS_PER_SECOND,
    MAXIMUM_DIRECT_OBJECTS,
    EngineChoice,
    choose_engine,
    compute_list_cost,
    count_pages,
    estimate_direct,
    estimate_lifecycle,
    format_cost,
    format_duration,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in
from tools.docs.scale_tables import JOB_SECONDS

COUNTS = st.lists(st.integers(0, 10**9), max_size=9)
MOST = MAXIMUM_DIRECT_OBJECTS


def test_arithmetic_of_requests_is_shown():
    estimate = estimate_direct([12_345_678])

    shown = ["12,345,678", "3,500", "59 min", "12,346", "100", "2 min", "0.005 USD", "0.06 USD"]
    assert [value for value in shown if value not in estimate.arithmetic] == []
    assert estimate.usd == Decimal("0.06173")
    assert round(estimate.seconds) == 3_527


def test_arithmetic_of_rules_is_shown():
    estimate = estimate_lifecycle([100_000_000, 7])

    shown = ["2", "100,000,007", "100,001", "100", "17 min", "0.005 USD", "0.50 USD"]
    assert [value for value in shown if value not in estimate.arithmetic] == []
    assert (estimate.seconds, estimate.usd) == (None, compute_list_cost(100_001))


def test_each_deployment_is_listed_by_itself():
    assert estimate_direct([1, 1_000, 1_001]).usd == compute_list_cost(4)


def test_many_small_deployments_take_as_long_as_they_are_listed():
    assert estimate_direct([1] * 100_000).seconds == 1_000


@pytest.mark.parametrize(("partition_count", "rate"), [(1, 3_500), (5, 17_500), (10, 20_000)])
def test_rate_is_that_of_the_partitions_or_of_the_machine_whichever_is_less(partition_count, rate):
    found = estimate_direct([10**8], partition_count=partition_count)
    assert found.seconds == 10**8 / rate
    assert {10**8, rate} <= set(numbers_in(found.arithmetic))


@given(counts=COUNTS, more=COUNTS)
def test_more_objects_take_no_less_and_nothing_is_free_of_requests(counts, more):
    less, whole = estimate_direct(counts), estimate_direct(counts + more)
    assert less.seconds <= whole.seconds
    assert less.usd <= whole.usd
    assert whole.usd >= compute_list_cost(len(counts + more))
    assert whole.usd * 1_000 >= compute_list_cost(sum(counts + more))


def test_largest_direct_deletion_that_is_chosen_ends_within_an_hour():
    """So that keys that another step has got, and a job, last: that is why the border is there."""
    seconds = MOST / KEYS_PER_SECOND
    assert seconds < 3_600 < JOB_SECONDS


@pytest.mark.parametrize(
    ("counts", "engine"),
    [
        ([], Engine.DIRECT),
        ([1], Engine.DIRECT),
        ([MOST], Engine.DIRECT),
        ([MOST // 2, MOST // 2], Engine.DIRECT),
        ([MOST + 1], Engine.LIFECYCLE),
        ([MOST // 2, MOST // 2, 1], Engine.LIFECYCLE),
        ([10**9], Engine.LIFECYCLE),
    ],
)
def test_lifecycle_is_chosen_above_the_border_and_only_there(counts, engine):
    chosen = choose_engine(counts)

    assert chosen.engine is engine
    assert [one.engine for one in chosen.estimates] == [Engine.DIRECT, Engine.LIFECYCLE]


def test_lifecycle_is_not_chosen_where_anything_is_in_its_way():
    chosen = choose_engine([10**8], obstacle="denied")

    assert chosen.engine is Engine.DIRECT
    assert chosen.reason.endswith("denied")
    assert numbers_in(chosen.reason) == [MOST]
    assert chosen.estimates == (estimate_direct([10**8]),)


def test_what_no_rule_can_be_made_for_is_reckoned_directly_beside_the_rules():
    chosen = choose_engine([10**8], [7_000, 1])

    assert chosen.engine is Engine.LIFECYCLE
    direct, lifecycle = chosen.estimates
    assert direct.usd == lifecycle.usd == compute_list_cost(100_008)
    assert {1, 10**8, 10**5, 7_001, 3_500} <= set(numbers_in(lifecycle.arithmetic))


def test_lifecycle_is_not_chosen_where_no_rule_can_be_made():
    chosen = choose_engine([], [10**8])
    assert chosen.engine is Engine.DIRECT
    assert [estimate.engine for estimate in chosen.estimates] == [Engine.DIRECT]


@given(counts=COUNTS, obstacle=st.sampled_from(["", "it is denied"]))
def test_choice_names_its_engine_and_has_the_estimates(counts, obstacle):
    chosen: EngineChoice = choose_engine(counts, obstacle=obstacle)
    first, *rest = chosen.sentences
    assert str(chosen.engine) in words_in(first.removesuffix(chosen.reason))
    assert rest == [str(estimate) for estimate in chosen.estimates]
    assert chosen.engine in [estimate.engine for estimate in chosen.estimates]


def test_sentences_are_the_golden_ones():
    cases = {
        "few objects": choose_engine([12_345]),
        "many objects": choose_engine([100_000_000, 7]),
        "some that no rule can delete": choose_engine([10**8], [7_000, 1]),
        "many objects and an obstacle": choose_engine([10**8], obstacle="it is so"),
        "no rule can be made": choose_engine([], [10**8]),
    }
    assert_messages(__file__, [(case, choice.sentences) for case, choice in cases.items()])


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_527, "59 min"),
        (3_600, "1.0 h"),
        (28_571, "7.9 h"),
        (285_714, "3.3 days"),
    ],
)
def test_durations_are_written_as_people_reckon(seconds, written):
    assert format_duration(seconds) == written


@pytest.mark.parametrize(
    ("usd", "written"),
    [("0", "0.00 USD"), ("0.001", "less than 0.01 USD"), ("0.0617", "0.06 USD"), ("5", "5.00 USD")],
)
def test_costs_are_written_to_the_cent(usd, written):
    assert format_cost(Decimal(usd)) == written


def test_nothing_takes_one_page_to_see():
    assert [count_pages(count) for count in (0, 1, 1_000, 1_001)] == [1, 1, 1, 2]
