"""Tables of a target's decisions as GitHub's Markdown, each folded under its title."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci3.core.formatting import format_size
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.report.markdown_format import (
    RenderContext,
    count_bytes,
    escape_markdown,
    escape_without_breaks,
    format_details,
    format_fitting_table,
)
from ci3.report.plan.headlines import (
    format_deletions_title,
    format_expiring_title,
    format_kept_title,
)
from ci3.report.plan.highlights import format_name_cell
from ci3.report.plan.text import (
    format_amounts,
    format_upload_time,
    join_reasons,
    split_into_sections,
)

_MAX_NEWEST_LISTED = 5
"""More deployments that only `keep-count` keeps are one row."""
_SUMMARY_BYTES = 250
"""Upper bound for that row, which is always shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A table with its title; it is open unless it has more than `max_open` decisions.

    A long table is folded, so that the text below it stays visible. So are those of a refused plan:
    they look like deletions.
    """

    title: str
    columns: tuple[str, str]
    """The titles of the first two columns."""
    decisions: Sequence[Decision]
    max_open: int


def format_decision_tables(
    target_result: TargetResult, context: RenderContext, budget_bytes: int
) -> tuple[str, str, str]:
    """Format the tables to delete, expiring and kept; one without decisions is empty.

    A quarter of the budget is reserved for the kept table, if it needs that. The table to delete
    takes what it needs of the rest.
    """
    plan = target_result.plan
    to_delete = _Table(
        title=format_deletions_title(target_result),
        columns=("To&nbsp;delete", "Uploaded")
        if target_result.is_planned
        else ("Deployment", "Result"),
        decisions=plan.to_delete,
        max_open=15,
    )
    kept = _Table(
        title=format_kept_title(plan),
        columns=("Kept", "Uploaded"),
        decisions=plan.kept,
        max_open=10,
    )
    expiring = _Table(
        title=format_expiring_title(plan),
        columns=("Expiring", "Uploaded"),
        decisions=plan.expiring,
        max_open=0,
    )
    reserved_bytes = max(budget_bytes // 4, _SUMMARY_BYTES)
    kept_text = _format_table(kept, target_result, context, reserved_bytes)
    to_delete_text = _format_table(
        to_delete, target_result, context, budget_bytes - count_bytes(kept_text)
    )
    budget_bytes -= count_bytes(to_delete_text)
    kept_text = _format_table(kept, target_result, context, max(budget_bytes, reserved_bytes))
    budget_bytes -= count_bytes(kept_text)
    expiring_text = _format_table(expiring, target_result, context, budget_bytes)
    return to_delete_text, expiring_text, kept_text


def _format_table(
    table: _Table, target_result: TargetResult, context: RenderContext, budget_bytes: int
) -> str:
    body = format_fitting_table(
        (*table.columns, "Objects>", "Size>", "Why"),
        _list_rows(table.decisions, target_result, context),
        budget_bytes,
        context,
    )
    is_open = target_result.plan.is_applyable and len(table.decisions) <= table.max_open
    return format_details(table.title, body, is_open=is_open) if body else ""


def _list_rows(
    decisions: Sequence[Decision], target_result: TargetResult, context: RenderContext
) -> Iterator[tuple[str, ...]]:
    plan, result = target_result.plan, target_result.result
    results_by_name = (
        {deployment.name: deployment for deployment in result.deployments} if result else {}
    )
    for section in split_into_sections(plan, decisions):
        if section.title:
            yield f"**{escape_markdown(section.title)}**", "", "", "", ""
        newest = [decision for decision in section.decisions if _is_only_newest(decision)]
        hidden = newest if len(newest) > _MAX_NEWEST_LISTED else []
        for decision in section.decisions:
            if hidden and _is_only_newest(decision):
                if decision is hidden[0]:
                    yield _summarize_newest(hidden, plan)
                continue
            deployment_result = results_by_name.get(decision.deployment.name)
            state_cell, reason = _describe_state(
                decision, target_result, deployment_result, context
            )
            count, amount = format_amounts(decision.deployment)
            yield (
                format_name_cell(decision, plan, context),
                state_cell,
                count,
                escape_without_breaks(amount),
                escape_markdown(reason),
            )


def _is_only_newest(decision: Decision) -> bool:
    """Return True if only `keep-count` keeps a deployment, and not as a separate group."""
    is_alone = decision.group == decision.deployment.name
    return not is_alone and [reason.code for reason in decision.reasons] == [ReasonCode.KEEP_COUNT]


def _summarize_newest(decisions: Sequence[Decision], plan: Plan) -> tuple[str, ...]:
    """Return a row for deployments that only `keep-count` keeps, which are ordered by age."""
    times = [format_upload_time(decision, plan) for decision in (decisions[0], decisions[-1])]
    counts, sizes = "?", "?"
    if all(decision.deployment.has_counts for decision in decisions):
        counts = f"{sum(decision.deployment.object_count for decision in decisions):,}"
        sizes = format_size(sum(decision.deployment.size_bytes for decision in decisions))
    return (
        f"{len(decisions):,} of the newest",
        escape_without_breaks(" to ".join(dict.fromkeys(times))),
        counts,
        escape_without_breaks(sizes),
        "`keep-count`",
    )


def _describe_state(
    decision: Decision,
    target_result: TargetResult,
    deployment_result: DeploymentResult | None,
    context: RenderContext,
) -> tuple[str, str]:
    """Return the cell with the upload time or with the result, and the reason as plain text."""
    reasons = join_reasons(decision, context.short_names)
    if target_result.is_planned or not decision.is_delete:
        return escape_without_breaks(format_upload_time(decision, target_result.plan)), reasons
    if target_result.is_stale:
        change = target_result.changed.get(decision.deployment.name)
        return "as&nbsp;planned" if change is None else "**changed**", change or reasons
    if deployment_result is None:
        return "**kept**", "not deleted"
    if deployment_result.is_expiring or deployment_result.is_fully_deleted:
        return "expiring" if deployment_result.is_expiring else "deleted", reasons
    if deleted_count := deployment_result.counts.get(ObjectOutcome.DELETED):
        return f"**{deleted_count:,} deleted, not all**", deployment_result.problem
    state = "skipped" if deployment_result.is_skipped else "**not&nbsp;deleted**"
    return state, deployment_result.problem
