"""Bring managed lifecycle rules in line with the current state, at the start and end of a run."""

from dataclasses import replace

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.rule_status import (
    ExistingRule,
    Reconciliation,
    find_expiring_rules,
    mark_rules_to_remove,
)
from ci3.core.live.pins import Pin
from ci3.core.model.result import ApplyResult, DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.engine.lifecycle.reconcile import reconcile
from ci3.errors import Ci3Error, describe_error
from ci3.pipeline.approval import read_all_pins
from ci3.pipeline.context import TargetContext


def reconcile_at_start(context: TargetContext, bucket: BucketReader, plan: Plan) -> Reconciliation:
    """Revoke the rules that a plan removes, and those for deployments that are live since.

    If a live source is unavailable, all rules are revoked by which S3 deletes current objects.
    """
    rules, live_problem = plan.rules, ""
    if any(rule.is_expiring for rule in rules):
        pins, live_problem = _read_pins(context, plan, bucket)
        rules = mark_rules_to_remove(rules, pins=pins, live_problem=live_problem)
    reconciliation = reconcile(bucket, replace(plan, rules=rules), context.sleep)
    return replace(reconciliation, live_problem=live_problem)


def revoke_at_end(
    context: TargetContext,
    bucket: BucketReader,
    target_result: TargetResult,
    newer_plan: Plan | None,
) -> TargetResult:
    """Revoke the rules for deployments that are kept now; return the result with these changes.

    To be called at the end of a run. All managed rules are checked: those of earlier runs, and
    those that this run has written. `newer_plan` is a plan that this run has made in the meantime,
    if any. Any error, even an interrupt, becomes part of the result.
    """
    try:
        reconciled = _revoke_outdated(context, bucket, target_result.plan, newer_plan)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        reconciled = Reconciliation(problem=describe_error(exc))
    result = target_result.result and _mark_revoked(
        target_result.result, reconciled.removed, target_result.plan
    )
    return replace(target_result, reconciled=reconciled, result=result)


def _revoke_outdated(
    context: TargetContext, bucket: BucketReader, plan: Plan, newer_plan: Plan | None
) -> Reconciliation:
    snapshot = context.read_lifecycle_rules(bucket)
    if snapshot.problem:
        return Reconciliation(problem=snapshot.problem)
    active_rules = find_expiring_rules(snapshot.managed_rules, plan.target.prefix)
    if not active_rules:
        return Reconciliation()
    pins, live_problem = _read_pins(context, newer_plan or plan, bucket)
    rules = mark_rules_to_remove(
        active_rules,
        pins=pins,
        live_problem=live_problem,
        kept_decisions=newer_plan.kept if newer_plan else (),
        newer_rules=newer_plan.rules if newer_plan else (),
    )
    reconciliation = reconcile(bucket, replace(plan, rules=rules), context.sleep)
    return replace(reconciliation, live_problem=live_problem)


def _read_pins(
    context: TargetContext, plan: Plan, bucket: BucketReader
) -> tuple[tuple[Pin, ...], str]:
    try:
        return read_all_pins(context, plan, bucket)
    except Ci3Error as exc:
        return context.find_local_pins(), exc.message


def _mark_revoked(
    result: ApplyResult, removed: tuple[ExistingRule, ...], plan: Plan
) -> ApplyResult:
    """Return the result with those deployments as kept whose new rule was revoked again."""
    reasons = {rule.name: rule.message for rule in removed}
    planned = {decision.deployment.name: decision.deployment for decision in plan.to_delete}

    def mark(earlier: DeploymentResult) -> DeploymentResult:
        if not earlier.is_expiring or earlier.name not in reasons:
            return earlier
        problem = f"kept: its lifecycle rule was removed again: {reasons[earlier.name]}"
        return DeploymentResult.with_outcome(planned[earlier.name], ObjectOutcome.CHANGED, problem)

    return replace(result, deployments=tuple(map(mark, result.deployments)))
