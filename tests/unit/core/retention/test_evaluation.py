"""What the checks of a deployment decide: whether it is deleted and whether it is counted."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.decision import Action, ReasonCode
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.unfinished import PartialDeletion
from ci3.core.units import Duration
from tests.support.builders import NOW, deployment, inventory, live_pin, marker_only_deployment
from tests.support.golden import assert_messages

LIVE = live_pin("old", "version.json names old")


def evaluate_old(*, pins=(), is_complete=True):
    """Evaluate a deployment that a newer complete one supersedes."""
    old = deployment("old", 2) if is_complete else marker_only_deployment("old", 2)
    deployments = inventory(deployment("new", 1), old)
    _, evaluation = evaluate(deployments, RetentionPolicy(keep_count=1), pins, NOW, 1)
    return evaluation


@pytest.mark.parametrize(
    ("pins", "is_complete", "is_protected", "is_counted"),
    [
        ((), True, False, True),
        ((), False, False, False),
        ((LIVE,), True, False, True),
        (pin_protected(["old"]), True, True, False),
        ((*pin_protected(["old"]), LIVE), True, True, False),
        (pin_protected(["new"]), True, False, True),
        (pin_protected(["old"]), False, True, False),
    ],
)
def test_complete_deployment_is_counted_unless_protected(
    pins, is_complete, is_protected, is_counted
):
    evaluation = evaluate_old(pins=pins, is_complete=is_complete)

    assert evaluation.is_protected is is_protected
    assert evaluation.is_counted is is_counted


def test_deployment_that_nothing_keeps_is_deleted():
    evaluation = evaluate_old()

    assert (evaluation.is_delete, evaluation.is_keep) == (True, False)
    assert evaluation.decision.action is Action.DELETE


@pytest.mark.parametrize("has_checks", [True, False])
def test_deployment_without_a_successor_is_kept_even_if_no_check_keeps_it(has_checks):
    evaluation = evaluate_old()
    checks = evaluation.checks if has_checks else ()

    alone = replace(evaluation, successor=None, checks=checks)

    assert (alone.is_delete, alone.is_keep) == (False, True)
    assert alone.decision.action is Action.KEEP


@pytest.mark.parametrize("age_from", AgeFrom)
def test_deployments_are_ordered_by_name_only_if_age_from_is_name(age_from):
    deployments = inventory(deployment("build-1", 2), deployment("build-2", 1))
    policy = RetentionPolicy(keep_count=1, age_from=age_from)

    evaluations = evaluate(deployments, policy, (), NOW, 1)

    orders = [evaluation.is_ordered_by_name for evaluation in evaluations]
    assert orders == [age_from is AgeFrom.NAME] * 2


def test_newer_deployments_are_those_that_are_newer_by_name_and_by_time():
    deployments = inventory(*(deployment(f"build-{number}", number) for number in (1, 2, 3)))
    policy = RetentionPolicy(keep_count=3, age_from=AgeFrom.NAME)

    evaluations = evaluate(deployments, policy, (), NOW, 1)

    counts = {evaluation.deployment.name: evaluation.newer_count for evaluation in evaluations}
    assert counts == {"build-1": 0, "build-2": 1, "build-3": 0}


def test_checks_of_other_rules_and_exact_names_do_not_affect_what_supersedes():
    policy = RetentionPolicy(keep_count=1, keep_within=Duration.parse("9d"), keep_daily=1)
    deployments = inventory(deployment("new", 1), deployment("old", 2))

    evaluations = evaluate(deployments, policy, (LIVE, *pin_protected(["new"])), NOW, 1)

    checks = [check for evaluation in evaluations for check in evaluation.checks]
    assert {check.code for check in checks if check.supersedes is not False} == set()


def test_partly_deleted_deployment_is_recorded_as_incomplete():
    deployments = inventory(deployment("new", 1), deployment("old", 2))
    partial_deletions = {"old": PartialDeletion(message="", must_keep=True)}

    evaluations = evaluate(
        deployments, RetentionPolicy(keep_count=1), (), NOW, 1, partial_deletions=partial_deletions
    )

    evaluated = [evaluation.decision.deployment for evaluation in evaluations]
    completeness = {deployment.name: deployment.is_complete for deployment in evaluated}
    assert completeness == {"new": True, "old": False}


@pytest.mark.parametrize("age_from", [AgeFrom.NAME, AgeFrom.SPAN])
def test_messages_of_counts_by_name_and_by_upload(age_from):
    deployments = inventory(*(deployment(f"build-{number}", 9 - number) for number in range(4)))
    policy = RetentionPolicy(keep_count=2, age_from=age_from)
    evaluations = evaluate(deployments, policy, (), NOW, 1)
    messages = [
        (
            evaluation.deployment.name,
            "\n".join(
                check.message for check in evaluation.checks if check.code is ReasonCode.KEEP_COUNT
            ),
        )
        for evaluation in evaluations
    ]
    assert_messages(__file__, messages, age_from.value)


def test_deployment_is_live_whatever_else_keeps_it():
    [live, other] = evaluate(
        inventory(deployment("live", 1), deployment("other", 2)),
        RetentionPolicy(keep_count=2),
        (live_pin("live"),),
        NOW,
        1,
    )
    assert len([*live.keeping_checks]) > 1
    assert (live.is_live, other.is_live) == (True, False)
