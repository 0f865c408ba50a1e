"""Rendering of restore plans and results for terminals, as Markdown and as JSON."""

import json
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from ci3.core.formatting import counted, size, visible
from ci3.core.restore.decide import SkipReason
from ci3.core.restore.plan import (
    DeploymentRestored,
    DeploymentUndo,
    Restored,
    RestoreOutcome,
    Skipped,
    UndoPlan,
    undo_outcome,
)
from ci3.report.markdown_format import (
    WRAPPING_BYTES,
    Place,
    code,
    details,
    plain,
    row,
    size_bytes,
    table,
)

_MAX_SKIPS_SHOWN = 50


def undo_verdict(plan: UndoPlan) -> str:
    """Return the headline of a plan: what would be restored, and what is lost."""
    lost = counted(plan.lost_count, "object")
    if plan.rules:
        return _format_rules_headline(plan, lost)
    if plan.object_count:
        deployment_count = sum(bool(deployment.object_count) for deployment in plan.deployments)
        lost_note = f"; {lost} can't be brought back" if plan.lost_count else ""
        deployments = counted(deployment_count, "deployment")
        return (
            f"{counted(plan.object_count, 'object')} of {deployments} would come "
            f"back, {size(plan.size_bytes)}{lost_note}"
        )
    if plan.lost_count:
        return f"Refused: {lost} can't be brought back, and nothing else is to be"
    return "Nothing to restore"


def _format_rules_headline(plan: UndoPlan, lost: str) -> str:
    headline = f"{counted(len(plan.rules), 'lifecycle rule')} would be taken away"
    if plan.object_count:
        objects = counted(plan.object_count, "object")
        headline += f", and {objects} would come back, {size(plan.size_bytes)}"
    return f"{headline}; {lost} can't be brought back" if plan.lost_count else headline


def undo_achievement(restored: Restored) -> str:
    """Return the headline of a result, whose counts come from a listing after the restore."""
    count = restored.count(RestoreOutcome.RESTORED)
    restored_objects = f"{counted(count, 'object')} restored, {size(restored.bytes_restored)}"
    rules = f"{counted(restored.rules_removed, 'lifecycle rule')} taken away"
    if restored.rules_removed and not count:
        already_current_count = restored.count(RestoreOutcome.ALREADY_THERE)
        return (
            f"{rules}, before S3 has deleted {counted(already_current_count, 'object')}"
            if already_current_count
            else rules
        )
    check = "and found current by a listing"
    return (
        f"{rules}; {restored_objects}, {check}"
        if restored.rules_removed
        else f"{restored_objects}, {check}"
    )


def undo_shortfall(restored: Restored) -> str:
    """Return what was not restored and why, or an empty string."""
    failed_count = restored.count(RestoreOutcome.FAILED)
    sentences = [f"{counted(failed_count, 'object')} could not be restored"] if failed_count else []
    lost_count = sum(
        skipped.object_count
        for deployment in restored.deployments
        for skipped in deployment.skipped
        if skipped.reason.is_lost
    )
    if lost_count:
        sentences.append(f"{counted(lost_count, 'object')} can't be brought back")
    if restored.stopped:
        sentences.append(f"It stopped early: {restored.stopped}")
    return ". ".join(sentences)


def show_undo_plan(console: Console, plan: UndoPlan) -> None:
    """Print what is to be restored in each deployment, and what is not and why."""
    for deployment in plan.deployments:
        name = visible(deployment.name)
        if deployment.object_count:
            objects = counted(deployment.object_count, "object")
            amount = size(deployment.size_bytes)
            console.print(Text(f"  restore  {name}: {objects}, {amount}", "green"))
        for skipped in deployment.skipped:
            style = "bold red" if skipped.reason.is_lost else "dim"
            verb = "  lost     " if skipped.reason.is_lost else "  leave    "
            console.print(Text(f"{verb}{name}: {visible(_format_skipped(skipped))}", style))
    console.print()
    console.print(Text(f"{visible(plan.target.url)}  {undo_verdict(plan)}.", "bold"))
    console.print(Text(f"This undoes {visible(plan.told)}."))
    for note in plan.notes:
        console.print(Text(f"Note: {visible(note)}", "yellow"))


def show_restored(console: Console, restored: Restored) -> None:
    """Print the result of a restore, with the problem of each deployment that has failures."""
    for deployment in _select_failed(restored):
        name, problem = visible(deployment.name), visible(deployment.problem)
        text = f"  not restored  {name} ({_format_counts(deployment)}): {problem}"
        console.print(Text(text, "yellow"))
    console.print(Text(f"{undo_achievement(restored)}.", "bold"))
    if shortfall := undo_shortfall(restored):
        console.print(Text(f"{visible(shortfall)}.", "bold red"))


def undo_markdown(plan: UndoPlan, restored: Restored | None, context: Place) -> str:
    """Render a restore plan, or its result if there is one, within the byte budget."""
    headline = undo_verdict(plan) if restored is None else undo_achievement(restored)
    parts = [f"### {plain(headline)}", f"{code(plan.target.url)}: undoes {plain(plan.told)}."]
    if restored is not None and (shortfall := undo_shortfall(restored)):
        parts.append(f"**{plain(shortfall)}.**")
    parts += [plain(note) for note in plan.notes]
    if skips := _format_skips(plan, restored, context.budget_bytes // 4):
        parts.append(details("What is left as it is", skips, is_open=plan.lost_count > 0))
    budget_bytes = context.budget_bytes - size_bytes("\n\n".join(parts)) - WRAPPING_BYTES
    if restored is None:
        columns = ("Deployment", "Objects", "Size")
        rows = [
            row(code(deployment.name), f"{deployment.object_count:,}", size(deployment.size_bytes))
            for deployment in plan.deployments
            if deployment.object_count
        ]
    else:
        columns = ("Deployment", "Outcome", "Size")
        rows = [
            row(
                code(deployment.name),
                plain(_format_outcome(deployment)),
                size(deployment.bytes_restored),
            )
            for deployment in restored.deployments
        ]
    if rows:
        parts.append(table(columns, rows, budget_bytes, context))
    return "\n\n".join(parts) + "\n"


def undo_numbers(plan: UndoPlan, restored: Restored | None = None) -> dict[str, str | int]:
    """Return the outcome and the numbers of a restore, keyed like the action's outputs."""
    result = restored or Restored(deployments=())
    skipped = [skip for deployment in (restored or plan).deployments for skip in deployment.skipped]
    already_current_count = sum(
        skip.object_count for skip in skipped if skip.reason is SkipReason.ALREADY_THERE
    )
    return {
        "outcome": undo_outcome(plan, restored).value,
        "bucket": plan.target.bucket,
        "prefix": plan.target.prefix,
        "run-id": plan.run_id,
        "rules-to-remove": len(plan.rules),
        "rules-removed": result.rules_removed,
        "objects-to-restore": plan.object_count,
        "bytes-to-restore": plan.size_bytes,
        "objects-restored": result.count(RestoreOutcome.RESTORED),
        "bytes-restored": result.bytes_restored,
        "objects-already-there": already_current_count,
        "objects-skipped": sum(skip.object_count for skip in skipped) - already_current_count,
        "objects-failed": result.count(RestoreOutcome.FAILED),
    }


def undo_json(plan: UndoPlan, restored: Restored | None = None) -> str:
    """Return a restore plan, or its result if there is one, as JSON."""
    content = {
        **undo_numbers(plan, restored),
        "stopped": restored.stopped if restored else "",
        "notes": list(plan.notes),
        "deployments": [
            _build_deployment_record(deployment) for deployment in (restored or plan).deployments
        ],
    }
    return json.dumps(content, indent=2).replace("##[", "##\\u005b") + "\n"


def _build_deployment_record(deployment: DeploymentUndo | DeploymentRestored) -> dict[str, object]:
    progress: dict[str, object] = {}
    if isinstance(deployment, DeploymentUndo):
        progress["to-restore"] = deployment.object_count
    else:
        progress |= {"outcomes": deployment.counts, "problem": deployment.problem}
    skipped = [
        {
            "reason": skip.reason,
            "message": skip.reason.why,
            "is-lost": skip.reason.is_lost,
            "objects": skip.object_count,
            "bytes": skip.size_bytes,
            "examples": list(skip.examples),
        }
        for skip in deployment.skipped
    ]
    return {"name": deployment.name, **progress, "skipped": skipped}


def _format_skipped(skipped: Skipped) -> str:
    examples = ", ".join(skipped.examples)
    ellipsis = ", …" if skipped.object_count > len(skipped.examples) else ""
    return f"{counted(skipped.object_count, 'object')}: {skipped.reason.why} ({examples}{ellipsis})"


def _select_failed(restored: Restored) -> Iterator[DeploymentRestored]:
    return (
        deployment
        for deployment in restored.deployments
        if deployment.counts.get(RestoreOutcome.FAILED)
    )


def _format_counts(deployment: DeploymentRestored) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in deployment.counts.items())


def _format_outcome(deployment: DeploymentRestored) -> str:
    return (
        f"{_format_counts(deployment)}: {deployment.problem}"
        if deployment.problem
        else _format_counts(deployment)
    )


def _format_skips(plan: UndoPlan, restored: Restored | None, budget_bytes: int) -> str:
    """Return a list of the skipped objects that fits into the budget."""
    lines = [
        f"- {code(deployment.name)}: {plain(_format_skipped(skipped))}"
        for deployment in (restored or plan).deployments
        for skipped in deployment.skipped
    ]
    shown: list[str] = []
    for line in lines[:_MAX_SKIPS_SHOWN]:
        budget_bytes -= size_bytes(line) + 1
        if budget_bytes < 0:
            break
        shown.append(line)
    if (left_out := len(lines) - len(shown)) > 0:
        shown.append(f"- … and {left_out:,} more")
    return "\n".join(shown)
