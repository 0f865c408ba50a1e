"""The header of a journal: which run it is of, and what that run was approved to delete."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ci3.core.model.deployment import Deployment, Target
from ci3.core.model.policy import PolicyEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedDeployment:
    """A deployment as a run was approved to delete it."""

    name: str
    prefix: str
    fingerprint: str
    object_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """Which run a journal is of, and what it was approved to delete, by prefix."""

    ci3_version: str
    run_id: str
    plan_id: str
    started_at: datetime
    target: Target
    policy: Mapping[str, PolicyEntry]
    deployments: Mapping[str, ApprovedDeployment]


def note_approved(deployments: Iterable[Deployment]) -> dict[str, ApprovedDeployment]:
    """Note what is approved of deployments as they are now, by prefix."""
    return {
        one.prefix: ApprovedDeployment(
            name=one.name,
            prefix=one.prefix,
            fingerprint=one.fingerprint,
            object_count=one.object_count,
            size_bytes=one.size_bytes,
        )
        for one in deployments
    }
