"""The outlook of a deployment, for each rule and pin that can keep it."""

from functools import cache

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.explain import explain
from ci3.core.units import Duration
from tests.support.builders import (
    NOW,
    deployment,
    empty_deployment,
    inventory,
    live_pin,
    marker_only_deployment,
    pin_commits,
)
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in

WITHIN_14_DAYS = Duration.parse("14d")
EVIDENCE = "current says d1"
LIVE = live_pin("d1", EVIDENCE)


def explain_deployment(name, *deployments, pins=(), minimum=1, **rules):
    policy = RetentionPolicy(**({"keep_count": 1} | rules))
    evaluations = evaluate(inventory(*deployments), policy, pins, NOW, minimum)
    [evaluation] = [evaluation for evaluation in evaluations if evaluation.deployment.name == name]
    return explain(evaluation, policy.keep_within)


def get_outlook(*arguments, **rules):
    return explain_deployment(*arguments, **rules).outlook


D1, D2, D3 = deployment("d1", 30), deployment("d2", 12), deployment("d3", 1)
EMPTY, INCOMPLETE = empty_deployment("e"), marker_only_deployment("m", 0)
PINS = (*pin_protected(["d*"]), *pin_commits(["abcdef1"]), LIVE)


@cache
def get_outlooks():
    """Return the outlook of each case. No constant: `make mutants` changes the code."""
    return {
        "to delete": get_outlook("d1", D1, D2),
        "empty": get_outlook("e", D1, EMPTY),
        "empty and pinned": get_outlook("e", EMPTY, pins=pin_protected(["e"])),
        "pinned": get_outlook("d1", D1, D2, pins=PINS),
        "pinned-within": get_outlook("d1", D1, pins=(LIVE,), keep_within=WITHIN_14_DAYS),
        "pinned-uploading": get_outlook("m", INCOMPLETE, D1, pins=pin_protected(["m"])),
        "uploading": get_outlook("m", INCOMPLETE, D1),
        "the newest of 3": get_outlook("d3", D1, D2, D3, keep_count=3),
        "the second of 3": get_outlook("d2", D1, D2, D3, keep_count=3),
        "the third of 3": get_outlook("d1", D1, D2, D3, keep_count=3),
        "minimum of 5": get_outlook("d2", D2, D3, minimum=5),
        "overlapping": get_outlook("d1", D1, deployment("d2", 30, 2)),
        "superseded 12 days ago": get_outlook("d1", D1, D2, keep_within=WITHIN_14_DAYS),
        "superseded 14 days ago": get_outlook(
            "d1", D1, deployment("d2", 14), keep_within=WITHIN_14_DAYS
        ),
        "preview": get_outlook("pr-1", deployment("pr-1", 3), expire_closed=WITHIN_14_DAYS),
        "unread preview": get_outlook("pr-1", deployment("pr-1", 30), expire_closed=WITHIN_14_DAYS),
        "never superseded": get_outlook("d1", D1, keep_within=WITHIN_14_DAYS),
        "superseded and of the 3 newest": get_outlook(
            "d1", D1, D2, keep_count=3, keep_within=WITHIN_14_DAYS
        ),
        "daily": get_outlook("d1", D1, D2, keep_daily=9),
        "weekly": get_outlook("d1", D1, D2, keep_weekly=9),
        "monthly": get_outlook("d1", D1, D2, keep_monthly=9),
        "several rules": get_outlook(
            "d1", D1, D2, keep_count=2, keep_daily=9, keep_monthly=9, keep_within=WITHIN_14_DAYS
        ),
    }


def test_messages_of_outlooks():
    assert_messages(__file__, get_outlooks().items())


def test_outlook_of_a_pinned_deployment_has_only_its_pins():
    assert all(pin in get_outlooks()["pinned"] for pin in ("d*", EVIDENCE))
    assert EVIDENCE in get_outlooks()["pinned-within"]
    assert "14d" not in get_outlooks()["pinned-within"]
    assert "m" in words_in(get_outlooks()["pinned-uploading"])


@pytest.mark.parametrize(
    ("case", "missing_count"),
    [
        ("the newest of 3", 3),
        ("the second of 3", 2),
        ("the third of 3", 1),
        ("minimum of 5", 4),
        ("overlapping", 1),
        ("superseded and of the 3 newest", 2),
        ("several rules", 1),
    ],
)
def test_outlook_has_the_count_of_newer_deployments_that_are_missing(case, missing_count):
    assert missing_count in numbers_in(get_outlooks()[case])


@pytest.mark.parametrize(
    ("case", "ends_at"),
    [
        ("superseded 12 days ago", "2026-11-25 12:00 UTC"),
        ("superseded 14 days ago", "2026-11-23 12:00 UTC"),
        ("superseded and of the 3 newest", "2026-11-25 12:00 UTC"),
        ("several rules", "2026-11-25 12:00 UTC"),
        ("never superseded", "14d"),
    ],
)
def test_outlook_has_the_time_at_which_keep_within_ends(case, ends_at):
    assert ends_at in get_outlooks()[case]


def test_explanation_has_each_rule_and_pin_and_whether_it_matched():
    explanation = explain_deployment(
        "d1", D1, D2, D3,
        pins=(*pin_protected(["v*"]), LIVE), keep_within=WITHIN_14_DAYS, keep_weekly=2,
    )  # fmt: skip

    checks = explanation.evaluation.checks
    assert [(check.code, check.is_matched) for check in checks] == [
        ("protected", False),
        ("live", True),
        ("keep-count", False),
        ("keep-within", True),
        ("keep-weekly", False),
    ]
    messages = [(check.code, check.message) for check in checks]
    assert_messages(__file__, messages, table="checks")


UNMATCHED = [
    ("d1", {}, [2, 1]),
    ("d1", {"keep_within": Duration.parse("1w")}, [12, "d2", "1w"]),
    ("d1", {"keep_daily": 2}, [2, "2026-10-24"]),
    ("d2", {"keep_monthly": 2}, ["2026-11"]),
    ("m", {"keep_weekly": 2}, []),
]


def find_last_check(name, rule):
    deployments = (D1, marker_only_deployment("m", 20), D2, D3)
    return explain_deployment(name, *deployments, **rule).evaluation.checks[-1]


@pytest.mark.parametrize(("name", "rule", "values"), UNMATCHED)
def test_unmatched_rule_has_the_values_that_explain_it(name, rule, values):
    check = find_last_check(name, rule)

    assert not check.is_matched
    numbers = [value for value in values if isinstance(value, int)]
    assert numbers_in(check.message) == numbers
    assert words_in(check.message).issuperset(set(values) - set(numbers))


def test_messages_of_unmatched_rules():
    messages = [
        (f"{name} {rule}", find_last_check(name, rule).message) for name, rule, _ in UNMATCHED
    ]
    assert_messages(__file__, messages, table="unmatched")
