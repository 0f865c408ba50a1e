"""What a resumed run may still delete, given what its journal says it was approved to; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from ci3.core.model import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedDeployment:
    """A deployment as a run was approved to delete it."""

    name: str
    prefix: str
    fingerprint: str
    object_count: int
    size_bytes: int


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
