"""Lists versions and delete markers."""

import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from ci3.aws.client import translated
from ci3.aws.listing.validation import HINT, Markers, check_entries
from ci3.core.model.objects import StoredVersion
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsRequestTypeDef

_KINDS = re.compile(rb"<(?:[\w.-]+:)?(Version|DeleteMarker)(?=[\s>])")


def note_order(client: "S3Client") -> None:
    """Make a client keep in which order a page has versions and markers; botocore parts them."""
    client.meta.events.register("after-call.s3.ListObjectVersions", _note_order)


def _note_order(http_response: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
    parsed["Kinds"] = _KINDS.findall(http_response.content)


def list_versions(
    client: "S3Client", bucket: str, prefix: str
) -> Generator[tuple[StoredVersion, ...], None, None]:
    """List every version and delete marker under a prefix, page by page.

    The versions of a key stand together, newest first as S3 stored them; where a server does not
    list them so, by time, with a marker before a version of the same second. Raises ListingError
    for a page that can't be trusted.
    """
    where = f"listing the versions of s3://{bucket}/{prefix}"
    markers = Markers(where)
    request: ListObjectVersionsRequestTypeDef = {"Bucket": bucket, "Prefix": prefix}
    while True:
        with translated(where):
            answer = client.list_object_versions(**request)
        after = markers.follow(
            is_truncated=answer.get("IsTruncated"),
            key=answer.get("NextKeyMarker", ""),
            identifier=answer.get("NextVersionIdMarker", ""),
        )
        yield _page(answer, prefix, where)
        if after is None:
            return
        request["KeyMarker"] = after[0]
        request["VersionIdMarker"] = after[1]


def _page(answer: Mapping[str, Any], prefix: str, where: str) -> tuple[StoredVersion, ...]:
    entries = {
        b"Version": [*answer.get("Versions", ())],
        b"DeleteMarker": [*answer.get("DeleteMarkers", ())],
    }
    kinds = answer.get("Kinds", ())
    if any(kinds.count(kind) != len(of_kind) for kind, of_kind in entries.items()):
        raise ListingError(f"{where}: versions and delete markers can't be told apart", HINT)
    following = {kind: iter(of_kind) for kind, of_kind in entries.items()}
    try:
        found = [_stored(next(following[kind]), is_marker=kind != b"Version") for kind in kinds]
    except KeyError as exc:
        raise ListingError(f"{where}: an entry has no {exc.args[0]}", HINT) from exc
    check_entries(((one.key, one.modified_at) for one in found), prefix, where)
    by_key: dict[str, list[StoredVersion]] = {}
    for one in found:
        by_key.setdefault(one.key, []).append(one)
    return tuple(one for versions in by_key.values() for one in _newest_first(versions))


def _newest_first(versions: list[StoredVersion]) -> list[StoredVersion]:
    """Keep S3's order unless the latest is not first: an upload in parts is dated to its start."""
    if versions[0].is_latest or not any(one.is_latest for one in versions):
        return versions
    return sorted(
        versions, key=lambda one: (one.is_latest, one.modified_at, one.is_marker), reverse=True
    )


def _stored(entry: Mapping[str, Any], *, is_marker: bool) -> StoredVersion:
    if not entry["VersionId"]:
        raise KeyError("VersionId")
    return StoredVersion(
        key=entry["Key"],
        version_id=entry["VersionId"],
        is_latest=entry["IsLatest"],
        is_marker=is_marker,
        etag="" if is_marker else entry.get("ETag", ""),
        size_bytes=0 if is_marker else entry["Size"],
        modified_at=entry["LastModified"],
    )
