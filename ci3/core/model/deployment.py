"""A target and the inventory of its deployments."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ci3.constants import JOURNAL_FOLDER
from ci3.core.model.objects import VersionSummary
from ci3.core.model.service_url import is_aws_url


@dataclass(frozen=True, slots=True, kw_only=True)
class NoncurrentExpiration:
    """The days after which lifecycle rules remove noncurrent versions; None if no rule does.

    If the rules could not be read, `problem` is the reason, and `days` is meaningless. If
    `is_minimum`, some versions are kept longer, such as a number of newer ones.
    """

    days: int | None = None
    is_minimum: bool = False
    problem: str = ""

    def combine_with(self, other: "NoncurrentExpiration") -> "NoncurrentExpiration":
        """Return what holds for the versions of both: the shorter time, or the problem.

        None and 30 days are at least 30 days, as are 30 and 60 days.
        """
        if self.problem or other.problem:
            return self if self.problem else other
        return NoncurrentExpiration(
            days=min((days for days in (self.days, other.days) if days is not None), default=None),
            is_minimum=self.is_minimum or other.is_minimum or self.days != other.days,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment as it was listed.

    `prefix` is the full key prefix with its trailing slash. `oldest_at` and `newest_at` are None
    exactly if there are no objects. `is_complete` is True if it has the required file or, without
    such a setting, any content: then it counts for `keep-count` and can supersede others. In a
    decision it is False, too, if a run has partly deleted the deployment.

    The source of the values:

    | `is_fully_listed` | `is_from_report` | times                | count, size   | `fingerprint` |
    |-------------------|------------------|----------------------|---------------|---------------|
    | True              | False            | of all objects       | of all        | set           |
    | False             | False            | of the first objects | 0             | empty         |
    | False             | True             | of the report        | of the report | empty         |

    The first objects are the first by key. A deployment that is not fully listed must not be
    deleted.
    """

    name: str
    prefix: str
    object_count: int
    size_bytes: int
    oldest_at: datetime | None
    newest_at: datetime | None
    is_complete: bool
    fingerprint: str
    is_fully_listed: bool = True
    is_from_report: bool = False
    """True if the values are those of an inventory report, which may be outdated.

    Neither this deployment nor, because of it, another one may be deleted.
    """
    first_object_at: datetime | None = dataclasses.field(default=None, compare=False)
    """Modification time of the first object by key; not stored in plan files."""
    newest_key: str = dataclasses.field(default="", compare=False)
    """The key of the newest object, the first of several; empty if it is unknown.

    Not stored in plan files.
    """
    subfolders: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    """Sub-folders that are named like deployments, as far as they are listed; at most two.

    Paths relative to the deployment, without a slash at the end; not stored in plan files. Empty
    if they were not searched for: in folders that are themselves named by a commit or number, and
    in those from an inventory report.
    """
    versions: VersionSummary | None = None
    """The versions to delete along with the objects; None if versions are not deleted."""

    @property
    def has_counts(self) -> bool:
        """True if the number of objects and their size are known."""
        return self.is_fully_listed or self.is_from_report

    @property
    def deletion_count(self) -> int:
        """The number of objects to delete, or of versions if all versions are deleted."""
        return self.versions.count if self.versions else self.object_count

    @property
    def deletion_bytes(self) -> int:
        """The size of the objects to delete, or of all versions if those are deleted."""
        return self.versions.size_bytes if self.versions else self.size_bytes

    def find_change(self, fingerprint: str, versions: VersionSummary | None) -> str:
        """Return what has changed since this listing, by the values of a later one, or ""."""
        if fingerprint != self.fingerprint:
            return "its objects changed since the plan"
        return "its versions changed since the plan" if versions != self.versions else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoredEntry:
    """A folder or file under the prefix that is not a deployment, and why; it is never deleted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlistedFolder:
    """A folder that could not be listed, and why; if there is one, nothing may be deleted."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInfo:
    """The inventory report that was used; `missing_count` deployments are not in it."""

    url: str
    created_at: datetime
    missing_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The folders and files under a prefix; `report` is None if no inventory report was used."""

    deployments: tuple[Deployment, ...]
    ignored: tuple[IgnoredEntry, ...] = ()
    unlisted: tuple[UnlistedFolder, ...] = ()
    report: ReportInfo | None = None

    @property
    def has_journal_folder(self) -> bool:
        """True if the prefix has the folder that stores journals and records of restores."""
        return any(item.name == f"{JOURNAL_FOLDER}/" for item in self.ignored)


class Versioning(StrEnum):
    """The versioning state of a bucket; `unknown` is reported as if deletion were permanent."""

    ENABLED = "enabled"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    UNKNOWN = "unknown"

    @property
    def may_have_noncurrent_versions(self) -> bool:
        """True if the bucket is known to create noncurrent versions, or to have created them."""
        return self in (self.ENABLED, self.SUSPENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersioningState:
    """The versioning of a bucket; with MFA delete, removing a version requires an MFA token."""

    versioning: Versioning
    has_mfa_delete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The location of deployments; `prefix` is empty for the bucket's root or ends with a slash.

    `repository` is the one whose pull requests are read for `expire-closed`; empty without it.
    """

    bucket: str
    region: str
    prefix: str
    endpoint_url: str
    versioning: Versioning
    repository: str = ""

    def encode(self) -> dict[str, object]:
        """Return the fields as JSON values, without an empty `repository`."""
        fields = dataclasses.asdict(self)
        return {name: fields[name] for name in fields if name != "repository" or self.repository}

    @property
    def is_aws(self) -> bool:
        """True if the store is AWS's own; on others it is unknown whether a restore works."""
        return not self.endpoint_url or is_aws_url(self.endpoint_url)

    @property
    def folder_id(self) -> tuple[str, str, str]:
        """Endpoint URL, bucket and prefix: equal for the same folder of the same bucket."""
        return self.endpoint_url, self.bucket, self.prefix

    @property
    def url(self) -> str:
        """The `s3://` URL of the prefix."""
        return f"s3://{self.bucket}/{self.prefix}"
