"""Plans and results on a terminal or in a log. Untrusted names are escaped, never interpreted."""

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
from ci3.report.plan.headlines import achievement, staleness, total_verdict, verdict
from ci3.report.plan.lifecycle_text import expiry_note, reconciled_notes, reconciled_problem
from ci3.report.plan.text import (
    amounts,
    can_undo,
    described,
    guard_note,
    reasons,
    rollback_note,
    rules_note,
    sections,
    shortfall,
    undo_note,
    uploaded,
    uploads_note,
)

IGNORED_SHOWN = 5

_STYLES = {Action.DELETE: "red", Action.EXPIRING: "yellow", Action.KEEP: ""}
_GAP = 2
_NARROWEST_LAST_COLUMN = 30


def show_plan(console: Console, plan: Plan) -> None:
    """Print every decision with its reasons, then the headline, notes, warnings and refusals."""
    for section in sections(plan, plan.decisions):
        if section.title:
            console.print(Text(visible(section.title), "bold"))
        _print_columns(
            console,
            ("", "Deployment", "Uploaded", "Objects>", "Size>", "Why"),
            [
                (_format_cells(decision, plan), _STYLES[decision.action])
                for decision in section.decisions
            ],
        )
    for ignored in plan.ignored[:IGNORED_SHOWN]:
        name, reason = visible(ignored.name), visible(ignored.reason)
        console.print(Text(f"  ignored  {name}: {reason}", "dim"))
    if (left_out := len(plan.ignored) - IGNORED_SHOWN) > 0:
        console.print(Text(f"  ignored  … and {left_out:,} more", "dim"))
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


def show_run(console: Console, target_results: Sequence[Account]) -> None:
    """Print the plan of each target, and a headline for the run if there are several targets."""
    for target_result in target_results:
        show_plan(console, target_result.plan)
        if len(target_results) > 1:
            console.print()
    if len(target_results) > 1:
        console.print(Text(f"{total_verdict(target_results)}.", "bold"))


def show_results(console: Console, target_results: Sequence[Account]) -> None:
    """Print the result of each target, and a headline for the run if there are several targets."""
    for target_result in target_results:
        for name, reason in target_result.changed.items():
            console.print(Text(f"  changed  {visible(name)}: {visible(reason)}", "yellow"))
        if target_result.is_stale:
            console.print(Text(f"{staleness(target_result)}.", "bold red"))
        if target_result.result is not None:
            if len(target_results) > 1:
                console.print(Text(visible(target_result.plan.target.url), "bold"))
            show_result(console, target_result.plan, target_result.result)
    if len(target_results) > 1:
        console.print(Text(f"{total_verdict(target_results)}.", "bold"))


def show_reconciled(console: Console, target_results: Sequence[Account]) -> None:
    """Print how the managed rules of earlier runs were reconciled."""
    for target_result in target_results:
        for note in reconciled_notes(target_result):
            console.print(Text(visible(note)))
        if problem := reconciled_problem(target_result):
            console.print(Text(f"{visible(problem)}.", "bold red"))


def show_explanation(console: Console, explanation: Explanation, title: str = "") -> None:
    """Print why a deployment is kept or deleted: every rule and pin, and the outlook."""
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
        rows += [(("", reason.code, visible(reason.message)), "red") for reason in decision.reasons]
    _print_columns(console, ("Keeps it", "Rule", "Why"), rows)
    console.print(Text(visible(explanation.outlook)))


def show_result(console: Console, plan: Plan, result: Result) -> None:
    """Print the result of one target, with the problem of each deployment that is not deleted."""
    for deployment in result.deployments:
        if not deployment.is_gone and not deployment.is_expiring:
            counts = ", ".join(
                f"{count:,} {outcome}" for outcome, count in deployment.counts.items()
            )
            outcome_label = "skipped" if deployment.is_skipped else "not deleted"
            name, problem = visible(deployment.name), visible(deployment.problem)
            console.print(Text(f"  {outcome_label}  {name} ({counts}): {problem}", "yellow"))
    console.print(Text(f"{achievement(plan, result)}.", "bold"))
    if shortfall_text := shortfall(plan, result):
        console.print(Text(f"{visible(shortfall_text)}.", "bold red"))
    for note in (guard_note(result), uploads_note(result)):
        if note:
            console.print(Text(visible(note)))
    if result.journal_file:
        console.print(Text(f"Journal: {visible(result.journal_file)}"))
    target_result = Account(plan=plan, result=result)
    if note := expiry_note(target_result):
        console.print(Text(note))
    if can_undo(target_result):
        console.print(Text(f"To undo: ci3 restore {visible(result.journal_file)}"))


def show_error(console: Console, error: Ci3Error) -> None:
    """Print an error's message, then its hint."""
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
                    visible(deployment.name),
                    "–" if deployment.oldest_at is None else moment(deployment.oldest_at),
                    "–" if deployment.newest_at is None else moment(deployment.newest_at),
                    *amounts(deployment),
                ),
                "",
            )
            for deployment in deployments
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
            (
                (
                    moment(stored_object.modified_at),
                    size(stored_object.size_bytes),
                    visible(stored_object.key),
                ),
                "",
            )
            for stored_object in objects
        ],
    )


def _format_cells(decision: Decision, plan: Plan) -> tuple[str, ...]:
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

    Only the last column is wrapped. `rich.table.Table` is not used because it takes about a
    millisecond per row: ten seconds for 10,000 deployments.
    """
    if not rows:
        return
    titles = tuple(head.removesuffix(">") for head in heads)
    lines = [(titles, "bold"), *rows]
    widths = [max(cell_len(cells[column]) for cells, _ in lines) for column in range(len(heads))]
    indent = sum(widths[:-1]) + _GAP * (len(heads) - 1)
    last_width = max(console.width - indent, _NARROWEST_LAST_COLUMN)
    for style, styled_lines in groupby(lines, key=lambda line: line[1]):
        printed_lines: list[str] = []
        for cells, _ in styled_lines:
            padded = [
                _pad(cell, width, is_right=head.endswith(">"))
                for cell, width, head in zip(cells, widths, heads, strict=True)
            ]
            first_line, *continuation_lines = textwrap.wrap(cells[-1], last_width) or [""]
            last_cell = padded[-1] if heads[-1].endswith(">") else first_line
            printed_lines.append((" " * _GAP).join((*padded[:-1], last_cell)).rstrip())
            printed_lines += [" " * indent + line for line in continuation_lines]
        console.print(Text("\n".join(printed_lines), style), soft_wrap=True)


def _pad(cell: str, width: int, *, is_right: bool) -> str:
    padding = " " * (width - cell_len(cell))
    return padding + cell if is_right else cell + padding
