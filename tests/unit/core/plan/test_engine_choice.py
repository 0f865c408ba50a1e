"""The estimated time and cost of each engine, and which engine is chosen."""

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


def test_each_deployment_is_listed_separately():
    assert estimate_direct([1, 1_000, 1_001]).usd == compute_list_cost(4)


def test_many_small_deployments_take_as_long_as_their_listing():
    assert estimate_direct([1] * 100_000).seconds == 1_000


@pytest.mark.parametrize(("partition_count", "rate"), [(1, 3_500), (5, 17_500), (10, 20_000)])
def test_rate_is_limited_by_partitions_and_by_the_machine(partition_count, rate):
    estimate = estimate_direct([10**8], partition_count=partition_count)
    assert estimate.seconds == 10**8 / rate
    assert {10**8, rate} <= set(numbers_in(estimate.arithmetic))


@given(counts=COUNTS, added_counts=COUNTS)
def test_estimate_grows_with_the_number_of_objects(counts, added_counts):
    smaller, larger = estimate_direct(counts), estimate_direct(counts + added_counts)
    assert smaller.seconds <= larger.seconds
    assert smaller.usd <= larger.usd
    assert larger.usd >= compute_list_cost(len(counts + added_counts))
    assert larger.usd * 1_000 >= compute_list_cost(sum(counts + added_counts))


def test_largest_direct_deletion_that_is_chosen_ends_within_an_hour():
    """The limit is chosen so that temporary credentials and the job do not time out."""
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
def test_lifecycle_is_chosen_only_above_the_limit(counts, engine):
    chosen = choose_engine(counts)

    assert chosen.engine is engine
    assert [estimate.engine for estimate in chosen.estimates] == [Engine.DIRECT, Engine.LIFECYCLE]


def test_lifecycle_is_not_chosen_if_there_is_an_obstacle():
    chosen = choose_engine([10**8], obstacle="denied")

    assert chosen.engine is Engine.DIRECT
    assert chosen.reason.endswith("denied")
    assert numbers_in(chosen.reason) == [MOST]
    assert chosen.estimates == (estimate_direct([10**8]),)


def test_deployments_without_a_possible_rule_are_estimated_directly():
    chosen = choose_engine([10**8], [7_000, 1])

    assert chosen.engine is Engine.LIFECYCLE
    direct, lifecycle = chosen.estimates
    assert direct.usd == lifecycle.usd == compute_list_cost(100_008)
    assert {1, 10**8, 10**5, 7_001, 3_500} <= set(numbers_in(lifecycle.arithmetic))


def test_lifecycle_is_not_chosen_if_no_rule_is_possible():
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
    ("seconds", "expected"),
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
def test_duration_has_a_readable_unit(seconds, expected):
    assert format_duration(seconds) == expected


@pytest.mark.parametrize(
    ("usd", "expected"),
    [("0", "0.00 USD"), ("0.001", "less than 0.01 USD"), ("0.0617", "0.06 USD"), ("5", "5.00 USD")],
)
def test_cost_is_rounded_to_the_cent(usd, expected):
    assert format_cost(Decimal(usd)) == expected


def test_even_an_empty_listing_takes_one_page():
    assert [count_pages(count) for count in (0, 1, 1_000, 1_001)] == [1, 1, 1, 2]
