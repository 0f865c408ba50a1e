"""A plan, a result and progress on a terminal or in a log; names are shown, never interpreted."""

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from ci3.core.model import Decision, Deployment, Result, StoredObject
from ci3.core.plan import Plan
from ci3.core.wording import moment, size, visible
from ci3.errors import Ci3Error
from ci3.report.sentences import (
    achievement,
    reasons,
    rollback_note,
    shortfall,
    undo_note,
    uploaded,
    verdict,
)

IGNORED_SHOWN = 5
LOG_EVERY_SECONDS = 10.0


def show_plan(console: Console, plan: Plan) -> None:
    """Print every decision with its reason, then what it comes to."""
    if plan.decisions:
        table = _table("", "Deployment", "Uploaded", "Objects>", "Size>", "Why")
        for decision in plan.decisions:
            table.add_row(*_cells(decision, plan), style="red" if decision.is_delete else None)
        console.print(table)
    for ignored in plan.ignored[:IGNORED_SHOWN]:
        console.print(Text(f"  ignored  {visible(ignored.name)}: {visible(ignored.reason)}", "dim"))
    if (left := len(plan.ignored) - IGNORED_SHOWN) > 0:
        console.print(Text(f"  ignored  … and {left:,} more", "dim"))
    console.print()
    console.print(Text(f"{visible(plan.target.url)}  {verdict(plan)}.", "bold"))
    for note in (rollback_note(plan), undo_note(plan.target) if plan.doomed else ""):
        if note:
            console.print(Text(note))
    for warning in plan.warnings:
        console.print(Text(f"Warning: {visible(warning.message)}", "yellow"))
    for refusal in plan.refusals:
        console.print(Text(f"Can't be applied: {visible(refusal.message)}", "bold red"))


def show_result(console: Console, plan: Plan, result: Result) -> None:
    """Print what an apply did, and of each deployment that is not gone, why."""
    for one in result.deployments:
        if not one.is_gone:
            counts = ", ".join(f"{number:,} {outcome}" for outcome, number in one.counts.items())
            text = f"  not deleted  {visible(one.name)} ({counts}): {visible(one.problem)}"
            console.print(Text(text, "yellow"))
    console.print(Text(f"{achievement(plan, result)}.", "bold"))
    if left := shortfall(plan, result):
        console.print(Text(f"{visible(left)}.", "bold red"))
    console.print(Text(f"Journal: {visible(result.journal_file)}"))


def show_error(console: Console, error: Ci3Error) -> None:
    """Print what went wrong and where, then what to do next."""
    console.print(Text(f"Error: {visible(error.message)}", "bold red"))
    if error.hint:
        console.print(Text(visible(error.hint)))


def show_deployments(console: Console, deployments: Sequence[Deployment]) -> None:
    """Print deployments as a table, in the order given."""
    table = _table("Deployment", "Oldest object", "Newest object", "Objects>", "Size>")
    for one in deployments:
        oldest = "–" if one.oldest_at is None else moment(one.oldest_at)
        newest = "–" if one.newest_at is None else moment(one.newest_at)
        table.add_row(Text(visible(one.name)), oldest, newest, *_amounts(one))
    console.print(table)


def show_objects(console: Console, objects: Sequence[StoredObject]) -> None:
    """Print objects as a table, in the order given."""
    table = _table("Key", "Modified", "Size>")
    for one in objects:
        table.add_row(Text(visible(one.key)), moment(one.modified_at), size(one.size_bytes))
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        is_number = column.endswith(">")
        table.add_column(
            column.removesuffix(">"),
            justify="right" if is_number else "left",
            no_wrap=is_number or column in ("", "Uploaded"),
            overflow="fold",
        )
    return table


def _cells(decision: Decision, plan: Plan) -> tuple[Text | str, ...]:
    return (
        "delete" if decision.is_delete else "keep",
        Text(visible(decision.deployment.name)),
        uploaded(decision, plan),
        *_amounts(decision.deployment),
        Text(visible(reasons(decision))),
    )


def _amounts(deployment: Deployment) -> tuple[str, str]:
    return f"{deployment.object_count:,}", size(deployment.size_bytes)


class ProgressBar:
    """Progress as a bar that leaves no trace; for terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None

    def begin(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task(task, total=total)
        self._bar.start()

    def advance(self, steps: int) -> None:
        """Count steps of the current task as done."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def end(self) -> None:
        """End the current task."""
        if self._bar is not None:
            self._bar.stop()


class ProgressLines:
    """Progress as a line now and then; for logs."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock

    def begin(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""
        self._name, self._total, self._done = task, total, 0
        self._said_at = self._clock()

    def advance(self, steps: int) -> None:
        """Count steps of the current task as done."""
        self._done += steps
        if self._clock() - self._said_at >= LOG_EVERY_SECONDS:
            self._said_at = self._clock()
            self._write(f"{self._name}: {self._done:,} of {self._total:,}")

    def end(self) -> None:
        """End the current task."""
        self._write(f"{self._name}: {self._done:,} of {self._total:,}")
