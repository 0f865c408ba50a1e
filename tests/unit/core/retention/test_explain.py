"""What is said of a deployment's future, for everything that can keep it."""

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

WITHIN_14_DAYS = Duration.parse("14d")
LIVE = live_pin("d1", "current says d1")


def explained(name, *deployments, pins=(), minimum=1, **rules):
    policy = RetentionPolicy(**({"keep_count": 1} | rules))
    for judgement in evaluate(inventory(*deployments), policy, pins, NOW, minimum):
        if judgement.deployment.name == name:
            return explain(judgement, policy.keep_within)
    raise AssertionError(f"{name} was not judged")


def outlook(*arguments, **rules):
    return explained(*arguments, **rules).outlook


def stays_until(what):
    return f"If nothing changes, it stays. It would go after {what}."


D1, D2, D3 = deployment("d1", 30), deployment("d2", 12), deployment("d3", 1)


def test_doomed_one_is_due():
    assert outlook("d1", D1, D2) == "It is due now."


def test_empty_folder_has_nothing_to_delete():
    assert (
        outlook("e", D1, empty_deployment("e")) == "There is nothing in it that could be deleted."
    )
    assert outlook("e", empty_deployment("e"), pins=pin_protected(["e"])).startswith(
        "There is nothing in it"
    )


def test_pinned_one_stays_as_long_as_each_pin_holds():
    pins = (*pin_protected(["d*"]), *pin_commits(["abcdef1"]), LIVE)

    told = outlook("d1", D1, D2, pins=pins)

    assert told == ("It stays as long as this holds: protected by d*; live: current says d1.")


def test_pin_goes_before_what_rules_would_say():
    lone = outlook("d1", D1, pins=(LIVE,), keep_within=WITHIN_14_DAYS)
    uploading = outlook("m", marker_only_deployment("m", 0), D1, pins=pin_protected(["m"]))

    assert lone == "It stays as long as this holds: live: current says d1."
    assert uploading == "It stays as long as this holds: protected by m."


def test_one_that_may_be_uploading_waits_for_a_newer_complete_one():
    assert outlook("m", marker_only_deployment("m", 0), D1) == (
        "Once a complete one is newer, it goes by the rules like any other."
    )


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("d3", "3 newer complete deployments"),
        ("d2", "2 newer complete deployments"),
        ("d1", "1 newer complete deployment"),
    ],
)
def test_one_among_the_newest_goes_after_enough_newer_ones(name, needs):
    assert outlook(name, D1, D2, D3, keep_count=3) == stays_until(needs)


def test_minimum_counts_where_it_is_more_than_keep_count():
    assert outlook("d2", D2, D3, minimum=5) == stays_until("4 newer complete deployments")


def test_one_in_doubt_goes_after_those_that_are_not():
    overlapping = deployment("d2", 30, 2)

    assert outlook("d1", D1, overlapping) == stays_until("1 newer complete deployment")


def test_superseded_one_goes_at_a_known_time():
    assert outlook("d1", D1, D2, keep_within=WITHIN_14_DAYS) == (
        "If nothing changes, it goes after 2026-11-25 12:00 UTC (in 2 days)."
    )


def test_superseded_exactly_so_long_ago_goes_in_a_moment():
    assert outlook("d1", D1, deployment("d2", 14), keep_within=WITHIN_14_DAYS) == (
        "If nothing changes, it goes after 2026-11-23 12:00 UTC (in a moment)."
    )


def test_never_superseded_one_has_its_whole_time_before_it():
    assert outlook("d1", D1, keep_within=WITHIN_14_DAYS) == stays_until(
        "1 newer complete deployment, and 14d more"
    )


def test_superseded_one_among_the_newest_needs_both():
    assert outlook("d1", D1, D2, keep_count=3, keep_within=WITHIN_14_DAYS) == stays_until(
        "2 newer complete deployments, and 2026-11-25 12:00 UTC (in 2 days)"
    )


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_one_that_stands_for_a_period_goes_after_enough_newer_periods(period):
    rule = {"day": "keep_daily", "week": "keep_weekly", "month": "keep_monthly"}[period]

    assert outlook("d1", D1, D2, **{rule: 9}) == stays_until(
        f"enough newer {period}s that have one (or a newer one in the same {period})"
    )


def test_every_need_is_told():
    rules = {"keep_count": 2, "keep_daily": 9, "keep_monthly": 9, "keep_within": WITHIN_14_DAYS}

    assert outlook("d1", D1, D2, **rules) == stays_until(
        "1 newer complete deployment, "
        "and enough newer days that have one (or a newer one in the same day), "
        "and enough newer months that have one (or a newer one in the same month), "
        "and 2026-11-25 12:00 UTC (in 2 days)"
    )


def test_every_rule_and_pin_is_there_with_whether_it_matched():
    explanation = explained(
        "d1", D1, D2, D3,
        pins=(*pin_protected(["v*"]), LIVE), keep_within=WITHIN_14_DAYS, keep_weekly=2,
    )  # fmt: skip

    assert [(one.code, one.is_matched, one.message) for one in explanation.evaluation.checks] == [
        ("protected", False, "does not match v*"),
        ("live", True, "live: current says d1"),
        ("keep-count", False, "2 complete ones known to be newer, and 1 is enough"),
        ("keep-within", True, "superseded 12 days ago by d2, within 14d"),
        ("keep-weekly", False, "2026-W43 is before the last 2 that have one"),
    ]


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("d1", {}, "2 complete ones known to be newer, and 1 is enough"),
        (
            "d1",
            {"keep_within": Duration.parse("1w")},
            "superseded 12 days ago by d2, longer ago than 1w",
        ),
        ("d1", {"keep_daily": 2}, "2026-10-24 is before the last 2 that have one"),
        ("d2", {"keep_monthly": 2}, "a newer one is in 2026-11"),
        ("m", {"keep_weekly": 2}, "incomplete"),
    ],
)
def test_rule_that_does_not_keep_says_why(name, rule, message):
    *_, check = explained(
        name, D1, marker_only_deployment("m", 20), D2, D3, **rule
    ).evaluation.checks

    assert (check.is_matched, check.message) == (False, message)
