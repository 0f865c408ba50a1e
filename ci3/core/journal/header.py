"""The header of a journal: its run, and the deployments that the run was approved to delete."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ci3.core.model.deployment import Deployment, Target
from ci3.core.model.policy import PolicyEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedDeployment:
    """A deployment that a run was approved to delete, as it was at that time."""

    name: str
    prefix: str
    fingerprint: str
    object_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """The run of a journal, and the deployments that it was approved to delete, by prefix."""

    ci3_version: str
    run_id: str
    plan_id: str
    started_at: datetime
    target: Target
    policy: Mapping[str, PolicyEntry]
    deployments: Mapping[str, ApprovedDeployment]


def approved_by_prefix(deployments: Iterable[Deployment]) -> dict[str, ApprovedDeployment]:
    """Return the deployments, as they are now, as approved ones by prefix."""
    return {
        deployment.prefix: ApprovedDeployment(
            name=deployment.name,
            prefix=deployment.prefix,
            fingerprint=deployment.fingerprint,
            object_count=deployment.object_count,
            size_bytes=deployment.size_bytes,
        )
        for deployment in deployments
    }
