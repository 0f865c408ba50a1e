"""Retention decision: keep a deployment if any rule or pin matches, or if its age is uncertain."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ci3.core.formatting import format_age
from ci3.core.live.pins import Pin, is_protected
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.model.user_pattern import UserPattern
from ci3.core.retention.age_order import (
    AgeFrom,
    AgeOrder,
    DatedDeployment,
    date_deployment,
    sort_newest_first,
)
from ci3.core.retention.calendar_rule import Periods, find_last_periods
from ci3.core.retention.closed_previews import (
    NO_PULL_REQUESTS,
    ExpiryCheck,
    PullRequestReading,
    check_preview,
)
from ci3.core.retention.count_rule import CountLimit, check_name_count, check_upload_count
from ci3.core.retention.evaluation import Evaluation, RuleCheck
from ci3.core.retention.groups import group_deployments
from ci3.core.retention.in_progress import has_recent_object
from ci3.core.retention.name_order import NameOrder
from ci3.core.retention.newest_pins import resolve_pins
from ci3.core.retention.unfinished import NO_PARTIAL_DELETIONS, PartialDeletion
from ci3.core.units import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """The keep rules of a target; a rule with a count of 0 or with None keeps nothing.

    `expire_closed` is no keep rule: see `ci3.core.retention.closed_previews`.
    """

    keep_count: int
    keep_within: Duration | None = None
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    group_by: UserPattern | None = None
    age_from: AgeFrom = AgeFrom.SPAN
    expire_closed: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _EvaluationContext:
    policy: RetentionPolicy
    limit: CountLimit
    pins: Sequence[Pin]
    now: datetime
    started_deletions: Collection[str]
    partial_deletions: Mapping[str, PartialDeletion]
    pull_requests: PullRequestReading

    def check_expiry(self, deployment: Deployment) -> ExpiryCheck | None:
        """Return the result of `expire-closed`, without pins and unfinished uploads."""
        period = self.policy.expire_closed
        if period is None:
            return None
        return check_preview(deployment, self.pull_requests, period, self.now)

    def may_be_uploading(self, deployment: Deployment) -> bool:
        """Return True if more objects of an incomplete deployment may follow soon."""
        is_own_deletion = deployment.name in self.started_deletions
        return not is_own_deletion and has_recent_object(deployment, self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """One group's counted deployments, and the periods of each calendar rule.

    Those are the complete ones that `protect` does not match: a shared folder, which is often the
    newest, must not take the place of a deployment or supersede it. Nor must a preview that is
    expired, or may be: the others would lose their last deployment because of it. That is so
    whether a pin keeps it or not: no pin may make another deployment deletable.
    """

    name: str
    complete: AgeOrder
    by_name: NameOrder | None
    """The same deployments in the order of their names, only for `age-from: name`."""
    periods: Mapping[ReasonCode, Periods]
    expiry: Mapping[str, ExpiryCheck]
    """The results of `expire-closed` for the previews of the group, by name."""


_NO_OBJECTS_MESSAGE = "no objects"
_IN_PROGRESS_MESSAGE = "incomplete and newer than all complete ones; may still be uploading"
_RECENT_OBJECT_MESSAGE = "incomplete, with an object from the last hour; may still be uploading"


def decide(
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    now: datetime,
    minimum_keep_count: int,
) -> tuple[Decision, ...]:
    """Return a decision for every deployment, newest first, those without objects last.

    The result does not depend on the inventory's order. Raises ValueError if `minimum_keep_count`
    is below 1, because a group could then lose its last deployment.
    """
    evaluations = evaluate(inventory, policy, pins, now, minimum_keep_count)
    return tuple(evaluation.decision for evaluation in evaluations)


def evaluate(  # noqa: PLR0913 - all that a decision rests on
    inventory: Inventory,
    policy: RetentionPolicy,
    pins: Sequence[Pin],
    now: datetime,
    minimum_keep_count: int,
    *,
    started_deletions: Collection[str] = (),
    partial_deletions: Mapping[str, PartialDeletion] = NO_PARTIAL_DELETIONS,
    pull_requests: PullRequestReading = NO_PULL_REQUESTS,
) -> tuple[Evaluation, ...]:
    """Check every deployment against every rule and pin; order and errors as for `decide`.

    `started_deletions` are the names of deployments that the run which is resumed has begun to
    delete: a young object in them does not mean that they are uploading. The caller compares what
    is left of them with the journal. `partial_deletions` are deployments, by name, that other runs
    have partly deleted: they are evaluated as incomplete, which never deletes another deployment.
    `pull_requests` are those of previews, for `expire-closed`.
    """
    if minimum_keep_count < 1:
        raise ValueError(f"minimum_keep_count must be at least 1, not {minimum_keep_count}")
    ordered = sort_newest_first(
        replace(deployment, is_complete=False)
        if deployment.name in partial_deletions
        else deployment
        for deployment in inventory.deployments
    )
    context = _EvaluationContext(
        policy=policy,
        limit=CountLimit(
            keep_count=policy.keep_count, required=max(policy.keep_count, minimum_keep_count)
        ),
        pins=resolve_pins(pins, ordered, group_by=policy.group_by, age_from=policy.age_from),
        now=now,
        started_deletions=started_deletions,
        partial_deletions=partial_deletions,
        pull_requests=pull_requests,
    )
    evaluations = {
        evaluation.deployment.prefix: evaluation
        for key, deployments in group_deployments(ordered, policy.group_by).items()
        for evaluation in _evaluate_group("/".join(key[1:]), deployments, context)
    }
    return tuple(evaluations[deployment.prefix] for deployment in ordered)


def _evaluate_group(
    name: str, deployments: Sequence[Deployment], context: _EvaluationContext
) -> Iterable[Evaluation]:
    policy = context.policy
    dated_by_name = {
        deployment.name: date_deployment(deployment, policy.age_from) for deployment in deployments
    }
    expiry = {
        deployment.name: check
        for deployment in deployments
        if (check := context.check_expiry(deployment)) is not None
    }
    complete = [
        dated
        for name, dated in dated_by_name.items()
        if dated is not None
        and dated.deployment.is_complete
        and (name not in expiry or expiry[name].is_counted)
        and not is_protected(name, context.pins)
    ]
    counts = {
        ReasonCode.KEEP_DAILY: policy.keep_daily,
        ReasonCode.KEEP_WEEKLY: policy.keep_weekly,
        ReasonCode.KEEP_MONTHLY: policy.keep_monthly,
    }
    group = _Group(
        name=name,
        complete=AgeOrder(complete),
        by_name=NameOrder(complete) if policy.age_from is AgeFrom.NAME else None,
        periods={
            code: find_last_periods(code, count, complete)
            for code, count in counts.items()
            if count
        },
        expiry=expiry,
    )
    for deployment in deployments:
        yield _evaluate(deployment, dated_by_name[deployment.name], group, context)


def _evaluate(
    deployment: Deployment,
    dated: DatedDeployment | None,
    group: _Group,
    context: _EvaluationContext,
) -> Evaluation:
    checks = [_check_pin(pin, deployment.name) for pin in context.pins]
    if partial_deletion := context.partial_deletions.get(deployment.name):
        checks.append(_check_partial_deletion(partial_deletion))
    expiry = group.expiry.get(deployment.name)
    is_expired = expiry is not None and expiry.is_expired
    if dated is None:
        checks.append(_always_kept(ReasonCode.NO_OBJECTS, _NO_OBJECTS_MESSAGE))
    elif (
        not deployment.is_complete and not is_expired and _is_newer_than_all(dated, group.complete)
    ):
        checks.append(_always_kept(ReasonCode.IN_PROGRESS, _IN_PROGRESS_MESSAGE))
    elif not deployment.is_complete and context.may_be_uploading(deployment):
        checks.append(_always_kept(ReasonCode.IN_PROGRESS, _RECENT_OBJECT_MESSAGE))
    else:
        checks += [
            replace(check, is_keep_rule=True) for check in _check_rules(dated, group, context)
        ]
    if expiry is not None and not expiry.is_expired:
        is_kept_otherwise = any(check.is_matched and not check.is_keep_rule for check in checks)
        is_matched = not expiry.is_known and not is_kept_otherwise
        checks.append(_not_expired(expiry, is_matched=is_matched))
    return Evaluation(
        deployment=deployment,
        group=group.name,
        checks=tuple(checks),
        successor=dated and _find_successor(dated, group),
        newer_count=_count_newer(dated, group) if dated else 0,
        required_count=context.limit.required,
        now=context.now,
        is_ordered_by_name=group.by_name is not None,
        expiry=expiry,
    )


def _check_rules(
    dated: DatedDeployment, group: _Group, context: _EvaluationContext
) -> Iterator[RuleCheck]:
    yield from _check_counts(dated, group, context.limit)
    keep_within = context.policy.keep_within
    if keep_within is not None:
        yield _check_within(dated, group.complete, keep_within, context.now)
    expiry = group.expiry.get(dated.deployment.name)
    note = "protected" if expiry is None or expiry.is_counted else expiry.message
    is_counted = dated.deployment.name in group.complete.positions
    for periods in group.periods.values():
        yield periods.check(dated, "" if is_counted else f"{note}, so not counted")


def _not_expired(expiry: ExpiryCheck, *, is_matched: bool) -> RuleCheck:
    return RuleCheck(
        code=ReasonCode.EXPIRE_CLOSED, is_matched=is_matched, format_message=lambda: expiry.message
    )


def _always_kept(code: ReasonCode, message: str) -> RuleCheck:
    return RuleCheck(code=code, is_matched=True, format_message=lambda: message)


def _check_partial_deletion(partial_deletion: PartialDeletion) -> RuleCheck:
    return RuleCheck(
        code=ReasonCode.PARTLY_DELETED,
        is_matched=partial_deletion.must_keep,
        format_message=lambda: partial_deletion.message,
    )


def _check_pin(pin: Pin, name: str) -> RuleCheck:
    is_matched = pin.matches(name)
    return RuleCheck(
        code=pin.code,
        is_matched=is_matched,
        format_message=lambda: (
            pin.build_reason(name).message if is_matched else pin.mismatch_message
        ),
        supersedes=pin.reference.can_precede_commit,
    )


def _is_newer_than_all(dated: DatedDeployment, complete: AgeOrder) -> bool:
    last_completed_at = complete.last_completed_at
    return last_completed_at is None or dated.completed_at >= last_completed_at


def _check_counts(
    dated: DatedDeployment, group: _Group, limit: CountLimit
) -> tuple[RuleCheck, ...]:
    """Return the check of `keep-count`; with `age-from: name`, by names and by upload times."""
    if group.by_name is None:
        return (check_upload_count(dated, group.complete, limit),)
    return (
        check_name_count(dated.deployment.name, group.by_name, limit),
        check_upload_count(dated, group.complete, limit, is_second_count=True),
    )


def _find_successor(dated: DatedDeployment, group: _Group) -> DatedDeployment | None:
    if group.by_name is None:
        return group.complete.find_successor(dated)
    return group.by_name.find_successor(dated.deployment.name)


def _count_newer(dated: DatedDeployment, group: _Group) -> int:
    newer_count = group.complete.count_newer(dated)
    if group.by_name is None:
        return newer_count
    return min(newer_count, group.by_name.count_newer(dated.deployment.name))


def _check_within(
    dated: DatedDeployment, complete: AgeOrder, within: Duration, now: datetime
) -> RuleCheck:
    code = ReasonCode.KEEP_WITHIN
    successor = complete.find_successor(dated)
    if successor is None:
        return _always_kept(code, "no complete deployment is known to be newer")
    since = now - successor.completed_at
    is_matched = since <= within.length

    def format_message() -> str:
        how = "within" if is_matched else "longer ago than"
        return f"superseded {format_age(since)} by {successor.deployment.name}, {how} {within}"

    return RuleCheck(code=code, is_matched=is_matched, format_message=format_message)
