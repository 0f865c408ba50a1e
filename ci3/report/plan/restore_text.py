"""Sentences on whether and how long a deletion can be restored, in plain text."""

from collections.abc import Sequence
from functools import reduce

from ci3.constants import RESTORE_CHECK
from ci3.core.formatting import pluralize
from ci3.core.model.deployment import NoncurrentExpiration, Versioning
from ci3.core.model.policy import DELETE_VERSIONS_SETTING
from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.report.plan.headlines import LIFECYCLE_DELAY

_UNKNOWN = NoncurrentExpiration(problem="it was not read")


def describe_restoration(plans: Sequence[Plan]) -> str:
    """Return in a few words whether and how long what the plans delete can be restored."""
    if all(map(_keeps_versions, plans)):
        period = reduce(NoncurrentExpiration.combine_with, map(_get_restore_period, plans))
        length = "for an unknown time" if period.problem else _format_period(period)
        condition = "" if all(plan.target.is_aws for plan in plans) else "if the store supports it"
        return " ".join(filter(None, ("can be restored", length, condition)))
    effects = {_describe_loss(plan) for plan in plans}
    return (
        effects.pop()
        if len(effects) == 1
        else "whether deletion is permanent depends on the target"
    )


def _describe_loss(plan: Plan) -> str:
    """Return to what extent the deletion is permanent; empty if it is not."""
    if plan.deletes_versions:
        return "deletion is permanent"
    match plan.target.versioning:
        case Versioning.ENABLED:
            return ""
        case Versioning.UNKNOWN:
            return "versioning unknown: assume that deletion is permanent"
        case Versioning.SUSPENDED:
            return "deletion is permanent for what was uploaded since versioning was suspended"
        case Versioning.DISABLED:
            return "deletion is permanent"


def _keeps_versions(plan: Plan) -> bool:
    return plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions


def _get_restore_period(plan: Plan) -> NoncurrentExpiration:
    return plan.restore_period or _UNKNOWN


def _format_period(period: NoncurrentExpiration) -> str:
    """Return `for 30 days`, `for at least 30 days`, or "" if it has no known end."""
    if period.problem or period.days is None:
        return ""
    return f"for {'at least ' if period.is_minimum else ''}{pluralize(period.days, 'day')}"


def format_restore_note(plan: Plan) -> str:
    """Return whether the objects that a plan deletes can be restored."""
    if plan.deletes_versions:
        return "All versions are deleted permanently. This cannot be undone."
    by_rule_count = sum(decision.expire_days is not None for decision in plan.to_delete)
    notes = []
    if by_rule_count < len(plan.to_delete) or not by_rule_count:
        notes.append(_format_versioning_note(plan))
    if by_rule_count:
        notes.append(_format_rules_restore_note(plan))
    return " ".join(notes)


def _format_versioning_note(plan: Plan) -> str:
    """Return whether what ci3 itself deletes can be restored."""
    period = _format_period(_get_restore_period(plan))
    until = f"{period}, until" if period else "until"
    match plan.target.versioning:
        case Versioning.ENABLED if plan.target.is_aws:
            return (
                f"Versioning is on: deleted objects can be restored {until} a lifecycle rule "
                "expires their noncurrent versions, which are still billed."
            )
        case Versioning.ENABLED:
            kept = f". Lifecycle rules keep them {period}" if period else ""
            return (
                "Versioning is on: deleted objects become noncurrent versions, which still take "
                f"storage{kept}. Not every store can restore them; {RESTORE_CHECK}."
            )
        case Versioning.SUSPENDED:
            return (
                "Versioning is suspended: objects that were uploaded since then are deleted "
                "permanently. Older ones become noncurrent versions."
            )
        case Versioning.DISABLED:
            note = f", and {DELETE_VERSIONS_SETTING} has no effect"
            has_no_effect = DELETE_VERSIONS_SETTING in plan.policy
            return f"Versioning is off: deletion is permanent{note if has_no_effect else ''}."
        case Versioning.UNKNOWN:
            return "Versioning status unknown: assume that deletion is permanent."


def _format_rules_restore_note(plan: Plan) -> str:
    """Return whether what S3 deletes by lifecycle rules can be restored."""
    until = (
        f"S3 deletes deployments that have a lifecycle rule {LIFECYCLE_DELAY}. Until then, "
        "`ci3 restore` can remove the rules"
    )
    if plan.target.versioning is not Versioning.ENABLED:
        return f"{until}. After that, deletion is permanent."
    period = _format_period(_get_restore_period(plan)) or "until S3 expires them"
    if plan.target.is_aws:
        return f"{until}. After that, noncurrent versions can be restored {period}."
    return (
        f"{until}. After that, noncurrent versions are kept {period}. Not every store can "
        f"restore them; {RESTORE_CHECK}."
    )


def format_restore_condition(plan: Plan, result: ApplyResult) -> str:
    """Return the condition under which a deletion can be restored, or empty if there is none."""
    conditions = []
    if result.expiring_names and plan.target.versioning is not Versioning.ENABLED:
        conditions.append("only what S3 has not deleted yet")
    if not plan.target.is_aws:
        conditions.append(f"if this store supports it; {RESTORE_CHECK}")
    return f" ({'; '.join(conditions)})" if conditions else ""


def can_restore(target_result: TargetResult) -> bool:
    """Return True if the run deleted something restorable or left something to S3."""
    plan, result = target_result.plan, target_result.result
    if result is not None and result.expiring_names:
        return True
    if result is None or not _keeps_versions(plan):
        return False
    return result.count_objects(ObjectOutcome.DELETED) > 0
