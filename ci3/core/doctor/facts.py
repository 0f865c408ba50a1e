"""What was seen of a bucket when it was examined: each answer, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from ci3.core.live.sources import Reading
from ci3.core.model.deployment import Target, VersioningState
from ci3.core.model.result import GuardProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An answer that did not come: why, and what to do; `is_denied` where S3 said no."""

    problem: str
    hint: str = ""
    is_denied: bool = False
    is_asked: bool = True


NOT_ASKED = Unread(problem="it was not asked", is_asked=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """A bucket's lock on versions; `default` says in words how long new ones are locked."""

    is_enabled: bool
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """One rule of the bucket's lifecycle that is in force.

    `is_narrowed` says that it asks for more than a prefix, such as tags or sizes.
    """

    name: str
    prefix: str = ""
    is_narrowed: bool = False
    expires_after_days: int | None = None
    expires_on: date | None = None
    noncurrent_days: int | None = None

    @property
    def expires(self) -> bool:
        """Whether it deletes current objects by their age."""
        return self.expires_after_days is not None or self.expires_on is not None

    def may_touch(self, prefix: str) -> bool:
        """Whether a key under the prefix can be one of the rule's."""
        return prefix.startswith(self.prefix) or self.prefix.startswith(prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadsSeen:
    """The unfinished multipart uploads under a prefix."""

    count: int
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldersSeen:
    """The first level under the prefix: what counts as a deployment, and what is beside it."""

    names: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    """Folders that `match` leaves out."""
    file_count: int = 0
    """Files beside the folders, which are no deployments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the settings say of the bucket that is examined."""

    target: Target
    asked_region: str = ""
    match: str = ""
    required_file: str = ""
    protect: tuple[str, ...] = ()
    delete_versions: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that was asked, and what came back.

    `first_files` are the files directly in each deployment that was looked at, by its name.
    """

    aim: Aim
    at: datetime
    identity: str | Unread = NOT_ASKED
    bucket_region: str = ""
    """As S3 says it; empty where it does not."""
    folders: FoldersSeen | Unread = NOT_ASKED
    first_files: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists_versions: bool | Unread = NOT_ASKED
    uploads: UploadsSeen | Unread = NOT_ASKED
    versioning: VersioningState | Unread = NOT_ASKED
    lock: ObjectLock | Unread = NOT_ASKED
    rules: tuple[LifecycleRule, ...] | Unread = NOT_ASKED
    probe: GuardProbe | Unread = NOT_ASKED
    readings: tuple[Reading, ...] = ()
