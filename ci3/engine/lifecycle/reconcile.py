"""Removes lifecycle rules of earlier runs that must not stay, before anything else is done."""

from collections.abc import Callable

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.rule_status import Reconciled
from ci3.core.plan.plan import Plan
from ci3.engine.lifecycle.update import LifecycleChanger
from ci3.errors import AccessError


def reconcile(reader: BucketReader, plan: Plan, sleep: Callable[[float], None]) -> Reconciled:
    """Take the rules away that a plan says go, before anything else is done.

    Where S3 has hidden a deployment, a rule that removes its old versions takes the place.
    """
    going = [one for one in plan.rules if one.goes]
    if not going:
        return Reconciled()
    ids = {one.rule.rule_id for one in going}
    followers = (one.successor(plan.created_at) for one in going)
    add = {one.prefix: one for one in followers if one is not None}
    changer = LifecycleChanger(reader=reader, sleep=sleep)
    try:
        change = changer.change(remove=ids, add=[*add.values()])
        if change.is_refused and add:  # what is to be kept goes first
            change = changer.change(remove=ids)
    except AccessError as exc:
        return Reconciled(problem=exc.message)
    there = {one.rule_id for one in change.before.text.rules}
    return Reconciled(
        removed=() if change.problem else tuple(going),
        vanished=tuple(one.name for one in plan.rules if one.rule.rule_id not in there),
        problem=change.problem,
    )
