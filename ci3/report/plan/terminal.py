"""Plans and results on a terminal or in a log. Untrusted names are escaped, never interpreted."""

import textwrap
from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ci3.core.formatting import escape_control_chars, format_minute, format_size
from ci3.core.model.decision import Action, Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ApplyResult
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.core.retention.explain import Explanation
from ci3.errors import Ci3Error
from ci3.report.plan.headlines import (
    format_plan_headline,
    format_result_headline,
    format_run_headline,
    format_stale_headline,
)
from ci3.report.plan.lifecycle_text import (
    format_expiry_note,
    format_reconciled_notes,
    format_reconciled_problem,
)
from ci3.report.plan.text import (
    can_restore,
    describe_deployment,
    format_amounts,
    format_guard_note,
    format_journal_note,
    format_restore_condition,
    format_restore_note,
    format_rollback_note,
    format_settings_note,
    format_shortfall,
    format_upload_time,
    format_uploads_note,
    join_reasons,
    split_into_sections,
)

IGNORED_SHOWN = 5

_STYLES = {Action.DELETE: "red", Action.EXPIRING: "yellow", Action.KEEP: ""}
_GAP = 2
_NARROWEST_LAST_COLUMN = 30


def show_plan(console: Console, plan: Plan) -> None:
    """Print every decision with its reasons, then the headline, notes, warnings and refusals."""
    for section in split_into_sections(plan, plan.decisions):
        if section.title:
            console.print(Text(escape_control_chars(section.title), "bold"))
        _print_columns(
            console,
            ("", "Deployment", "Uploaded", "Objects>", "Size>", "Why"),
            [
                (_format_cells(decision, plan), _STYLES[decision.action])
                for decision in section.decisions
            ],
        )
    for ignored in plan.ignored[:IGNORED_SHOWN]:
        name, reason = escape_control_chars(ignored.name), escape_control_chars(ignored.reason)
        console.print(Text(f"  ignored  {name}: {reason}", "dim"))
    if (left_out := len(plan.ignored) - IGNORED_SHOWN) > 0:
        console.print(Text(f"  ignored  … and {left_out:,} more", "dim"))
    console.print()
    console.print(
        Text(f"{escape_control_chars(plan.target.url)}  {format_plan_headline(plan)}.", "bold")
    )
    for sentence in (format_settings_note(plan), *plan.engine_explanation):
        console.print(Text(escape_control_chars(sentence)))
    for note in (format_rollback_note(plan), format_restore_note(plan) if plan.to_delete else ""):
        if note:
            console.print(Text(note))
    for warning in plan.warnings:
        console.print(Text(f"Warning: {escape_control_chars(warning.message)}", "yellow"))
    for refusal in plan.refusals:
        console.print(
            Text(f"Can't be applied: {escape_control_chars(refusal.message)}", "bold red")
        )


def show_run(console: Console, target_results: Sequence[TargetResult]) -> None:
    """Print the plan of each target, and a headline for the run if there are several targets."""
    for target_result in target_results:
        show_plan(console, target_result.plan)
        if len(target_results) > 1:
            console.print()
    if len(target_results) > 1:
        console.print(Text(f"{format_run_headline(target_results)}.", "bold"))


def show_results(console: Console, target_results: Sequence[TargetResult]) -> None:
    """Print the result of each target, and a headline for the run if there are several targets."""
    for target_result in target_results:
        for name, reason in target_result.changed.items():
            console.print(
                Text(
                    f"  changed  {escape_control_chars(name)}: {escape_control_chars(reason)}",
                    "yellow",
                )
            )
        if target_result.is_stale:
            console.print(Text(f"{format_stale_headline(target_result)}.", "bold red"))
        if target_result.result is not None:
            if len(target_results) > 1:
                console.print(Text(escape_control_chars(target_result.plan.target.url), "bold"))
            show_result(console, target_result.plan, target_result.result)
    if len(target_results) > 1:
        console.print(Text(f"{format_run_headline(target_results)}.", "bold"))


def show_reconciled(console: Console, target_results: Sequence[TargetResult]) -> None:
    """Print how the managed rules of earlier runs were reconciled."""
    for target_result in target_results:
        for note in format_reconciled_notes(target_result):
            console.print(Text(escape_control_chars(note)))
        if problem := format_reconciled_problem(target_result):
            console.print(Text(f"{escape_control_chars(problem)}.", "bold red"))


def show_explanation(console: Console, explanation: Explanation, title: str = "") -> None:
    """Print why a deployment is kept or deleted: every rule and pin, and the outlook."""
    evaluation = explanation.evaluation
    decision, deployment = evaluation.decision, evaluation.deployment
    verb = "would be deleted" if decision.is_delete else "is kept"
    if title:
        console.print(Text(escape_control_chars(title), "bold"))
    group = f" in group {escape_control_chars(evaluation.group)}" if evaluation.group else ""
    console.print(Text(f"{escape_control_chars(deployment.name)}{group} {verb}.", "bold"))
    console.print(Text(describe_deployment(deployment, evaluation.now)))
    rows = [
        (("yes" if check.is_matched else "no", check.code, escape_control_chars(check.message)), "")
        for check in evaluation.checks
    ]
    if decision.is_delete:
        rows += [
            (("", reason.code, escape_control_chars(reason.message)), "red")
            for reason in decision.reasons
        ]
    _print_columns(console, ("Keeps it", "Rule", "Why"), rows)
    console.print(Text(escape_control_chars(explanation.outlook)))


def show_result(console: Console, plan: Plan, result: ApplyResult) -> None:
    """Print the result of one target, with the problem of each deployment that is not deleted."""
    for deployment in result.deployments:
        if not deployment.is_fully_deleted and not deployment.is_expiring:
            counts = ", ".join(
                f"{count:,} {outcome}" for outcome, count in deployment.counts.items()
            )
            outcome_label = "skipped" if deployment.is_skipped else "not deleted"
            name, problem = (
                escape_control_chars(deployment.name),
                escape_control_chars(deployment.problem),
            )
            console.print(Text(f"  {outcome_label}  {name} ({counts}): {problem}", "yellow"))
    console.print(Text(f"{format_result_headline(plan, result)}.", "bold"))
    if shortfall_text := format_shortfall(plan, result):
        console.print(Text(f"{escape_control_chars(shortfall_text)}.", "bold red"))
    for note in (format_guard_note(result), format_uploads_note(result)):
        if note:
            console.print(Text(escape_control_chars(note)))
    if result.journal_file:
        console.print(Text(f"Journal: {escape_control_chars(result.journal_file)}"))
    if note := format_journal_note(result):
        console.print(Text(escape_control_chars(note), "yellow"))
    target_result = TargetResult(plan=plan, result=result)
    if note := format_expiry_note(target_result):
        console.print(Text(note))
    if can_restore(target_result):
        command = f"ci3 restore {escape_control_chars(result.journal_file)}"
        console.print(Text(f"To undo: {command}{format_restore_condition(plan)}"))


def show_error(console: Console, error: Ci3Error, notes: Sequence[str] = ()) -> None:
    """Print an error's message, then its hint and the notes."""
    console.print(Text(f"Error: {escape_control_chars(error.message)}", "bold red"))
    if advice := " ".join(filter(None, (error.hint, *notes))):
        # A hint may have several lines to be pasted.
        for line in advice.splitlines():
            console.print(Text(escape_control_chars(line)))


def show_deployments(console: Console, deployments: Sequence[Deployment], title: str = "") -> None:
    """Print deployments as a table, in the order given."""
    if title:
        console.print(Text(escape_control_chars(title), "bold"))
    _print_columns(
        console,
        ("Deployment", "Oldest object", "Newest object", "Objects>", "Size>"),
        [
            (
                (
                    escape_control_chars(deployment.name),
                    "–" if deployment.oldest_at is None else format_minute(deployment.oldest_at),
                    "–" if deployment.newest_at is None else format_minute(deployment.newest_at),
                    *format_amounts(deployment),
                ),
                "",
            )
            for deployment in deployments
        ],
    )


def show_objects(console: Console, objects: Sequence[StoredObject], title: str = "") -> None:
    """Print objects as a table, in the order given."""
    if title:
        console.print(Text(escape_control_chars(title), "bold"))
    _print_columns(
        console,
        ("Modified", "Size>", "Key"),
        [
            (
                (
                    format_minute(stored_object.modified_at),
                    format_size(stored_object.size_bytes),
                    escape_control_chars(stored_object.key),
                ),
                "",
            )
            for stored_object in objects
        ],
    )


def _format_cells(decision: Decision, plan: Plan) -> tuple[str, ...]:
    return (
        decision.action,
        escape_control_chars(decision.deployment.name),
        format_upload_time(decision, plan),
        *format_amounts(decision.deployment),
        escape_control_chars(join_reasons(decision)),
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
