"""The last check before a delete request: refuse everything that no plan allows."""

from collections.abc import Iterable, Sequence, Set
from threading import Lock

from ci3.core.live.pins import Pin
from ci3.core.model.decision import Decision
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.plan.checks import Limits
from ci3.errors import GateError


class Gate:
    """Approves deletions of the deployments that one plan deletes, and of nothing else.

    Limited to what the plan lists and to the user's limits; `deployment_count` is the number of all
    deployments, for a limit that is a percentage. Either objects are approved or, with
    `is_by_version`, versions named by ID: never both.
    """

    def __init__(
        self,
        decisions: Iterable[Decision],
        pins: Sequence[Pin],
        limits: Limits | None = None,
        deployment_count: int = 0,
        *,
        is_by_version: bool = False,
    ) -> None:
        deployments = [decision.deployment for decision in decisions if decision.is_delete]
        for deployment in deployments:
            is_its_folder = f"/{deployment.prefix}".endswith(f"/{deployment.name}/")
            if not deployment.name or "/" in deployment.name or not is_its_folder:
                raise GateError(
                    f"{deployment.prefix!r} is not the folder of the deployment {deployment.name!r}"
                )
            if not deployment.is_fully_listed:
                raise GateError(f"{deployment.name!r} was not listed completely")
            if is_by_version is not (deployment.versions is not None):
                raise GateError(
                    f"it is not clear whether to delete the versions of {deployment.name!r}"
                )
        unpinned = [
            deployment
            for deployment in deployments
            if not any(pin.matches(deployment.name) for pin in pins)
        ]
        self._is_by_version = is_by_version
        self._remaining_counts = {
            deployment.prefix: deployment.deletion_count for deployment in unpinned
        }
        self._remaining_bytes = {
            deployment.prefix: deployment.deletion_bytes for deployment in unpinned
        }
        self._limits = limits or Limits()
        self._deployment_count = max(deployment_count, len(deployments))
        self._approved_prefixes: set[str] = set()
        self._approved_bytes = 0
        self._lock = Lock()

    def approve_objects(self, parts: Iterable[tuple[str, Sequence[StoredObject]]]) -> None:
        """Approve a batch, prefix by prefix, or raise GateError before anything is sent.

        Each object is approved once; a retried request does not call this again.
        """
        if self._is_by_version:
            raise GateError(
                "the plan deletes versions, but objects were to be deleted without a version ID"
            )
        with self._lock:
            for prefix, objects in parts:
                self._approve_part(prefix, objects)

    def approve_versions(
        self, prefix: str, versions: Sequence[StoredVersion], listed: Set[tuple[str, str]]
    ) -> None:
        """Approve versions of one prefix, each once, or raise GateError before anything is sent.

        `listed` are the keys and version IDs in a listing of this deployment.
        """
        if not self._is_by_version:
            raise GateError("versions were to be deleted, but the plan does not delete versions")
        for version in versions:
            if not version.version_id or (version.key, version.version_id) not in listed:
                raise GateError(
                    f"{version.key!r} has no version {version.version_id!r} under {prefix!r}"
                )
        with self._lock:
            self._approve_part(prefix, versions)

    def approve_rule(self, prefix: str) -> None:
        """Approve a rule for one prefix, once, or raise GateError before it is written."""
        if self._is_by_version:
            raise GateError("the plan deletes versions by ID, which a lifecycle rule cannot do")
        with self._lock:
            if prefix not in self._remaining_counts or prefix in self._approved_prefixes:
                raise GateError(
                    f"{prefix!r} is not to be deleted by this plan, or its deletion has begun"
                )
            size_bytes = self._remaining_bytes[prefix]
            self._remaining_counts[prefix] = self._remaining_bytes[prefix] = 0
            self._count_approved(prefix, size_bytes)

    def _approve_part(self, prefix: str, objects: Sequence[StoredObject | StoredVersion]) -> None:
        if prefix not in self._remaining_counts:
            raise GateError(f"{prefix!r} is not to be deleted by this plan")
        for key in [stored.key for stored in objects]:
            if not key.startswith(prefix):
                raise GateError(f"{key!r} is outside {prefix!r}")
        size_bytes = sum([stored.size_bytes for stored in objects])
        self._remaining_counts[prefix] -= len(objects)
        self._remaining_bytes[prefix] -= size_bytes
        if self._remaining_counts[prefix] < 0 or self._remaining_bytes[prefix] < 0:
            raise GateError(f"{prefix!r} contains more than the plan lists")
        self._count_approved(prefix, size_bytes)

    def _count_approved(self, prefix: str, size_bytes: int) -> None:
        """Count what is approved, and check it against the limits."""
        self._approved_prefixes.add(prefix)
        self._approved_bytes += size_bytes
        max_count, max_bytes = self._limits.max_delete, self._limits.max_delete_bytes
        if max_count is not None and not max_count.allows(
            len(self._approved_prefixes), self._deployment_count
        ):
            raise GateError(f"max-delete allows {max_count}, so no other deployment may be deleted")
        if max_bytes is not None and self._approved_bytes > max_bytes.size_bytes:
            raise GateError(f"max-delete-bytes allows {max_bytes}, so no more may be deleted")
