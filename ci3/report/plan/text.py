"""What a plan and a result come to, in sentences that every rendering shares; plain text."""

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
    """Say first what matters: what would go, what that frees, what stays."""
    totals = plan.totals
    kept = _what_stays(totals.keep, totals.expiring)
    if not totals.found:
        return "Nothing to delete: there are no deployments here"
    if not totals.delete and totals.expiring:
        return f"Nothing to delete: {counted(totals.found, 'deployment')} found, {kept}"
    if not totals.delete:
        return f"Nothing to delete: {counted(totals.keep, 'deployment')} found, all kept"
    freed = f"{size(totals.bytes_to_delete)} {_fate_of_bytes(plan)}"
    deleted = f"{totals.delete:,} of {counted(totals.found, 'deployment')} would be deleted"
    if plan.deletes_versions:
        deleted += " with all versions, for good"
    if by_rule := sum(one.expire_days is not None for one in plan.doomed):
        which = "" if by_rule == totals.delete else f"{by_rule:,} of them "
        deleted += f" ({which}by S3, {SOON})"
    refused = "" if plan.applyable else "Refused: "
    return f"{refused}{deleted}, {freed}; {kept}"


def _what_stays(kept_count: int, expiring_count: int) -> str:
    expiring = f", {expiring_count:,} expiring (S3 deletes them {SOON})" if expiring_count else ""
    return f"{kept_count:,} kept{expiring}"


def _fate_of_bytes(plan: Plan) -> str:
    if plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions:
        return "kept as old versions"
    return "freed"


def achievement(plan: Plan, result: Result) -> str:
    """Say what an apply did, with what is left to do where it is not all."""
    done = result.deployments_deleted
    planned = plan.totals.delete
    noun = "version" if plan.deletes_versions else "object"
    objects = counted(result.count(ObjectOutcome.DELETED), noun)
    amount = size(result.bytes_deleted)
    if plan.deletes_versions or plan.target.versioning is Versioning.ENABLED:
        amount += f" {_fate_of_bytes(plan)}"
    left_to_s3 = _left_to_s3(plan, result)
    rest = _what_stays(plan.totals.keep, plan.totals.expiring)
    if left_to_s3 and not done and len(result.expiring) == planned:
        return f"{left_to_s3}; {rest}"
    if done + len(result.expiring) == planned:
        what = f"{counted(done, 'deployment')} deleted"
    else:
        what = f"{done:,} of {counted(planned, 'deployment')} deleted"
    if plan.deletes_versions:
        what += " for good"
    if result.deployments_skipped:
        what += f", {result.deployments_skipped:,} skipped that had changed"
    more = f"; {left_to_s3}" if left_to_s3 else ""
    return f"{what}: {objects}, {amount}{more}; {rest}"


def _left_to_s3(plan: Plan, result: Result) -> str:
    """Say what a run has left to S3, or nothing where it left nothing."""
    left = [one.deployment for one in plan.doomed if one.deployment.name in result.expiring]
    if not left:
        return ""
    objects = counted(sum(one.object_count for one in left), "object")
    amount = size(sum(one.size_bytes for one in left))
    them = "it" if len(left) == 1 else "them"
    return (
        f"{counted(len(left), 'deployment')} left to S3, which deletes {them} {SOON}: "
        f"{objects}, {amount}"
    )


def guard_note(result: Result) -> str:
    """Say what kept a late change safe while objects were deleted, or nothing where none were."""
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
    """Say what became of unfinished uploads, or nothing where there were none."""
    notes = []
    if result.uploads_aborted:
        notes.append(f"{counted(result.uploads_aborted, 'unfinished upload')} aborted.")
    if result.uploads_problem:
        notes.append(f"Unfinished uploads may be left: {result.uploads_problem}")
    return " ".join(notes)


def staleness(account: Account) -> str:
    """Say of a saved plan that it was not applied, since things have changed."""
    changed, due = len(account.changed), len(account.plan.doomed)
    if not changed:
        return "Not applied: the plan of another target is stale"
    rest = f" to delete the other {due - changed:,}" if due > changed else ""
    again = f", or apply it with skip-changed{rest}" if rest else ""
    return (
        f"The plan is stale: {changed:,} of {counted(due, 'deployment')} can't be deleted as "
        f"planned. Nothing was deleted. Make a new plan{again}"
    )


def shortfall(plan: Plan, result: Result) -> str:
    """Say what an apply left undone, or nothing where it left nothing."""
    done = result.deployments_deleted + result.deployments_skipped + len(result.expiring)
    left = plan.totals.delete - done
    was = "was" if left == 1 else "were"
    told = f"{counted(left, 'deployment')} of the plan {was} not deleted, or not all of it"
    sentences = [told] if left else []
    if result.stopped:
        sentences.append(f"It stopped early: {result.stopped}")
    return ". ".join(sentences)


def next_note(accounts: Sequence[Account]) -> str:
    """Say what to do where a run was not allowed, or has not done it all; else nothing."""
    outcomes = {account.outcome for account in accounts}
    if Outcome.STALE_PLAN in outcomes:
        return ""  # the headline says it
    if Outcome.PARTIAL in outcomes:
        again = "Mend what is told above, and run it again: it plans anew, and deletes what is left"
        is_resumable = any(
            one.result and one.result.stopped and one.result.journal_file
            for one in accounts
            if one.plan.engine is Engine.DIRECT
        )
        on = ", or with resume and the journal goes on with this very plan" if is_resumable else ""
        return f"{again}{on}."
    if Outcome.REFUSED in outcomes:
        return "Mend what forbids it. Until then nothing is deleted."
    return ""


def rules_note(plan: Plan) -> str:
    """Say which settings shaped the plan, and where they came from."""
    if not plan.policy:
        return "Settings: all at their defaults."
    shown = (f"{name} {_shown(entry)} ({entry.origin})" for name, entry in plan.policy.items())
    return f"Settings: {'; '.join(shown)}."


def _shown(entry: PolicyEntry) -> str:
    return ", ".join(entry.value) if isinstance(entry.value, tuple) else str(entry.value)


def undo_note(plan: Plan) -> str:
    """Say whether what a plan deletes can be brought back."""
    if plan.deletes_versions:
        return "Deletion is final: all versions are deleted, and nothing can be undone."
    if any(one.expire_days for one in plan.doomed):
        return _undo_note_of_rules(plan)
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
            idle = f", so that {DELETE_VERSIONS} changes nothing"
            return (
                "Deletion is final: this bucket keeps no versions"
                f"{idle if DELETE_VERSIONS in plan.policy else ''}."
            )
        case Versioning.UNKNOWN:
            return "Take deletion as final: whether this bucket keeps versions could not be read."


def _undo_note_of_rules(plan: Plan) -> str:
    until = f"Until S3 deletes it, {SOON}, an undo takes the rules away"
    if plan.target.versioning is Versioning.ENABLED:
        return (
            f"{until}. Then what is deleted can be brought back for {counted(UNDO_DAYS, 'day')}, "
            "as old versions, until S3 removes those too."
        )
    return f"{until}. Then it is final."


def can_undo(account: Account) -> bool:
    """Say whether something was deleted, or left to S3, that a restore brings back."""
    plan, result = account.plan, account.result
    if result is not None and result.expiring:
        return True
    is_kept = plan.target.versioning is Versioning.ENABLED and not plan.deletes_versions
    return is_kept and result is not None and result.count(ObjectOutcome.DELETED) > 0


def rollback_note(plan: Plan) -> str:
    """Say how far back one can still go once the plan is applied."""
    if not any(decision.deployment.complete for decision in plan.kept):
        return ""
    if window := rollback_window(plan):
        return f"{window}."
    newest = "the newest of each group" if len(sections(plan, plan.kept)) > 1 else "the newest"
    return f"Only {newest} stays: there is nothing to roll back to."


def rollback_window(plan: Plan) -> str:
    """Say how many one can go back to and how far that is, or nothing where there is none."""
    targets = rollback_targets(plan.decisions)
    times = [one.deployment.newest_at for one in targets if one.deployment.newest_at is not None]
    if not times:
        return ""
    note = f"{counted(len(targets), 'older deployment')} can still be rolled back to"
    oldest_at = min(times)
    return f"{note}, as far back as {moment(oldest_at)} ({ago(plan.created_at - oldest_at)})"


def reasons(decision: Decision) -> str:
    """Join a decision's reasons."""
    return "; ".join(reason.message for reason in decision.reasons)


def uploaded(decision: Decision, plan: Plan) -> str:
    """Say when a deployment's newest object was uploaded."""
    newest_at, oldest_at = decision.deployment.newest_at, decision.deployment.oldest_at
    if newest_at is None or oldest_at is None:
        return "–"
    when = ago(plan.created_at - newest_at)
    took = newest_at - oldest_at
    return f"{when}, over {span(took)}" if took.total_seconds() > LONG_SPAN_SECONDS else when


def described(deployment: Deployment, now: datetime) -> str:
    """Say what a deployment is: how much, when uploaded, and whether it is complete."""
    oldest_at, newest_at = deployment.oldest_at, deployment.newest_at
    if oldest_at is None or newest_at is None:
        return "Nothing was found in it."
    count, amount = amounts(deployment)
    what = f"{count} objects, {amount}" if count != "1" else f"1 object, {amount}"
    state = "complete" if deployment.complete else "incomplete"
    return (
        f"{what}; {state}; uploaded from {moment(oldest_at)} "
        f"to {moment(newest_at)} ({ago(now - newest_at)})."
    )


def amounts(deployment: Deployment) -> tuple[str, str]:
    """Write a deployment's number of objects and its size; `?` where not all was listed.

    Where its versions go too, their number stands beside, and the size is theirs.
    """
    if not deployment.is_counted:
        return "?", "?"
    if deployment.versions:
        versions = counted(deployment.versions.count, "version")
        return f"{deployment.object_count:,} in {versions}", size(deployment.versions.size_bytes)
    return f"{deployment.object_count:,}", size(deployment.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Decisions that are shown together; the title is empty where there is only one group."""

    title: str
    decisions: tuple[Decision, ...]


def sections(plan: Plan, decisions: Iterable[Decision]) -> tuple[Section, ...]:
    """Part some of a plan's decisions by group, in the order of the groups' newest.

    Deployments that are each a group of their own stand together, last.
    """
    groups: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        groups.setdefault(decision.group, []).append(decision)
    if list(groups) in ([], [""]):
        return (Section(title="", decisions=tuple(decisions)),)
    shown: dict[str, list[Decision]] = {group: [] for group in groups}
    for decision in decisions:
        shown[decision.group].append(decision)
    parted, alone = [], []
    for group, members in groups.items():
        if [member.deployment.name for member in members] == [group]:
            alone += shown[group]
        elif shown[group]:
            due = sum(member.is_delete for member in members)
            title = f"{group or 'the rest'}: {due:,} of {len(members):,} to delete"
            parted.append(Section(title=title, decisions=tuple(shown[group])))
    if alone:
        parted.append(Section(title="each a group of its own", decisions=tuple(alone)))
    return tuple(parted)


def total_verdict(accounts: Sequence[Account]) -> str:
    """Say first what matters of a run, over all its targets."""
    if len(accounts) == 1:
        return _own_verdict(accounts[0])
    totals = [account.plan.totals for account in accounts]
    found, due = sum(one.found for one in totals), sum(one.delete for one in totals)
    kept = sum(one.keep for one in totals)
    where = f"in {len(accounts):,} targets"
    if stale := sum(len(account.changed) for account in accounts if account.is_stale):
        planned = sum(len(account.plan.doomed) for account in accounts)
        what = f"{stale:,} of {counted(planned, 'deployment')} {where}"
        return f"The plan is stale: {what} can't be deleted as planned. Nothing was deleted"
    stays = _what_stays(kept, sum(account.expiring_count for account in accounts))
    if results := [account.result for account in accounts if account.result]:
        done = sum(result.deployments_deleted for result in results)
        left = due - sum(len(result.expiring) for result in results)
        objects = sum(result.count(ObjectOutcome.DELETED) for result in results)
        amount = size(sum(result.bytes_deleted for result in results))
        whole = f"{done:,} of {left:,}" if done != left else f"{done:,}"
        is_all_final = all(account.plan.deletes_versions for account in accounts)
        objects_deleted = counted(objects, "version" if is_all_final else "object")
        return f"{whole} deployments deleted {where}: {objects_deleted}, {amount}; {stays}"
    if not due:
        all_kept = "all kept" if kept == found else stays
        return f"Nothing to delete {where}: {counted(found, 'deployment')} found, {all_kept}"
    amount = size(sum(one.bytes_to_delete for one in totals))
    refused = "" if all(account.plan.applyable for account in accounts) else "Refused: "
    deleted = f"{due:,} of {counted(found, 'deployment')} {where} would be deleted"
    if final := sum(one.plan.totals.delete for one in accounts if one.plan.deletes_versions):
        deleted += f", {final:,} of them with all versions, for good"
    return f"{refused}{deleted}, {amount}; {stays}"


def _own_verdict(account: Account) -> str:
    if account.is_stale:
        return staleness(account)
    if account.result is None:
        return verdict(account.plan)
    return achievement(account.plan, account.result)
