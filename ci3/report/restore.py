"""Rendering of restore plans and results for terminals, as Markdown and as JSON."""

from rich.console import Console

from ci3.core.formatting import cut_list, format_counts, format_json, format_size, pluralize
from ci3.core.inventory.short_names import shorten_names
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
from ci3.errors import begin_sentence, end_sentence
from ci3.report.markdown_format import (
    MARKUP_RESERVE_BYTES,
    RenderContext,
    Verdict,
    count_bytes,
    escape_breakable,
    escape_markdown,
    escape_without_breaks,
    format_alert,
    format_breakable_code,
    format_code,
    format_details,
    format_document,
    format_fitting_table,
    format_verdict,
    take_fitting,
)
from ci3.report.plan.text import join_shortfall
from ci3.report.terminal_format import print_line

_MAX_SKIPS_SHOWN = 50
_PROTECT_LINES_SHOWN = 5
_INDENT = " " * 11
_PROTECT_NOTE = (
    "The next plan deletes restored deployments again, unless a setting keeps them. To keep them, "
    "set protect"
)


def format_restore_plan_headline(plan: RestorePlan) -> str:
    """Return the headline of a plan: what would be restored, and what is lost."""
    is_refused = get_restore_outcome(plan) is RestoreOutcome.REFUSED
    return f"{'Refused: ' if is_refused else ''}{_describe_plan(plan)}"


def _describe_plan(plan: RestorePlan) -> str:
    lost = f"{pluralize(plan.lost_count, 'object')} cannot be restored"
    lost_note = f"; {lost}" if plan.lost_count else ""
    objects, amount = pluralize(plan.object_count, "object"), format_size(plan.size_bytes)
    if plan.rule_ids:
        rules = f"{pluralize(len(plan.rule_ids), 'lifecycle rule')} would be removed"
        objects_note = f", and {objects} would be restored ({amount})" if plan.object_count else ""
        return f"{rules}{objects_note}{lost_note}"
    if plan.object_count:
        deployment_count = sum(bool(deployment.object_count) for deployment in plan.deployments)
        deployments = pluralize(deployment_count, "deployment")
        return f"{objects} of {deployments} would be restored ({amount}){lost_note}"
    if plan.lost_count:
        return f"{lost}, and there is nothing else to restore"
    return "Nothing to restore"


def format_restored_headline(restored: RestoreResult) -> str:
    """Return the headline of a result, whose counts come from a listing after the restore."""
    count = restored.count_objects(ObjectRestoreOutcome.RESTORED)
    size = format_size(restored.bytes_restored)
    checked_objects = f"{pluralize(count, 'object')} restored and verified ({size})"
    if not restored.rules_removed:
        return checked_objects
    rules = f"{pluralize(restored.rules_removed, 'lifecycle rule')} removed"
    if count:
        return f"{rules}; {checked_objects}"
    already_current_count = restored.count_objects(ObjectRestoreOutcome.ALREADY_THERE)
    already_current = f" before S3 deleted {pluralize(already_current_count, 'object')}"
    return f"{rules}{already_current if already_current_count else ''}"


def format_restore_shortfall(restored: RestoreResult) -> str:
    """Return what was not restored and why, or an empty string."""
    counts = (
        (restored.count_objects(ObjectRestoreOutcome.FAILED), "could not be restored"),
        (restored.lost_count, "cannot be restored"),
    )
    sentences = [f"{pluralize(count, 'object')} {problem}" for count, problem in counts if count]
    return join_shortfall(sentences, restored.stop_reason)


def show_restore_plan(console: Console, plan: RestorePlan) -> None:
    """Print what is to be restored in each deployment, and what is not and why."""
    for deployment in plan.deployments:
        name = deployment.name
        if deployment.object_count:
            objects = pluralize(deployment.object_count, "object")
            amount = format_size(deployment.size_bytes)
            text = f"  restore  {name}: {objects}, {amount}"
            print_line(console, text, "green", indent=_INDENT)
        for skipped in deployment.skipped:
            is_lost = skipped.reason.is_unrecoverable
            verb, style = ("lost", "bold red") if is_lost else ("skip", "dim")
            text = f"  {verb}     {name}: {_format_skipped(skipped)}"
            print_line(console, text, style, indent=_INDENT)
    console.print()
    print_line(console, f"Source: {plan.source_label}.", indent="  ")
    for note in plan.notes:
        print_line(console, f"Note: {end_sentence(begin_sentence(note))}", "yellow", indent="  ")
    headline = f"{plan.target.url}  {format_restore_plan_headline(plan)}."
    print_line(console, headline, "bold", indent="  ")


def show_restored(console: Console, restored: RestoreResult) -> None:
    """Print the result of a restore, with the problem of each deployment that has failures."""
    for deployment in restored.deployments:
        if deployment.counts.get(ObjectRestoreOutcome.FAILED):
            counts = format_counts(deployment.counts.items())
            text = f"  not restored  {deployment.name} ({counts}): {deployment.problem}"
            print_line(console, text, "yellow", indent=_INDENT)
    if restored.record_problem:
        print_line(console, f"Note: {restored.record_problem}", "yellow", indent="  ")
    print_line(console, f"{format_restored_headline(restored)}.", "bold", indent="  ")
    if shortfall := format_restore_shortfall(restored):
        print_line(console, end_sentence(shortfall), "bold red", indent="  ")
    if restored.restored_names:
        print_line(console, f"{_PROTECT_NOTE}:")
        lines, more = _list_protect_lines(restored)
        for line in lines:
            print_line(console, f"  {line}", can_wrap=False)
        if more:
            print_line(console, more)


def _list_protect_lines(restored: RestoreResult) -> tuple[list[str], str]:
    """Return the first lines for `protect`, and a note on the others."""
    names, more = cut_list(restored.restored_names, _PROTECT_LINES_SHOWN)
    lines = [format_protect_line(name) for name in names]
    return lines, f"{more}; `ci3 restore --output json` lists all." if more else ""


def render_restore_markdown(
    plan: RestorePlan, restored: RestoreResult | None, context: RenderContext
) -> str:
    """Render a restore plan, or its result if there is one, within the byte budget."""
    shortfall = format_restore_shortfall(restored) if restored else ""
    problem = restored.record_problem if restored else ""
    head = [
        format_verdict(_describe_verdict(plan, restored), format_code(plan.target.url)),
        format_alert(
            "CAUTION", [escape_markdown(end_sentence(shortfall))] if shortfall else [], context
        ),
        format_alert("WARNING", [escape_markdown(problem)] if problem else [], context),
        *map(escape_markdown, plan.notes),
    ]
    if restored is not None and restored.restored_names:
        lines, more = _list_protect_lines(restored)
        text = "\n".join(f"  {line}" for line in lines)
        head += [f"{_PROTECT_NOTE}:\n\n```yaml\nprotect: |\n{text}\n```", more]
    skips = _format_skips(plan, restored, context.budget_bytes // 4)
    foot = [
        format_details("Skipped objects", skips, is_open=plan.lost_count > 0) if skips else "",
        f"<sub>[this run]({context.run_url})</sub>" if context.run_url else "",
    ]
    budget_bytes = context.budget_bytes - count_bytes(*head, *foot) - MARKUP_RESERVE_BYTES
    return format_document(*head, _format_table(plan, restored, budget_bytes, context), *foot)


def _describe_verdict(plan: RestorePlan, restored: RestoreResult | None) -> Verdict:
    match get_restore_outcome(plan, restored):
        case RestoreOutcome.PLANNED:
            glyph, subject = "♻️", "Restore plan for"
        case RestoreOutcome.RESTORED | RestoreOutcome.NOTHING_TO_RESTORE:
            glyph, subject = "✅", "Restore of"
        case RestoreOutcome.PARTIAL:
            glyph, subject = "⚠️", "Restore incomplete for"
        case RestoreOutcome.REFUSED:
            glyph, subject = "⛔", "Restore not possible for"
    headline, note = _describe_plan(plan), "Nothing was restored. "
    if restored is not None:
        headline, note = format_restored_headline(restored), ""
    elif plan.has_work:
        note = "Dry run, nothing was restored. "
    return Verdict(
        glyph=glyph,
        subject=subject,
        result=f"{headline[0].lower()}{headline[1:]}",
        summary=f"{note}Source: {plan.source_label}.",
    )


def _format_table(
    plan: RestorePlan, restored: RestoreResult | None, budget_bytes: int, context: RenderContext
) -> str:
    if restored is None:
        columns = ("Deployment", "Objects>", "Size>")
        rows = [
            (deployment.name, f"{deployment.object_count:,}", deployment.size_bytes)
            for deployment in plan.deployments
            if deployment.object_count
        ]
    else:
        columns = ("Deployment", "Outcome", "Size>")
        rows = [
            (
                deployment.name,
                escape_breakable(_format_outcome(deployment)),
                deployment.bytes_restored,
            )
            for deployment in restored.deployments
        ]
    names = shorten_names(name for name, _, _ in rows)
    cells = (
        (format_breakable_code(names[name]), cell, escape_without_breaks(format_size(size_bytes)))
        for name, cell, size_bytes in rows
    )
    return format_fitting_table(columns, cells, budget_bytes, context)


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


def _format_outcome(deployment: DeploymentRestoreResult) -> str:
    counts = format_counts(deployment.counts.items())
    return f"{counts}: {deployment.problem}" if deployment.problem else counts


def _format_skips(plan: RestorePlan, restored: RestoreResult | None, budget_bytes: int) -> str:
    """Return a list of the skipped objects that fits into the budget."""
    lines = [
        f"- {format_code(deployment.name)}: {escape_markdown(_format_skipped(skipped))}"
        for deployment in (restored or plan).deployments
        for skipped in deployment.skipped
    ]
    shown = take_fitting(lines[:_MAX_SKIPS_SHOWN], budget_bytes, separator_bytes=1)
    _, more = cut_list(lines, len(shown))
    return "\n".join((*shown, *([f"- {more}"] if more else [])))
