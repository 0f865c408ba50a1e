"""A plan, a result and progress on a terminal or in a log; names are shown, never interpreted."""

import textwrap
from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ci3.core.formatting import moment, size, visible
from ci3.core.model.decision import Action, Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import Result
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.core.retention.explain import Explanation
from ci3.errors import Ci3Error
from ci3.report.plan.lifecycle_text import expiry_note, reconciled_notes, reconciled_problem
from ci3.report.plan.text import (
    achievement,
    amounts,
    can_undo,
    described,
    guard_note,
    reasons,
    rollback_note,
    rules_note,
    sections,
    shortfall,
    staleness,
    total_verdict,
    undo_note,
    uploaded,
    uploads_note,
    verdict,
)

IGNORED_SHOWN = 5

_STYLES = {Action.DELETE: "red", Action.EXPIRING: "yellow", Action.KEEP: ""}
_GAP = 2
_NARROWEST_LAST_COLUMN = 30


def show_plan(console: Console, plan: Plan) -> None:
    """Print every decision with its reason, then what it comes to."""
    for section in sections(plan, plan.decisions):
        if section.title:
            console.print(Text(visible(section.title), "bold"))
        _print_columns(
            console,
            ("", "Deployment", "Uploaded", "Objects>", "Size>", "Why"),
            [(_cells(one, plan), _STYLES[one.action]) for one in section.decisions],
        )
    for ignored in plan.ignored[:IGNORED_SHOWN]:
        console.print(Text(f"  ignored  {visible(ignored.name)}: {visible(ignored.reason)}", "dim"))
    if (left := len(plan.ignored) - IGNORED_SHOWN) > 0:
        console.print(Text(f"  ignored  … and {left:,} more", "dim"))
    console.print()
    console.print(Text(f"{visible(plan.target.url)}  {verdict(plan)}.", "bold"))
    for sentence in (rules_note(plan), *plan.choice):
        console.print(Text(visible(sentence)))
    for note in (rollback_note(plan), undo_note(plan) if plan.doomed else ""):
        if note:
            console.print(Text(note))
    for warning in plan.warnings:
        console.print(Text(f"Warning: {visible(warning.message)}", "yellow"))
    for refusal in plan.refusals:
        console.print(Text(f"Can't be applied: {visible(refusal.message)}", "bold red"))


def show_run(console: Console, accounts: Sequence[Account]) -> None:
    """Print the plans of a run's targets, one after another, and what they come to together."""
    for account in accounts:
        show_plan(console, account.plan)
        if len(accounts) > 1:
            console.print()
    if len(accounts) > 1:
        console.print(Text(f"{total_verdict(accounts)}.", "bold"))


def show_results(console: Console, accounts: Sequence[Account]) -> None:
    """Print what an apply did in each target, and all of it summed."""
    for account in accounts:
        for name, why in account.changed.items():
            console.print(Text(f"  changed  {visible(name)}: {visible(why)}", "yellow"))
        if account.is_stale:
            console.print(Text(f"{staleness(account)}.", "bold red"))
        if account.result is not None:
            if len(accounts) > 1:
                console.print(Text(visible(account.plan.target.url), "bold"))
            show_result(console, account.plan, account.result)
    if len(accounts) > 1:
        console.print(Text(f"{total_verdict(accounts)}.", "bold"))


def show_reconciled(console: Console, accounts: Sequence[Account]) -> None:
    """Print what became of the lifecycle rules of earlier runs."""
    for account in accounts:
        for note in reconciled_notes(account):
            console.print(Text(visible(note)))
        if problem := reconciled_problem(account):
            console.print(Text(f"{visible(problem)}.", "bold red"))


def show_explanation(console: Console, explanation: Explanation, title: str = "") -> None:
    """Print why a deployment stays or goes: every rule and pin, whether it matched, and when."""
    judgement = explanation.judgement
    decision, deployment = judgement.decision, judgement.deployment
    verb = "would be deleted" if decision.is_delete else "is kept"
    if title:
        console.print(Text(visible(title), "bold"))
    group = f" in group {visible(judgement.group)}" if judgement.group else ""
    console.print(Text(f"{visible(deployment.name)}{group} {verb}.", "bold"))
    console.print(Text(described(deployment, judgement.now)))
    rows = [
        (("yes" if check.is_matched else "no", check.code, visible(check.message)), "")
        for check in judgement.checks
    ]
    if decision.is_delete:
        rows += [(("", one.code, visible(one.message)), "red") for one in decision.reasons]
    _print_columns(console, ("Keeps it", "Rule", "Why"), rows)
    console.print(Text(visible(explanation.outlook)))


def show_result(console: Console, plan: Plan, result: Result) -> None:
    """Print what an apply did, and of each deployment that is not gone, why."""
    for one in result.deployments:
        if not one.is_gone and not one.is_expiring:
            counts = ", ".join(f"{number:,} {outcome}" for outcome, number in one.counts.items())
            fate = "skipped" if one.is_skipped else "not deleted"
            text = f"  {fate}  {visible(one.name)} ({counts}): {visible(one.problem)}"
            console.print(Text(text, "yellow"))
    console.print(Text(f"{achievement(plan, result)}.", "bold"))
    if left := shortfall(plan, result):
        console.print(Text(f"{visible(left)}.", "bold red"))
    for note in (guard_note(result), uploads_note(result)):
        if note:
            console.print(Text(visible(note)))
    if result.journal_file:
        console.print(Text(f"Journal: {visible(result.journal_file)}"))
    account = Account(plan=plan, result=result)
    if note := expiry_note(account):
        console.print(Text(note))
    if can_undo(account):
        console.print(Text(f"To undo: ci3 restore {visible(result.journal_file)}"))


def show_error(console: Console, error: Ci3Error) -> None:
    """Print what went wrong and where, then what to do next."""
    console.print(Text(f"Error: {visible(error.message)}", "bold red"))
    if error.hint:
        console.print(Text(visible(error.hint)))


def show_deployments(console: Console, deployments: Sequence[Deployment], title: str = "") -> None:
    """Print deployments as a table, in the order given."""
    if title:
        console.print(Text(visible(title), "bold"))
    _print_columns(
        console,
        ("Deployment", "Oldest object", "Newest object", "Objects>", "Size>"),
        [
            (
                (
                    visible(one.name),
                    "–" if one.oldest_at is None else moment(one.oldest_at),
                    "–" if one.newest_at is None else moment(one.newest_at),
                    *amounts(one),
                ),
                "",
            )
            for one in deployments
        ],
    )


def show_objects(console: Console, objects: Sequence[StoredObject], title: str = "") -> None:
    """Print objects as a table, in the order given."""
    if title:
        console.print(Text(visible(title), "bold"))
    _print_columns(
        console,
        ("Modified", "Size>", "Key"),
        [
            ((moment(one.modified_at), size(one.size_bytes), visible(one.key)), "")
            for one in objects
        ],
    )


def _cells(decision: Decision, plan: Plan) -> tuple[str, ...]:
    return (
        decision.action,
        visible(decision.deployment.name),
        uploaded(decision, plan),
        *amounts(decision.deployment),
        visible(reasons(decision)),
    )


def _print_columns(
    console: Console, heads: Sequence[str], rows: Sequence[tuple[tuple[str, ...], str]]
) -> None:
    """Print rows of cells, each row with a style; a head that ends in `>` aligns to the right.

    Only the last column is wrapped. rich's own Table takes a millisecond a row, which a bucket of
    ten thousand deployments makes one wait for.
    """
    if not rows:
        return
    titles = tuple(head.removesuffix(">") for head in heads)
    lines = [(titles, "bold"), *rows]
    widths = [max(cell_len(cells[place]) for cells, _ in lines) for place in range(len(heads))]
    indent = sum(widths[:-1]) + _GAP * (len(heads) - 1)
    room = max(console.width - indent, _NARROWEST_LAST_COLUMN)
    for style, same_style in groupby(lines, key=lambda line: line[1]):
        text: list[str] = []
        for cells, _ in same_style:
            padded = [
                _padded(cell, width, is_right=head.endswith(">"))
                for cell, width, head in zip(cells, widths, heads, strict=True)
            ]
            first, *more = textwrap.wrap(cells[-1], room) or [""]
            last = padded[-1] if heads[-1].endswith(">") else first
            text.append((" " * _GAP).join((*padded[:-1], last)).rstrip())
            text += [" " * indent + line for line in more]
        console.print(Text("\n".join(text), style), soft_wrap=True)


def _padded(cell: str, width: int, *, is_right: bool) -> str:
    padding = " " * (width - cell_len(cell))
    return padding + cell if is_right else cell + padding
