"""Headlines of plans, results and runs that all renderings share, in plain text."""

from collections.abc import Sequence

from ci3.core.formatting import format_size, pluralize
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ApplyResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult

LIFECYCLE_DELAY = "within a day or two"


def format_plan_headline(plan: Plan) -> str:
    """Return the headline of a plan: what would be deleted, what that frees, what is kept."""
    totals = plan.totals
    kept = _format_kept(totals.keep, totals.expiring)
    if not totals.found:
        return "Nothing to delete: no deployments found"
    if not totals.delete and totals.expiring:
        return f"Nothing to delete: {pluralize(totals.found, 'deployment')} found, {kept}"
    if not totals.delete:
        return f"Nothing to delete: {pluralize(totals.keep, 'deployment')} found, all kept"
    freed = f"{format_size(totals.bytes_to_delete)} {_format_bytes_effect(plan)}"
    deleted = f"{totals.delete:,} of {pluralize(totals.found, 'deployment')} would be deleted"
    if plan.deletes_versions:
        deleted += " permanently, with all versions"
    if by_rule_count := sum(decision.expire_days is not None for decision in plan.to_delete):
        subject = "" if by_rule_count == totals.delete else f"{by_rule_count:,} of them "
        deleted += f" ({subject}by S3, {LIFECYCLE_DELAY})"
    refused = "" if plan.is_applyable else "Refused: "
    return f"{refused}{deleted}, {freed}; {kept}"


def format_result_headline(plan: Plan, result: ApplyResult) -> str:
    """Return the headline of a result: what was deleted, skipped, left to S3 and kept."""
    deleted_count = result.deployments_deleted
    planned_count = plan.totals.delete
    noun = "version" if plan.deletes_versions else "object"
    objects = _format_objects([result], noun)
    amount = format_size(result.bytes_deleted)
    if plan.deletes_versions or plan.target.versioning is Versioning.ENABLED:
        amount += f" {_format_bytes_effect(plan)}"
    left_to_s3 = _format_left_to_s3(plan, result)
    kept = _format_kept(plan.totals.keep, plan.totals.expiring)
    if left_to_s3 and not deleted_count and len(result.expiring_names) == planned_count:
        return f"{left_to_s3}; {kept}"
    if deleted_count + len(result.expiring_names) == planned_count:
        deleted = f"{pluralize(deleted_count, 'deployment')} deleted"
    else:
        deleted = f"{deleted_count:,} of {pluralize(planned_count, 'deployment')} deleted"
    if plan.deletes_versions:
        deleted += " permanently"
    if result.deployments_skipped:
        deleted += f", {result.deployments_skipped:,} skipped (changed since the plan)"
    left_note = f"; {left_to_s3}" if left_to_s3 else ""
    return f"{deleted}: {objects}, {amount}{left_note}; {kept}"


def _format_objects(results: Sequence[ApplyResult], noun: str) -> str:
    """Return how many objects were deleted, and how many no longer existed.

    The latter may have been deleted by a request of this run whose response was lost.
    """
    deleted, absent = (
        sum(result.count_objects(outcome) for result in results)
        for outcome in (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
    )
    note = f" ({absent:,} more no longer existed)" if absent else ""
    return f"{pluralize(deleted, noun)}{note}"


def _format_left_to_s3(plan: Plan, result: ApplyResult) -> str:
    """Return what lifecycle rules of this run delete, or an empty string."""
    deployments = [
        decision.deployment
        for decision in plan.to_delete
        if decision.deployment.name in result.expiring_names
    ]
    if not deployments:
        return ""
    objects = pluralize(sum(deployment.object_count for deployment in deployments), "object")
    amount = format_size(sum(deployment.size_bytes for deployment in deployments))
    return (
        f"S3 will delete {pluralize(len(deployments), 'deployment')} {LIFECYCLE_DELAY}: "
        f"{objects}, {amount}"
    )


def _format_bytes_effect(plan: Plan) -> str:
    if plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions:
        return "kept as noncurrent versions"
    return "freed"


def _format_kept(kept_count: int, expiring_count: int) -> str:
    expiring = f", {expiring_count:,} expiring (S3 will delete them {LIFECYCLE_DELAY})"
    return f"{kept_count:,} kept{expiring if expiring_count else ''}"


def format_stale_headline(target_result: TargetResult) -> str:
    """Return why a saved plan was not applied, and what to do next."""
    changed_count, planned_count = len(target_result.changed), len(target_result.plan.to_delete)
    if not changed_count:
        return "Not applied: the plan of another target is stale"
    sentences = [_format_stale(changed_count, planned_count), format_stale_advice([target_result])]
    if target_result.changed_settings:
        settings = "; ".join(target_result.changed_settings)
        sentences.insert(1, f"Settings differ from the plan (saved → now): {settings}")
    return ". ".join(sentences)


def format_stale_advice(target_results: Sequence[TargetResult]) -> str:
    """Return how to continue after a stale plan."""
    unchanged_count = sum(
        len(target_result.plan.to_delete) - len(target_result.changed)
        for target_result in target_results
    )
    options = ["create a new plan"]
    if any(target_result.changed_settings for target_result in target_results):
        options.insert(0, "use the settings of the plan")
    if unchanged_count > 0:
        options.append(f"apply this one with skip-changed to delete the other {unchanged_count:,}")
    *others, last = options
    advice = f"{', '.join(others)}, or {last}" if others else last
    return f"{advice[0].upper()}{advice[1:]}"


def _format_stale(changed_count: int, planned_count: int, targets: str = "") -> str:
    changed = f"{changed_count:,} of {pluralize(planned_count, 'deployment')}{targets}"
    verb = "has" if changed_count == 1 else "have"
    return f"The plan is stale: {changed} {verb} changed. Nothing was deleted"


def format_run_headline(target_results: Sequence[TargetResult]) -> str:
    """Return the headline of a run, over all its targets."""
    if len(target_results) == 1:
        return _format_target_headline(target_results[0])
    targets = f"in {len(target_results):,} targets"
    if changed_count := sum(
        len(target_result.changed) for target_result in target_results if target_result.is_stale
    ):
        planned_count = sum(len(target_result.plan.to_delete) for target_result in target_results)
        return _format_stale(changed_count, planned_count, f" {targets}")
    if any(target_result.result for target_result in target_results):
        return _format_results_headline(target_results, targets)
    return _format_plans_headline(target_results, targets)


def _format_results_headline(target_results: Sequence[TargetResult], targets: str) -> str:
    results = [target_result.result for target_result in target_results if target_result.result]
    deleted_count = sum(result.deployments_deleted for result in results)
    to_delete_count = sum(target_result.plan.totals.delete for target_result in target_results)
    direct_count = to_delete_count - sum(len(result.expiring_names) for result in results)
    deleted = f"{pluralize(direct_count, 'deployment')} deleted {targets}"
    if deleted_count != direct_count:
        deleted = f"{deleted_count:,} of {deleted}"
    if skipped_count := sum(result.deployments_skipped for result in results):
        deleted += f", {skipped_count:,} skipped (changed since the plan)"
    is_permanent = all(target_result.plan.deletes_versions for target_result in target_results)
    noun = "version" if is_permanent else "object"
    objects = _format_objects(results, noun)
    amount = format_size(sum(result.bytes_deleted for result in results))
    kept = _format_kept_in_all(target_results)
    return f"{deleted}: {objects}, {amount}; {kept}"


def _format_plans_headline(target_results: Sequence[TargetResult], targets: str) -> str:
    totals = [target_result.plan.totals for target_result in target_results]
    found_count = sum(target_totals.found for target_totals in totals)
    to_delete_count = sum(target_totals.delete for target_totals in totals)
    kept_count = sum(target_totals.keep for target_totals in totals)
    kept = _format_kept_in_all(target_results)
    deployments = pluralize(found_count, "deployment")
    if not to_delete_count:
        kept = "all kept" if kept_count == found_count else kept
        return f"Nothing to delete {targets}: {deployments} found, {kept}"
    amount = format_size(sum(target_totals.bytes_to_delete for target_totals in totals))
    plans = [target_result.plan for target_result in target_results]
    refused = "" if all(plan.is_applyable for plan in plans) else "Refused: "
    deleted = f"{to_delete_count:,} of {deployments} {targets} would be deleted"
    if permanent_count := sum(plan.totals.delete for plan in plans if plan.deletes_versions):
        deleted += f", {permanent_count:,} of them permanently, with all versions"
    return f"{refused}{deleted}, {amount}; {kept}"


def _format_kept_in_all(target_results: Sequence[TargetResult]) -> str:
    return _format_kept(
        sum(target_result.plan.totals.keep for target_result in target_results),
        sum(target_result.expiring_count for target_result in target_results),
    )


def _format_target_headline(target_result: TargetResult) -> str:
    if target_result.is_stale:
        return format_stale_headline(target_result)
    if target_result.result is None:
        return format_plan_headline(target_result.plan)
    return format_result_headline(target_result.plan, target_result.result)


def format_deletions_title(target_result: TargetResult) -> str:
    """Format the title of the table of deployments to delete."""
    to_delete = target_result.plan.to_delete
    label = "to delete" if target_result.is_planned else "in the plan"
    amount = format_size(sum(decision.deployment.deletion_bytes for decision in to_delete))
    return f"{pluralize(len(to_delete), 'deployment')} {label}, {amount}"


def format_kept_title(plan: Plan) -> str:
    """Format the title of the table of kept deployments."""
    kept_bytes = plan.totals.bytes_to_keep
    amount = "" if kept_bytes is None else f", {format_size(kept_bytes)}"
    return f"{pluralize(plan.totals.keep, 'deployment')} kept{amount}"


def format_expiring_title(plan: Plan) -> str:
    """Format the title of the table of deployments that lifecycle rules delete."""
    totals = plan.totals
    deployments = pluralize(totals.expiring, "deployment")
    amount = format_size(totals.bytes_expiring)
    return f"{deployments} expiring (S3 will delete the rest {LIFECYCLE_DELAY}), {amount}"
