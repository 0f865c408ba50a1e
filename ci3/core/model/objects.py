"""Objects, versions and multipart uploads, as S3 lists them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class StoredObject(NamedTuple):
    """A listed object; a tuple for speed, because a listing may create millions.

    `version_id` is set only if versions were listed. It is ignored in comparisons and fingerprints.
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
    """A listed version of an object, or a delete marker, which has an empty ETag and size 0."""

    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool
    etag: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """Count, total size and fingerprint of all versions and delete markers of a deployment."""

    count: int
    size_bytes: int
    fingerprint: str
    oldest_at: datetime | None = field(default=None, compare=False)
    """The times of the first and the last of them; not stored in plan files."""
    newest_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedUpload:
    """A multipart upload that was neither completed nor aborted.

    `other_keys` are what its key may be as well: some servers encode keys in this listing, some do
    not, and some encode `+` differently. For example, `v1+2/app.js` may mean `v1 2/app.js`.
    """

    key: str
    upload_id: str
    started_at: datetime
    other_keys: tuple[str, ...] = ()

    def may_be_under(self, prefix: str) -> bool:
        """Return True if the upload is under a prefix, however its key is to be read."""
        return any(key.startswith(prefix) for key in (self.key, *self.other_keys))


NULL_VERSION_ID = "null"
"""The ID that S3 gives versions which were created while versioning was not enabled."""
