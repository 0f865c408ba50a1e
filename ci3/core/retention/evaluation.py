"""Evaluation of one deployment: the result of every rule and pin, and the decision from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from ci3.core.formatting import format_age
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.retention.age_order import DatedDeployment
from ci3.core.retention.closed_previews import ExpiryCheck

COUNT_REASONS = (
    ReasonCode.KEEP_COUNT,
    ReasonCode.MINIMUM_KEEP_COUNT,
    ReasonCode.AMBIGUOUS_AGE,
    ReasonCode.INCOMPARABLE_NAME,
)
"""Reasons that keep a deployment until enough complete ones are known to be newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """Result of one rule or pin for one deployment; a match keeps the deployment.

    The message is formatted on access: in a large bucket, most messages are never shown.
    """

    code: ReasonCode
    is_matched: bool
    format_message: Callable[[], str]
    supersedes: bool = False
    """True if older deployments may be deleted because this one is kept, or has the commit."""
    is_keep_rule: bool = False
    """True for a keep rule, which does not keep what `expire-closed` deletes; all else does."""

    @property
    def message(self) -> str:
        """Why the rule keeps the deployment, or why it does not."""
        return self.format_message()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One deployment with the result of every rule and pin.

    `successor` is the complete deployment that superseded it. `newer_count` is the number of
    complete deployments known to be newer, `required_count` the number that must be newer before
    this one may be deleted. Protected deployments and previews that are expired, or may be,
    supersede nothing and are not counted. With `is_ordered_by_name`, the successor is the next one
    by name, whenever it was uploaded. `expiry` is the result of `expire-closed`; None without the
    rule, or if the deployment is no preview.
    """

    deployment: Deployment
    group: str
    checks: tuple[RuleCheck, ...]
    successor: DatedDeployment | None
    newer_count: int
    required_count: int
    now: datetime
    is_ordered_by_name: bool
    expiry: ExpiryCheck | None

    @property
    def keeping_checks(self) -> tuple[RuleCheck, ...]:
        """The checks that keep the deployment."""
        return tuple(check for check in self.checks if check.is_matched)

    @property
    def is_expired(self) -> bool:
        """True if `expire-closed` deletes the deployment: nothing but keep rules would keep it."""
        return (
            self.expiry is not None
            and self.expiry.is_expired
            and all(check.is_keep_rule for check in self.keeping_checks)
        )

    @property
    def is_superseded(self) -> bool:
        """True if no check keeps the deployment and it is known to be superseded."""
        return self.successor is not None and not any(check.is_matched for check in self.checks)

    @property
    def is_protected(self) -> bool:
        """True if `protect` keeps the deployment, whatever else keeps it."""
        return any(check.code is ReasonCode.PROTECTED for check in self.keeping_checks)

    @property
    def is_live(self) -> bool:
        """True if a live source keeps the deployment, whatever else keeps it."""
        return any(check.code is ReasonCode.LIVE for check in self.keeping_checks)

    @property
    def is_counted(self) -> bool:
        """True if the deployment takes a place and can supersede others."""
        may_expire = self.expiry is not None and not self.expiry.is_counted
        return self.deployment.is_complete and not self.is_protected and not may_expire

    @property
    def is_delete(self) -> bool:
        """True if the deployment is superseded or expired."""
        return self.is_superseded or self.is_expired

    @property
    def is_keep(self) -> bool:
        """True if the deployment is not deleted."""
        return not self.is_delete

    @property
    def decision(self) -> Decision:
        """The decision: keep with the reason of every matching check, or delete.

        That the deployment is partly deleted is a reason in either case.
        """
        is_delete = self.is_delete
        reasons = tuple(
            Reason(code=check.code, message=check.message)
            for check in self.checks
            if (check.is_matched and not is_delete) or check.code is ReasonCode.PARTLY_DELETED
        )
        if self.is_superseded and self.successor is not None:
            reasons = (self._describe_successor(self.successor), *reasons)
        elif is_delete and self.expiry is not None:
            closed = Reason(code=ReasonCode.EXPIRE_CLOSED, message=self.expiry.message)
            reasons = (closed, *reasons)
        return Decision(
            deployment=self.deployment,
            group=self.group,
            action=Action.DELETE if is_delete else Action.KEEP,
            reasons=reasons,
        )

    def _describe_successor(self, successor: DatedDeployment) -> Reason:
        how = format_age(self.now - successor.completed_at)
        if self.is_ordered_by_name:
            how = "(next by name)"
        message = f"superseded by {successor.deployment.name} {how}; {self.newer_count:,} newer"
        return Reason(code=ReasonCode.SUPERSEDED, message=message)

    def with_reason(self, reason: Reason) -> Self:
        """Return the evaluation with one more reason to keep the deployment."""
        check = RuleCheck(code=reason.code, is_matched=True, format_message=lambda: reason.message)
        return replace(self, checks=(*self.checks, check))
