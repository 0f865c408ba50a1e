"""Evidence for deletions: a deployment is deleted only on the basis of complete listings.

Without a complete listing, a deployment's times come from its first objects, or from an inventory
report that may be out of date. Such times can select a deployment for deletion, but they cannot
justify it: the deployment itself and everything that the deletion depends on is listed first.
"""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

from ci3.core.model.decision import Reason, ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import RetentionPolicy
from ci3.core.retention.evaluation import Evaluation

_REASONS_WITHOUT_RANK = (
    ReasonCode.KEEP_WITHIN,
    ReasonCode.PROTECTED,
    ReasonCode.CURRENT_COMMIT,
    ReasonCode.LIVE,
    ReasonCode.IN_PROGRESS,
    ReasonCode.NO_OBJECTS,
)
"""Reasons that keep a deployment whatever its age rank is.

Any other reason, that of a new keep rule too, counts as one of rank: older deployments may be
deleted because of it, so that its times must be certain.
"""
_ONLY_REPORTED = Reason(
    code=ReasonCode.AMBIGUOUS_AGE, message="age known only from an inventory report"
)
NO_STARTED_DELETIONS: Mapping[str, str] = MappingProxyType({})
"""No deployment's deletion was started by an earlier run."""

Evaluate = Callable[[Inventory], tuple[Evaluation, ...]]
ListInFull = Callable[[Inventory, Collection[str]], Inventory]


def evaluate_with_full_listings(
    inventory: Inventory,
    policy: RetentionPolicy,
    evaluate_inventory: Evaluate,
    list_in_full: ListInFull,
    started_deletions: Mapping[str, str],
) -> tuple[Inventory, tuple[Evaluation, ...]]:
    """Evaluate, list in full what the deletions depend on, and repeat until nothing is missing.

    `list_in_full` returns the inventory with the named deployments listed in full. For a
    deployment that only a report described, it may list the first objects only, if that suffices.
    One that cannot be listed becomes an unlisted folder of the inventory.

    `started_deletions` maps each deployment whose deletion was started to its fingerprint before
    that. If the fingerprint has changed, the deployment is half deleted and supersedes no other.

    An inventory report never causes a deletion that would not happen without it, whatever it
    contains: see `drop_unverified_deletes`.
    """
    while True:
        evaluations = evaluate_inventory(inventory)
        required = [
            *(known for known in inventory.deployments if known.name in started_deletions),
            *find_required_evidence(evaluations, policy),
        ]
        incomplete = {deployment.name for deployment in required if not deployment.is_fully_listed}
        if not incomplete:
            return inventory, drop_unverified_deletes(
                inventory, evaluations, evaluate_inventory, started_deletions
            )
        inventory = list_in_full(inventory, incomplete)


def find_required_evidence(
    evaluations: Sequence[Evaluation], policy: RetentionPolicy
) -> tuple[Deployment, ...]:
    """Return the deployments whose times must be certain before anything is deleted.

    A deployment can be returned more than once. These are:

        deployment                                  condition
        each one to delete                          always
        the successor of each one to delete         keep-within: its completion starts the clock
        complete, unprotected ones of the same group:
            known from a report only                kept by a count or calendar rule
            listed, in full or in part              any of keep-daily, -weekly, -monthly: it may be
                                                    the newest of a period; or an older object could
                                                    make it expired, so that it would not count
        known from a report only, in that group     kept by a pin on a pull request or branch

    Example with `keep-count: 2` and `protect: p*`, all known from a report, newest first:
    d1, d2 (kept), d3, d4, d5 (to delete), p7, p8 (protected). The result is d1 to d5. The
    protected ones are not needed, because nothing is deleted on their account.
    """
    to_delete = [evaluation for evaluation in evaluations if evaluation.is_delete]
    required = [evaluation.deployment for evaluation in to_delete]
    if policy.keep_within is not None:
        successors = (evaluation.successor for evaluation in to_delete)
        required += [successor.deployment for successor in successors if successor is not None]
    has_calendar_rule = bool(policy.keep_daily or policy.keep_weekly or policy.keep_monthly)
    groups = {evaluation.group for evaluation in to_delete}
    for evaluation in evaluations:
        deployment = evaluation.deployment
        is_compared = (
            _is_kept_by_rank(evaluation)
            if deployment.is_from_report
            else has_calendar_rule or _depends_on_oldest(evaluation)
        )
        is_needed = (evaluation.is_counted and is_compared) or _supersedes_by_pin(evaluation)
        if evaluation.group in groups and is_needed:
            required.append(deployment)
    return tuple(required)


def drop_unverified_deletes(
    inventory: Inventory,
    evaluations: Sequence[Evaluation],
    evaluate_inventory: Evaluate,
    started_deletions: Mapping[str, str],
) -> tuple[Evaluation, ...]:
    """Keep deployments that would be deleted only because of a reported or half-deleted one.

    Removing a deployment from the inventory never makes another one deletable. So a deployment
    that is deleted when the reported ones are left out is also deleted with them, and one that is
    deleted when the half-deleted ones are left out is deleted whether those remain or not. A
    half-deleted deployment itself is evaluated with the other half-deleted ones present: its own
    deletion may be completed.

    Example with `keep-count: 2` and d1, d2, d3 from newest to oldest. A deployment is half deleted
    if its deletion was started and its fingerprint has changed since:

        d1      d2                    d3              d3 is
        listed  listed                listed          deleted: d1 and d2 are newer
        listed  reported only         listed          kept: without d2, only d1 is newer
        listed  half deleted          listed          kept: without d2, only d1 is newer
        listed  started, unchanged    listed          deleted: d2 still supersedes it
        listed  listed                half deleted    deleted
        listed  listed                reported only   kept: its own age is not certain
    """
    reported = {
        deployment.name for deployment in inventory.deployments if deployment.is_from_report
    }
    half_deleted = {
        deployment.name
        for deployment in inventory.deployments
        if deployment.name in started_deletions
        and deployment.fingerprint != started_deletions[deployment.name]
    }
    if not reported and not half_deleted:
        return tuple(evaluations)

    def evaluate_without(names: Set[str]) -> dict[str, Evaluation]:
        remaining = tuple(
            deployment for deployment in inventory.deployments if deployment.name not in names
        )
        return {
            evaluation.deployment.name: evaluation
            for evaluation in evaluate_inventory(replace(inventory, deployments=remaining))
        }

    verified = evaluate_without(reported)
    if half_deleted:  # all but the half-deleted ones themselves are evaluated without them
        verified |= evaluate_without(reported | half_deleted)
    return tuple(
        verified.get(evaluation.deployment.name) or evaluation.with_reason(_ONLY_REPORTED)
        if evaluation.is_delete
        else evaluation
        for evaluation in evaluations
    )


def _is_kept_by_rank(evaluation: Evaluation) -> bool:
    return any(check.code not in _REASONS_WITHOUT_RANK for check in evaluation.keeping_checks)


def _depends_on_oldest(evaluation: Evaluation) -> bool:
    return evaluation.expiry is not None and evaluation.expiry.depends_on_oldest


def _supersedes_by_pin(evaluation: Evaluation) -> bool:
    """Return True if a pin on a pull request or branch keeps a deployment that is only reported."""
    is_pinned = any(check.supersedes for check in evaluation.keeping_checks)
    return is_pinned and evaluation.deployment.is_from_report
