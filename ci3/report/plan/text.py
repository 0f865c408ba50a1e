"""Sentences on plans and results that all renderings share, in plain text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ci3.constants import DEFAULT_KEEP_COUNT, LONG_SPAN_SECONDS
from ci3.core.formatting import (
    format_age,
    format_duration,
    format_minute,
    format_size,
    join_names,
    pluralize,
)
from ci3.core.inventory.short_names import shorten_text
from ci3.core.journal.location import is_s3_url
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import PlanWarning, Refusal
from ci3.core.model.policy import EXPIRE_CLOSED_SETTING, KEEP_COUNT_SETTING, REQUIRED_FILE_SETTING
from ci3.core.model.recipes import find_recipe_url
from ci3.core.model.result import ApplyResult, DeleteGuard, RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.core.retention.rollback import find_rollback_targets
from ci3.errors import Ci3Error, end_sentence
from ci3.report.plan.headlines import format_stale_advice


def format_advice(error: Ci3Error, notes: Iterable[str]) -> str:
    """Return an error's hint, with notes on what else has happened."""
    return " ".join(filter(None, (error.hint, *notes)))


def format_issue(issue: Refusal | PlanWarning) -> str:
    """Return the message of a refusal or warning, and the recipe for it if the docs have one."""
    url = find_recipe_url(issue.code)
    return f"{end_sentence(issue.message)} How to fix this: {url}" if url else issue.message


def format_guard_note(result: ApplyResult) -> str:
    """Return how changes during the deletion were protected; empty if nothing was deleted."""
    match result.guard and result.guard.guard:
        case None:
            return ""
        case DeleteGuard.ETAG:
            note = "S3 checked each object's ETag: objects overwritten with other content are kept"
        case DeleteGuard.ETAG_SINGLE:
            note = (
                "S3 checked ETags only in single-object requests, not in batches: an object "
                "overwritten within seconds of its deletion could have been lost"
            )
        case DeleteGuard.VERSION_ID:
            note = "Each version was deleted by its ID: newer uploads are kept"
        case DeleteGuard.NONE:
            note = (
                "S3 did not confirm conditional deletes: an object overwritten within seconds of "
                "its deletion could have been lost"
            )
    reason = result.guard.reason if result.guard else ""
    return f"{note} ({reason})." if reason else f"{note}."


def format_uploads_note(result: ApplyResult) -> str:
    """Return what was done with unfinished uploads, or an empty string if there were none."""
    notes = []
    if result.uploads_aborted:
        notes.append(f"{pluralize(result.uploads_aborted, 'unfinished upload')} aborted.")
    if result.uploads_problem:
        notes.append(f"Unfinished uploads may remain: {result.uploads_problem}")
    return " ".join(notes)


def format_journal_note(result: ApplyResult) -> str:
    """Return a warning if a second run could write the journal unnoticed, or an empty text."""
    if not result.journal_problem:
        return ""
    return (
        "A second run could write to this journal at the same time: "
        f"{end_sentence(result.journal_problem)} This run cannot be resumed from it."
    )


def format_shortfall(plan: Plan, result: ApplyResult) -> str:
    """Return sentences on what was not deleted and why, or an empty string."""
    handled_count = (
        result.deployments_deleted + result.deployments_skipped + len(result.expiring_names)
    )
    left_count = plan.totals.delete - handled_count
    verb = "was" if left_count == 1 else "were"
    incomplete = f"{pluralize(left_count, 'deployment')} in the plan {verb} not fully deleted"
    shortfall = join_shortfall([incomplete] if left_count else [], result.stop_reason)
    sentences = (shortfall, _format_remainder_note(plan, result))
    return " ".join(end_sentence(sentence) for sentence in sentences if sentence)


def join_shortfall(sentences: Sequence[str], stop_reason: str) -> str:
    """Join what a run has not done with the reason why it stopped early, if it did."""
    stop = f"Stopped early: {stop_reason}" if stop_reason else ""
    return ". ".join(filter(None, (*sentences, stop)))


def _format_remainder_note(plan: Plan, result: ApplyResult) -> str:
    """Return which remainders later plans treat as complete deployments, or an empty string.

    Plans recognize a remainder by a stored journal, or by the missing `required-file`.
    """
    names = [deployment.name for deployment in result.deployments if deployment.may_be_remainder]
    if not names or is_s3_url(result.journal_file) or REQUIRED_FILE_SETTING in plan.policy:
        return ""
    return (
        f"Later plans treat the rest of {join_names(names)} as complete. To delete it, resume "
        "this run from its journal, or run the cleanup again with the same settings"
    )


def format_next_step(target_results: Sequence[TargetResult]) -> str:
    """Return what to do after a refused, stale or partial run, or an empty string."""
    outcomes = {target_result.outcome for target_result in target_results}
    if RunOutcome.STALE_PLAN in outcomes:
        return f"{format_stale_advice(target_results)}."
    if RunOutcome.PARTIAL in outcomes:
        is_resumable = any(
            target_result.result
            and target_result.result.stop_reason
            and target_result.result.journal_file
            for target_result in target_results
            if target_result.plan.engine is Engine.DIRECT
        )
        resume_note = ", or resume from the journal to continue this plan" if is_resumable else ""
        return f"Fix the problem above, then run again with a new plan{resume_note}."
    if RunOutcome.REFUSED in outcomes:
        count = sum(len(target_result.plan.refusals) for target_result in target_results)
        return f"Fix the problem{'s' if count > 1 else ''} above, then run again."
    return ""


def format_policy(plan: Plan) -> str:
    """Return the effective policy: `keep-count` and what differs from its default, with origins."""
    default = (
        {}
        if KEEP_COUNT_SETTING in plan.policy
        else {KEEP_COUNT_SETTING: f"{DEFAULT_KEEP_COUNT} (default)"}
    )
    settings = default | {
        name: f"{entry.text} ({entry.origin})" for name, entry in plan.policy.items()
    }
    if plan.target.repository and EXPIRE_CLOSED_SETTING in settings:
        settings[EXPIRE_CLOSED_SETTING] += f" for {plan.target.repository}"
    return "; ".join(f"{name} {value}" for name, value in settings.items())


def format_rollback_note(plan: Plan) -> str:
    """Return the rollback targets that remain after the plan is applied, without a label.

    Empty if no complete deployment is kept.
    """
    if not any(decision.deployment.is_complete for decision in plan.kept):
        return ""
    if window := format_rollback_window(plan):
        return f"{window}."
    if any(decision.is_live for decision in plan.kept):
        return "none (nothing older than the live deployment is kept)."
    newest = (
        "the newest of each group"
        if len(split_into_sections(plan, plan.kept)) > 1
        else "the newest"
    )
    return f"none (only {newest} is kept)."


def format_rollback_window(plan: Plan) -> str:
    """Return number and age of the rollback targets, or an empty string if there are none."""
    targets = find_rollback_targets(plan.decisions)
    times = [target.deployment.newest_at for target in targets if target.deployment.newest_at]
    if not times:
        return ""
    kept = pluralize(len(targets), "older deployment")
    age = format_duration(plan.created_at - min(times))
    return f"{kept}, up to {age} old"


def join_reasons(decision: Decision, names: Mapping[str, str]) -> str:
    """Join the messages of a decision's reasons, with `names` instead of the full names."""
    text = "; ".join(reason.message for reason in decision.reasons)
    return shorten_text(text, names)


def format_upload_time(decision: Decision, plan: Plan) -> str:
    """Return the age of a deployment's newest object, and how long a slow upload took."""
    newest_at = decision.deployment.newest_at
    if newest_at is None:
        return "–"
    duration = format_upload_duration(decision.deployment)
    return ", ".join(filter(None, (format_age(plan.created_at - newest_at), duration)))


def format_upload_duration(deployment: Deployment) -> str:
    """Return how long a slow upload took, such as `over 3 hours`, or an empty string."""
    newest_at, oldest_at = deployment.newest_at, deployment.oldest_at
    if newest_at is None or oldest_at is None:
        return ""
    duration = newest_at - oldest_at
    is_slow = duration.total_seconds() > LONG_SPAN_SECONDS
    return f"over {format_duration(duration)}" if is_slow else ""


def describe_deployment(deployment: Deployment, now: datetime) -> str:
    """Return a sentence with a deployment's size, completeness and upload times."""
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None:
        return "It has no objects."
    count, amount = format_amounts(deployment)
    amount_text = f"{count} objects, {amount}" if count != "1" else f"1 object, {amount}"
    state = "complete" if deployment.is_complete else "incomplete"
    times = [format_minute(oldest_at), format_minute(newest_at)]
    uploaded = f"from {times[0]} to {times[1]}" if times[0] != times[1] else times[1]
    return f"{amount_text}; {state}; uploaded {uploaded} ({format_age(now - newest_at)})."


def format_amounts(deployment: Deployment) -> tuple[str, str]:
    """Return a deployment's number of objects and its size; `?` if it is not fully listed.

    If its versions are deleted too, the first includes their number and the second is their size.
    """
    if not deployment.has_counts:
        return "?", "?"
    if deployment.versions:
        versions = pluralize(deployment.versions.count, "version")
        return f"{deployment.object_count:,} in {versions}", format_size(
            deployment.versions.size_bytes
        )
    return f"{deployment.object_count:,}", format_size(deployment.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Decisions that are shown together; the title is empty if there is only one group."""

    title: str
    decisions: tuple[Decision, ...]


def split_into_sections(plan: Plan, decisions: Iterable[Decision]) -> tuple[Section, ...]:
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
            title = f"{group or 'no group'}: {delete_count:,} of {len(members):,} to delete"
            result.append(Section(title=title, decisions=tuple(decisions_by_group[group])))
    if single_decisions:
        result.append(
            Section(title="groups with a single deployment", decisions=tuple(single_decisions))
        )
    return tuple(result)
