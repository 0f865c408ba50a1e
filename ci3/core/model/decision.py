"""Decisions: keep or delete, with every reason."""

from dataclasses import dataclass
from enum import StrEnum

from ci3.core.model.deployment import Deployment


class Engine(StrEnum):
    """What does the deleting: requests of ci3's own, or rules of the bucket's lifecycle.

    `auto` is a wish only: each plan has one of the others.
    """

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"
    AUTO = "auto"


class Action(StrEnum):
    """The ways a decision can go; what is `expiring` was doomed by an earlier run, for S3 to do."""

    KEEP = "keep"
    DELETE = "delete"
    EXPIRING = "expiring"


class ReasonCode(StrEnum):
    """Why a deployment stays or goes."""

    KEEP_COUNT = "keep-count"
    KEEP_WITHIN = "keep-within"
    KEEP_DAILY = "keep-daily"
    KEEP_WEEKLY = "keep-weekly"
    KEEP_MONTHLY = "keep-monthly"
    PROTECTED = "protected"
    CURRENT_COMMIT = "current-commit"
    LIVE = "live"
    IN_PROGRESS = "in-progress"
    AMBIGUOUS_AGE = "ambiguous-age"
    MINIMUM_KEEP_COUNT = "minimum-keep-count"
    NO_OBJECTS = "no-objects"
    NOT_APPROVED = "not-approved"
    NO_ROOM_FOR_RULE = "no-room-for-rule"
    SUPERSEDED = "superseded"
    BY_RULE = "by-rule"
    NOT_BY_RULE = "not-by-rule"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a decision: a code for programs, a sentence for people."""

    code: ReasonCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to one deployment, with every reason for it.

    `expire_days` is set where a lifecycle rule deletes it: what is so many days old goes.
    """

    deployment: Deployment
    group: str
    action: Action
    reasons: tuple[Reason, ...]
    expire_days: int | None = None

    @property
    def is_delete(self) -> bool:
        """Whether this deployment is due."""
        return self.action is Action.DELETE

    @property
    def is_direct(self) -> bool:
        """Whether this deployment is due, and no lifecycle rule deletes it."""
        return self.is_delete and self.expire_days is None

    @property
    def is_keep(self) -> bool:
        """Whether this deployment stays."""
        return self.action is Action.KEEP
