"""Remove outdated lifecycle rules of earlier runs at the start of an apply."""

from collections.abc import Callable

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.rule_status import Reconciliation
from ci3.core.plan.plan import Plan
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.errors import AccessError


def reconcile(reader: BucketReader, plan: Plan, sleep: Callable[[float], None]) -> Reconciliation:
    """Remove the managed rules that a plan revokes, before anything else is changed.

    Where a rule has already expired the objects of a versioned bucket, it is replaced by one that
    removes the noncurrent versions.
    """
    revoked = [status for status in plan.rules if status.should_remove]
    if not revoked:
        return Reconciliation()
    ids = {status.rule.rule_id for status in revoked}
    successors = (status.build_replacement(plan.created_at) for status in revoked)
    added = {rule.prefix: rule for rule in successors if rule is not None}
    updater = ConfigurationUpdater(reader=reader, sleep=sleep)
    try:
        change = updater.update(remove=ids, add=[*added.values()])
        if change.is_rejected and added:  # protecting what is kept has priority
            change = updater.update(remove=ids)
    except AccessError as exc:
        return Reconciliation(problem=exc.message)
    existing_ids = change.before.text.rule_ids
    return Reconciliation(
        removed=() if change.problem else tuple(revoked),
        removed_by_others=tuple(
            status.name for status in plan.rules if status.rule.rule_id not in existing_ids
        ),
        problem=change.problem,
    )
