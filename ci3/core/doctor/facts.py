"""The facts that `ci3 doctor` reads about a bucket: each value, or why it is unavailable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ci3.core.live.sources import LiveReading
from ci3.core.model.decision import Engine
from ci3.core.model.deployment import Target, VersioningState
from ci3.core.model.issues import BucketIssues
from ci3.core.model.result import GuardProbe
from ci3.core.plan.target_names import NO_OTHER_TARGETS, TargetNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The reason why a value could not be read, and what to do about it.

    `is_denied` is True if S3 denied access, `is_requested` is False if no request was made.
    `is_of_access` is False if everything could be read, but a setting does not allow an answer.
    """

    problem: str
    hint: str = ""
    is_denied: bool = False
    is_requested: bool = True
    is_of_access: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProbe:
    """The result of writing, deleting and restoring an object; `problem` is empty if it worked.

    `leftovers` are sentences on what the probe made and could not remove.
    """

    problem: str = ""
    leftovers: tuple[str, ...] = ()


NOT_REQUESTED = Unavailable(problem="it was not requested", is_requested=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """The Object Lock configuration of a bucket.

    `default` is the default retention of new versions as text, such as `30 days`, or empty.
    """

    is_enabled: bool
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """An enabled rule of the bucket's lifecycle configuration.

    `is_narrowed` is True if its filter has more than a prefix, such as tags or sizes. It deletes
    noncurrent versions after `noncurrent_days`, except the newest ones if `keeps_newer_versions`.
    """

    name: str
    prefix: str = ""
    is_narrowed: bool = False
    expires_after_days: int | None = None
    expires_on: date | None = None
    noncurrent_days: int | None = None
    keeps_newer_versions: bool = False

    @property
    def expires(self) -> bool:
        """True if it deletes current objects by age or on a date."""
        return self.expires_after_days is not None or self.expires_on is not None

    def can_match_under(self, prefix: str) -> bool:
        """Return True if the rule can apply to a key under the prefix."""
        return prefix.startswith(self.prefix) or self.prefix.startswith(prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedUploads:
    """The unfinished multipart uploads under a prefix."""

    count: int
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSummary:
    """The first level under the prefix: folders that count as deployments, and the rest."""

    names: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    """Folders that `match` excludes."""
    file_count: int = 0
    """Number of files directly under the prefix; they are not deployments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorTarget:
    """The target that `doctor` checks, with the settings that the checks use."""

    target: Target
    match: str = ""
    required_file: str = ""
    protect: tuple[str, ...] = ()
    delete_versions: bool = False
    engine: Engine = Engine.DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """All facts read about a bucket; each is a value or `Unavailable`.

    `first_files` maps the name of each sampled deployment to the files directly in it.
    """

    doctor_target: DoctorTarget
    read_at: datetime
    identity: str | Unavailable = NOT_REQUESTED
    bucket_region: str = ""
    """The region that S3 reports; empty if it reports none."""
    folders: FolderSummary | Unavailable = NOT_REQUESTED
    first_files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists_versions: bool | Unavailable = NOT_REQUESTED
    uploads: UnfinishedUploads | Unavailable = NOT_REQUESTED
    versioning: VersioningState | Unavailable = NOT_REQUESTED
    lock: ObjectLock | Unavailable = NOT_REQUESTED
    rules: tuple[LifecycleRule, ...] | Unavailable = NOT_REQUESTED
    probe: GuardProbe | Unavailable = NOT_REQUESTED
    restore_probe: RestoreProbe | Unavailable = NOT_REQUESTED
    readings: tuple[LiveReading, ...] = ()
    issues: BucketIssues | Unavailable = NOT_REQUESTED
    """What a plan reports of names, times and folders."""
    target_names: TargetNames = NO_OTHER_TARGETS
    """The folder names of the other targets of the pattern, if the target is one of a pattern."""
