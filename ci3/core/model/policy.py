"""The settings that a plan records, with the origin of each value."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DELETE_VERSIONS_SETTING = "delete-versions"
"""Name of the setting to delete all versions; a plan records it if it is set."""
ENGINE_SETTING = "engine"
"""Name of the setting that selects the `Engine`."""

EXPIRE_CLOSED_SETTING = "expire-closed"
KEEP_COUNT_SETTING = "keep-count"
REQUIRED_FILE_SETTING = "required-file"
"""Name of the setting for the file that makes a deployment complete."""


class Origin(StrEnum):
    """Where a setting's value came from, when not from its default."""

    POLICY_FILE = "policy-file"
    OPTION = "option"
    INPUT = "input"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """The value of a setting that differs from its default, with its origin."""

    value: int | str | tuple[str, ...]
    origin: Origin

    @property
    def text(self) -> str:
        """The value as text; those of a list are joined by commas."""
        return ", ".join(self.value) if isinstance(self.value, tuple) else str(self.value)


def encode_policy(policy: Mapping[str, PolicyEntry]) -> dict[str, object]:
    """Return a policy as JSON values, as in plan files and journals; origins stay enum members."""
    return {name: {"value": entry.value, "from": entry.origin} for name, entry in policy.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLimit:
    """The maximum number of deployments to delete: a count or a percentage of all deployments."""

    amount: int
    is_percent: bool

    def allows(self, delete_count: int, total_count: int) -> bool:
        """Return True if `delete_count` of `total_count` deployments are within the limit."""
        if self.is_percent:
            return delete_count * 100 <= self.amount * total_count
        return delete_count <= self.amount

    def __str__(self) -> str:
        return f"{self.amount}%" if self.is_percent else str(self.amount)
