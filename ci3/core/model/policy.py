"""The settings that a plan records, and where each value came from."""

from dataclasses import dataclass
from enum import StrEnum

DELETE_VERSIONS = "delete-versions"
"""The setting by which all versions go; a plan that was made with it records it."""
ENGINE = "engine"
"""The setting that says what deletes."""


class Origin(StrEnum):
    """Where a setting's value came from, when not from its default."""

    POLICY_FILE = "policy-file"
    OPTION = "option"
    INPUT = "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """A setting that is not at its default, as the plan records it."""

    value: int | str | tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLimit:
    """How many deployments a plan may delete: a count, or a percentage of those found."""

    amount: int
    is_percent: bool

    def allows(self, delete_count: int, found_count: int) -> bool:
        """Say whether a plan stays within the limit."""
        if self.is_percent:
            return delete_count * 100 <= self.amount * found_count
        return delete_count <= self.amount

    def __str__(self) -> str:
        return f"{self.amount}%" if self.is_percent else str(self.amount)
