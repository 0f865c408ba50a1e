"""`names-contradict-times`: refused if the highest number would be deleted, else a warning."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.live.pins import pin_protected
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import RefusalCode, WarningCode
from ci3.core.model.user_pattern import UserPattern
from ci3.core.plan.hexadecimal_names import refuse_hexadecimal_names
from ci3.core.plan.name_times import compare_names_with_times
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, evaluate
from tests.support.builders import NOW, deployment, inventory, live_pin

BUILDS = [f"build-{number}" for number in range(95, 105)]
VERSIONS = [f"v1.{number}.0" for number in range(7, 13)]
DATES = [f"2026-11-{day:02}" for day in range(8, 12)]
COMMITS = [f"{number}{number}ab12cd3" for number in range(8, 12)]
REFUSED, WARNED, QUIET = "refused", "warned", "quiet"


def make_uploads(names: list[str]) -> list[Deployment]:
    """Return deployments of which the first is the oldest."""
    return [deployment(name, len(names) - index) for index, name in enumerate(names)]


def check(deployments, *, keep_count=3, is_age_from_set=False, pins=(), live_from=(), **policy):
    retention = RetentionPolicy(keep_count=keep_count, **policy)
    order = compare_names_with_times(
        evaluate(inventory(*deployments), retention, pins, NOW, 1),
        retention.age_from,
        is_age_from_set=is_age_from_set,
        readings=[LiveReading(source=LiveSource.parse(text)) for text in live_from],
    )
    refusals, warnings = order.find_refusals(), order.find_warnings()
    assert {refusal.code for refusal in refusals} <= {RefusalCode.NAMES_CONTRADICT_TIMES}
    assert {warning.code for warning in warnings} <= {WarningCode.NAMES_CONTRADICT_TIMES}
    assert not (refusals and warnings)
    return REFUSED if refusals else WARNED if warnings else QUIET


@pytest.mark.parametrize(
    "names",
    [
        BUILDS,
        [name.removeprefix("build-") for name in BUILDS],
        [f"{name}-ab12cd{name[-1]}" for name in BUILDS],
        [f"web-{name}" for name in BUILDS],
        VERSIONS,
        ["release-8", "release-9", "release-10"],
        [f"2026-w{week}" for week in range(8, 12)],
        [f"pr-12-{name}" for name in BUILDS],
    ],
)
def test_copy_in_key_order_is_refused_and_the_original_is_not(names):
    assert check(make_uploads(sorted(names)), keep_count=2) == REFUSED
    assert check(make_uploads(names), keep_count=2) == QUIET


@pytest.mark.parametrize("names", [DATES, [name.replace("-", "") for name in DATES], BUILDS])
def test_reversed_copy_is_refused(names):
    assert check(make_uploads(names[::-1])) == REFUSED
    assert check(make_uploads(names)) == QUIET


@pytest.mark.parametrize(
    "names",
    [
        [f"pr-{number}" for number in range(8, 12)],
        [f"preview-{number}" for number in range(8, 12)],
        [f"feature-{number}" for number in range(8, 12)],
        [f"issue-{number}-login" for number in range(8, 12)],
        [f"pr-{number}-ab12cd3" for number in range(8, 12)],
        [f"{day}-11-2026" for day in range(8, 12)],
        ["main", "develop", "assets"],
        COMMITS,
        ["1234567", "7654321", "2345678", "ab12cd3"],
    ],
)
def test_names_without_an_order_are_accepted_in_any_order(names):
    for order in (names, names[::-1], sorted(names)):
        assert check(make_uploads(order), keep_count=1) == QUIET


@pytest.mark.parametrize("template", ["web-{}", "my-site-{}", "x{}", "staging_{}"])
def test_numbers_after_any_word_are_compared_if_they_differ_in_length(template):
    copied = sorted(template.format(number) for number in range(95, 105))
    assert check(make_uploads(copied), keep_count=2) == REFUSED
    for servers in ([3, 1, 2], ["10", "09", "08"]):
        deployments = make_uploads([template.format(number) for number in servers])
        assert check(deployments, keep_count=1) == QUIET


def suggests_order_by_name(deployments, pins=(), *, has_time_rules=False) -> bool:
    evaluations = evaluate(inventory(*deployments), RetentionPolicy(keep_count=2), pins, NOW, 1)
    name_times = compare_names_with_times(
        evaluations, AgeFrom.SPAN, is_age_from_set=False, has_time_rules=has_time_rules
    )
    (refusal,) = name_times.find_refusals()
    is_suggested = "age-from: name" in refusal.message
    hexadecimal = refuse_hexadecimal_names(deployments, pins, AgeFrom.NAME)
    assert not (is_suggested and (has_time_rules or hexadecimal))
    return is_suggested


@pytest.mark.parametrize(
    ("names", "is_suggested"),
    [
        (BUILDS, True),
        (DATES, True),
        ([name.replace("-", "") for name in DATES], True),
        ([str(1_796_019_000 + number) for number in range(4)], True),
        ([name.removeprefix("build-") for name in BUILDS], False),
        ([f"app1-{date}" for date in DATES], False),
        ([f"build-{number}-2026" for number in range(95, 105)], False),
        ([f"{name}-ab12cd{name[-1]}" for name in BUILDS], False),
    ],
)
def test_order_by_name_is_suggested_if_it_orders_the_names(names, is_suggested):
    deployments = make_uploads(names[::-1])
    assert suggests_order_by_name(deployments) is is_suggested
    assert not suggests_order_by_name(deployments, has_time_rules=True)


@pytest.mark.parametrize("is_complete", [True, False])
def test_order_by_name_is_not_suggested_with_an_unprotected_commit(is_complete):
    commit = replace(deployment("main-9c41e07", 90), is_complete=is_complete)
    deployments = [*make_uploads(BUILDS[::-1]), commit]
    assert not suggests_order_by_name(deployments)
    assert suggests_order_by_name(deployments, pin_protected(["main-*"]))


@pytest.mark.parametrize(
    "names",
    [
        ["30-10-26", "31-10-26", "01-11-26", "28-11-26", "29-11-26"],
        ["q3-2025", "q4-2025", "q1-2026", "q2-2026"],
        ["10-2026", "11-2026", "12-2026", "01-2027"],
    ],
)
def test_dates_in_other_notations_are_accepted_in_time_order(names):
    assert check(make_uploads(names), keep_count=2) == QUIET


@pytest.mark.parametrize(
    ("keep_count", "result"),
    [(1, REFUSED), (5, REFUSED), (6, WARNED), (9, WARNED), (10, WARNED), (20, WARNED)],
)
def test_copy_only_warns_while_the_highest_number_is_kept(keep_count, result):
    assert check(make_uploads(sorted(BUILDS)), keep_count=keep_count) == result


def test_set_age_from_turns_the_refusal_into_a_warning():
    deployments = make_uploads(sorted(BUILDS))
    assert check(deployments, is_age_from_set=True) == WARNED


def test_protecting_the_named_deployments_ends_the_refusal():
    deployments = make_uploads(sorted(BUILDS))
    assert check(deployments, pins=pin_protected(["build-1*"])) == QUIET


def test_pinned_highest_number_is_not_refused():
    pin = live_pin("build-104", "a test")
    assert check(make_uploads(sorted(BUILDS)), pins=[pin]) == WARNED


@pytest.mark.parametrize(
    ("order", "keep_count", "result"),
    [
        # A rollback by a new upload matters only if the newest build is deleted.
        ([*BUILDS[1:], BUILDS[0]], 5, QUIET),
        ([*BUILDS[1:], BUILDS[0]], 1, REFUSED),
        # Backports.
        (["v1.9.4", "v2.0.0", "v1.9.5", "v2.0.1", "v2.0.2", "v2.0.3", "v2.1.0"], 3, QUIET),
        (["v1.9.4", "v2.0.0", "v1.9.5", "v1.9.6", "v1.9.7"], 3, REFUSED),
        # A build that was uploaded late and is deleted before many earlier ones.
        (["build-10", *(f"build-{number}" for number in (5, 6, 7, 8, 9, 11))], 5, WARNED),
        # An old series in disorder is deleted completely before a new one.
        ([*sorted(BUILDS), *COMMITS], 4, REFUSED),
    ],
)
def test_small_disorder_warns_only_if_it_matters(order, keep_count, result):
    assert check(make_uploads(order), keep_count=keep_count) == result


def test_groups_are_checked_separately():
    group_by = UserPattern.compile(r"(v\d+)\..*")
    backports = ["v1.9.4", "v2.0.0", "v1.9.5", "v1.9.6", "v1.9.7"]
    assert check(make_uploads(backports), group_by=group_by) == QUIET
    copied = ["v2.10.0", "v2.11.0", "v2.9.0", "v1.0.0"]
    assert check(make_uploads(copied), keep_count=1, group_by=group_by) == REFUSED


def test_bare_numbers_are_not_compared_if_open_pull_requests_are_live():
    deployments = make_uploads(["10", "11", "8", "9"])
    assert check(deployments, keep_count=1) == REFUSED
    assert check(deployments, keep_count=1, live_from=["open-pull-requests"]) == QUIET


def test_overlapping_uploads_contradict_nothing():
    deployments = [deployment("build-10", 9, 2), deployment("build-9", 3, 1)]
    assert check([*deployments, deployment("build-11", 0.5)], keep_count=1) == QUIET


def test_incomplete_deployment_contradicts_nothing():
    failed = replace(deployment("build-200", 30), is_complete=False)
    assert check([*make_uploads(BUILDS), failed]) == QUIET


def test_times_that_the_setting_names_are_compared():
    deployments = [deployment("build-10", 9), deployment("build-9", 20, 1), deployment("x", 0.5)]
    policy = {"keep_count": 1, "is_age_from_set": True}
    assert check(deployments, **policy, age_from=AgeFrom.NEWEST) == WARNED
    assert check(deployments, **policy, age_from=AgeFrom.OLDEST) == QUIET


numbers = st.lists(st.integers(1, 10**6), unique=True, min_size=2, max_size=12)


@given(numbers, st.integers(1, 12), st.sampled_from(["build-{}", "v1.{}.0", "{}", "a{}b"]))
def test_names_in_upload_order_never_warn(values, keep_count, template):
    names = [template.format(value) for value in sorted(values)]
    assert check(make_uploads(names), keep_count=keep_count) == QUIET


@given(st.permutations(BUILDS), st.integers(1, 9), st.randoms(use_true_random=False))
def test_deletion_of_the_highest_number_is_always_refused(order, keep_count, random):
    deployments = make_uploads(order)
    result = check(deployments, keep_count=keep_count)
    shuffled = random.sample(deployments, len(deployments))
    assert check(shuffled, keep_count=keep_count) == result
    is_highest_deleted = "build-104" not in order[-keep_count:]
    assert (result == REFUSED) == is_highest_deleted


spans = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=8)


@given(spans)
def test_displaced_count_is_minimal(uploads):
    """Compare with every subset of uploads in which no pair is out of order."""
    deployments = [
        deployment(f"build-{number}", 20 - start, 20 - start - length)
        for number, (start, length) in enumerate(uploads, start=1)
    ]
    retention = RetentionPolicy(keep_count=99)
    evaluations = evaluate(inventory(*deployments), retention, (), NOW, 1)
    order = compare_names_with_times(evaluations, AgeFrom.SPAN, is_age_from_set=False)
    displaced_counts = [
        len(uploads) - size
        for size in range(len(uploads) + 1)
        for subset in combinations(uploads, size)
        if all(earlier[0] <= sum(later) for earlier, later in combinations(subset, 2))
    ]
    expected = min(displaced_counts)
    assert [series.displaced_count for series in order.series] == [expected] * bool(expected)
