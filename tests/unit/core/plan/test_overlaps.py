"""`never-deletable`: a warning where each deployment overlaps a newer one, with what can help."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.summary import summarize_folder
from ci3.core.live.pins import pin_protected
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import WarningCode
from ci3.core.model.user_pattern import UserPattern
from ci3.core.plan.overlaps import find_overlap_warnings
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, evaluate
from tests.support.builders import NOW, days_ago, deployment, inventory, make_object

COMMITS = [f"{number}{number}ab12cd3" for number in range(10, 20)]


def make_rewritten(name: str, days: float, late_days: float, late_file: str = "robots.txt"):
    """Return a deployment with a file that was written later than the others."""
    keys = {"app.js": days, "index.html": days, late_file: late_days}
    objects = [make_object(f"{name}/{key}", at=days_ago(age)) for key, age in keys.items()]
    return summarize_folder(name, f"{name}/", objects)


def make_all_rewritten(names: list[str], **options) -> list[Deployment]:
    """Return deployments uploaded daily, each with a file rewritten about a day ago."""
    return [
        make_rewritten(name, len(names) - index + 1, 1 - index / 10_000, **options)
        for index, name in enumerate(names)
    ]


def check(deployments, *, keep_count=3, pins=(), **policy):
    """Return the settings that the warning suggests; None without a warning."""
    retention = RetentionPolicy(keep_count=keep_count, **policy)
    evaluations = evaluate(inventory(*deployments), retention, pins, NOW, 1)
    warnings = find_overlap_warnings(evaluations, retention.age_from)
    if not warnings:
        return None
    (warning,) = warnings
    assert warning.code is WarningCode.NEVER_DELETABLE
    assert not any(evaluation.is_delete for evaluation in evaluations)
    suggested = [AgeFrom(text) for text in re.findall("age-from: ([a-z]+)", warning.message)]
    for age_from in suggested:  # check that the suggestion works
        changed = RetentionPolicy(keep_count=keep_count, **(policy | {"age_from": age_from}))
        assert any(
            evaluation.is_delete
            for evaluation in evaluate(inventory(*deployments), changed, pins, NOW, 1)
        )
    return suggested


@pytest.mark.parametrize(
    ("names", "suggested"),
    [
        (COMMITS, [AgeFrom.OLDEST]),
        ([f"v1.{number}.0" for number in range(10)], [AgeFrom.OLDEST]),
        ([f"2026-11-{day}" for day in range(10, 20)], [AgeFrom.OLDEST]),
        ([f"pr-12-{name}" for name in COMMITS], [AgeFrom.OLDEST]),
        ([f"build-{number}" for number in range(10)], [AgeFrom.NEWEST, AgeFrom.OLDEST]),
        ([str(number) for number in range(10)], [AgeFrom.NEWEST, AgeFrom.OLDEST]),
        ([f"pr-{number}" for number in range(10)], [AgeFrom.NEWEST]),
        (["main", "develop", "feature-a", "feature-b", "pr-12"], [AgeFrom.NEWEST]),
        (["main", *COMMITS], []),
        (["stable", *(f"build-{number}" for number in range(10))], [AgeFrom.NEWEST]),
    ],
)
def test_setting_that_fits_the_names_is_suggested(names, suggested):
    assert check(make_all_rewritten(names)) == suggested


def test_oldest_is_not_suggested_unless_each_has_the_same_late_file():
    deployments = make_all_rewritten(COMMITS)
    deployments[3] = make_rewritten(COMMITS[3], 8, 1.1, "sitemap.xml")
    assert check(deployments) == []


def test_newest_is_not_suggested_where_it_would_not_help():
    deployments = [make_rewritten(f"pr-{number}", number + 2, 1) for number in range(6)]
    assert check(deployments) == []


def test_equal_times_are_an_overlap():
    assert check([deployment(name, 4) for name in COMMITS]) == []
    assert check([deployment(name, 4) for name in COMMITS], age_from=AgeFrom.NEWEST) == []


@pytest.mark.parametrize("new_count", [1, 2])
def test_fewer_new_deployments_than_keep_count_still_warn(new_count):
    new = [deployment(f"{number}fedcba9", 0.5 - number / 10) for number in range(new_count)]
    assert check([*make_all_rewritten(COMMITS), *new]) == [AgeFrom.OLDEST]


def test_keep_count_new_deployments_do_not_warn():
    new = [deployment(f"{number}fedcba9", 0.5 - number / 10) for number in range(3)]
    assert check([*make_all_rewritten(COMMITS), *new]) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_at_most_keep_count_deployments_do_not_warn(count):
    assert check(make_all_rewritten(COMMITS[:count])) is None


def test_protected_deployments_do_not_count():
    pins = pin_protected([COMMITS[0]])
    assert check(make_all_rewritten(COMMITS[:4])) == [AgeFrom.OLDEST]
    assert check(make_all_rewritten(COMMITS[:4]), pins=pins) is None


def test_parallel_builds_do_not_warn():
    deployments = [deployment("a1", 9), deployment("a2", 3, 2.99), deployment("a3", 3.005, 2.98)]
    assert check(deployments, keep_count=2) is None
    assert check(deployments[1:], keep_count=1) is None


@pytest.mark.parametrize("keep_count", [1, 3, 5])
@pytest.mark.parametrize("age_from", [AgeFrom.SPAN, AgeFrom.FIRST_OBJECT])
@pytest.mark.parametrize(
    "names", [COMMITS, [f"v1.{number}.0" for number in range(9)], [f"pr-{n}" for n in range(9)]]
)
def test_long_lived_folder_and_keep_count_deployments_do_not_warn(names, keep_count, age_from):
    long_lived = make_rewritten("stable", 300, 0.5, "index.html")
    uploaded = [deployment(name, days, days - 0.001) for days, name in enumerate(names, start=1)]
    deployments = [long_lived, *uploaded[:keep_count]]
    assert check(deployments, keep_count=keep_count, age_from=age_from) is None


def test_long_lived_folder_that_overlaps_an_upload_does_not_warn():
    long_lived = make_rewritten("stable", 300, 5, "index.html")
    deployments = [long_lived, deployment(COMMITS[0], 5.001, 4.999), deployment(COMMITS[1], 1)]
    assert check(deployments, keep_count=2) is None


def test_long_lived_folder_does_not_hide_parallel_uploads():
    long_lived = make_rewritten("stable", 300, 0.5, "index.html")
    parallel = [deployment(name, 4, 3.99) for name in COMMITS[:4]]
    assert check([long_lived, *parallel]) == []


def test_oldest_is_not_suggested_for_parallel_uploads():
    deployments = [make_rewritten(name, 4, 3.99, "index.html") for name in COMMITS]
    deployments[-1] = make_rewritten(COMMITS[-1], 5, 3.99, "index.html")
    assert check(deployments) == []


def test_one_group_with_a_deletable_deployment_is_enough():
    group_by = UserPattern.compile(r"(pr-\d+)-.*")
    stuck = make_all_rewritten([f"pr-1-{name}" for name in COMMITS])
    assert check(stuck, group_by=group_by) == [AgeFrom.OLDEST]
    moving = [deployment(f"pr-2-{name}", index) for index, name in enumerate(COMMITS)]
    assert check([*stuck, *moving], group_by=group_by) is None


@given(
    st.lists(st.integers(1, 1000), unique=True, min_size=2, max_size=8),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_sequential_uploads_never_warn(days, keep_count, random):
    deployments = [deployment(f"{day}ab12cd3", day, day - 0.5) for day in days]
    random.shuffle(deployments)
    assert check(deployments, keep_count=keep_count) is None


@given(st.integers(4, 9), st.randoms(use_true_random=False))
def test_file_rewritten_in_all_deployments_always_warns(count, random):
    deployments = make_all_rewritten(COMMITS[:count])
    random.shuffle(deployments)
    assert check(deployments) == [AgeFrom.OLDEST]


def test_newest_key_is_the_first_key_with_the_newest_time():
    objects = [
        make_object(f"d/{key}", at=days_ago(1) + timedelta(seconds=second))
        for key, second in (("a", 0), ("b", 5), ("c", 5), ("d", 1))
    ]
    assert summarize_folder("d", "d/", objects).newest_key == "d/b"
    assert summarize_folder("d", "d/", objects, is_fully_listed=False).newest_key == ""
    assert summarize_folder("d", "d/", ()).newest_key == ""
