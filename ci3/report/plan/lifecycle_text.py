"""Sentences on lifecycle rules that all renderings share, in plain text."""

from collections.abc import Iterable

from ci3.constants import RULE_LIFETIME_DAYS
from ci3.core.formatting import format_minute, join_names, pluralize
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.errors import end_sentence


def format_reconciled_notes(target_result: TargetResult) -> tuple[str, ...]:
    """Return sentences on removed lifecycle rules: one per reason, one for rules others removed."""
    reconciled = target_result.reconciled
    if reconciled is None:
        return ()
    names_by_message: dict[str, list[str]] = {}
    for rule in reconciled.removed:
        names_by_message.setdefault(rule.message, []).append(rule.name)
    notes = []
    for message, names in names_by_message.items():
        subject = "The lifecycle rule" if len(names) == 1 else f"{len(names):,} lifecycle rules"
        verb = "was" if len(names) == 1 else "were"
        notes.append(end_sentence(f"{subject} for {join_names(names)} {verb} removed: {message}"))
    if reconciled.removed_by_others:
        notes.append(
            "Someone else removed the lifecycle rules for "
            f"{join_names(reconciled.removed_by_others)}. The next run decides about these "
            "deployments again."
        )
    return tuple(notes)


def list_open_warnings(target_result: TargetResult) -> tuple[PlanWarning, ...]:
    """Return the plan's warnings, without those on rules that are removed by now."""
    reconciled = target_result.reconciled
    is_reconciled = reconciled is not None and not reconciled.problem
    return tuple(
        warning
        for warning in target_result.plan.warnings
        if not (is_reconciled and warning.code is WarningCode.RULE_REMOVAL)
    )


def format_reconciled_problem(target_result: TargetResult) -> str:
    """Return what went wrong when managed rules were reconciled, or an empty string."""
    reconciled = target_result.reconciled
    if reconciled is None:
        return ""
    if reconciled.problem:
        return (
            "Lifecycle rules to be removed may still be active, and S3 may delete objects by them: "
            f"{reconciled.problem}"
        )
    if reconciled.live_problem:
        problem = reconciled.live_problem
        return f"All deleting lifecycle rules were removed: it is not known what is live: {problem}"
    return ""


def format_rule_changes(target_results: Iterable[TargetResult]) -> tuple[str, ...]:
    """Return all sentences on reconciled rules, of several targets."""
    sentences: list[str] = []
    for target_result in target_results:
        problem = format_reconciled_problem(target_result)
        sentences += format_reconciled_notes(target_result)
        sentences += [end_sentence(problem)] if problem else []
    return tuple(sentences)


def format_next_run(plan: Plan) -> str:
    """Return by when another apply must run because of lifecycle rules, or an empty string."""
    if plan.next_run_by is None:
        return ""
    # Rules of an earlier run end before those that this plan adds.
    has_earlier_rules = any(rule.is_expiring for rule in plan.rules)
    advice = (
        "Run an apply" if has_earlier_rules else "If you apply this plan now, run an apply again"
    )
    return (
        f"{advice} by {format_minute(plan.next_run_by)}: it removes lifecycle rules, which would "
        "also delete later uploads."
    )


def format_expiry_note(target_result: TargetResult) -> str:
    """Return how to proceed while rules are active, or an empty string if this run added none."""
    plan, result = target_result.plan, target_result.result
    if result is None or not result.expiring_names:
        return ""
    expiring = [
        decision for decision in plan.to_delete if decision.deployment.name in result.expiring_names
    ]
    days = min(decision.expire_days or 0 for decision in expiring)
    return (
        f"Run ci3 again within {pluralize(RULE_LIFETIME_DAYS, 'day')} to remove the rules. A rule "
        "that remains also deletes later uploads to its folder, once they are "
        f"{pluralize(days, 'day')} old. If you roll back to one of these deployments before S3 "
        "is done, restore it first, or run ci3 right after."
    )
