"""Lifecycle rules that stand, held against what is live by now: at first, and when all is done."""

from dataclasses import replace

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.rule_status import Reconciled, StandingRule, find_standing, hold_rules
from ci3.core.live.pins import Pin
from ci3.core.model.result import ObjectOutcome, Result
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.engine.lifecycle.reconcile import reconcile
from ci3.errors import Ci3Error, told
from ci3.pipeline.approval import read_pins
from ci3.pipeline.context import Cleanup


def reconcile_now(cleanup: Cleanup, bucket: BucketReader, plan: Plan) -> Reconciled:
    """Take away the rules that a plan says go, and those for what has gone live since it was made.

    All go by which S3 deletes something, while it is not known what is live.
    """
    rules, doubt = plan.rules, ""
    if any(one.is_expiring for one in rules):
        pins, doubt = _read_pins(cleanup, plan, bucket)
        rules = hold_rules(rules, pins=pins, doubt=doubt)
    return replace(reconcile(bucket, replace(plan, rules=rules), cleanup.sleep), doubt=doubt)


def hold_standing(
    cleanup: Cleanup, bucket: BucketReader, account: Account, newer: Plan | None
) -> Account:
    """Take away at the end the rules for what is kept by now, and say so in the account.

    All that stand are looked at: those of earlier runs, and those that this one has written.
    `newer` is the plan that this run made meanwhile, if it has made one. Whatever happens then,
    the account comes back.
    """
    try:
        done = _hold(cleanup, bucket, account.plan, newer)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        done = Reconciled(problem=told(exc))
    result = account.result and _without(account.result, done.removed, account.plan)
    return replace(account, reconciled=done, result=result)


def _hold(cleanup: Cleanup, bucket: BucketReader, plan: Plan, newer: Plan | None) -> Reconciled:
    seen = cleanup.read_rules(bucket)
    if seen.problem:
        return Reconciled(problem=seen.problem)
    standing = find_standing(seen.own, plan.target.prefix)
    if not standing:
        return Reconciled()
    pins, doubt = _read_pins(cleanup, newer or plan, bucket)
    held = hold_rules(
        standing,
        pins=pins,
        doubt=doubt,
        kept=newer.kept if newer else (),
        newer=newer.rules if newer else (),
    )
    return replace(reconcile(bucket, replace(plan, rules=held), cleanup.sleep), doubt=doubt)


def _read_pins(cleanup: Cleanup, plan: Plan, bucket: BucketReader) -> tuple[tuple[Pin, ...], str]:
    try:
        return read_pins(cleanup, plan, bucket)
    except Ci3Error as exc:
        return cleanup.pins(), exc.message


def _without(result: Result, removed: tuple[StandingRule, ...], plan: Plan) -> Result:
    """Say of deployments that the rule of this run stands no longer for them."""
    why = {one.name: one.message for one in removed}
    count = {one.deployment.name: one.deployment.object_count for one in plan.doomed}
    return replace(
        result,
        deployments=tuple(
            replace(
                one,
                is_expiring=False,
                counts={ObjectOutcome.CHANGED: count[one.name]},
                problem=f"kept: its rule was taken away again: {why[one.name]}",
            )
            if one.is_expiring and one.name in why
            else one
            for one in result.deployments
        ),
    )
