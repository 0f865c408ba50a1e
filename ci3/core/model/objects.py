"""Objects, versions and multipart uploads, as S3 lists them."""

from dataclasses import dataclass
from datetime import datetime
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


NULL_VERSION_ID = "null"
"""What S3 calls a version that was made while versioning was not enabled."""
