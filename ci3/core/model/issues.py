"""What is wrong with a plan: refusals, which forbid applying it, and warnings."""

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """What forbids applying a plan."""

    UNREADABLE_DEPLOYMENT = "unreadable-deployment"
    PROTECTED_NOT_FOUND = "protected-not-found"
    LIVE_SOURCE_UNREADABLE = "live-source-unreadable"
    LIVE_NOT_FOUND = "live-not-found"
    MAX_DELETE = "max-delete"
    MAX_DELETE_BYTES = "max-delete-bytes"
    VERSIONING_UNKNOWN = "versioning-unknown"
    LIFECYCLE = "lifecycle"


class WarningCode(StrEnum):
    """What a reader of the plan should know, though it forbids nothing."""

    PROTECTED_GLOB_UNMATCHED = "protected-glob-unmatched"
    LIVE_NOT_FOUND = "live-not-found"
    LONG_SPAN = "long-span"
    UNGROUPED = "ungrouped"
    REQUIRED_FILE_UNFOUND = "required-file-unfound"
    UNDO_TERM = "undo-term"
    VERSIONING_UNKNOWN = "versioning-unknown"
    RESUMED = "resumed"
    INVENTORY_REPORT = "inventory-report"
    LIFECYCLE = "lifecycle"
    RULE_GOES = "rule-goes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing that forbids applying a plan."""

    code: RefusalCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWarning:
    """One thing that a reader should know."""

    code: WarningCode
    message: str
