"""What became of lifecycle rules, in sentences that every rendering shares; plain text."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ci3.constants import TERM_DAYS
from ci3.core.formatting import counted, listed
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.plan.target_result import Account

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import StandingRule

NAMES_SHOWN = 5


def reconciled_notes(account: Account) -> tuple[str, ...]:
    """Say which lifecycle rules are gone, a sentence for each reason."""
    told = account.reconciled
    if told is None:
        return ()
    notes = []
    for message, rules in _by_message(told.removed).items():
        which = "The lifecycle rule" if len(rules) == 1 else f"{len(rules):,} lifecycle rules"
        verb = "was" if len(rules) == 1 else "were"
        named = listed([one.name for one in rules], NAMES_SHOWN)
        notes.append(f"{which} for {named} {verb} taken away: {message}.")
    if told.vanished:
        notes.append(
            f"Somebody else has taken away ci3's lifecycle rules for "
            f"{listed(told.vanished, NAMES_SHOWN)}: the next run plans what is due of it."
        )
    return tuple(notes)


def _by_message(rules: Iterable["StandingRule"]) -> "dict[str, list[StandingRule]]":
    found: dict[str, list[StandingRule]] = {}
    for one in rules:
        found.setdefault(one.message, []).append(one)
    return found


def open_warnings(account: Account) -> tuple[PlanWarning, ...]:
    """Give the plan's warnings, but for those of rules that are taken away by now."""
    told = account.reconciled
    is_done = told is not None and not told.problem
    return tuple(
        one for one in account.plan.warnings if not (is_done and one.code is WarningCode.RULE_GOES)
    )


def reconciled_problem(account: Account) -> str:
    """Say what went wrong with lifecycle rules that are to go, or nothing."""
    told = account.reconciled
    if told is None:
        return ""
    if told.problem:
        return (
            "Lifecycle rules that are to go may stand yet, and S3 may delete by them: "
            f"{told.problem}"
        )
    if told.doubt:
        return f"No lifecycle rule was left to stand: it is not known what is live: {told.doubt}"
    return ""


def rules_told(accounts: Iterable[Account]) -> tuple[str, ...]:
    """Say all that became of lifecycle rules in several targets."""
    found: list[str] = []
    for one in accounts:
        problem = reconciled_problem(one)
        found += reconciled_notes(one)
        found += [f"{problem}."] if problem else []
    return tuple(found)


def expiry_note(account: Account) -> str:
    """Say what to mind while rules stand, or nothing where this run has left nothing to S3."""
    plan, result = account.plan, account.result
    if result is None or not result.expiring:
        return ""
    named = [one for one in plan.doomed if one.deployment.name in result.expiring]
    days = min(one.expire_days or 0 for one in named)
    return (
        f"Run ci3 again within {counted(TERM_DAYS, 'day')}: it takes the rules away, and a rule "
        "left behind deletes what is uploaded to its folder again, once that is "
        f"{counted(days, 'day')} old. Until S3 is done, don't go back to one of these without "
        "undoing it, or running ci3."
    )
