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
from tools.docs.scale_tables import JOB_SECONDS

COUNTS = st.lists(st.integers(0, 10**9), max_size=9)
MOST = MAXIMUM_DIRECT_OBJECTS


def test_arithmetic_of_requests_is_shown():
    found = estimate_direct([12_345_678])

    assert str(found) == (
        "direct: 12,345,678 objects / 3,500 a second = 59 min; listed again meanwhile: "
        "12,346 pages / 100 a second = 2 min, 12,346 LIST × 0.005 USD per 1,000 = 0.06 USD; "
        "DELETE is free"
    )
    assert found.usd == Decimal("0.06173")
    assert round(found.seconds) == 3_527


def test_arithmetic_of_rules_is_shown():
    found = estimate_lifecycle([100_000_000, 7])

    assert str(found) == (
        "lifecycle: 2 rules for 100,000,007 objects, free; listed again before: 100,001 pages / "
        "100 a second = 17 min, 100,001 LIST × 0.005 USD per 1,000 = 0.50 USD; "
        "S3 deletes within a day or two of the next midnight UTC"
    )
    assert (found.seconds, found.usd) == (None, compute_list_cost(100_001))


def test_each_deployment_is_listed_by_itself():
    assert estimate_direct([1, 1_000, 1_001]).usd == compute_list_cost(4)


def test_many_small_deployments_take_as_long_as_they_are_listed():
    assert estimate_direct([1] * 100_000).seconds == 1_000


@pytest.mark.parametrize(("partition_count", "rate"), [(1, 3_500), (5, 17_500), (10, 20_000)])
def test_rate_is_that_of_the_partitions_or_of_the_machine_whichever_is_less(partition_count, rate):
    found = estimate_direct([10**8], partition_count=partition_count)
    assert found.seconds == 10**8 / rate
    assert f"100,000,000 objects / {rate:,} a second" in found.arithmetic


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
    chosen = choose_engine([10**8], obstacle="it is so")

    assert chosen.engine is Engine.DIRECT
    assert chosen.sentences == (
        "engine: auto takes direct: more than 10,000,000 objects, and no lifecycle rules: it is so",
        str(estimate_direct([10**8])),
    )


def test_what_no_rule_can_be_made_for_is_reckoned_directly_beside_the_rules():
    chosen = choose_engine([10**8], [7_000, 1])

    assert chosen.engine is Engine.LIFECYCLE
    direct, lifecycle = chosen.estimates
    assert direct.usd == lifecycle.usd == compute_list_cost(100_008)
    assert "1 rule for 100,000,000 objects, free; listed again before: 100,000 " in str(lifecycle)
    assert "; the others directly: 7,001 objects / 3,500 a second = 2 s" in str(lifecycle)


def test_lifecycle_is_not_chosen_where_no_rule_can_be_made():
    chosen = choose_engine([], [10**8])
    assert chosen.engine is Engine.DIRECT
    assert "of no deployment can a rule be made" in chosen.reason


@given(counts=COUNTS, obstacle=st.sampled_from(["", "it is denied"]))
def test_choice_says_which_engine_it_is_and_what_each_would_take(counts, obstacle):
    chosen: EngineChoice = choose_engine(counts, obstacle=obstacle)
    first, *rest = chosen.sentences
    assert first.startswith(f"engine: auto takes {chosen.engine}: ")
    assert rest == [str(one) for one in chosen.estimates]
    assert chosen.engine in [one.engine for one in chosen.estimates]


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
