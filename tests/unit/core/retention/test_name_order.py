"""The order of deployments by the numbers in their names (`age-from: name`)."""

import re
from itertools import pairwise

import natsort
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ci3.core.inventory.name_forms import has_commit
from ci3.core.live.pins import pin_protected
from ci3.core.retention.age_order import AgeFrom, date_deployment
from ci3.core.retention.decide import RetentionPolicy, decide, evaluate
from ci3.core.retention.name_order import NameOrder, parse_name
from tests.support.builders import NOW, deployment, inventory
from tests.support.messages import numbers_in
from tests.unit.core.retention.tables import Case, decide_case, list_expected

ASCENDING = [
    ["build-9", "build-10", "build-100"],
    ["build-0009", "build-010", "build-11"],
    ["v1.9", "v1.10", "v2.0", "v10.0"],
    ["v1.2.3", "v1.2.10", "v1.10.0", "v2.0.0"],
    ["1.0.0-rc.2", "1.0.0-rc.10", "1.0.1-rc.1"],
    ["2025-12-31", "2026-01-01", "2026-11-02"],
    ["20251231", "20260101", "20261102"],
    ["20261102-090000", "20261102-140300", "20261103-000000"],
    ["2026-W9", "2026-W10", "2027-W1"],
    ["release_2026.1", "release_2026.2", "release_2026.11"],
    ["1764460800", "1764547200", "10000000000"],
    ["7", "12", "100"],
    ["app-1-eu-2", "app-1-eu-10", "app-2-eu-1"],
]
INCOMPARABLE = [
    ("build-10", "release-9"),
    ("build-10", "Build-9"),
    ("v1.9", "v1.9.1"),
    ("v1.9.0", "v1.9.0-rc.1"),
    ("build-10", "build-9-hotfix"),
    ("main", "develop"),
    ("main", "build-9"),
    ("2026-11-02", "2026_11_01"),
    ("build-7", "build-007"),
]
DAY_FIRST = [
    "02-11-2026",
    "2.11.2026",
    "11/02/2026",
    "02112026",
    "12312026",
    "nov-02-2026",
    "02-11-26",
]
NUMBERS = st.integers(0, 10**30).map(str)
TEXTS = st.text("abv-._+ ~", min_size=1, max_size=4)


def make_order(*names: str) -> NameOrder:
    dated = [date_deployment(deployment(name, 1), AgeFrom.NAME) for name in names]
    return NameOrder([deployment for deployment in dated if deployment is not None])


@pytest.mark.parametrize("names", ASCENDING, ids=lambda names: names[0])
def test_names_with_the_same_text_are_ordered_by_number(names):
    order = make_order(*names)

    assert [order.count_newer(name) for name in reversed(names)] == list(range(len(names)))
    for name, next_name in pairwise(names):
        successor = order.find_successor(name)
        assert successor is not None
        assert successor.deployment.name == next_name
    assert order.find_successor(names[-1]) is None
    assert names == natsort.natsorted(names)


@pytest.mark.parametrize(("first", "second"), INCOMPARABLE)
def test_names_with_different_text_or_equal_numbers_are_not_ordered(first, second):
    assert make_order(first, second).count_newer(first) == 0
    assert make_order(first, second).count_newer(second) == 0


@pytest.mark.parametrize("name", DAY_FIRST)
def test_name_with_a_date_that_does_not_start_with_the_year_has_no_order(name):
    assert parse_name(name) is None


@pytest.mark.parametrize("name", ["20261102", "02002026", "99999999", "build-2026", "010203"])
def test_name_with_another_number_or_a_date_that_starts_with_the_year_has_an_order(name):
    assert parse_name(name) is not None


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    data=st.data(),
    starts_with_number=st.booleans(),
)
def test_order_is_that_of_natsort(texts, data, starts_with_number):
    def draw_name():
        numbers = [data.draw(NUMBERS) for _ in texts]
        parts = (numbers, texts) if starts_with_number else (texts, numbers)
        pairs = zip(*parts, strict=True)
        return "".join(part for pair in pairs for part in pair)

    names = {draw_name() for _ in range(5)}
    order = make_order(*names)
    comparable = [name for name in names if parse_name(name)]
    ascending = natsort.natsorted(comparable, alg=natsort.INT)

    for index, name in enumerate(ascending):
        numbers = _list_numbers(name)
        higher = [later for later in ascending[index + 1 :] if _list_numbers(later) != numbers]
        assert order.count_newer(name) == len(higher)


def _list_numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall("[0-9]+", name)]


@given(st.text(max_size=12))
@example("١٢٣")
@example("")
def test_any_name_is_parsed_or_has_no_order(name):
    key = parse_name(name)

    assert key is None or len(key.texts) == len(key.numbers) + 1


@pytest.mark.parametrize(
    "name",
    ["ab12cd3", "AB12CD3", "main-ab12cd3", "v1.2.3-2-gab12cd3", "g1234567", "f" * 40, "1" * 40],
)
def test_name_with_a_commit_is_recognized(name):
    assert has_commit(name)


@pytest.mark.parametrize("name", ["20261102", "build-1234567", "v1.2.3", "release-1", "1" * 39])
def test_number_is_no_commit(name):
    assert not has_commit(name)


CASES = {
    "a copied bucket is ordered by its names, not by the time of the copy": Case(
        keep_count=2,
        rules={"age_from": AgeFrom.NAME},
        rows=(
            (deployment("build-98", 1), "keep: keep-count"),
            (deployment("build-97", 2), "keep: keep-count"),
            (deployment("build-96", 3), "delete: superseded"),
            (deployment("build-95", 4), "delete: superseded"),
            (deployment("build-101", 5), "keep: keep-count"),
            (deployment("build-100", 6), "keep: keep-count"),
            (deployment("build-99", 7), "delete: superseded"),
        ),
    ),
    "a deployment whose name cannot be compared is kept": Case(
        keep_count=1,
        rules={"age_from": AgeFrom.NAME},
        rows=(
            (deployment("build-10", 1), "keep: keep-count keep-count"),
            (deployment("build-9", 2), "delete: superseded"),
            (deployment("v1.9", 3), "keep: incomparable-name"),
            (deployment("main", 4), "keep: incomparable-name"),
        ),
    ),
    "deployments with equal times are all among the newest by time": Case(
        keep_count=1,
        rules={"age_from": AgeFrom.NAME},
        rows=(
            (deployment("build-10", 3), "keep: keep-count keep-count"),
            (deployment("build-8", 3), "keep: ambiguous-age"),
            (deployment("build-9", 3), "keep: ambiguous-age"),
        ),
    ),
    "a protected deployment is not counted": Case(
        keep_count=1,
        rules={"age_from": AgeFrom.NAME},
        pins=pin_protected(["build-99"]),
        rows=(
            (deployment("build-99", 1), "keep: protected keep-count keep-count"),
            (deployment("build-10", 2), "keep: keep-count keep-count"),
            (deployment("build-9", 3), "delete: superseded"),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_decisions_are_those_of_the_table(case):
    assert decide_case(case) == list_expected(case)


def test_reasons_name_the_counts():
    names = ["build-12", "build-11", "build-10", "build-9", "v1.9"]
    policy = RetentionPolicy(keep_count=2, age_from=AgeFrom.NAME)
    deployments = [deployment(name, days) for days, name in enumerate(names, 1)]
    evaluations = evaluate(inventory(*deployments), policy, (), NOW, 1)

    messages = {
        evaluation.deployment.name: [check.message for check in evaluation.checks]
        for evaluation in evaluations
    }
    assert numbers_in(messages["build-12"][0]) == [0, 2]
    assert numbers_in(messages["build-11"][0]) == [1, 2]
    assert numbers_in(messages["build-9"][0]) == [3, 2]
    assert sorted(numbers_in(messages["v1.9"][0])) == [0, 2, 4]


def test_reason_of_the_minimum_names_the_minimum():
    policy = RetentionPolicy(keep_count=2)
    deployments = [deployment(name, days) for days, name in enumerate(("d3", "d2", "d1"), 1)]

    decisions = decide(inventory(*deployments), policy, (), NOW, 3)

    numbers = [numbers_in(decision.reasons[0].message) for decision in decisions]
    assert numbers == [[], [2, 2], [3, 3]]
