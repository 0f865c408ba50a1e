"""Plans and results on a terminal or in a log. Untrusted names are escaped, never interpreted."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ci3.core.formatting import cut_list, format_counts
from ci3.core.model.decision import Action, Decision
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import ApplyResult
from ci3.core.plan.plan import Plan
from ci3.core.plan.shared_folders import label_plans
from ci3.core.plan.target_result import TargetResult
from ci3.errors import Ci3Error, begin_sentence, end_sentence
from ci3.report.plan.headlines import (
    format_plan_headline,
    format_result_headline,
    format_run_headline,
    format_stale_headline,
)
from ci3.report.plan.lifecycle_text import (
    format_expiry_note,
    format_next_run,
    format_reconciled_notes,
    format_reconciled_problem,
)
from ci3.report.plan.restore_text import can_restore, format_restore_condition, format_restore_note
from ci3.report.plan.text import (
    format_advice,
    format_amounts,
    format_guard_note,
    format_journal_note,
    format_policy,
    format_rollback_note,
    format_shortfall,
    format_upload_time,
    format_uploads_note,
    join_reasons,
    split_into_sections,
)
from ci3.report.terminal_format import Tables, map_names, print_columns, print_line

if TYPE_CHECKING:
    from rich.console import Console

IGNORED_SHOWN = 5

_INDENT = "  "
_STYLES = {Action.DELETE: "red", Action.EXPIRING: "yellow", Action.KEEP: ""}


def show_plan(
    console: "Console", plan: Plan, label: str = "", tables: Tables = Tables.SHORT_NAMES
) -> None:
    """Print every decision with its reasons, then notes, warnings, refusals and the headline.

    The headline is the last line, and begins with `label`, or with the target's URL.
    """
    if tables is not Tables.HIDDEN:
        _show_decisions(console, plan, tables)
    rollback_note = format_rollback_note(plan)
    for sentence in (
        f"Policy: {format_policy(plan)}.",
        *plan.engine_explanation,
        f"Rollback targets: {rollback_note}" if rollback_note else "",
        format_restore_note(plan) if plan.to_delete else "",
        format_next_run(plan),
    ):
        if sentence:
            print_line(console, sentence, indent=_INDENT)
    for warning in plan.warnings:
        _show_issue(console, "Warning", warning, "yellow")
    for refusal in plan.refusals:
        _show_issue(console, "Cannot be applied", refusal, "bold red")
    headline = f"{label or plan.target.url}  {format_plan_headline(plan)}."
    print_line(console, headline, "bold", indent=_INDENT)


def _show_issue(console: "Console", title: str, issue: Refusal | PlanWarning, style: str) -> None:
    message = end_sentence(begin_sentence(issue.message))
    print_line(console, f"{title}: {message}", style, indent=_INDENT)
    if url := find_recipe_url(issue.code):
        print_line(console, f"{_INDENT}How to fix this: {url}", indent=_INDENT)


def _show_decisions(console: "Console", plan: Plan, tables: Tables) -> None:
    folders = [decision.deployment.name for decision in plan.decisions]
    names = map_names([*folders, *(entry.name for entry in plan.ignored)], tables)
    for section in split_into_sections(plan, plan.decisions):
        if section.title:
            print_line(console, section.title, "bold")
        print_columns(
            console,
            ("", "Deployment", "Uploaded", "Objects>", "Size>", "Why"),
            [
                (_format_cells(decision, plan, names), _STYLES[decision.action])
                for decision in section.decisions
            ],
            can_cut=tables is not Tables.FULL_NAMES,
        )
    ignored, more = cut_list(plan.ignored, IGNORED_SHOWN)
    for note in (*(f"{entry.name}: {entry.reason}" for entry in ignored), more):
        if note:
            print_line(console, f"  ignored  {note}", "dim", indent=" " * 11)
    console.print()


def show_run(
    console: "Console", target_results: Sequence[TargetResult], tables: Tables = Tables.SHORT_NAMES
) -> None:
    """Print the plan of each target, and a headline for the run if there are several targets."""
    labels = label_plans([target_result.plan for target_result in target_results])
    for target_result, label in zip(target_results, labels, strict=True):
        if len(target_results) > 1 and tables is not Tables.HIDDEN:
            print_line(console, label, "bold")
        show_plan(console, target_result.plan, label, tables)
        if len(target_results) > 1:
            console.print()
    _show_run_headline(console, target_results)


def show_results(console: "Console", target_results: Sequence[TargetResult]) -> None:
    """Print the result of each target, and a headline for the run if there are several targets."""
    labels = label_plans([target_result.plan for target_result in target_results])
    for target_result, label in zip(target_results, labels, strict=True):
        for name, reason in target_result.changed.items():
            print_line(console, f"  changed  {name}: {reason}", "yellow", indent=" " * 11)
        if target_result.is_stale:
            headline = f"{format_stale_headline(target_result)}."
            print_line(console, headline, "bold red", indent=_INDENT)
        if target_result.result is not None:
            if len(target_results) > 1:
                print_line(console, label, "bold")
            show_result(console, target_result.plan, target_result.result)
            if len(target_results) > 1:
                console.print()
    _show_run_headline(console, target_results)


def _show_run_headline(console: "Console", target_results: Sequence[TargetResult]) -> None:
    if len(target_results) > 1:
        print_line(console, f"{format_run_headline(target_results)}.", "bold", indent=_INDENT)


def show_reconciled(console: "Console", target_results: Sequence[TargetResult]) -> None:
    """Print how the managed rules of earlier runs were reconciled."""
    for target_result in target_results:
        for note in format_reconciled_notes(target_result):
            print_line(console, note, indent=_INDENT)
        if problem := format_reconciled_problem(target_result):
            print_line(console, end_sentence(problem), "bold red", indent=_INDENT)


def show_result(console: "Console", plan: Plan, result: ApplyResult) -> None:
    """Print the result of one target: the headline and the next steps last.

    Each deployment that is not fully deleted is printed with its problem.
    """
    for deployment in result.deployments:
        if not deployment.is_fully_deleted and not deployment.is_expiring:
            label = "skipped" if deployment.is_skipped else "not deleted"
            counts = format_counts(deployment.counts.items())
            text = f"  {label}  {deployment.name} ({counts}): {deployment.problem}"
            print_line(console, text, "yellow", indent=_INDENT * 2)
    target_result = TargetResult(plan=plan, result=result)
    for text, style in (
        (format_guard_note(result), ""),
        (format_uploads_note(result), ""),
        (f"Journal: {result.journal_file}" if result.journal_file else "", ""),
        (format_journal_note(result), "yellow"),
        (f"{format_result_headline(plan, result)}.", "bold"),
        (format_shortfall(plan, result), "bold red"),
        (format_expiry_note(target_result), ""),
    ):
        if text:
            print_line(console, text, style, indent=_INDENT)
    if can_restore(target_result):
        condition = format_restore_condition(plan, result)
        print_line(console, f"To restore{condition}:", indent=_INDENT)
        command = f"{_INDENT}ci3 restore {shlex.quote(result.journal_file)}"
        print_line(console, command, can_wrap=False)


def show_error(console: "Console", error: Ci3Error, notes: Sequence[str] = ()) -> None:
    """Print an error's message, then its hint and the notes."""
    message = begin_sentence(error.message)
    print_line(console, f"Error: {message}", "bold red", indent=_INDENT)
    hint, *lines_to_paste = format_advice(error, notes).splitlines() or [""]
    if hint:
        print_line(console, hint)
    for line in lines_to_paste:
        print_line(console, line, can_wrap=False)


def _format_cells(decision: Decision, plan: Plan, names: Mapping[str, str]) -> tuple[str, ...]:
    return (
        decision.action,
        names[decision.deployment.name],
        format_upload_time(decision, plan),
        *format_amounts(decision.deployment),
        join_reasons(decision, names),
    )
