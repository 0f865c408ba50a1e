"""The first two lines of a report in Markdown: what happened, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ci3.constants import DEFAULT_KEEP_COUNT
from ci3.core.formatting import format_size, pluralize
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome, RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult, find_worst_outcome
from ci3.report.plan.headlines import LIFECYCLE_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The title of a report, in the parts around the target, and the line below it.

    The target is formatted as code, the rest is plain text: `glyph subject TARGET: result`.
    """

    glyph: str
    subject: str
    result: str
    summary: str


def describe_verdict(target_results: Sequence[TargetResult]) -> Verdict:
    """Return the verdict on one target, or on all targets of a run."""
    outcome = find_worst_outcome(target_results)
    summary = " · ".join(_list_facts(outcome, target_results))
    found = sum(target_result.plan.totals.found for target_result in target_results)
    to_delete = sum(target_result.plan.totals.delete for target_result in target_results)
    match outcome:
        case RunOutcome.REFUSED:
            glyph, subject, result = "⛔", "Cleanup blocked for", "nothing was deleted"
        case RunOutcome.STALE_PLAN:
            glyph, subject, result = "⛔", "Plan is stale for", "nothing was deleted"
        case RunOutcome.NOTHING_TO_DELETE:
            glyph, subject, result = "✅", "Cleanup plan for", "nothing to delete"
        case RunOutcome.APPLIED:
            glyph, subject = "✅", "Cleanup of"
            result = _describe_deleted(target_results)
        case RunOutcome.PARTIAL | RunOutcome.FAILED:
            glyph, subject = "⚠️", "Cleanup incomplete for"
            result = _describe_deleted(target_results)
        case RunOutcome.PLANNED:
            glyph, subject = "🧹", "Cleanup plan for"
            result = f"{to_delete:,} of {pluralize(found, 'deployment')} to delete"
    return Verdict(glyph=glyph, subject=subject, result=result, summary=summary)


def _describe_deleted(target_results: Sequence[TargetResult]) -> str:
    results = [target_result.result for target_result in target_results if target_result.result]
    planned = sum(target_result.plan.totals.delete for target_result in target_results)
    deleted = sum(result.deployments_deleted for result in results)
    expiring = sum(len(result.expiring_names) for result in results)
    if expiring and expiring == planned:
        return f"S3 deletes {pluralize(expiring, 'deployment')} {LIFECYCLE_DELAY}"
    share = "" if deleted == planned else f"{deleted:,} of "
    left_to_s3 = f", {expiring:,} left to S3" if expiring else ""
    return f"{share}{pluralize(planned, 'deployment')} deleted{left_to_s3}"


def _list_facts(outcome: RunOutcome, target_results: Sequence[TargetResult]) -> Iterator[str]:
    """Yield the facts of the second line, the most important first."""
    plans = [target_result.plan for target_result in target_results]
    totals = [plan.totals for plan in plans]
    to_delete = sum(target_totals.delete for target_totals in totals)
    size = format_size(sum(target_totals.bytes_to_delete for target_totals in totals))
    match outcome:
        case RunOutcome.PLANNED:
            yield f"Dry run, nothing was deleted. {_describe_bytes(plans, size)}"
        case RunOutcome.REFUSED if to_delete:
            found = sum(target_totals.found for target_totals in totals)
            yield f"{to_delete:,} of {pluralize(found, 'deployment')} would be deleted"
        case RunOutcome.STALE_PLAN:
            yield _describe_stale(target_results)
        case RunOutcome.APPLIED | RunOutcome.PARTIAL | RunOutcome.FAILED:
            yield from _describe_result(target_results)
        case _:
            found = sum(target_totals.found for target_totals in totals)
            yield pluralize(found, "deployment") if found else "No deployments"
    if len(plans) == 1:
        yield describe_rules(plans[0])
        by_rule_count = sum(item.expire_days is not None for item in plans[0].to_delete)
        if by_rule_count:
            share = "" if by_rule_count == to_delete else f"{by_rule_count:,} of them "
            yield f"{share}by S3 {LIFECYCLE_DELAY}"
        if to_delete and (restoration := describe_restoration(plans[0])):
            yield restoration


def _describe_bytes(plans: Sequence[Plan], size: str) -> str:
    is_billed = any(_keeps_versions(plan) for plan in plans)
    return f"{size} become noncurrent (still billed)" if is_billed else f"Frees {size}"


def _describe_result(target_results: Sequence[TargetResult]) -> Iterator[str]:
    results = [target_result.result for target_result in target_results if target_result.result]
    plans = [target_result.plan for target_result in target_results]
    counts = {
        outcome: sum(result.count_objects(outcome) for result in results)
        for outcome in (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
    }
    noun = "version" if all(plan.deletes_versions for plan in plans) else "object"
    size = format_size(sum(result.bytes_deleted for result in results))
    deleted, absent = counts[ObjectOutcome.DELETED], counts[ObjectOutcome.ABSENT]
    if deleted or absent:
        note = f" ({absent:,} more had already been deleted)" if absent else ""
        yield f"{pluralize(deleted, noun)} deleted, {size}{note}"
    yield f"{sum(plan.totals.keep for plan in plans):,} kept"


def _describe_stale(target_results: Sequence[TargetResult]) -> str:
    changed = sum(len(target_result.changed) for target_result in target_results)
    planned = sum(len(target_result.plan.to_delete) for target_result in target_results)
    if not changed:
        return "The plan of another target is stale"
    return f"{changed:,} of {pluralize(planned, 'deployment')} changed since the plan"


def describe_rules(plan: Plan) -> str:
    """Return what the effective keep rules keep: `keeps the 5 newest and 7 daily`."""
    values = {name: entry.value for name, entry in plan.policy.items()}
    count = int(str(values.get("keep-count", DEFAULT_KEEP_COUNT)))
    rules = ["the newest" if count == 1 else f"the {count:,} newest"]
    if within := values.get("keep-within"):
        rules.append(f"those in use within {within}")
    rules += [
        f"{values[name]} {name.removeprefix('keep-')}"
        for name in ("keep-daily", "keep-weekly", "keep-monthly")
        if name in values
    ]
    group_note = " of each group" if "group-by" in values else ""
    *first, last = rules
    joined = f"{', '.join(first)} and {last}" if first else last
    return f"keeps {joined}{group_note}"


def describe_restoration(plan: Plan) -> str:
    """Return whether what a plan deletes can be restored."""
    if plan.deletes_versions:
        return "deletion is permanent"
    match plan.target.versioning:
        case Versioning.ENABLED:
            return (
                "can be restored" if plan.target.is_aws else "restorable if the store supports it"
            )
        case Versioning.UNKNOWN:
            return "versioning unknown: assume that deletion is permanent"
        case Versioning.DISABLED | Versioning.SUSPENDED:
            return "deletion is permanent"


def _keeps_versions(plan: Plan) -> bool:
    return plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions
