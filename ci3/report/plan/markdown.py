"""Plans and results as GitHub's Markdown, for the job summary and the comment."""

from collections.abc import Iterable, Sequence

from ci3.core.formatting import counted, moment, size
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.core.plan.target_result import Account
from ci3.errors import Ci3Error
from ci3.report.markdown_format import (
    WRAPPING_BYTES,
    Place,
    code,
    details,
    fitting,
    plain,
    row,
    size_bytes,
    table,
    unbroken,
)
from ci3.report.plan.headlines import SOON, achievement, staleness, total_verdict, verdict
from ci3.report.plan.highlights import glance, named
from ci3.report.plan.lifecycle_text import (
    expiry_note,
    open_warnings,
    reconciled_notes,
    reconciled_problem,
)
from ci3.report.plan.policy_change import render_policy_change
from ci3.report.plan.text import (
    Section,
    amounts,
    can_undo,
    guard_note,
    next_note,
    reasons,
    rules_note,
    sections,
    shortfall,
    undo_note,
    uploaded,
    uploads_note,
)
from ci3.report.plan.timeline import timeline

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


def run_markdown(
    target_results: Sequence[Account], context: Place, changes: Sequence[PolicyChange] = ()
) -> str:
    """Render a run of one or several targets within the byte budget.

    `changes` describe what a pull request's policy changes, one per target.
    """
    text = _render_in_full(target_results, context, changes)
    if size_bytes(text) <= context.budget_bytes:
        return text
    title = f"### {plain(total_verdict(target_results))}"
    location = context.rest
    overflow_note = (
        f"What goes and what stays takes more room than there is here: it is in {location}."
    )
    return f"{title}\n\n{overflow_note}\n"


def _render_in_full(
    target_results: Sequence[Account], context: Place, changes: Sequence[PolicyChange]
) -> str:
    is_single_target = len(target_results) == 1
    head = (
        _format_head(target_results[0], "###", context)
        if is_single_target
        else [f"### {plain(total_verdict(target_results))}", _format_overview(target_results)]
    )
    footer = _format_footer(target_results, context)
    budget_bytes = context.budget_bytes - size_bytes("\n\n".join((*head, *footer))) - WRAPPING_BYTES
    change_texts = [
        render_policy_change(change, has_several_targets=not is_single_target) for change in changes
    ]
    change_texts = fitting(change_texts, budget_bytes // 4, "what changes for", context)
    budget_bytes -= size_bytes("\n\n".join(change_texts))
    target_texts = []
    for index, target_result in enumerate(target_results):
        share = budget_bytes // (len(target_results) - index)
        target_head = [] if is_single_target else _format_head(target_result, "####", context)
        timeline_text = timeline(target_result) if len(target_results) <= _MAX_TIMELINES else ""
        target_head += [timeline_text] if timeline_text else []
        target_parts = _format_target(
            target_result, context, share - size_bytes("\n\n".join(target_head)) - WRAPPING_BYTES
        )
        target_texts.append("\n\n".join((*target_head, *target_parts)))
        budget_bytes -= size_bytes(target_texts[-1]) + 2
    budget_bytes = (
        context.budget_bytes
        - size_bytes("\n\n".join((*head, *change_texts, *footer)))
        - WRAPPING_BYTES
    )
    if not is_single_target:
        target_texts = fitting(target_texts, budget_bytes, "", context)
    return (
        "\n\n".join(part for part in (*head, *change_texts, *target_texts, *footer) if part) + "\n"
    )


def _format_head(target_result: Account, level: str, context: Place) -> list[str]:
    plan, result = target_result.plan, target_result.result
    title = verdict(plan) if result is None else achievement(plan, result)
    if target_result.is_stale:
        title = staleness(target_result)
    target_line = f"{code(plan.target.url)} · {plain(undo_note(plan))}"
    return [f"{level} {plain(title)}", target_line, *_format_note_boxes(target_result, context)]


def _format_note_boxes(target_result: Account, context: Place) -> list[str]:
    """Return a box for each kind of note: problems, refusals and warnings."""
    plan, result = target_result.plan, target_result.result
    shortfall_text = shortfall(plan, result) if result else ""
    rule_problem = reconciled_problem(target_result)
    boxes = (
        ("CAUTION", "", [item for item in (shortfall_text, rule_problem) if item]),
        ("CAUTION", "Can't be applied:", [item.message for item in plan.refusals]),
        ("WARNING", "", [item.message for item in open_warnings(target_result)]),
    )
    return [_format_box(*box, context.budget_bytes // _NOTE_BOX_DIVISOR) for box in boxes if box[2]]


def _format_box(kind: str, title: str, messages: Sequence[str], budget_bytes: int) -> str:
    lines = [f"> [!{kind}]"]
    if len(messages) == 1:
        return f"{lines[0]}\n> {f'**{title}** ' if title else ''}{plain(messages[0])}"
    if title:
        lines.append(f"> **{title}**")
    for index, message in enumerate(messages):
        line = f"> - {plain(message)}"
        budget_bytes -= size_bytes(line)
        if budget_bytes < 0:
            lines.append(f"> - … and {len(messages) - index:,} more of this kind")
            break
        lines.append(line)
    return "\n".join(lines)


def _format_overview(target_results: Sequence[Account]) -> str:
    rows = [
        row(
            code(target_result.plan.target.url),
            target_result.outcome,
            f"{target_result.plan.totals.delete:,}",
            f"{target_result.plan.totals.keep:,}",
            unbroken(size(target_result.plan.totals.bytes_to_delete)),
        )
        for target_result in target_results[:TARGETS_SHOWN]
    ]
    if (left_out := len(target_results) - TARGETS_SHOWN) > 0:
        rows.append(row(f"… and {left_out:,} more", "", "", "", ""))
    head = row("Target", "Outcome", "To&nbsp;delete", "Kept", "Size")
    return "\n".join((head, row(":--", ":--", "--:", "--:", "--:"), *rows))


def _format_target(target_result: Account, context: Place, budget_bytes: int) -> list[str]:
    """Render one target: its highlights, its tables, and the settings behind them."""
    plan = target_result.plan
    highlights = glance(plan, context)
    choice = "\n".join(f"- {plain(sentence)}" for sentence in plan.choice)
    notes = [*_format_ignored(plan), plain(rules_note(plan)), choice]
    remaining_bytes = budget_bytes - size_bytes("\n\n".join((highlights, *notes)))
    deletions_table = table(
        _deletions_header(target_result),
        _deletion_rows(target_result, context),
        remaining_bytes,
        context,
    )
    is_short = len(plan.doomed) <= _MAX_OPEN_DELETIONS
    deletions = _fold(_deletions_title(target_result), deletions_table, is_open=is_short)
    kept_table = table(
        _KEPT_COLUMNS,
        _decision_rows(plan, plan.kept, context),
        remaining_bytes - size_bytes(deletions),
        context,
    )
    kept = _fold(_kept_title(plan), kept_table, is_open=len(plan.kept) <= _MAX_OPEN_KEPT)
    remaining_bytes -= size_bytes(deletions) + size_bytes(kept)
    expiring_table = table(
        _EXPIRING_COLUMNS, _decision_rows(plan, plan.expiring, context), remaining_bytes, context
    )
    expiring = _fold(_expiring_title(plan), expiring_table, is_open=False)
    return [part for part in (highlights, deletions, expiring, kept, *notes) if part]


def _fold(title: str, body: str, *, is_open: bool) -> str:
    return details(title, body, is_open=is_open) if body else ""


def _deletions_title(target_result: Account) -> str:
    to_delete = target_result.plan.doomed
    is_planned = target_result.result is None and not target_result.is_stale
    label = "to delete" if is_planned else "of the plan"
    amount = size(sum(decision.deployment.deletion_bytes for decision in to_delete))
    return f"{counted(len(to_delete), 'deployment')} {label}, {amount}"


def _kept_title(plan: Plan) -> str:
    kept_bytes = plan.totals.bytes_to_keep
    amount = "" if kept_bytes is None else f", {size(kept_bytes)}"
    return f"{counted(plan.totals.keep, 'deployment')} kept{amount}"


def _expiring_title(plan: Plan) -> str:
    totals = plan.totals
    deployments = counted(totals.expiring, "deployment")
    amount = size(totals.bytes_expiring)
    return f"{deployments} expiring (S3 deletes what is left {SOON}), {amount}"


def error_markdown(error: Ci3Error, context: Place | None = None) -> str:
    """Render an error: message and hint.

    With a context, the text replaces the comment of an earlier run, and says so.
    """
    parts = [f"### ci3 stopped: {plain(error.message)}", plain(error.hint)]
    if context is not None:
        parts.append("What stood here was of an earlier run, and may not hold any more.")
        if context.run_url:
            parts.append(f"<sub>[this run]({context.run_url})</sub>")
    return "\n\n".join(parts) + "\n"


_EXPIRING_COLUMNS = ("Expiring", "Uploaded", "Objects", "Size", "Why")
_KEPT_COLUMNS = ("Kept", "Uploaded", "Objects", "Size", "Why")


def _deletions_header(target_result: Account) -> tuple[str, ...]:
    if target_result.result is None and not target_result.is_stale:
        return ("To&nbsp;delete", "Uploaded", "Objects", "Size", "Why")
    return ("Deployment", "Result", "Objects", "Size", "Why")


def _deletion_rows(target_result: Account, context: Place) -> Iterable[str]:
    plan, result = target_result.plan, target_result.result
    results_by_name = (
        {deployment.name: deployment for deployment in result.deployments} if result else {}
    )
    for section in sections(plan, plan.doomed):
        yield from _section_rows(section)
        for decision in section.decisions:
            deployment_result = results_by_name.get(decision.deployment.name)
            name = named(decision, plan, context)
            result_cell, reason_cell = _format_result_cells(
                decision, target_result, deployment_result
            )
            yield row(name, result_cell, *_format_amount_cells(decision.deployment), reason_cell)


def _format_result_cells(
    decision: Decision, target_result: Account, deployment_result: DeploymentResult | None
) -> tuple[str, str]:
    """Return the result cell and the reason cell of a deployment to delete.

    Before an apply, the result cell has the upload time instead.
    """
    if target_result.is_stale:
        change = target_result.changed.get(decision.deployment.name)
        result_cell = "as&nbsp;planned" if change is None else "**changed**"
        reason_cell = plain(change or reasons(decision))
    elif target_result.result is None:
        result_cell, reason_cell = (
            unbroken(uploaded(decision, target_result.plan)),
            plain(reasons(decision)),
        )
    elif deployment_result is None:
        result_cell, reason_cell = "**kept**", "not deleted"
    elif deployment_result.is_expiring:
        result_cell, reason_cell = "expiring", plain(reasons(decision))
    elif deployment_result.is_gone:
        result_cell, reason_cell = "deleted", plain(reasons(decision))
    else:
        result_cell = "skipped" if deployment_result.is_skipped else "**not&nbsp;deleted**"
        reason_cell = plain(deployment_result.problem)
        if deployment_result.counts.get(ObjectOutcome.DELETED):
            result_cell = (
                f"**{deployment_result.counts[ObjectOutcome.DELETED]:,} deleted, not all**"
            )
    return result_cell, reason_cell


def _decision_rows(plan: Plan, decisions: Sequence[Decision], context: Place) -> Iterable[str]:
    for section in sections(plan, decisions):
        yield from _section_rows(section)
        for decision in section.decisions:
            name, upload_cell = named(decision, plan, context), unbroken(uploaded(decision, plan))
            reason_cell = plain(reasons(decision))
            yield row(name, upload_cell, *_format_amount_cells(decision.deployment), reason_cell)


def _section_rows(section: Section) -> Iterable[str]:
    if section.title:
        yield row(f"**{plain(section.title)}**", "", "", "", "")


def _format_amount_cells(deployment: Deployment) -> tuple[str, str]:
    count, amount = amounts(deployment)
    return count, unbroken(amount)


def _format_ignored(plan: Plan) -> list[str]:
    if not plan.ignored:
        return []
    shown = "\n".join(
        f"- {code(ignored.name)} {plain(ignored.reason)}"
        for ignored in plan.ignored[:IGNORED_SHOWN]
    )
    left_out = len(plan.ignored) - IGNORED_SHOWN
    left_out_note = f"\n- … and {left_out:,} more" if left_out > 0 else ""
    title = f"{len(plan.ignored):,} ignored, never deleted"
    return [details(title, shown + left_out_note, is_open=False)]


def _format_restore_hint(journal_file: str) -> str:
    command = code(f"ci3 restore {journal_file}")
    is_local = not journal_file.startswith("s3://")
    keep = " Keep the journal until then, in a workflow as an artifact." if is_local else ""
    return f"**To undo:** {command}, or a step with `mode: restore` and this `journal-file`.{keep}"


def _format_footer(target_results: Sequence[Account], context: Place) -> list[str]:
    lines = []
    for target_result in target_results:
        lines += [plain(note) for note in reconciled_notes(target_result)]
        if target_result.result is not None and target_result.result.journal_file:
            result = target_result.result
            notes = (guard_note(result), uploads_note(result), expiry_note(target_result))
            lines += [plain(note) for note in notes if note]
            lines.append(f"Journal: {code(result.journal_file)}, run {code(result.run_id)}")
            if can_undo(target_result):
                lines.append(_format_restore_hint(result.journal_file))
    plans = [target_result.plan for target_result in target_results]
    is_applyable = any(plan.doomed for plan in plans) and all(plan.applyable for plan in plans)
    is_planned = all(
        target_result.result is None
        and target_result.reconciled is None
        and not target_result.is_stale
        for target_result in target_results
    )
    if is_planned and is_applyable and context.how_to_apply:
        lines.append(f"**To apply:** {context.how_to_apply}")
    if note := next_note(target_results):
        lines.append(f"**Next:** {plain(note)}")
    run_link = f" · [this run]({context.run_url})" if context.run_url else ""
    ids = ", ".join(code(plan.plan_id[:12]) for plan in plans[:_MAX_IDS_SHOWN])
    origin = f"{moment(plans[0].created_at)} · ci3 {plain(plans[0].ci3_version)}"
    lines.append(f"<sub>Plan {ids} · {origin}{run_link}</sub>")
    return lines
