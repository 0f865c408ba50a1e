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
    MIXED_NAMES = "mixed-names"
    NESTED_DEPLOYMENTS = "nested-deployments"
    MAX_DELETE = "max-delete"
    MAX_DELETE_BYTES = "max-delete-bytes"
    VERSIONING_UNKNOWN = "versioning-unknown"
    HEXADECIMAL_NAMES = "hexadecimal-names"
    LIFECYCLE = "lifecycle"
    IN_TWO_TARGETS = "in-two-targets"
    NAMES_CONTRADICT_TIMES = "names-contradict-times"


class WarningCode(StrEnum):
    """What a reader of the plan should know; it does not forbid applying the plan."""

    PROTECTED_GLOB_UNMATCHED = "protected-glob-unmatched"
    LIVE_NOT_FOUND = "live-not-found"
    LONG_SPAN = "long-span"
    UNGROUPED = "ungrouped"
    REQUIRED_FILE_UNFOUND = "required-file-unfound"
    RESTORE_PERIOD = "restore-period"
    VERSIONING_UNKNOWN = "versioning-unknown"
    RESUMED = "resumed"
    INVENTORY_REPORT = "inventory-report"
    LIFECYCLE = "lifecycle"
    RESTORED = "restored"
    UNFINISHED_RUN = "unfinished-run"
    RULE_REMOVAL = "rule-removal"
    NAMES_CONTRADICT_TIMES = "names-contradict-times"
    NEVER_DELETABLE = "never-deletable"
    NOTHING_MATCHES = "nothing-matches"
    EXPIRE_CLOSED = "expire-closed"
    NO_PREVIEWS = "no-previews"
    """No deployment is left, as after the deletion of the last preview: a notice in workflows."""


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


NOT_FOUND_CODES = (
    RefusalCode.PROTECTED_NOT_FOUND,
    RefusalCode.LIVE_NOT_FOUND,
    RefusalCode.LIVE_MATCHES_NOTHING,
)
"""Refusals because a name is not among the folders."""

SETUP_WARNINGS = (
    WarningCode.NAMES_CONTRADICT_TIMES,
    WarningCode.NEVER_DELETABLE,
    WarningCode.NOTHING_MATCHES,
    WarningCode.EXPIRE_CLOSED,
)
"""Warnings that settings, bucket and repository do not fit each other, or that a permission is
missing, so that nothing is deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketIssues:
    """What the checks of names, times and folders have found, for a plan and for `doctor`."""

    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()

    def has_warning(self, code: WarningCode) -> bool:
        """Return True if one of the warnings has the code."""
        return any(warning.code is code for warning in self.warnings)

    def has_refusal(self, code: RefusalCode) -> bool:
        """Return True if one of the refusals has the code."""
        return any(refusal.code is code for refusal in self.refusals)
