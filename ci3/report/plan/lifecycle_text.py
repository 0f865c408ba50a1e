"""Sentences on lifecycle rules that all renderings share, in plain text."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ci3.constants import TERM_DAYS
from ci3.core.formatting import counted, listed
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.target_result import Account

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import StandingRule

NAMES_SHOWN = 5


def reconciled_notes(target_result: Account) -> tuple[str, ...]:
    """Return sentences on removed lifecycle rules: one per reason, one for rules others removed."""
    reconciled = target_result.reconciled
    if reconciled is None:
        return ()
    notes = []
    for message, rules in _group_by_message(reconciled.removed).items():
        subject = "The lifecycle rule" if len(rules) == 1 else f"{len(rules):,} lifecycle rules"
        verb = "was" if len(rules) == 1 else "were"
        names = listed([rule.name for rule in rules], NAMES_SHOWN)
        notes.append(f"{subject} for {names} {verb} taken away: {message}.")
    if reconciled.vanished:
        notes.append(
            f"Somebody else has taken away ci3's lifecycle rules for "
            f"{listed(reconciled.vanished, NAMES_SHOWN)}: the next run plans what is due of it."
        )
    return tuple(notes)


def _group_by_message(rules: Iterable["StandingRule"]) -> "dict[str, list[StandingRule]]":
    groups: dict[str, list[StandingRule]] = {}
    for rule in rules:
        groups.setdefault(rule.message, []).append(rule)
    return groups


def open_warnings(target_result: Account) -> tuple[PlanWarning, ...]:
    """Return the plan's warnings, without those on rules that are removed by now."""
    reconciled = target_result.reconciled
    is_reconciled = reconciled is not None and not reconciled.problem
    return tuple(
        warning
        for warning in target_result.plan.warnings
        if not (is_reconciled and warning.code is WarningCode.RULE_GOES)
    )


def reconciled_problem(target_result: Account) -> str:
    """Return what went wrong when managed rules were reconciled, or an empty string."""
    reconciled = target_result.reconciled
    if reconciled is None:
        return ""
    if reconciled.problem:
        return (
            "Lifecycle rules that are to go may stand yet, and S3 may delete by them: "
            f"{reconciled.problem}"
        )
    if reconciled.doubt:
        return (
            f"No lifecycle rule was left to stand: it is not known what is live: {reconciled.doubt}"
        )
    return ""


def rules_told(target_results: Iterable[Account]) -> tuple[str, ...]:
    """Return all sentences on reconciled rules, of several targets."""
    sentences: list[str] = []
    for target_result in target_results:
        problem = reconciled_problem(target_result)
        sentences += reconciled_notes(target_result)
        sentences += [f"{problem}."] if problem else []
    return tuple(sentences)


def expiry_note(target_result: Account) -> str:
    """Return how to proceed while rules are active, or an empty string if this run added none."""
    plan, result = target_result.plan, target_result.result
    if result is None or not result.expiring:
        return ""
    expiring = [decision for decision in plan.doomed if decision.deployment.name in result.expiring]
    days = min(decision.expire_days or 0 for decision in expiring)
    return (
        f"Run ci3 again within {counted(TERM_DAYS, 'day')}: it takes the rules away, and a rule "
        "left behind deletes what is uploaded to its folder again, once that is "
        f"{counted(days, 'day')} old. Until S3 is done, don't go back to one of these without "
        "undoing it, or running ci3."
    )
