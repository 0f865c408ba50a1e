"""The results of an apply: object counts by outcome for each deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ci3.core.model.deployment import Deployment


class DeleteGuard(StrEnum):
    """The deletions for which S3 itself checks that the object is still the listed one.

    `etag`: all deletions. `etag-single`: only those with one key per request; batches, which are
    nearly all deletions, are as unprotected as with `none`. `version-id`: all deletions, because
    each names the version to delete.
    """

    ETAG = "etag"
    ETAG_SINGLE = "etag-single"
    VERSION_ID = "version-id"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardProbe:
    """The effective guard and how it was determined; `is_denied` if S3 denied the probe."""

    guard: DeleteGuard
    reason: str
    is_denied: bool = False


class ObjectOutcome(StrEnum):
    """The outcome of one object of the plan."""

    DELETED = "deleted"
    ABSENT = "absent"
    CHANGED = "changed"
    DENIED = "denied"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunOutcome(StrEnum):
    """The outcome of a run."""

    NOTHING_TO_DELETE = "nothing-to-delete"
    PLANNED = "planned"
    APPLIED = "applied"
    PARTIAL = "partial"
    REFUSED = "refused"
    STALE_PLAN = "stale-plan"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentResult:
    """The result for one deployment of the plan: the number of objects by outcome.

    `problem` is the reason if not all objects were deleted. `is_skipped`: the deployment changed,
    and the settings ask to skip changed deployments. `is_expiring`: a lifecycle rule will delete
    it; nothing is deleted yet, and `counts` is empty.
    """

    name: str
    counts: Mapping[ObjectOutcome, int]
    bytes_deleted: int
    problem: str = ""
    is_skipped: bool = False
    is_expiring: bool = False

    @classmethod
    def with_outcome(cls, deployment: Deployment, outcome: ObjectOutcome, problem: str) -> Self:
        """Return the result if all objects have one outcome and this run deleted none of them."""
        counts = {outcome: deployment.deletion_count}
        return cls(name=deployment.name, counts=counts, bytes_deleted=0, problem=problem)

    @property
    def is_fully_deleted(self) -> bool:
        """True if none of the objects that the plan named exists any more."""
        if self.problem or self.is_expiring:
            return False
        return self.counts.keys() <= {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}

    @property
    def may_be_remainder(self) -> bool:
        """True if the run deleted or may have deleted a part, and intended to delete the rest."""
        present = {outcome for outcome, count in self.counts.items() if count}
        is_begun = bool(present & {ObjectOutcome.DELETED, ObjectOutcome.UNKNOWN})
        rest = present - {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}
        return is_begun and bool(rest) and ObjectOutcome.CHANGED not in rest


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """The result of an apply.

    `stop_reason` is empty unless the apply ended early. `guard` is None if no request was sent.
    `uploads_aborted` counts unfinished multipart uploads; `uploads_problem` is the reason if some
    may be left. `journal_problem` is the reason if a second run could have written the journal at
    the same time unnoticed.
    """

    run_id: str
    journal_file: str
    deployments: tuple[DeploymentResult, ...]
    stop_reason: str = ""
    guard: GuardProbe | None = None
    uploads_aborted: int = 0
    uploads_problem: str = ""
    journal_problem: str = ""

    @property
    def outcome(self) -> RunOutcome:
        """`APPLIED` if every deployment is fully deleted, expiring or skipped, else `PARTIAL`."""
        is_applied = not self.stop_reason and all(
            result.is_fully_deleted or result.is_skipped or result.is_expiring
            for result in self.deployments
        )
        return RunOutcome.APPLIED if is_applied else RunOutcome.PARTIAL

    @property
    def deployments_deleted(self) -> int:
        """The number of fully deleted deployments."""
        return sum(result.is_fully_deleted for result in self.deployments)

    @property
    def deployments_skipped(self) -> int:
        """The number of deployments that were skipped because they had changed."""
        return sum(result.is_skipped for result in self.deployments)

    @property
    def expiring_names(self) -> frozenset[str]:
        """The names of the deployments that lifecycle rules of this run will delete."""
        return frozenset(result.name for result in self.deployments if result.is_expiring)

    @property
    def bytes_deleted(self) -> int:
        """The total size of the objects that this run deleted."""
        return sum(result.bytes_deleted for result in self.deployments)

    def count_objects(self, outcome: ObjectOutcome) -> int:
        """Return the number of objects with this outcome."""
        return sum(result.counts.get(outcome, 0) for result in self.deployments)
