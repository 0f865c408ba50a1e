"""The plan of a resumed run: only what the interrupted run was approved to delete."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ci3.core.formatting import pluralize
from ci3.core.inventory.fingerprint import compute_fingerprint
from ci3.core.journal.entry import JournalEntry
from ci3.core.journal.header import ApprovedDeployment
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.core.plan.checks import Limits, collect_folder_names, recheck_limits
from ci3.core.plan.plan import NO_LONGER_A_DEPLOYMENT, Plan

NOT_APPROVED_MESSAGE = "to delete, but the resumed run was not approved to delete it"
CHANGED_MESSAGE = "its objects changed since it was approved"
RESTORED_MESSAGE = "it was restored since"

_ABSENT_OUTCOMES = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePlan:
    """The plan of a resumed run, and what happened to the other approved deployments."""

    plan: Plan
    kept_reasons: Mapping[str, str]
    """The reason for each deployment, by name, that was approved but is kept now."""
    absent_prefixes: tuple[str, ...]
    """The prefixes of approved deployments that have no objects any more."""


def has_only_own_deletions(
    approved: ApprovedDeployment, remaining: Sequence[StoredObject], entries: Iterable[JournalEntry]
) -> bool:
    """Return True if only the run's own deletions changed a deployment since its approval.

    That is so if the remaining objects and the journaled objects that no longer exist have together
    the approved fingerprint. Examples, with objects A to D approved:

    | remaining | journaled | result | because                          |
    |-----------|-----------|--------|----------------------------------|
    | C D       | A B       | True   |                                  |
    | B C D     | A B       | True   | B was not deleted yet            |
    | C         | A B       | False  | D was deleted by something else  |
    | C D E     | A B       | False  | E was uploaded                   |
    | A' C D    | A B       | False  | A was deleted and uploaded again |
    """
    remaining_keys = {stored.key for stored in remaining}
    deleted = [stored for stored in _current_objects(entries) if stored.key not in remaining_keys]
    return compute_fingerprint((*remaining, *deleted)) == approved.fingerprint


def find_absent_keys(entries: Iterable[JournalEntry]) -> set[str]:
    """Return the keys of objects that the run deleted, or found absent.

    Permanently deleted versions are not included: they cannot be restored.
    """
    return {
        entry.key
        for entry in entries
        if entry.outcome in _ABSENT_OUTCOMES and not entry.is_permanent
    }


def _current_objects(entries: Iterable[JournalEntry]) -> list[StoredObject]:
    """Return the objects that were current before the run: of each key the newest version.

    Of versions of the same second it is the last entry, because current versions are deleted last.
    """
    newest: dict[str, JournalEntry] = {}
    for entry in entries:
        if entry.key not in newest or entry.modified_at >= newest[entry.key].modified_at:
            newest[entry.key] = entry
    return [
        StoredObject(entry.key, entry.etag, entry.size_bytes, entry.modified_at)
        for entry in newest.values()
        if not entry.is_delete_marker
    ]


def plan_resume(  # noqa: PLR0913 - each argument limits the plan further
    new_plan: Plan,
    approved: Mapping[str, ApprovedDeployment],
    unchanged_prefixes: Collection[str],
    *,
    run_label: str,
    restored_prefixes: Collection[str] = (),
    limits: Limits | None = None,
) -> ResumePlan:
    """Limit a new plan to the deployments that the interrupted run was approved to delete.

    The first condition that applies to a deployment decides:

    | deployment                                     | decision                        |
    |------------------------------------------------|---------------------------------|
    | not approved, to delete in the new plan        | keep                            |
    | not approved, otherwise                        | as in the new plan              |
    | without objects                                | as in the new plan              |
    | not to delete in the new plan                  | as in the new plan, withdrawn   |
    | in `restored_prefixes`                         | keep, withdrawn                 |
    | has the approved fingerprint                   | delete                          |
    | in `unchanged_prefixes`                        | delete                          |
    | otherwise                                      | keep, withdrawn                 |

    `restored_prefixes` and `unchanged_prefixes` are deployments of which the run deleted some
    objects. The limits are checked against the resulting decisions. `run_label` describes the
    interrupted run in the plan's warning.
    """
    decisions: list[Decision] = []
    kept_reasons: dict[str, str] = {}
    for planned in new_plan.decisions:
        approved_deployment = approved.get(planned.deployment.prefix)
        reason = _find_reason_to_keep(
            planned, approved_deployment, unchanged_prefixes, restored_prefixes
        )
        decisions.append(_keep(planned, reason) if reason and planned.is_delete else planned)
        if approved_deployment is not None and reason:
            kept_reasons[approved_deployment.name] = reason
    ignored = {*collect_folder_names((), new_plan.ignored)}
    existing = {
        decision.deployment.name for decision in decisions if not _is_empty(decision.deployment)
    }
    absent = []
    for deployment in approved.values():
        if deployment.name in ignored:
            kept_reasons[deployment.name] = NO_LONGER_A_DEPLOYMENT
        elif deployment.name not in existing:
            absent.append(deployment.prefix)
    plan = replace(
        new_plan,
        decisions=tuple(decisions),
        refusals=recheck_limits(new_plan.refusals, decisions, limits or Limits()),
    )
    message = _progress_message(run_label, approved, absent, plan)
    warning = PlanWarning(code=WarningCode.RESUMED, message=message)
    plan = replace(plan, warnings=(warning, *plan.warnings))
    return ResumePlan(plan=plan, kept_reasons=kept_reasons, absent_prefixes=tuple(absent))


def _find_reason_to_keep(
    decision: Decision,
    approved: ApprovedDeployment | None,
    unchanged_prefixes: Collection[str],
    restored_prefixes: Collection[str],
) -> str:
    """Return why the resumed run must not delete a deployment, or ""; see `plan_resume`."""
    if approved is None:
        return NOT_APPROVED_MESSAGE
    if _is_empty(decision.deployment):
        return ""
    if not decision.is_delete:
        return "; ".join(reason.message for reason in decision.reasons)
    if approved.prefix in restored_prefixes:
        return RESTORED_MESSAGE
    is_unchanged = decision.deployment.fingerprint == approved.fingerprint
    return "" if is_unchanged or approved.prefix in unchanged_prefixes else CHANGED_MESSAGE


def _is_empty(deployment: Deployment) -> bool:
    """Return True if the folder has no objects; some servers list such folders for a while."""
    return deployment.is_fully_listed and deployment.object_count == 0


def _keep(decision: Decision, message: str) -> Decision:
    reason = Reason(code=ReasonCode.NOT_APPROVED, message=message)
    return replace(decision, action=Action.KEEP, reasons=(reason,))


def _progress_message(
    run_label: str, approved: Mapping[str, ApprovedDeployment], absent: Sequence[str], plan: Plan
) -> str:
    approved_count = pluralize(len(approved), "deployment")
    if len(absent) == len(approved):
        return f"{run_label} was to delete {approved_count}, and nothing remains of them"
    kept_count = len(approved) - len(absent) - len(plan.to_delete)
    return (
        f"{run_label} was to delete {approved_count}: {len(absent):,} deleted, "
        f"{len(plan.to_delete):,} remaining, {kept_count:,} now kept"
    )
