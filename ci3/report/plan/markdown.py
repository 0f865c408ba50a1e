"""Plans and results as GitHub's Markdown, for the job summary and the comment."""

from collections.abc import Iterable, Sequence

from ci3.core.formatting import format_minute, format_size
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.core.plan.target_result import TargetResult
from ci3.errors import Ci3Error
from ci3.report.markdown_format import (
    MARKUP_RESERVE_BYTES,
    RenderContext,
    count_bytes,
    escape_markdown,
    escape_without_breaks,
    format_code,
    format_details,
    format_lines,
    format_row,
    format_table,
    take_fitting_parts,
)
from ci3.report.plan.headlines import (
    format_deletions_title,
    format_expiring_title,
    format_kept_title,
    format_plan_headline,
    format_result_headline,
    format_run_headline,
    format_stale_headline,
)
from ci3.report.plan.highlights import format_highlights, format_name_cell
from ci3.report.plan.lifecycle_text import (
    format_expiry_note,
    format_reconciled_notes,
    format_reconciled_problem,
    list_open_warnings,
)
from ci3.report.plan.policy_change import render_policy_change
from ci3.report.plan.text import (
    Section,
    can_restore,
    format_amounts,
    format_guard_note,
    format_journal_note,
    format_next_step,
    format_restore_condition,
    format_restore_note,
    format_settings_note,
    format_shortfall,
    format_upload_time,
    format_uploads_note,
    join_reasons,
    split_into_sections,
)
from ci3.report.plan.timeline import draw_timeline

IGNORED_SHOWN = 20
TARGETS_SHOWN = 100
_NOTE_BOX_DIVISOR = 8
"""A box of notes takes at most this fraction of the budget: one eighth."""

_MAX_IDS_SHOWN = 10
_MAX_TIMELINES = 10
"""A run with more targets has no timelines."""

_MAX_OPEN_DELETIONS = 15
_MAX_OPEN_KEPT = 10
"""A longer table is folded, so that the text below it stays visible."""


def render_run_markdown(
    target_results: Sequence[TargetResult],
    context: RenderContext,
    changes: Sequence[PolicyChange] = (),
) -> str:
    """Render a run of one or several targets within the byte budget.

    `changes` describe what a pull request's policy changes, one per target.
    """
    text = _render_in_full(target_results, context, changes)
    if count_bytes(text) <= context.budget_bytes:
        return text
    title = f"### {escape_markdown(format_run_headline(target_results))}"
    location = context.overflow_location
    overflow_note = (
        f"What goes and what stays takes more room than there is here: it is in {location}."
    )
    return f"{title}\n\n{overflow_note}\n"


def _render_in_full(
    target_results: Sequence[TargetResult], context: RenderContext, changes: Sequence[PolicyChange]
) -> str:
    is_single_target = len(target_results) == 1
    head = (
        _format_head(target_results[0], "###", context)
        if is_single_target
        else [
            f"### {escape_markdown(format_run_headline(target_results))}",
            _format_overview(target_results),
        ]
    )
    footer = _format_footer(target_results, context)
    budget_bytes = (
        context.budget_bytes - count_bytes("\n\n".join((*head, *footer))) - MARKUP_RESERVE_BYTES
    )
    change_texts = [
        render_policy_change(change, has_several_targets=not is_single_target) for change in changes
    ]
    change_texts = take_fitting_parts(change_texts, budget_bytes // 4, "what changes for", context)
    budget_bytes -= count_bytes("\n\n".join(change_texts))
    target_texts = []
    for index, target_result in enumerate(target_results):
        share = budget_bytes // (len(target_results) - index)
        target_head = [] if is_single_target else _format_head(target_result, "####", context)
        timeline_text = (
            draw_timeline(target_result) if len(target_results) <= _MAX_TIMELINES else ""
        )
        target_head += [timeline_text] if timeline_text else []
        target_parts = _format_target(
            target_result,
            context,
            share - count_bytes("\n\n".join(target_head)) - MARKUP_RESERVE_BYTES,
        )
        target_texts.append("\n\n".join((*target_head, *target_parts)))
        budget_bytes -= count_bytes(target_texts[-1]) + 2
    budget_bytes = (
        context.budget_bytes
        - count_bytes("\n\n".join((*head, *change_texts, *footer)))
        - MARKUP_RESERVE_BYTES
    )
    if not is_single_target:
        target_texts = take_fitting_parts(target_texts, budget_bytes, "", context)
    return (
        "\n\n".join(part for part in (*head, *change_texts, *target_texts, *footer) if part) + "\n"
    )


def _format_head(target_result: TargetResult, level: str, context: RenderContext) -> list[str]:
    plan, result = target_result.plan, target_result.result
    title = format_plan_headline(plan) if result is None else format_result_headline(plan, result)
    if target_result.is_stale:
        title = format_stale_headline(target_result)
    target_line = f"{format_code(plan.target.url)} · {escape_markdown(format_restore_note(plan))}"
    return [
        f"{level} {escape_markdown(title)}",
        target_line,
        *_format_note_boxes(target_result, context),
    ]


def _format_note_boxes(target_result: TargetResult, context: RenderContext) -> list[str]:
    """Return a box for each kind of note: problems, refusals and warnings."""
    plan, result = target_result.plan, target_result.result
    shortfall_text = format_shortfall(plan, result) if result else ""
    rule_problem = format_reconciled_problem(target_result)
    boxes = (
        ("CAUTION", "", [item for item in (shortfall_text, rule_problem) if item]),
        ("CAUTION", "Can't be applied:", [item.message for item in plan.refusals]),
        ("WARNING", "", [item.message for item in list_open_warnings(target_result)]),
    )
    return [_format_box(*box, context.budget_bytes // _NOTE_BOX_DIVISOR) for box in boxes if box[2]]


def _format_box(kind: str, title: str, messages: Sequence[str], budget_bytes: int) -> str:
    lines = [f"> [!{kind}]"]
    if len(messages) == 1:
        return f"{lines[0]}\n> {f'**{title}** ' if title else ''}{escape_markdown(messages[0])}"
    if title:
        lines.append(f"> **{title}**")
    for index, message in enumerate(messages):
        line = f"> - {escape_markdown(message)}"
        budget_bytes -= count_bytes(line)
        if budget_bytes < 0:
            lines.append(f"> - … and {len(messages) - index:,} more of this kind")
            break
        lines.append(line)
    return "\n".join(lines)


def _format_overview(target_results: Sequence[TargetResult]) -> str:
    rows = [
        format_row(
            format_code(target_result.plan.target.url),
            target_result.outcome,
            f"{target_result.plan.totals.delete:,}",
            f"{target_result.plan.totals.keep:,}",
            escape_without_breaks(format_size(target_result.plan.totals.bytes_to_delete)),
        )
        for target_result in target_results[:TARGETS_SHOWN]
    ]
    if (left_out := len(target_results) - TARGETS_SHOWN) > 0:
        rows.append(format_row(f"… and {left_out:,} more", "", "", "", ""))
    head = format_row("Target", "Outcome", "To&nbsp;delete", "Kept", "Size")
    return "\n".join((head, format_row(":--", ":--", "--:", "--:", "--:"), *rows))


def _format_target(
    target_result: TargetResult, context: RenderContext, budget_bytes: int
) -> list[str]:
    """Render one target: its highlights, its tables, and the settings behind them."""
    plan = target_result.plan
    highlights = format_highlights(plan, context)
    choice = "\n".join(f"- {escape_markdown(sentence)}" for sentence in plan.engine_explanation)
    notes = [*_format_ignored(plan), escape_markdown(format_settings_note(plan)), choice]
    remaining_bytes = budget_bytes - count_bytes("\n\n".join((highlights, *notes)))
    deletions_table = format_table(
        _deletions_header(target_result),
        _deletion_rows(target_result, context),
        remaining_bytes,
        context,
    )
    is_short = len(plan.to_delete) <= _MAX_OPEN_DELETIONS
    deletions = _fold(format_deletions_title(target_result), deletions_table, is_open=is_short)
    kept_table = format_table(
        _KEPT_COLUMNS,
        _decision_rows(plan, plan.kept, context),
        remaining_bytes - count_bytes(deletions),
        context,
    )
    kept = _fold(format_kept_title(plan), kept_table, is_open=len(plan.kept) <= _MAX_OPEN_KEPT)
    remaining_bytes -= count_bytes(deletions) + count_bytes(kept)
    expiring_table = format_table(
        _EXPIRING_COLUMNS, _decision_rows(plan, plan.expiring, context), remaining_bytes, context
    )
    expiring = _fold(format_expiring_title(plan), expiring_table, is_open=False)
    return [part for part in (highlights, deletions, expiring, kept, *notes) if part]


def _fold(title: str, body: str, *, is_open: bool) -> str:
    return format_details(title, body, is_open=is_open) if body else ""


def render_error_markdown(
    error: Ci3Error, context: RenderContext | None = None, notes: Sequence[str] = ()
) -> str:
    """Render an error: message, hint and notes on what else has happened.

    With a context, the text replaces the comment of an earlier run, and says so.
    """
    advice = " ".join(filter(None, (error.hint, *notes)))
    parts = [f"### ci3 stopped: {escape_markdown(error.message)}", format_lines(advice)]
    if context is not None:
        parts.append("What stood here was of an earlier run, and may not hold any more.")
        if context.run_url:
            parts.append(f"<sub>[this run]({context.run_url})</sub>")
    return "\n\n".join(parts) + "\n"


_EXPIRING_COLUMNS = ("Expiring", "Uploaded", "Objects", "Size", "Why")
_KEPT_COLUMNS = ("Kept", "Uploaded", "Objects", "Size", "Why")


def _deletions_header(target_result: TargetResult) -> tuple[str, ...]:
    if target_result.result is None and not target_result.is_stale:
        return ("To&nbsp;delete", "Uploaded", "Objects", "Size", "Why")
    return ("Deployment", "Result", "Objects", "Size", "Why")


def _deletion_rows(target_result: TargetResult, context: RenderContext) -> Iterable[str]:
    plan, result = target_result.plan, target_result.result
    results_by_name = (
        {deployment.name: deployment for deployment in result.deployments} if result else {}
    )
    for section in split_into_sections(plan, plan.to_delete):
        yield from _section_rows(section)
        for decision in section.decisions:
            deployment_result = results_by_name.get(decision.deployment.name)
            name = format_name_cell(decision, plan, context)
            result_cell, reason_cell = _format_result_cells(
                decision, target_result, deployment_result
            )
            yield format_row(
                name, result_cell, *_format_amount_cells(decision.deployment), reason_cell
            )


def _format_result_cells(
    decision: Decision, target_result: TargetResult, deployment_result: DeploymentResult | None
) -> tuple[str, str]:
    """Return the result cell and the reason cell of a deployment to delete.

    Before an apply, the result cell has the upload time instead.
    """
    if target_result.is_stale:
        change = target_result.changed.get(decision.deployment.name)
        result_cell = "as&nbsp;planned" if change is None else "**changed**"
        reason_cell = escape_markdown(change or join_reasons(decision))
    elif target_result.result is None:
        result_cell, reason_cell = (
            escape_without_breaks(format_upload_time(decision, target_result.plan)),
            escape_markdown(join_reasons(decision)),
        )
    elif deployment_result is None:
        result_cell, reason_cell = "**kept**", "not deleted"
    elif deployment_result.is_expiring:
        result_cell, reason_cell = "expiring", escape_markdown(join_reasons(decision))
    elif deployment_result.is_fully_deleted:
        result_cell, reason_cell = "deleted", escape_markdown(join_reasons(decision))
    else:
        result_cell = "skipped" if deployment_result.is_skipped else "**not&nbsp;deleted**"
        reason_cell = escape_markdown(deployment_result.problem)
        if deployment_result.counts.get(ObjectOutcome.DELETED):
            result_cell = (
                f"**{deployment_result.counts[ObjectOutcome.DELETED]:,} deleted, not all**"
            )
    return result_cell, reason_cell


def _decision_rows(
    plan: Plan, decisions: Sequence[Decision], context: RenderContext
) -> Iterable[str]:
    for section in split_into_sections(plan, decisions):
        yield from _section_rows(section)
        for decision in section.decisions:
            name, upload_cell = (
                format_name_cell(decision, plan, context),
                escape_without_breaks(format_upload_time(decision, plan)),
            )
            reason_cell = escape_markdown(join_reasons(decision))
            yield format_row(
                name, upload_cell, *_format_amount_cells(decision.deployment), reason_cell
            )


def _section_rows(section: Section) -> Iterable[str]:
    if section.title:
        yield format_row(f"**{escape_markdown(section.title)}**", "", "", "", "")


def _format_amount_cells(deployment: Deployment) -> tuple[str, str]:
    count, amount = format_amounts(deployment)
    return count, escape_without_breaks(amount)


def _format_ignored(plan: Plan) -> list[str]:
    if not plan.ignored:
        return []
    shown = "\n".join(
        f"- {format_code(ignored.name)} {escape_markdown(ignored.reason)}"
        for ignored in plan.ignored[:IGNORED_SHOWN]
    )
    left_out = len(plan.ignored) - IGNORED_SHOWN
    left_out_note = f"\n- … and {left_out:,} more" if left_out > 0 else ""
    title = f"{len(plan.ignored):,} ignored, never deleted"
    return [format_details(title, shown + left_out_note, is_open=False)]


def _format_restore_hint(plan: Plan, journal_file: str) -> str:
    command = format_code(f"ci3 restore {journal_file}")
    condition = escape_markdown(format_restore_condition(plan))
    is_local = not journal_file.startswith("s3://")
    keep = " Keep the journal until then, in a workflow as an artifact." if is_local else ""
    step = "or a step with `mode: restore` and this `journal-file`"
    return f"**To undo:** {command}, {step}{condition}.{keep}"


def _format_footer(target_results: Sequence[TargetResult], context: RenderContext) -> list[str]:
    lines = []
    for target_result in target_results:
        lines += [escape_markdown(note) for note in format_reconciled_notes(target_result)]
        if target_result.result is not None and target_result.result.journal_file:
            result = target_result.result
            notes = (
                format_guard_note(result),
                format_journal_note(result),
                format_uploads_note(result),
                format_expiry_note(target_result),
            )
            lines += [escape_markdown(note) for note in notes if note]
            lines.append(
                f"Journal: {format_code(result.journal_file)}, run {format_code(result.run_id)}"
            )
            if can_restore(target_result):
                lines.append(_format_restore_hint(target_result.plan, result.journal_file))
    plans = [target_result.plan for target_result in target_results]
    is_applyable = any(plan.to_delete for plan in plans) and all(
        plan.is_applyable for plan in plans
    )
    is_planned = all(
        target_result.result is None
        and target_result.reconciled is None
        and not target_result.is_stale
        for target_result in target_results
    )
    if is_planned and is_applyable and context.how_to_apply:
        lines.append(f"**To apply:** {context.how_to_apply}")
    if note := format_next_step(target_results):
        lines.append(f"**Next:** {escape_markdown(note)}")
    run_link = f" · [this run]({context.run_url})" if context.run_url else ""
    ids = ", ".join(format_code(plan.plan_id[:12]) for plan in plans[:_MAX_IDS_SHOWN])
    origin = f"{format_minute(plans[0].created_at)} · ci3 {escape_markdown(plans[0].ci3_version)}"
    lines.append(f"<sub>Plan {ids} · {origin}{run_link}</sub>")
    return lines
