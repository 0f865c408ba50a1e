"""Plans and results as GitHub's Markdown, for the job summary and the comment.

From top to bottom: what a run does (`_format_run_head`), what a pull request changes, each target
(`_format_target`), and how to continue (`_format_footer`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ci3.core.formatting import cut_list, format_minute, format_size
from ci3.core.inventory.short_names import shorten_names
from ci3.core.model.deployment import Versioning
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.core.plan.shared_folders import label_plans
from ci3.core.plan.target_result import TargetResult
from ci3.errors import Ci3Error, begin_sentence, end_sentence
from ci3.report.markdown_format import (
    MARKUP_RESERVE_BYTES,
    RenderContext,
    count_bytes,
    escape_breakable,
    escape_markdown,
    escape_without_breaks,
    format_alert,
    format_breakable_code,
    format_code,
    format_code_spans,
    format_details,
    format_document,
    format_lines,
    format_table,
    format_verdict,
    take_fitting_parts,
)
from ci3.report.plan.decision_tables import format_decision_tables
from ci3.report.plan.highlights import format_highlights
from ci3.report.plan.lifecycle_text import (
    format_expiry_note,
    format_next_run,
    format_reconciled_notes,
    format_reconciled_problem,
    list_open_warnings,
)
from ci3.report.plan.policy_change import render_policy_change
from ci3.report.plan.restore_text import can_restore, format_restore_condition, format_restore_note
from ci3.report.plan.text import (
    format_advice,
    format_guard_note,
    format_journal_note,
    format_next_step,
    format_policy,
    format_shortfall,
    format_uploads_note,
)
from ci3.report.plan.timeline import draw_timeline
from ci3.report.plan.verdict import describe_verdict

IGNORED_SHOWN = 20
TARGETS_SHOWN = 100
_OPEN_OUTCOMES = (RunOutcome.REFUSED, RunOutcome.PARTIAL, RunOutcome.STALE_PLAN)
_MAX_IDS_SHOWN = 10
_MAX_TIMELINES = 10
"""A run with more targets has no timelines."""


def render_run_markdown(
    target_results: Sequence[TargetResult],
    context: RenderContext,
    changes: Sequence[PolicyChange] = (),
) -> str:
    """Render a run of one or several targets within the byte budget.

    `changes` describe what a pull request's policy changes, one per target.
    """
    plans = [target_result.plan for target_result in target_results]
    names = [decision.deployment.name for plan in plans for decision in plan.decisions]
    names += [entry.name for plan in plans for entry in plan.ignored]
    context = replace(context, short_names=shorten_names(names))
    text = _render_in_full(target_results, context, changes)
    if count_bytes(text) <= context.budget_bytes:
        return text
    return format_document(
        _format_title(target_results),
        f"The report is too long to show here. See {context.overflow_location}.",
    )


def _render_in_full(
    target_results: Sequence[TargetResult], context: RenderContext, changes: Sequence[PolicyChange]
) -> str:
    """Render all that fits: the head and the footer in full, the changes, then the targets."""
    is_single_target = len(target_results) == 1
    head = _format_run_head(target_results, context)
    footer = tuple(_format_footer(target_results, context))
    budget_bytes = context.budget_bytes - count_bytes(*head, *footer) - MARKUP_RESERVE_BYTES
    change_texts = [
        render_policy_change(change, has_several_targets=not is_single_target) for change in changes
    ]
    change_texts = take_fitting_parts(change_texts, budget_bytes // 4, context, "policy changes of")
    budget_bytes -= count_bytes(*change_texts)
    target_texts = _format_targets(target_results, context, budget_bytes)
    if not is_single_target:
        used_bytes = count_bytes(*head, *change_texts, *footer) + MARKUP_RESERVE_BYTES
        target_texts = take_fitting_parts(target_texts, context.budget_bytes - used_bytes, context)
    return format_document(*head, *change_texts, *target_texts, *footer)


def _format_run_head(
    target_results: Sequence[TargetResult], context: RenderContext
) -> tuple[str, ...]:
    title = _format_title(target_results)
    if len(target_results) == 1:
        return title, *_format_alerts(target_results[0], context)
    return title, _format_overview(target_results)


def _format_title(target_results: Sequence[TargetResult]) -> str:
    count = len(target_results)
    label = f"{count:,} targets" if count > 1 else format_code(target_results[0].plan.target.url)
    return format_verdict(describe_verdict(target_results), label)


def _format_overview(target_results: Sequence[TargetResult]) -> str:
    """Format a table with a row per target."""
    labels = label_plans([target_result.plan for target_result in target_results])
    shown, more = cut_list(list(zip(labels, target_results, strict=True)), TARGETS_SHOWN)
    is_blocked = _is_blocked(target_results)
    rows = []
    for label, target_result in shown:
        verdict = describe_verdict([target_result], is_run_blocked=is_blocked)
        rows.append(
            (
                format_breakable_code(label),
                f"{verdict.glyph}&nbsp;{escape_breakable(verdict.result)}",
                escape_without_breaks(format_size(target_result.plan.totals.bytes_to_delete)),
            )
        )
    rows += [(more, "", "")] if more else []
    return format_table(("Target", "Result", "To&nbsp;delete>"), rows)


def _is_blocked(target_results: Sequence[TargetResult]) -> bool:
    return any(not target_result.plan.is_applyable for target_result in target_results)


def _format_targets(
    target_results: Sequence[TargetResult], context: RenderContext, budget_bytes: int
) -> list[str]:
    """Format each target; what one leaves of its share of the budget is shared by the next.

    Several targets are folded, except those that are blocked or incomplete.
    """
    texts: list[str] = []
    labels = label_plans([target_result.plan for target_result in target_results])
    is_single_target = len(target_results) == 1
    is_blocked = _is_blocked(target_results)
    for index, target_result in enumerate(target_results):
        share_bytes = budget_bytes // (len(target_results) - index)
        verdict = describe_verdict([target_result], is_run_blocked=is_blocked)
        head: list[str] = []
        if not is_single_target:
            head = [escape_markdown(verdict.summary), *_format_alerts(target_result, context)]
        if len(target_results) <= _MAX_TIMELINES and (timeline := draw_timeline(target_result)):
            head.append(timeline)
        share_bytes -= count_bytes(*head) + MARKUP_RESERVE_BYTES
        body = _format_target(target_result, context, share_bytes)
        text = "\n\n".join((*head, *body))
        if not is_single_target:
            title = f"{verdict.glyph} {labels[index]}: {verdict.result}"
            text = format_details(title, text, is_open=target_result.outcome in _OPEN_OUTCOMES)
        texts.append(text)
        budget_bytes -= count_bytes(texts[-1]) + 2
    return texts


def _format_alerts(target_result: TargetResult, context: RenderContext) -> list[str]:
    """Format an alert for each kind of note."""
    plan, result = target_result.plan, target_result.result
    problems = (
        format_shortfall(plan, result) if result else "",
        format_reconciled_problem(target_result),
    )
    refusals = [_format_issue(refusal) for refusal in plan.refusals]
    warnings = [_format_issue(warning) for warning in list_open_warnings(target_result)]
    problem_texts = [escape_markdown(end_sentence(problem)) for problem in problems if problem]
    alerts = (
        format_alert("CAUTION", problem_texts, context),
        format_alert("CAUTION", refusals, context),
        format_alert("WARNING", warnings, context),
    )
    return [alert for alert in alerts if alert]


def _format_issue(issue: Refusal | PlanWarning) -> str:
    """Format a message, with a link to the recipe that resolves it if the docs have one."""
    url = find_recipe_url(issue.code)
    link = f" [How to fix this]({url})" if url else ""
    message = begin_sentence(issue.message)
    return f"{escape_markdown(end_sentence(message) if link else message)}{link}"


def _format_target(
    target_result: TargetResult, context: RenderContext, budget_bytes: int
) -> list[str]:
    """Format one target: its highlights, its tables, and the settings behind them."""
    plan = target_result.plan
    highlights = format_highlights(plan, context)
    notes = (
        *_format_ignored(plan),
        f"**Policy:** {escape_markdown(format_policy(plan))}",
        *_format_versions_note(plan),
        escape_markdown(format_next_run(plan)) if target_result.is_planned else "",
        "\n".join(f"- {escape_markdown(sentence)}" for sentence in plan.engine_explanation),
    )
    tables = format_decision_tables(
        target_result, context, budget_bytes - count_bytes(highlights, *notes)
    )
    return [part for part in (highlights, *tables, *notes) if part]


def _format_versions_note(plan: Plan) -> Iterator[str]:
    """Yield the details on restoring that the verdict does not have."""
    is_by_rule = any(decision.expire_days is not None for decision in plan.to_delete)
    if is_by_rule or (plan.to_delete and plan.target.versioning is Versioning.ENABLED):
        yield format_code_spans(format_restore_note(plan))


def _format_ignored(plan: Plan) -> Iterator[str]:
    if plan.ignored:
        shown, more = cut_list(plan.ignored, IGNORED_SHOWN)
        lines = [f"{format_code(entry.name)}: {escape_markdown(entry.reason)}" for entry in shown]
        lines += [more] if more else []
        title = f"{len(plan.ignored):,} ignored, never deleted"
        yield format_details(title, "\n".join(f"- {line}" for line in lines), is_open=False)


def _format_footer(target_results: Sequence[TargetResult], context: RenderContext) -> Iterator[str]:
    """Yield what happened to rules and in the journal, the next step, and the plan's origin."""
    for target_result in target_results:
        yield from map(escape_markdown, format_reconciled_notes(target_result))
        yield from _format_journal(target_result)
    plans = [target_result.plan for target_result in target_results]
    is_planned = all(
        target_result.is_planned and target_result.reconciled is None
        for target_result in target_results
    )
    can_apply = any(plan.to_delete for plan in plans) and all(plan.is_applyable for plan in plans)
    if is_planned and can_apply and context.how_to_apply:
        yield f"**To apply:** {context.how_to_apply}"
    if next_step := format_next_step(target_results):
        yield f"**Next:** {escape_markdown(next_step)}"
    ids = ", ".join(format_code(plan.plan_id[:12]) for plan in plans[:_MAX_IDS_SHOWN])
    origin = f"{format_minute(plans[0].created_at)} · ci3 {escape_markdown(plans[0].ci3_version)}"
    run_link = f" · {_link_run(context)}" if context.run_url else ""
    yield f"<sub>Plan {ids} · {origin}{run_link}</sub>"


def _format_journal(target_result: TargetResult) -> Iterator[str]:
    """Yield notes on a deletion, its journal, and how to restore it; nothing without a journal."""
    result = target_result.result
    if result is None or not result.journal_file:
        return
    notes = (
        format_guard_note(result),
        format_journal_note(result),
        format_uploads_note(result),
        format_expiry_note(target_result),
    )
    yield from (escape_markdown(note) for note in notes if note)
    yield f"Journal: {format_code(result.journal_file)}, run {format_code(result.run_id)}"
    if can_restore(target_result):
        command = format_code(f"ci3 restore {result.journal_file}")
        step = "or a step with `mode: restore` and this `journal-file`"
        condition = format_code_spans(format_restore_condition(target_result.plan, result))
        is_local = not result.journal_file.startswith("s3://")
        keep = " Keep the journal: in a workflow, upload it as an artifact." if is_local else ""
        yield f"**To restore:** {command}, {step}{condition}.{keep}"


def render_error_markdown(
    error: Ci3Error, context: RenderContext | None = None, notes: Sequence[str] = ()
) -> str:
    """Render an error: message, hint and notes on what else has happened.

    With a context, the text replaces the comment of an earlier run and notes that.
    """
    parts = [
        f"### ❌ ci3 stopped: {escape_markdown(error.message)}",
        format_lines(format_advice(error, notes)),
    ]
    if context is not None:
        parts.append("This replaces an earlier report that may be outdated.")
        if context.run_url:
            parts.append(f"<sub>{_link_run(context)}</sub>")
    return "\n\n".join(parts) + "\n"


def _link_run(context: RenderContext) -> str:
    return f"[this run]({context.run_url})"
