"""Problems of a plan: refusals, which forbid applying it, and warnings, which do not."""

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """What forbids applying a plan."""

    UNREADABLE_DEPLOYMENT = "unreadable-deployment"
    PROTECTED_NOT_FOUND = "protected-not-found"
    LIVE_SOURCE_UNREADABLE = "live-source-unreadable"
    LIVE_NOT_FOUND = "live-not-found"
    LIVE_MATCHES_NOTHING = "live-matches-nothing"
    MAX_DELETE = "max-delete"
    MAX_DELETE_BYTES = "max-delete-bytes"
    VERSIONING_UNKNOWN = "versioning-unknown"
    HEXADECIMAL_NAMES = "hexadecimal-names"
    LIFECYCLE = "lifecycle"
    IN_TWO_TARGETS = "in-two-targets"


class WarningCode(StrEnum):
    """What a reader of the plan should know, though it forbids nothing."""

    PROTECTED_GLOB_UNMATCHED = "protected-glob-unmatched"
    LIVE_NOT_FOUND = "live-not-found"
    LONG_SPAN = "long-span"
    UNGROUPED = "ungrouped"
    REQUIRED_FILE_UNFOUND = "required-file-unfound"
    RESTORE_PERIOD = "undo-term"
    VERSIONING_UNKNOWN = "versioning-unknown"
    RESUMED = "resumed"
    INVENTORY_REPORT = "inventory-report"
    LIFECYCLE = "lifecycle"
    RESTORED = "restored"
    UNFINISHED_RUN = "unfinished-run"
    RULE_GOES = "rule-goes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A reason why a plan may not be applied."""

    code: RefusalCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWarning:
    """A fact that a reader of the plan should know; it does not forbid applying the plan."""

    code: WarningCode
    message: str
