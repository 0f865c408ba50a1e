"""The first two lines of a report in Markdown: what happened, and what follows from it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from ci3.constants import DEFAULT_KEEP_COUNT
from ci3.core.formatting import format_size, pluralize
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Versioning
from ci3.core.model.policy import KEEP_COUNT_SETTING
from ci3.core.model.result import ObjectOutcome, RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult, find_worst_outcome
from ci3.core.retention.age_order import AgeFrom
from ci3.report.markdown_format import Verdict
from ci3.report.plan.headlines import LIFECYCLE_DELAY
from ci3.report.plan.restore_text import describe_restoration

_UNCERTAIN = (ReasonCode.AMBIGUOUS_AGE, ReasonCode.INCOMPARABLE_NAME)
"""Reasons for which more is kept than the keep rules say."""


def describe_verdict(
    target_results: Sequence[TargetResult], *, is_run_blocked: bool = False
) -> Verdict:
    """Return the verdict on one target, or on all targets of a run.

    `is_run_blocked` is True for a target of a run in which another target blocks the cleanup.
    """
    outcome = find_worst_outcome(target_results)
    facts = _list_facts(outcome, target_results, is_run_blocked=is_run_blocked)
    summary = " · ".join(facts)
    deployment_count = sum(target_result.plan.totals.found for target_result in target_results)
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
            glyph, subject = "⏸️" if is_run_blocked else "🧹", "Cleanup plan for"
            result = f"{to_delete:,} of {pluralize(deployment_count, 'deployment')} to delete"
    return Verdict(glyph=glyph, subject=subject, result=result, summary=summary)


def _describe_deleted(target_results: Sequence[TargetResult]) -> str:
    results = [target_result.result for target_result in target_results if target_result.result]
    planned = sum(target_result.plan.totals.delete for target_result in target_results)
    deleted = sum(result.deployments_deleted for result in results)
    expiring = sum(len(result.expiring_names) for result in results)
    if expiring and expiring == planned:
        return f"S3 will delete {pluralize(expiring, 'deployment')} {LIFECYCLE_DELAY}"
    share = "" if deleted == planned else f"{deleted:,} of "
    left_to_s3 = f", {expiring:,} left to S3" if expiring else ""
    return f"{share}{pluralize(planned, 'deployment')} deleted{left_to_s3}"


def _list_facts(
    outcome: RunOutcome, target_results: Sequence[TargetResult], *, is_run_blocked: bool
) -> Iterator[str]:
    """Yield the facts of the second line, the most important first."""
    plans = [target_result.plan for target_result in target_results]
    deployment_count = sum(plan.totals.found for plan in plans)
    to_delete = sum(plan.totals.delete for plan in plans)
    match outcome:
        case RunOutcome.PLANNED if is_run_blocked:
            yield f"Nothing was deleted: another target is blocked. {_describe_bytes(plans)}"
        case RunOutcome.PLANNED:
            yield f"Dry run, nothing was deleted. {_describe_bytes(plans)}"
        case RunOutcome.REFUSED if to_delete:
            yield f"{to_delete:,} of {pluralize(deployment_count, 'deployment')} would be deleted"
        case RunOutcome.STALE_PLAN:
            yield _describe_stale(target_results)
        case RunOutcome.APPLIED | RunOutcome.PARTIAL | RunOutcome.FAILED:
            yield from _describe_result(target_results)
        case _:
            yield (
                pluralize(deployment_count, "deployment") if deployment_count else "No deployments"
            )
    rules = {_describe_rules(plan) for plan in plans}
    if len(rules) == 1:
        yield f"{rules.pop()}{' of each target' if len(plans) > 1 else ''}"
    if expiring := sum(plan.totals.expiring for plan in plans):
        yield f"{expiring:,} expiring (S3 deletes them {LIFECYCLE_DELAY})"
    if deleting_plans := [plan for plan in plans if plan.to_delete]:
        yield describe_restoration(deleting_plans)


def _describe_bytes(plans: Sequence[Plan]) -> str:
    """Return what a plan frees; S3 bills noncurrent versions as before."""
    sizes = Counter[str]()
    for plan in plans:
        sizes[_get_bytes_effect(plan)] += plan.totals.bytes_to_delete
    effects = [
        effect.format(format_size(sizes[effect]))
        for effect in ("Frees {}", "Frees up to {}", "{} become noncurrent (still billed)")
        if sizes[effect]
    ]
    by_rule = sum(item.expire_days is not None for plan in plans for item in plan.to_delete)
    if by_rule:
        effects.append(f"S3 deletes {pluralize(by_rule, 'deployment')} {LIFECYCLE_DELAY}")
    return ", ".join(effects) or "Frees nothing"


def _get_bytes_effect(plan: Plan) -> str:
    if plan.deletes_versions or plan.target.versioning is Versioning.DISABLED:
        return "Frees {}"
    if plan.target.versioning is Versioning.ENABLED:
        return "{} become noncurrent (still billed)"
    return "Frees up to {}"  # suspended or unknown: what was versioned becomes noncurrent


def _describe_result(target_results: Sequence[TargetResult]) -> Iterator[str]:
    results = [target_result.result for target_result in target_results if target_result.result]
    plans = [target_result.plan for target_result in target_results]
    deleted, absent = (
        sum(result.count_objects(outcome) for result in results)
        for outcome in (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
    )
    noun = "version" if all(plan.deletes_versions for plan in plans) else "object"
    size = format_size(sum(result.bytes_deleted for result in results))
    if deleted or absent:
        note = f" ({absent:,} more no longer existed)" if absent else ""
        yield f"{pluralize(deleted, noun)} deleted, {size}{note}"
    if skipped := sum(result.deployments_skipped for result in results):
        yield f"{skipped:,} skipped (changed since the plan)"
    yield f"{sum(plan.totals.keep for plan in plans):,} kept"


def _describe_stale(target_results: Sequence[TargetResult]) -> str:
    changed = sum(len(target_result.changed) for target_result in target_results)
    planned = sum(len(target_result.plan.to_delete) for target_result in target_results)
    if not changed:
        return "The plan of another target is stale"
    return f"{changed:,} of {pluralize(planned, 'deployment')} changed since the plan"


def _describe_rules(plan: Plan) -> str:
    """Return what the effective keep rules keep: `keeps the 5 newest and 7 daily`."""
    values = {name: entry.value for name, entry in plan.policy.items()}
    count = int(str(values.get(KEEP_COUNT_SETTING, DEFAULT_KEEP_COUNT)))
    is_by_name = values.get("age-from") == AgeFrom.NAME
    order = "highest by name" if is_by_name else "newest"
    rules = [f"the {order}" if count == 1 else f"the {count:,} {order}"]
    if within := values.get("keep-within"):
        rules.append(f"those in use within {within}")
    rules += [
        f"{values[name]} {name.removeprefix('keep-')}"
        for name in ("keep-daily", "keep-weekly", "keep-monthly")
        if name in values
    ]
    *first, last = rules
    joined = f"{', '.join(first)} and {last}" if first else last
    group_note = " of each group" if "group-by" in values else ""
    keeps_more = is_by_name or any(
        decision.has_reason(code) for decision in plan.kept for code in _UNCERTAIN
    )
    return f"keeps {'at least ' if keeps_more else ''}{joined}{group_note}"
