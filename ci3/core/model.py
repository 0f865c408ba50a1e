"""The words of ci3 as types: objects, deployments, an inventory of them, decisions and results."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class StoredObject(NamedTuple):
    """One object as a listing shows it; a tuple, since millions of them are made.

    `version_id` is set only where a listing of versions gave it; it is no part of what makes two
    objects equal, nor of a fingerprint.
    """

    key: str
    etag: str
    size_bytes: int
    modified_at: datetime
    version_id: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredObject) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:4])


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version of an object, or one delete marker, as a listing of versions shows it.

    A delete marker has no ETag and no size.
    """

    key: str
    version_id: str
    is_latest: bool
    is_marker: bool
    etag: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllVersions:
    """Every version and delete marker of a deployment, summed up; `fingerprint` names them all."""

    count: int
    size_bytes: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """One multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    started_at: datetime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NoncurrentTerm:
    """After how many days S3 itself removes old versions; None where no rule does.

    With a `problem` the rules could not be read, and `days` says nothing.
    """

    days: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A folder of the bucket and what a listing of it showed.

    `prefix` is the whole key prefix with its closing slash. `oldest_at` and `newest_at` are None
    exactly when there are no objects. `complete` says whether it can stand for a deployment.
    Where it is not `is_whole`, only its first objects by key were listed, unless it is
    `is_reported`: the times are of those alone, count and size are 0, `fingerprint` is empty, and
    it must not be deleted.
    """

    name: str
    prefix: str
    object_count: int
    size_bytes: int
    oldest_at: datetime | None
    newest_at: datetime | None
    complete: bool
    fingerprint: str
    is_whole: bool = True
    is_reported: bool = False
    """Whether only an inventory report tells of it, which may be old: so it is not whole, but has
    the report's count and size. Neither it nor anything on its account may be deleted."""
    first_at: datetime | None = dataclasses.field(default=None, compare=False)
    """When the first object by key was modified; a plan file does not keep it."""
    versions: AllVersions | None = None
    """What goes with it where all versions are to be deleted; None where they stay."""

    @property
    def is_counted(self) -> bool:
        """Whether its number of objects and its size are known."""
        return self.is_whole or self.is_reported

    @property
    def deletion_count(self) -> int:
        """How many objects a deletion takes; where versions go too, how many of those."""
        return self.versions.count if self.versions else self.object_count

    @property
    def deletion_bytes(self) -> int:
        """The size of what a deletion takes."""
        return self.versions.size_bytes if self.versions else self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Something under the prefix that is no deployment, and why; it is never deleted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A folder that should have been listed and could not be; with one, nothing may be deleted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUsed:
    """Which inventory report told of deployments, when it was made, and how many it lacked."""

    url: str
    made_at: datetime
    lacking_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What stands under the prefix; `report` is None where all was listed."""

    deployments: tuple[Deployment, ...]
    ignored: tuple[Ignored, ...] = ()
    holes: tuple[Hole, ...] = ()
    report: ReportUsed | None = None


class Versioning(StrEnum):
    """What becomes of an object that is deleted: `unknown` is told like the worst of them."""

    ENABLED = "enabled"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    UNKNOWN = "unknown"

    @property
    def may_hold_versions(self) -> bool:
        """Whether the bucket is known to keep old versions, or to have kept them once."""
        return self in (self.ENABLED, self.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersioningState:
    """Whether a bucket keeps versions, and whether removing one needs a token of MFA."""

    versioning: Versioning
    needs_mfa: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the deployments are; `prefix` is empty for the bucket's root or ends with a slash."""

    bucket: str
    region: str
    prefix: str
    endpoint_url: str
    versioning: Versioning

    @property
    def url(self) -> str:
        """The address as people write it."""
        return f"s3://{self.bucket}/{self.prefix}"


class Engine(StrEnum):
    """What does the deleting: requests of ci3's own, or rules of the bucket's lifecycle.

    `auto` is a wish only: each plan has one of the others.
    """

    DIRECT = "direct"
    LIFECYCLE = "lifecycle"
    AUTO = "auto"


class Action(StrEnum):
    """The ways a decision can go; what is `expiring` was doomed by an earlier run, for S3 to do."""

    KEEP = "keep"
    DELETE = "delete"
    EXPIRING = "expiring"


class ReasonCode(StrEnum):
    """Why a deployment stays or goes."""

    KEEP_COUNT = "keep-count"
    KEEP_WITHIN = "keep-within"
    KEEP_DAILY = "keep-daily"
    KEEP_WEEKLY = "keep-weekly"
    KEEP_MONTHLY = "keep-monthly"
    PROTECTED = "protected"
    CURRENT_COMMIT = "current-commit"
    LIVE = "live"
    IN_PROGRESS = "in-progress"
    AMBIGUOUS_AGE = "ambiguous-age"
    MINIMUM_KEEP_COUNT = "minimum-keep-count"
    NO_OBJECTS = "no-objects"
    NOT_APPROVED = "not-approved"
    NO_ROOM_FOR_RULE = "no-room-for-rule"
    SUPERSEDED = "superseded"
    BY_RULE = "by-rule"
    NOT_BY_RULE = "not-by-rule"
    EXPIRING = "expiring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason of a decision: a code for programs, a sentence for people."""

    code: ReasonCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to one deployment, with every reason for it.

    `expire_days` is set where a lifecycle rule deletes it: what is so many days old goes.
    """

    deployment: Deployment
    group: str
    action: Action
    reasons: tuple[Reason, ...]
    expire_days: int | None = None

    @property
    def is_delete(self) -> bool:
        """Whether this deployment is due."""
        return self.action is Action.DELETE

    @property
    def is_direct(self) -> bool:
        """Whether this deployment is due, and no lifecycle rule deletes it."""
        return self.is_delete and self.expire_days is None

    @property
    def is_keep(self) -> bool:
        """Whether this deployment stays."""
        return self.action is Action.KEEP


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
