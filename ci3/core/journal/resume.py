"""What a resumed run may still delete, given what its journal says it was approved to; pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ci3.core.formatting import counted
from ci3.core.inventory.fingerprint import fingerprint
from ci3.core.journal.entry import JournalEntry
from ci3.core.journal.header import ApprovedDeployment
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.checks import Limits, hold_limits
from ci3.core.plan.plan import NO_DEPLOYMENT, Plan

NOT_NAMED = "it is due, and not among what the run that is resumed was to delete"
CHANGED = "its objects changed since it was approved"
BROUGHT_BACK = "it was brought back since"

_WENT = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A plan for what is left of a run; of what it leaves alone, though approved once, why."""

    plan: Plan
    withdrawn: Mapping[str, str]
    gone: tuple[str, ...]
    """The prefixes of which nothing is there any more."""


def is_as_approved(
    approved: ApprovedDeployment, left: Sequence[StoredObject], entries: Iterable[JournalEntry]
) -> bool:
    """Whether nothing but the run's own deletions has changed a deployment since it was approved.

    So it is when what is left and what the journal names of the rest make exactly what was
    approved: nothing is there that was not, is not as it was, or went without the run.
    """
    there = {one.key for one in left}
    gone = [one for one in _current(entries) if one.key not in there]
    return fingerprint((*left, *gone)) == approved.fingerprint


def find_gone(entries: Iterable[JournalEntry]) -> set[str]:
    """Find the keys of the objects that were gone when the run was done with them.

    Of what was deleted for good there are none: that does not come back.
    """
    return {one.key for one in entries if one.outcome in _WENT and not one.is_final}


def _current(entries: Iterable[JournalEntry]) -> list[StoredObject]:
    """List the objects that a listing showed before: of several versions of a key the newest.

    Of those of one second the last that was named, since what is current goes last.
    """
    newest: dict[str, JournalEntry] = {}
    for one in entries:
        if one.key not in newest or one.modified_at >= newest[one.key].modified_at:
            newest[one.key] = one
    return [
        StoredObject(
            key=one.key, etag=one.etag, size_bytes=one.size_bytes, modified_at=one.modified_at
        )
        for one in newest.values()
        if not one.is_marker
    ]


def plan_what_is_left(  # noqa: PLR0913 - all that narrows it
    fresh: Plan,
    approved: Mapping[str, ApprovedDeployment],
    unchanged: Collection[str],
    *,
    told: str,
    brought_back: Collection[str] = (),
    limits: Limits | None = None,
) -> Left:
    """Limit a new plan to what an earlier run was approved to delete; `told` names that run.

    A deployment that is due goes on being deleted only when it was approved, and is as it was then
    or, by its prefix, among the `unchanged`; never when it is among those that were `brought_back`.
    The limits are held against what is left to delete.
    """
    decisions: list[Decision] = []
    withdrawn: dict[str, str] = {}
    for decision in fresh.decisions:
        one = approved.get(decision.deployment.prefix)
        if one is None:
            decisions.append(_spared(decision, NOT_NAMED) if decision.is_delete else decision)
        elif _is_empty(decision.deployment):
            decisions.append(decision)
        elif not decision.is_delete:
            why = "; ".join(reason.message for reason in decision.reasons)
            withdrawn[one.name] = why
            decisions.append(decision)
        elif one.prefix in brought_back:
            withdrawn[one.name] = BROUGHT_BACK
            decisions.append(_spared(decision, BROUGHT_BACK))
        elif decision.deployment.fingerprint == one.fingerprint or one.prefix in unchanged:
            decisions.append(decision)
        else:
            withdrawn[one.name] = CHANGED
            decisions.append(_spared(decision, CHANGED))
    ignored = {one.name.removesuffix("/") for one in fresh.ignored if one.name.endswith("/")}
    withdrawn |= {one.name: NO_DEPLOYMENT for one in approved.values() if one.name in ignored}
    there = (one.deployment for one in decisions if not _is_empty(one.deployment))
    found = {one.name for one in there} | ignored
    gone = tuple(one.prefix for one in approved.values() if one.name not in found)
    refusals = hold_limits(fresh.refusals, decisions, limits or Limits())
    plan = replace(fresh, decisions=tuple(decisions), refusals=refusals)
    warning = PlanWarning(code=WarningCode.RESUMED, message=_tell(told, approved, gone, plan))
    plan = replace(plan, warnings=(warning, *plan.warnings))
    return Left(plan=plan, withdrawn=withdrawn, gone=gone)


def _is_empty(deployment: Deployment) -> bool:
    """Whether only the folder is still shown, as some servers do for a while."""
    return deployment.is_whole and deployment.object_count == 0


def _spared(decision: Decision, why: str) -> Decision:
    reason = Reason(code=ReasonCode.NOT_APPROVED, message=why)
    return replace(decision, action=Action.KEEP, reasons=(reason,))


def _tell(
    told: str, approved: Mapping[str, ApprovedDeployment], gone: Sequence[str], plan: Plan
) -> str:
    was = counted(len(approved), "deployment")
    if len(gone) == len(approved):
        return f"{told} was to delete {was}, and nothing is left of them"
    kept = len(approved) - len(gone) - len(plan.doomed)
    return (
        f"{told} was to delete {was}: gone {len(gone):,}, left to delete {len(plan.doomed):,}, "
        f"kept by now {kept:,}"
    )
