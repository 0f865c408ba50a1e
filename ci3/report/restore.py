"""Rendering of restore plans and results for terminals, as Markdown and as JSON."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from ci3.core.formatting import escape_control_chars, format_json, format_size, pluralize
from ci3.core.restore.decide import SkipReason
from ci3.core.restore.plan import (
    DeploymentRestorePlan,
    DeploymentRestoreResult,
    ObjectRestoreOutcome,
    RestoreOutcome,
    RestorePlan,
    RestoreResult,
    SkipSummary,
    format_protect_line,
    get_restore_outcome,
)
from ci3.report.markdown_format import (
    MARKUP_RESERVE_BYTES,
    RenderContext,
    count_bytes,
    escape_markdown,
    format_code,
    format_details,
    format_row,
    format_table,
)

_MAX_SKIPS_SHOWN = 50
_PROTECT_LINES_SHOWN = 5
_PROTECT_NOTE = (
    "The next plan deletes what was restored again, unless it is kept. To keep it, set protect"
)


def format_restore_plan_headline(plan: RestorePlan) -> str:
    """Return the headline of a plan: what would be restored, and what is lost."""
    lost = pluralize(plan.lost_count, "object")
    if plan.rule_ids:
        return _format_rules_headline(plan, lost)
    if plan.object_count:
        deployment_count = sum(bool(deployment.object_count) for deployment in plan.deployments)
        lost_note = f"; {lost} can't be brought back" if plan.lost_count else ""
        deployments = pluralize(deployment_count, "deployment")
        return (
            f"{pluralize(plan.object_count, 'object')} of {deployments} would come "
            f"back, {format_size(plan.size_bytes)}{lost_note}"
        )
    if plan.lost_count:
        is_refused = get_restore_outcome(plan) is RestoreOutcome.REFUSED
        prefix = "Refused: " if is_refused else ""
        return f"{prefix}{lost} can't be brought back, and nothing else is to be"
    return "Nothing to restore"


def _format_rules_headline(plan: RestorePlan, lost: str) -> str:
    headline = f"{pluralize(len(plan.rule_ids), 'lifecycle rule')} would be taken away"
    if plan.object_count:
        objects = pluralize(plan.object_count, "object")
        headline += f", and {objects} would come back, {format_size(plan.size_bytes)}"
    return f"{headline}; {lost} can't be brought back" if plan.lost_count else headline


def format_restored_headline(restored: RestoreResult) -> str:
    """Return the headline of a result, whose counts come from a listing after the restore."""
    count = restored.count_objects(ObjectRestoreOutcome.RESTORED)
    restored_objects = (
        f"{pluralize(count, 'object')} restored, {format_size(restored.bytes_restored)}"
    )
    rules = f"{pluralize(restored.rules_removed, 'lifecycle rule')} taken away"
    if restored.rules_removed and not count:
        already_current_count = restored.count_objects(ObjectRestoreOutcome.ALREADY_THERE)
        return (
            f"{rules}, before S3 has deleted {pluralize(already_current_count, 'object')}"
            if already_current_count
            else rules
        )
    check = "and found current by a listing"
    return (
        f"{rules}; {restored_objects}, {check}"
        if restored.rules_removed
        else f"{restored_objects}, {check}"
    )


def format_restore_shortfall(restored: RestoreResult) -> str:
    """Return what was not restored and why, or an empty string."""
    failed_count = restored.count_objects(ObjectRestoreOutcome.FAILED)
    sentences = (
        [f"{pluralize(failed_count, 'object')} could not be restored"] if failed_count else []
    )
    lost_count = sum(
        skipped.object_count
        for deployment in restored.deployments
        for skipped in deployment.skipped
        if skipped.reason.is_unrecoverable
    )
    if lost_count:
        sentences.append(f"{pluralize(lost_count, 'object')} can't be brought back")
    if restored.stop_reason:
        sentences.append(f"It stopped early: {restored.stop_reason}")
    return ". ".join(sentences)


def show_restore_plan(console: Console, plan: RestorePlan) -> None:
    """Print what is to be restored in each deployment, and what is not and why."""
    for deployment in plan.deployments:
        name = escape_control_chars(deployment.name)
        if deployment.object_count:
            objects = pluralize(deployment.object_count, "object")
            amount = format_size(deployment.size_bytes)
            console.print(Text(f"  restore  {name}: {objects}, {amount}", "green"))
        for skipped in deployment.skipped:
            style = "bold red" if skipped.reason.is_unrecoverable else "dim"
            verb = "  lost     " if skipped.reason.is_unrecoverable else "  leave    "
            console.print(
                Text(f"{verb}{name}: {escape_control_chars(_format_skipped(skipped))}", style)
            )
    console.print()
    console.print(
        Text(
            f"{escape_control_chars(plan.target.url)}  {format_restore_plan_headline(plan)}.",
            "bold",
        )
    )
    console.print(Text(f"This undoes {escape_control_chars(plan.source_label)}."))
    for note in plan.notes:
        console.print(Text(f"Note: {escape_control_chars(note)}", "yellow"))


def show_restored(console: Console, restored: RestoreResult) -> None:
    """Print the result of a restore, with the problem of each deployment that has failures."""
    for deployment in _select_failed(restored):
        name, problem = (
            escape_control_chars(deployment.name),
            escape_control_chars(deployment.problem),
        )
        text = f"  not restored  {name} ({_format_counts(deployment)}): {problem}"
        console.print(Text(text, "yellow"))
    console.print(Text(f"{format_restored_headline(restored)}.", "bold"))
    if shortfall := format_restore_shortfall(restored):
        console.print(Text(f"{escape_control_chars(shortfall)}.", "bold red"))
    if restored.restored_names:
        console.print(Text(f"{_PROTECT_NOTE}:"))
        lines, others = _list_protect_lines(restored)
        for line in lines:
            console.print(Text(f"  {escape_control_chars(line)}"), soft_wrap=True)
        if others:
            console.print(Text(others))
    if restored.record_problem:
        console.print(Text(f"Note: {escape_control_chars(restored.record_problem)}", "yellow"))


def _list_protect_lines(restored: RestoreResult) -> tuple[list[str], str]:
    """Return the first lines for `protect`, and a note on the others."""
    names = restored.restored_names
    lines = [format_protect_line(name) for name in names[:_PROTECT_LINES_SHOWN]]
    left_out = len(names) - len(lines)
    others = f"… and {left_out:,} more; `ci3 restore --output json` lists all." if left_out else ""
    return lines, others


def render_restore_markdown(
    plan: RestorePlan, restored: RestoreResult | None, context: RenderContext
) -> str:
    """Render a restore plan, or its result if there is one, within the byte budget."""
    headline = (
        format_restore_plan_headline(plan)
        if restored is None
        else format_restored_headline(restored)
    )
    parts = [
        f"### {escape_markdown(headline)}",
        f"{format_code(plan.target.url)}: undoes {escape_markdown(plan.source_label)}.",
    ]
    if restored is not None and (shortfall := format_restore_shortfall(restored)):
        parts.append(f"**{escape_markdown(shortfall)}.**")
    parts += [escape_markdown(note) for note in plan.notes]
    if restored is not None and restored.restored_names:
        lines, others = _list_protect_lines(restored)
        text = "\n".join(f"  {line}" for line in lines)
        parts.append(f"{_PROTECT_NOTE}:\n\n```yaml\nprotect: |\n{text}\n```")
        parts += [others] if others else []
    if restored is not None and restored.record_problem:
        parts.append(escape_markdown(restored.record_problem))
    if skips := _format_skips(plan, restored, context.budget_bytes // 4):
        parts.append(format_details("What is left as it is", skips, is_open=plan.lost_count > 0))
    budget_bytes = context.budget_bytes - count_bytes("\n\n".join(parts)) - MARKUP_RESERVE_BYTES
    if restored is None:
        columns = ("Deployment", "Objects", "Size")
        rows = [
            format_row(
                format_code(deployment.name),
                f"{deployment.object_count:,}",
                format_size(deployment.size_bytes),
            )
            for deployment in plan.deployments
            if deployment.object_count
        ]
    else:
        columns = ("Deployment", "Outcome", "Size")
        rows = [
            format_row(
                format_code(deployment.name),
                escape_markdown(_format_outcome(deployment)),
                format_size(deployment.bytes_restored),
            )
            for deployment in restored.deployments
        ]
    if rows:
        parts.append(format_table(columns, rows, budget_bytes, context))
    return "\n\n".join(parts) + "\n"


def build_restore_outputs(
    plan: RestorePlan, restored: RestoreResult | None = None
) -> dict[str, str | int]:
    """Return the outcome and the numbers of a restore, keyed like the action's outputs."""
    result = restored or RestoreResult(deployments=())
    skipped = [skip for deployment in (restored or plan).deployments for skip in deployment.skipped]
    already_current_count = sum(
        skip.object_count for skip in skipped if skip.reason is SkipReason.ALREADY_THERE
    )
    return {
        "outcome": get_restore_outcome(plan, restored).value,
        "bucket": plan.target.bucket,
        "prefix": plan.target.prefix,
        "run-id": plan.run_id,
        "rules-to-remove": len(plan.rule_ids),
        "rules-removed": result.rules_removed,
        "objects-to-restore": plan.object_count,
        "bytes-to-restore": plan.size_bytes,
        "objects-restored": result.count_objects(ObjectRestoreOutcome.RESTORED),
        "bytes-restored": result.bytes_restored,
        "objects-already-there": already_current_count,
        "objects-skipped": sum(skip.object_count for skip in skipped) - already_current_count,
        "objects-failed": result.count_objects(ObjectRestoreOutcome.FAILED),
    }


def render_restore_json(plan: RestorePlan, restored: RestoreResult | None = None) -> str:
    """Return a restore plan, or its result if there is one, as JSON."""
    names = restored.restored_names if restored else ()
    content = {
        **build_restore_outputs(plan, restored),
        "stopped": restored.stop_reason if restored else "",
        "notes": list(plan.notes),
        "protect": [format_protect_line(name) for name in names],
        "record-problem": restored.record_problem if restored else "",
        "deployments": [
            _build_deployment_record(deployment) for deployment in (restored or plan).deployments
        ],
    }
    return format_json(content)


def _build_deployment_record(
    deployment: DeploymentRestorePlan | DeploymentRestoreResult,
) -> dict[str, object]:
    progress: dict[str, object] = {}
    if isinstance(deployment, DeploymentRestorePlan):
        progress["to-restore"] = deployment.object_count
    else:
        progress |= {"outcomes": deployment.counts, "problem": deployment.problem}
    skipped = [
        {
            "reason": skip.reason,
            "message": skip.reason.description,
            "is-lost": skip.reason.is_unrecoverable,
            "objects": skip.object_count,
            "bytes": skip.size_bytes,
            "examples": list(skip.examples),
        }
        for skip in deployment.skipped
    ]
    return {"name": deployment.name, **progress, "skipped": skipped}


def _format_skipped(skipped: SkipSummary) -> str:
    examples = ", ".join(skipped.examples)
    ellipsis = ", …" if skipped.object_count > len(skipped.examples) else ""
    count = pluralize(skipped.object_count, "object")
    return f"{count}: {skipped.reason.description} ({examples}{ellipsis})"


def _select_failed(restored: RestoreResult) -> Iterator[DeploymentRestoreResult]:
    return (
        deployment
        for deployment in restored.deployments
        if deployment.counts.get(ObjectRestoreOutcome.FAILED)
    )


def _format_counts(deployment: DeploymentRestoreResult) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in deployment.counts.items())


def _format_outcome(deployment: DeploymentRestoreResult) -> str:
    return (
        f"{_format_counts(deployment)}: {deployment.problem}"
        if deployment.problem
        else _format_counts(deployment)
    )


def _format_skips(plan: RestorePlan, restored: RestoreResult | None, budget_bytes: int) -> str:
    """Return a list of the skipped objects that fits into the budget."""
    lines = [
        f"- {format_code(deployment.name)}: {escape_markdown(_format_skipped(skipped))}"
        for deployment in (restored or plan).deployments
        for skipped in deployment.skipped
    ]
    shown: list[str] = []
    for line in lines[:_MAX_SKIPS_SHOWN]:
        budget_bytes -= count_bytes(line) + 1
        if budget_bytes < 0:
            break
        shown.append(line)
    if (left_out := len(lines) - len(shown)) > 0:
        shown.append(f"- … and {left_out:,} more")
    return "\n".join(shown)
