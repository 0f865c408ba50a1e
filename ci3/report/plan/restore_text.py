"""Sentences on whether a deletion can be restored, in plain text."""

from ci3.constants import RESTORE_CHECK, RESTORE_WINDOW_DAYS
from ci3.core.formatting import pluralize
from ci3.core.model.deployment import Versioning
from ci3.core.model.policy import DELETE_VERSIONS_SETTING
from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.report.plan.headlines import LIFECYCLE_DELAY


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
    match plan.target.versioning:
        case Versioning.ENABLED if plan.target.is_aws:
            return (
                "Versioning is on: deleted objects can be restored until a lifecycle rule expires "
                "their noncurrent versions, which are still billed."
            )
        case Versioning.ENABLED:
            return (
                "Versioning is on: deleted objects become noncurrent versions, which still take "
                f"storage. Not every store can restore them; {RESTORE_CHECK}."
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
        f"What is left to S3, which deletes it {LIFECYCLE_DELAY}: until then, ci3 restore can "
        "remove the rules"
    )
    if plan.target.versioning is not Versioning.ENABLED:
        return f"{until}. After that, its deletion is permanent."
    days = pluralize(RESTORE_WINDOW_DAYS, "day")
    if plan.target.is_aws:
        return (
            f"{until}. After that, its objects can be restored for {days}, until S3 expires their "
            "noncurrent versions."
        )
    return (
        f"{until}. After that, its noncurrent versions are kept for {days}. Not every store can "
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
    is_kept = plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions
    return is_kept and result is not None and result.count_objects(ObjectOutcome.DELETED) > 0
