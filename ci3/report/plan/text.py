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
from ci3.report.plan.headlines import SOON


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
