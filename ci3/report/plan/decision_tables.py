"""Tables of a target's decisions as GitHub's Markdown, each folded under its title."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci3.core.formatting import format_size, pluralize
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.report.markdown_format import (
    MARKUP_RESERVE_BYTES,
    RenderContext,
    count_bytes,
    escape_breakable,
    escape_without_breaks,
    format_details,
    format_fitting_table,
    format_row,
)
from ci3.report.plan.headlines import (
    format_deletions_title,
    format_expiring_title,
    format_kept_title,
)
from ci3.report.plan.highlights import format_name_cell
from ci3.report.plan.text import (
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
    """A table with its title; `is_open` is False if it is folded.

    A long table is folded, so that the text below it stays visible. So are those of a refused plan:
    they look like deletions.
    """

    title: str
    columns: tuple[str, str]
    """The titles of the first two columns."""
    rows: Sequence[tuple[str, ...]]
    is_open: bool

    def format_fitting(self, budget_bytes: int, context: RenderContext) -> str:
        """Format the table with the rows that fit; empty if it has none."""
        columns = (*self.columns, "Why")
        body = format_fitting_table(columns, self.rows, budget_bytes, context)
        return format_details(self.title, body, is_open=self.is_open) if body else ""


def format_decision_tables(
    target_result: TargetResult, context: RenderContext, budget_bytes: int
) -> tuple[str, str, str]:
    """Format the tables to delete, expiring and kept; one without decisions is empty.

    A quarter of the budget is reserved for the kept table, if it needs that. The table to delete
    takes what it needs of the rest.
    """
    plan = target_result.plan

    def build_table(
        title: str, columns: tuple[str, str], decisions: Sequence[Decision], max_open: int
    ) -> _Table:
        return _Table(
            title=title,
            columns=columns,
            rows=tuple(_list_rows(decisions, target_result, context)),
            is_open=plan.is_applyable and len(decisions) <= max_open,
        )

    to_delete = build_table(
        format_deletions_title(target_result),
        ("To&nbsp;delete", "Uploaded") if target_result.is_planned else ("Deployment", "Result"),
        _sort_failures_first(target_result),
        max_open=15,
    )
    kept = build_table(format_kept_title(plan), ("Kept", "Uploaded"), plan.kept, max_open=10)
    expiring = build_table(
        format_expiring_title(plan), ("Expiring", "Uploaded"), plan.expiring, max_open=0
    )
    kept_bytes = count_bytes(*(format_row(*row) for row in kept.rows)) + MARKUP_RESERVE_BYTES
    reserved_bytes = min(kept_bytes, max(budget_bytes // 4, _SUMMARY_BYTES))
    to_delete_text = to_delete.format_fitting(budget_bytes - reserved_bytes, context)
    budget_bytes -= count_bytes(to_delete_text)
    kept_text = kept.format_fitting(max(budget_bytes, reserved_bytes), context)
    budget_bytes -= count_bytes(kept_text)
    return to_delete_text, expiring.format_fitting(budget_bytes, context), kept_text


def _sort_failures_first(target_result: TargetResult) -> Sequence[Decision]:
    """Return what the plan deletes; first what was not deleted or has changed since the plan."""
    failed_names = set(target_result.changed)
    if target_result.result is not None:
        failed_names |= {
            deployment.name
            for deployment in target_result.result.deployments
            if not (deployment.is_fully_deleted or deployment.is_expiring)
        }
    return sorted(
        target_result.plan.to_delete,
        key=lambda decision: decision.deployment.name not in failed_names,
    )


def _list_rows(
    decisions: Sequence[Decision], target_result: TargetResult, context: RenderContext
) -> Iterator[tuple[str, ...]]:
    plan, result = target_result.plan, target_result.result
    results_by_name = (
        {deployment.name: deployment for deployment in result.deployments} if result else {}
    )
    for section in split_into_sections(plan, decisions):
        if section.title:
            yield f"**{escape_breakable(section.title)}**", "", ""
        newest = [decision for decision in section.decisions if _is_only_newest(decision)]
        hidden = newest if len(newest) > _MAX_NEWEST_LISTED else []
        for decision in section.decisions:
            if hidden and _is_only_newest(decision):
                if decision is hidden[0]:
                    yield _summarize_newest(hidden, plan)
                continue
            state, reason = _describe_state(
                decision, target_result, results_by_name.get(decision.deployment.name), context
            )
            yield (
                format_name_cell(decision, plan, context),
                f"{state}<br>{_format_amount([decision])}",
                escape_breakable(reason),
            )


def _is_only_newest(decision: Decision) -> bool:
    """Return True if only `keep-count` keeps a deployment, and not as a separate group."""
    is_alone = decision.group == decision.deployment.name
    return not is_alone and [reason.code for reason in decision.reasons] == [ReasonCode.KEEP_COUNT]


def _summarize_newest(decisions: Sequence[Decision], plan: Plan) -> tuple[str, ...]:
    """Return a row for deployments that only `keep-count` keeps, which are ordered by age."""
    times = [format_upload_time(decision, plan) for decision in (decisions[0], decisions[-1])]
    return (
        f"{len(decisions):,} of the newest",
        f"{' to '.join(dict.fromkeys(times))}<br>{_format_amount(decisions)}",
        "`keep-count`",
    )


def _format_amount(decisions: Sequence[Decision]) -> str:
    """Return the size and number of objects, and of versions if those are deleted too."""
    deployments = [decision.deployment for decision in decisions]
    if not all(deployment.has_counts for deployment in deployments):
        return "not counted"
    size = format_size(sum(deployment.deletion_bytes for deployment in deployments))
    objects = pluralize(sum(deployment.object_count for deployment in deployments), "object")
    version_count = sum(item.versions.count for item in deployments if item.versions)
    versions = f" in {pluralize(version_count, 'version')}" if version_count else ""
    return f"{escape_without_breaks(size)}, {objects}{versions}"


def _describe_state(
    decision: Decision,
    target_result: TargetResult,
    deployment_result: DeploymentResult | None,
    context: RenderContext,
) -> tuple[str, str]:
    """Return the upload time or the result as Markdown, and the reason as plain text."""
    reasons = join_reasons(decision, context.short_names)
    if target_result.is_planned or not decision.is_delete:
        return format_upload_time(decision, target_result.plan), reasons
    if target_result.is_stale:
        change = target_result.changed.get(decision.deployment.name)
        return "as planned" if change is None else "**changed**", change or reasons
    if deployment_result is None:
        return "**kept**", "not deleted"
    if deployment_result.is_expiring or deployment_result.is_fully_deleted:
        return "expiring" if deployment_result.is_expiring else "deleted", reasons
    if deleted_count := deployment_result.counts.get(ObjectOutcome.DELETED):
        return f"**{deleted_count:,} deleted, not all**", deployment_result.problem
    state = "skipped" if deployment_result.is_skipped else "**not deleted**"
    return state, deployment_result.problem
