"""Decisions: keep or delete, with every reason."""

from dataclasses import dataclass
from enum import StrEnum

from ci3.core.model.deployment import Deployment


class Engine(StrEnum):
    """The means of deletion: DeleteObjects requests, or rules in the bucket's lifecycle.

    `auto` occurs in settings only: every plan has one of the others.
    """

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"
    AUTO = "auto"


class Action(StrEnum):
    """The action for one deployment."""

    KEEP = "keep"
    DELETE = "delete"
    EXPIRING = "expiring"
    """S3 deletes the deployment by a lifecycle rule that an earlier run created."""


class ReasonCode(StrEnum):
    """Why a deployment is kept or deleted."""

    KEEP_COUNT = "keep-count"
    KEEP_WITHIN = "keep-within"
    KEEP_DAILY = "keep-daily"
    KEEP_WEEKLY = "keep-weekly"
    KEEP_MONTHLY = "keep-monthly"
    PROTECTED = "protected"
    CURRENT_COMMIT = "current-commit"
    LIVE = "live"
    IN_PROGRESS = "in-progress"
    PARTLY_DELETED = "partly-deleted"
    AMBIGUOUS_AGE = "ambiguous-age"
    INCOMPARABLE_NAME = "incomparable-name"
    MINIMUM_KEEP_COUNT = "minimum-keep-count"
    NO_OBJECTS = "no-objects"
    NOT_APPROVED = "not-approved"
    NO_ROOM_FOR_RULE = "no-room-for-rule"
    SUPERSEDED = "superseded"
    EXPIRE_CLOSED = "expire-closed"
    BY_RULE = "by-rule"
    NOT_BY_RULE = "not-by-rule"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a decision: a code for programs, a message for people."""

    code: ReasonCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The action for one deployment, with every reason for it.

    `expire_days` is set if a lifecycle rule deletes the deployment: S3 deletes its objects when
    they are that many days old.
    """

    deployment: Deployment
    group: str
    action: Action
    reasons: tuple[Reason, ...]
    expire_days: int | None = None

    @property
    def is_delete(self) -> bool:
        """True if this deployment is to be deleted, by requests or by a lifecycle rule."""
        return self.action is Action.DELETE

    @property
    def is_direct_delete(self) -> bool:
        """True if this deployment is to be deleted by requests, not by a lifecycle rule."""
        return self.is_delete and self.expire_days is None

    @property
    def is_protected(self) -> bool:
        """True if `protect` keeps this deployment, whatever else keeps it."""
        return self.has_reason(ReasonCode.PROTECTED)

    @property
    def is_live(self) -> bool:
        """True if a live source keeps this deployment, whatever else keeps it."""
        return self.has_reason(ReasonCode.LIVE)

    @property
    def is_counted(self) -> bool:
        """True if this deployment counts for keep rules and can supersede others.

        Of an expired preview that a pin keeps, a decision does not have that it does not count.
        """
        is_excluded = self.is_protected or self.has_reason(ReasonCode.EXPIRE_CLOSED)
        return self.deployment.is_complete and not is_excluded

    @property
    def is_expired(self) -> bool:
        """True if this deployment is to be deleted only because its pull request is closed."""
        return self.is_delete and self.has_reason(ReasonCode.EXPIRE_CLOSED)

    @property
    def is_keep(self) -> bool:
        """True if this deployment is kept."""
        return self.action is Action.KEEP

    def has_reason(self, code: ReasonCode) -> bool:
        """Return True if this is one of the reasons."""
        return any(reason.code is code for reason in self.reasons)
