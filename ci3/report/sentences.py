"""What a plan and a result come to, in sentences that every rendering shares; plain text."""

from ci3.core.model import Decision, ObjectOutcome, Result, Target, Versioning
from ci3.core.plan import Plan, PolicyEntry
from ci3.core.wording import ago, counted, moment, size


def verdict(plan: Plan) -> str:
    """Say first what matters: what would go, what that frees, what stays."""
    totals = plan.totals
    kept = f"{totals.keep:,} kept"
    if not totals.found:
        return "Nothing to delete: there are no deployments here"
    if not totals.delete:
        return f"Nothing to delete: {counted(totals.keep, 'deployment')} found, all kept"
    amount = size(totals.bytes_to_delete)
    freed = (
        f"{amount} kept as old versions"
        if plan.target.versioning is Versioning.ENABLED
        else f"{amount} freed"
    )
    deleted = f"{totals.delete:,} of {counted(totals.found, 'deployment')} would be deleted"
    refused = "" if plan.applyable else "Refused: "
    return f"{refused}{deleted}, {freed}; {kept}"


def achievement(plan: Plan, result: Result) -> str:
    """Say what an apply did, with what is left to do where it is not all."""
    done = result.deployments_deleted
    planned = plan.totals.delete
    objects = counted(result.count(ObjectOutcome.DELETED), "object")
    amount = size(result.bytes_deleted)
    if done == planned:
        what = f"{counted(done, 'deployment')} deleted"
    else:
        what = f"{done:,} of {counted(planned, 'deployment')} deleted"
    return f"{what}: {objects}, {amount}; {plan.totals.keep:,} kept"


def shortfall(plan: Plan, result: Result) -> str:
    """Say what an apply left undone, or nothing where it left nothing."""
    left = plan.totals.delete - result.deployments_deleted
    sentences = (
        [f"{counted(left, 'deployment')} of the plan not deleted, or not whole"] if left else []
    )
    if result.stopped:
        sentences.append(f"It stopped early: {result.stopped}")
    return ". ".join(sentences)


def rules_note(plan: Plan) -> str:
    """Say which settings shaped the plan, and where they came from."""
    if not plan.policy:
        return "Settings: all at their defaults."
    shown = (f"{name} {_shown(entry)} ({entry.origin})" for name, entry in plan.policy.items())
    return f"Settings: {'; '.join(shown)}."


def _shown(entry: PolicyEntry) -> str:
    return ", ".join(entry.value) if isinstance(entry.value, tuple) else str(entry.value)


def undo_note(target: Target) -> str:
    """Say whether a deletion on this bucket can be undone."""
    match target.versioning:
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
            return "Deletion is final: this bucket keeps no versions."
        case Versioning.UNKNOWN:
            return "Take deletion as final: whether this bucket keeps versions could not be read."


def rollback_targets(plan: Plan) -> tuple[Decision, ...]:
    """List the complete deployments that stay besides the newest: what one can go back to."""
    usable = [decision for decision in plan.kept if decision.deployment.complete]
    return tuple(usable[1:])


def rollback_note(plan: Plan) -> str:
    """Say how far back one can still go once the plan is applied."""
    targets = rollback_targets(plan)
    if not targets:
        return "Only the newest stays: there is nothing to roll back to." if plan.kept else ""
    oldest_at = targets[-1].deployment.newest_at
    note = f"{counted(len(targets), 'older deployment')} can still be rolled back to"
    if oldest_at is None:
        return f"{note}."
    return f"{note}, as far back as {moment(oldest_at)} ({ago(plan.created_at - oldest_at)})."


def reasons(decision: Decision) -> str:
    """Join a decision's reasons."""
    return "; ".join(reason.message for reason in decision.reasons)


def uploaded(decision: Decision, plan: Plan) -> str:
    """Say when a deployment's newest object was uploaded."""
    newest_at = decision.deployment.newest_at
    return "–" if newest_at is None else ago(plan.created_at - newest_at)
