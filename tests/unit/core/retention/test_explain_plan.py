"""What the plan adds to a deployment's outlook, and which rules the outlook depends on."""

from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.issues import Refusal, RefusalCode
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.explain import explain
from ci3.core.units import Duration
from tests.support.builders import NOW, deployment, inventory, marker_only_deployment

HOUR = 1 / 24
OLD, NEW = deployment("old", 30), deployment("new", 12)


def evaluate_first(*deployments, **rules):
    """Evaluate deployments; return the evaluation of the first argument."""
    policy = RetentionPolicy(**({"keep_count": 1} | rules))
    evaluations = evaluate(inventory(*deployments), policy, (), NOW, 1)
    return next(evaluation for evaluation in evaluations if evaluation.deployment == deployments[0])


def test_outlook_has_the_message_of_each_refusal():
    evaluation = evaluate_first(OLD, NEW)
    refusals = [
        Refusal(code=RefusalCode.MIXED_NAMES, message="message 1"),
        Refusal(code=RefusalCode.MIXED_NAMES, message="message 2"),
    ]

    outlook = explain(evaluation, None, refusals).outlook

    assert outlook.startswith(explain(evaluation, None).outlook)
    assert all(refusal.message in outlook for refusal in refusals)


def test_outlook_has_the_planned_reasons_of_lifecycle_rules_and_no_others():
    evaluation = evaluate_first(OLD, NEW)
    reasons = (
        Reason(code=ReasonCode.SUPERSEDED, message="message 1"),
        Reason(code=ReasonCode.NO_ROOM_FOR_RULE, message="message 2"),
        Reason(code=ReasonCode.EXPIRING, message="message 3"),
    )
    planned = Decision(deployment=OLD, group="", action=Action.DELETE, reasons=reasons)

    outlook = explain(evaluation, None, planned=planned).outlook

    assert outlook.startswith(explain(evaluation, None).outlook)
    assert "message 2; message 3" in outlook
    assert "message 1" not in outlook


def test_outlook_without_reasons_of_lifecycle_rules_is_that_of_the_evaluation():
    evaluation = evaluate_first(OLD, NEW)
    reason = Reason(code=ReasonCode.SUPERSEDED, message="message 1")
    planned = Decision(deployment=OLD, group="", action=Action.DELETE, reasons=(reason,))

    assert explain(evaluation, None, planned=planned) == explain(evaluation, None)


def test_incomplete_deployment_waits_for_its_upload_only_if_a_complete_one_is_newer():
    incomplete, newer = marker_only_deployment("m", HOUR / 2), deployment("newer", HOUR / 4)

    as_newest = explain(evaluate_first(incomplete, OLD), None).outlook
    as_superseded = explain(evaluate_first(incomplete, OLD, newer), None).outlook

    assert as_newest != as_superseded


def test_keep_within_that_does_not_keep_a_deployment_is_not_in_its_outlook():
    within = Duration.parse("1d")
    evaluation = evaluate_first(OLD, NEW, keep_count=3, keep_within=within)

    outlook = explain(evaluation, within).outlook

    assert ReasonCode.KEEP_WITHIN not in {check.code for check in evaluation.keeping_checks}
    assert outlook == explain(evaluate_first(OLD, NEW, keep_count=3), None).outlook


def test_outlook_of_a_kept_deployment_does_not_depend_on_the_plan():
    evaluation = evaluate_first(NEW, OLD)
    planned = evaluation.decision
    assert planned.is_keep
    expected = explain(evaluation, None).outlook
    assert explain(evaluation, None, planned=planned).outlook == expected
