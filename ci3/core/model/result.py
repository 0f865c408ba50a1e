"""What a deletion returns: one outcome for each object, summed up by deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class DeleteGuard(StrEnum):
    """Which deletions S3 itself makes only of the very object that was listed.

    `etag`: all of them. `etag-single`: only those that go in a request of their own; batches,
    that is nearly all, are no safer than with `none`. `version-id`: all of them, since each names
    its version.
    """

    ETAG = "etag"
    ETAG_SINGLE = "etag-single"
    VERSION_ID = "version-id"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardProbe:
    """The guard in force, and in words how that is known; `is_denied` where S3 said no to it."""

    guard: DeleteGuard
    reason: str
    is_denied: bool = False


class ObjectOutcome(StrEnum):
    """What became of one object that the plan named."""

    DELETED = "deleted"
    ABSENT = "absent"
    CHANGED = "changed"
    DENIED = "denied"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of a whole run."""

    NOTHING_TO_DELETE = "nothing-to-delete"
    PLANNED = "planned"
    APPLIED = "applied"
    PARTIAL = "partial"
    REFUSED = "refused"
    STALE_PLAN = "stale-plan"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentResult:
    """What became of one deployment that the plan named: objects by outcome, and why not all.

    `is_skipped` where it has changed, and what has changed was to be skipped. `is_expiring` where
    a lifecycle rule stands for it: then nothing is deleted yet, and nothing counted.
    """

    name: str
    counts: Mapping[ObjectOutcome, int]
    bytes_deleted: int
    problem: str = ""
    is_skipped: bool = False
    is_expiring: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether nothing that the plan named is left of it."""
        gone = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
        is_left = self.problem or self.is_expiring
        return not is_left and all(outcome in gone for outcome in self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an apply did; `stopped` says why it ended early, or is empty.

    `guard` is None where nothing was sent. `uploads_aborted` counts unfinished uploads; why some
    may be left, `uploads_problem` says.
    """

    run_id: str
    journal_file: str
    deployments: tuple[DeploymentResult, ...]
    stopped: str = ""
    guard: GuardProbe | None = None
    uploads_aborted: int = 0
    uploads_problem: str = ""

    @property
    def outcome(self) -> Outcome:
        """Applied only when all that the plan named is gone, expiring, or was to be skipped."""
        is_whole = not self.stopped and all(
            result.is_gone or result.is_skipped or result.is_expiring for result in self.deployments
        )
        return Outcome.APPLIED if is_whole else Outcome.PARTIAL

    @property
    def deployments_deleted(self) -> int:
        """Deployments of which nothing that the plan named is left."""
        return sum(result.is_gone for result in self.deployments)

    @property
    def deployments_skipped(self) -> int:
        """Deployments that had changed, and were to be skipped then."""
        return sum(result.is_skipped for result in self.deployments)

    @property
    def expiring(self) -> frozenset[str]:
        """The names of the deployments that lifecycle rules of this run stand for."""
        return frozenset(result.name for result in self.deployments if result.is_expiring)

    @property
    def bytes_deleted(self) -> int:
        """The size of the objects that this run deleted."""
        return sum(result.bytes_deleted for result in self.deployments)

    def count(self, outcome: ObjectOutcome) -> int:
        """How many objects ended so."""
        return sum(result.counts.get(outcome, 0) for result in self.deployments)
