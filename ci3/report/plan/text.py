"""Sentences on plans and results that all renderings share, in plain text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ci3.constants import LONG_SPAN_SECONDS, UNDO_DAYS
from ci3.core.formatting import ago, counted, moment, size, span
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import Deployment, Versioning
from ci3.core.model.policy import DELETE_VERSIONS, PolicyEntry
from ci3.core.model.result import DeleteGuard, ObjectOutcome, Outcome, Result
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.core.retention.rollback import rollback_targets

SOON = "within a day or two"


def verdict(plan: Plan) -> str:
    """Return the headline of a plan: what would be deleted, what that frees, what is kept."""
    totals = plan.totals
    kept = _format_kept(totals.keep, totals.expiring)
    if not totals.found:
        return "Nothing to delete: there are no deployments here"
    if not totals.delete and totals.expiring:
        return f"Nothing to delete: {counted(totals.found, 'deployment')} found, {kept}"
    if not totals.delete:
        return f"Nothing to delete: {counted(totals.keep, 'deployment')} found, all kept"
    freed = f"{size(totals.bytes_to_delete)} {_format_bytes_effect(plan)}"
    deleted = f"{totals.delete:,} of {counted(totals.found, 'deployment')} would be deleted"
    if plan.deletes_versions:
        deleted += " with all versions, for good"
    if by_rule_count := sum(decision.expire_days is not None for decision in plan.doomed):
        subject = "" if by_rule_count == totals.delete else f"{by_rule_count:,} of them "
        deleted += f" ({subject}by S3, {SOON})"
    refused = "" if plan.applyable else "Refused: "
    return f"{refused}{deleted}, {freed}; {kept}"


def _format_kept(kept_count: int, expiring_count: int) -> str:
    expiring = f", {expiring_count:,} expiring (S3 deletes them {SOON})" if expiring_count else ""
    return f"{kept_count:,} kept{expiring}"


def _format_bytes_effect(plan: Plan) -> str:
    if plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions:
        return "kept as old versions"
    return "freed"


def achievement(plan: Plan, result: Result) -> str:
    """Return the headline of a result: what was deleted, skipped, left to S3 and kept."""
    deleted_count = result.deployments_deleted
    planned_count = plan.totals.delete
    noun = "version" if plan.deletes_versions else "object"
    objects = counted(result.count(ObjectOutcome.DELETED), noun)
    amount = size(result.bytes_deleted)
    if plan.deletes_versions or plan.target.versioning is Versioning.ENABLED:
        amount += f" {_format_bytes_effect(plan)}"
    left_to_s3 = _format_left_to_s3(plan, result)
    kept = _format_kept(plan.totals.keep, plan.totals.expiring)
    if left_to_s3 and not deleted_count and len(result.expiring) == planned_count:
        return f"{left_to_s3}; {kept}"
    if deleted_count + len(result.expiring) == planned_count:
        deleted = f"{counted(deleted_count, 'deployment')} deleted"
    else:
        deleted = f"{deleted_count:,} of {counted(planned_count, 'deployment')} deleted"
    if plan.deletes_versions:
        deleted += " for good"
    if result.deployments_skipped:
        deleted += f", {result.deployments_skipped:,} skipped that had changed"
    left_note = f"; {left_to_s3}" if left_to_s3 else ""
    return f"{deleted}: {objects}, {amount}{left_note}; {kept}"


def _format_left_to_s3(plan: Plan, result: Result) -> str:
    """Return what lifecycle rules of this run delete, or an empty string."""
    deployments = [
        decision.deployment
        for decision in plan.doomed
        if decision.deployment.name in result.expiring
    ]
    if not deployments:
        return ""
    objects = counted(sum(deployment.object_count for deployment in deployments), "object")
    amount = size(sum(deployment.size_bytes for deployment in deployments))
    them = "it" if len(deployments) == 1 else "them"
    return (
        f"{counted(len(deployments), 'deployment')} left to S3, which deletes "
        f"{them} {SOON}: {objects}, {amount}"
    )


def guard_note(result: Result) -> str:
    """Return how changes during the deletion were protected; empty if nothing was deleted."""
    match result.guard and result.guard.guard:
        case None:
            return ""
        case DeleteGuard.ETAG:
            note = "Each object was deleted only as it was listed: S3 checked its ETag"
        case DeleteGuard.ETAG_SINGLE:
            note = (
                "S3 checked ETags only of objects deleted one by one, not of batches: what was "
                "uploaded in the seconds between its listing and its request went too"
            )
        case DeleteGuard.VERSION_ID:
            note = "Each version was deleted by its id: what was uploaded meanwhile stays"
        case DeleteGuard.NONE:
            note = (
                "No ETag was checked by S3: what was uploaded over an object in the seconds "
                "between its last listing and its request went too"
            )
    reason = result.guard.reason if result.guard else ""
    return f"{note} ({reason})." if reason else f"{note}."


def uploads_note(result: Result) -> str:
    """Return what was done with unfinished uploads, or an empty string if there were none."""
    notes = []
    if result.uploads_aborted:
        notes.append(f"{counted(result.uploads_aborted, 'unfinished upload')} aborted.")
    if result.uploads_problem:
        notes.append(f"Unfinished uploads may be left: {result.uploads_problem}")
    return " ".join(notes)


def staleness(target_result: Account) -> str:
    """Return why a saved plan was not applied, and what to do next."""
    changed_count, planned_count = len(target_result.changed), len(target_result.plan.doomed)
    if not changed_count:
        return "Not applied: the plan of another target is stale"
    rest_note = (
        f" to delete the other {planned_count - changed_count:,}"
        if planned_count > changed_count
        else ""
    )
    alternative = f", or apply it with skip-changed{rest_note}" if rest_note else ""
    planned = counted(planned_count, "deployment")
    return (
        f"The plan is stale: {changed_count:,} of {planned} can't be deleted as "
        f"planned. Nothing was deleted. Make a new plan{alternative}"
    )


def shortfall(plan: Plan, result: Result) -> str:
    """Return what was not deleted and why, or an empty string."""
    handled_count = result.deployments_deleted + result.deployments_skipped + len(result.expiring)
    left_count = plan.totals.delete - handled_count
    verb = "was" if left_count == 1 else "were"
    incomplete = (
        f"{counted(left_count, 'deployment')} of the plan {verb} not deleted, or not all of it"
    )
    sentences = [incomplete] if left_count else []
    if result.stopped:
        sentences.append(f"It stopped early: {result.stopped}")
    return ". ".join(sentences)


def next_note(target_results: Sequence[Account]) -> str:
    """Return what to do after a refused or partial run, or an empty string."""
    outcomes = {target_result.outcome for target_result in target_results}
    if Outcome.STALE_PLAN in outcomes:
        return ""  # included in the headline
    if Outcome.PARTIAL in outcomes:
        next_step = (
            "Mend what is told above, and run it again: it plans anew, and deletes what is left"
        )
        is_resumable = any(
            target_result.result
            and target_result.result.stopped
            and target_result.result.journal_file
            for target_result in target_results
            if target_result.plan.engine is Engine.DIRECT
        )
        resume_note = (
            ", or with resume and the journal goes on with this very plan" if is_resumable else ""
        )
        return f"{next_step}{resume_note}."
    if Outcome.REFUSED in outcomes:
        return "Mend what forbids it. Until then nothing is deleted."
    return ""


def rules_note(plan: Plan) -> str:
    """Return the settings that differ from their defaults, each with its origin."""
    if not plan.policy:
        return "Settings: all at their defaults."
    settings = (
        f"{name} {_format_setting(entry)} ({entry.origin})" for name, entry in plan.policy.items()
    )
    return f"Settings: {'; '.join(settings)}."


def _format_setting(entry: PolicyEntry) -> str:
    return ", ".join(entry.value) if isinstance(entry.value, tuple) else str(entry.value)


def undo_note(plan: Plan) -> str:
    """Return whether the objects that a plan deletes can be restored."""
    if plan.deletes_versions:
        return "Deletion is final: all versions are deleted, and nothing can be undone."
    if any(decision.expire_days for decision in plan.doomed):
        return _format_rules_restore_note(plan)
    match plan.target.versioning:
        case Versioning.ENABLED:
            return (
                "This bucket keeps versions: deleted objects stay as old versions, which can be "
                "brought back and cost as before, until a lifecycle rule removes them."
            )
        case Versioning.SUSPENDED:
            return (
                "Deletion is final: versioning is suspended on this bucket, so a delete destroys "
                "what was uploaded since."
            )
        case Versioning.DISABLED:
            no_effect_note = f", so that {DELETE_VERSIONS} changes nothing"
            return (
                "Deletion is final: this bucket keeps no versions"
                f"{no_effect_note if DELETE_VERSIONS in plan.policy else ''}."
            )
        case Versioning.UNKNOWN:
            return "Take deletion as final: whether this bucket keeps versions could not be read."


def _format_rules_restore_note(plan: Plan) -> str:
    until = f"Until S3 deletes it, {SOON}, an undo takes the rules away"
    if plan.target.versioning is Versioning.ENABLED:
        return (
            f"{until}. Then what is deleted can be brought back for {counted(UNDO_DAYS, 'day')}, "
            "as old versions, until S3 removes those too."
        )
    return f"{until}. Then it is final."


def can_undo(target_result: Account) -> bool:
    """Return True if the run deleted something restorable or left something to S3."""
    plan, result = target_result.plan, target_result.result
    if result is not None and result.expiring:
        return True
    is_kept = plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions
    return is_kept and result is not None and result.count(ObjectOutcome.DELETED) > 0


def rollback_note(plan: Plan) -> str:
    """Return which deployments can be rolled back to after the plan is applied.

    Empty if no complete deployment is kept.
    """
    if not any(decision.deployment.complete for decision in plan.kept):
        return ""
    if window := rollback_window(plan):
        return f"{window}."
    newest = "the newest of each group" if len(sections(plan, plan.kept)) > 1 else "the newest"
    return f"Only {newest} stays: there is nothing to roll back to."


def rollback_window(plan: Plan) -> str:
    """Return number and age of the roll-back targets, or an empty string if there are none."""
    targets = rollback_targets(plan.decisions)
    times = [
        decision.deployment.newest_at
        for decision in targets
        if decision.deployment.newest_at is not None
    ]
    if not times:
        return ""
    note = f"{counted(len(targets), 'older deployment')} can still be rolled back to"
    oldest_at = min(times)
    age = ago(plan.created_at - oldest_at)
    return f"{note}, as far back as {moment(oldest_at)} ({age})"


def reasons(decision: Decision) -> str:
    """Join the messages of a decision's reasons."""
    return "; ".join(reason.message for reason in decision.reasons)


def uploaded(decision: Decision, plan: Plan) -> str:
    """Return the age of a deployment's newest object, and how long a slow upload took."""
    newest_at, oldest_at = decision.deployment.newest_at, decision.deployment.oldest_at
    if newest_at is None or oldest_at is None:
        return "–"
    age = ago(plan.created_at - newest_at)
    upload_duration = newest_at - oldest_at
    return (
        f"{age}, over {span(upload_duration)}"
        if upload_duration.total_seconds() > LONG_SPAN_SECONDS
        else age
    )


def described(deployment: Deployment, now: datetime) -> str:
    """Return a sentence with a deployment's size, completeness and upload times."""
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None:
        return "Nothing was found in it."
    count, amount = amounts(deployment)
    amount_text = f"{count} objects, {amount}" if count != "1" else f"1 object, {amount}"
    state = "complete" if deployment.complete else "incomplete"
    return (
        f"{amount_text}; {state}; uploaded from {moment(oldest_at)} "
        f"to {moment(newest_at)} ({ago(now - newest_at)})."
    )


def amounts(deployment: Deployment) -> tuple[str, str]:
    """Return a deployment's number of objects and its size; `?` if it is not fully listed.

    If its versions are deleted too, the first includes their number and the second is their size.
    """
    if not deployment.is_counted:
        return "?", "?"
    if deployment.versions:
        versions = counted(deployment.versions.count, "version")
        return f"{deployment.object_count:,} in {versions}", size(deployment.versions.size_bytes)
    return f"{deployment.object_count:,}", size(deployment.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Decisions that are shown together; the title is empty if there is only one group."""

    title: str
    decisions: tuple[Decision, ...]


def sections(plan: Plan, decisions: Iterable[Decision]) -> tuple[Section, ...]:
    """Split some of a plan's decisions by group, in the order of the groups' newest deployment.

    Groups that consist of a single deployment with the group's name share the last section.
    """
    groups: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        groups.setdefault(decision.group, []).append(decision)
    if list(groups) in ([], [""]):
        return (Section(title="", decisions=tuple(decisions)),)
    decisions_by_group: dict[str, list[Decision]] = {group: [] for group in groups}
    for decision in decisions:
        decisions_by_group[decision.group].append(decision)
    result, single_decisions = [], []
    for group, members in groups.items():
        if [member.deployment.name for member in members] == [group]:
            single_decisions += decisions_by_group[group]
        elif decisions_by_group[group]:
            delete_count = sum(member.is_delete for member in members)
            title = f"{group or 'the rest'}: {delete_count:,} of {len(members):,} to delete"
            result.append(Section(title=title, decisions=tuple(decisions_by_group[group])))
    if single_decisions:
        result.append(Section(title="each a group of its own", decisions=tuple(single_decisions)))
    return tuple(result)


def total_verdict(target_results: Sequence[Account]) -> str:
    """Return the headline of a run, over all its targets."""
    if len(target_results) == 1:
        return _format_target_headline(target_results[0])
    targets = f"in {len(target_results):,} targets"
    if changed_count := sum(
        len(target_result.changed) for target_result in target_results if target_result.is_stale
    ):
        planned_count = sum(len(target_result.plan.doomed) for target_result in target_results)
        changed = f"{changed_count:,} of {counted(planned_count, 'deployment')} {targets}"
        return f"The plan is stale: {changed} can't be deleted as planned. Nothing was deleted"
    if any(target_result.result for target_result in target_results):
        return _format_results_headline(target_results, targets)
    return _format_plans_headline(target_results, targets)


def _format_results_headline(target_results: Sequence[Account], targets: str) -> str:
    results = [target_result.result for target_result in target_results if target_result.result]
    deleted_count = sum(result.deployments_deleted for result in results)
    to_delete_count = sum(target_result.plan.totals.delete for target_result in target_results)
    direct_count = to_delete_count - sum(len(result.expiring) for result in results)
    deleted = f"{deleted_count:,}"
    if deleted_count != direct_count:
        deleted += f" of {direct_count:,}"
    is_all_final = all(target_result.plan.deletes_versions for target_result in target_results)
    noun = "version" if is_all_final else "object"
    objects = counted(sum(result.count(ObjectOutcome.DELETED) for result in results), noun)
    amount = size(sum(result.bytes_deleted for result in results))
    kept = _format_kept_in_all(target_results)
    return f"{deleted} deployments deleted {targets}: {objects}, {amount}; {kept}"


def _format_plans_headline(target_results: Sequence[Account], targets: str) -> str:
    totals = [target_result.plan.totals for target_result in target_results]
    found_count = sum(target_totals.found for target_totals in totals)
    to_delete_count = sum(target_totals.delete for target_totals in totals)
    kept_count = sum(target_totals.keep for target_totals in totals)
    kept = _format_kept_in_all(target_results)
    deployments = counted(found_count, "deployment")
    if not to_delete_count:
        kept = "all kept" if kept_count == found_count else kept
        return f"Nothing to delete {targets}: {deployments} found, {kept}"
    amount = size(sum(target_totals.bytes_to_delete for target_totals in totals))
    refused = (
        "" if all(target_result.plan.applyable for target_result in target_results) else "Refused: "
    )
    deleted = f"{to_delete_count:,} of {deployments} {targets} would be deleted"
    plans = [target_result.plan for target_result in target_results]
    if final_count := sum(plan.totals.delete for plan in plans if plan.deletes_versions):
        deleted += f", {final_count:,} of them with all versions, for good"
    return f"{refused}{deleted}, {amount}; {kept}"


def _format_kept_in_all(target_results: Sequence[Account]) -> str:
    kept_count = sum(target_result.plan.totals.keep for target_result in target_results)
    return _format_kept(
        kept_count, sum(target_result.expiring_count for target_result in target_results)
    )


def _format_target_headline(target_result: Account) -> str:
    if target_result.is_stale:
        return staleness(target_result)
    if target_result.result is None:
        return verdict(target_result.plan)
    return achievement(target_result.plan, target_result.result)
