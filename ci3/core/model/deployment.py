"""A bucket and its deployments: target, versioning, deployments, and what was left out."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ci3.core.model.objects import AllVersions


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
