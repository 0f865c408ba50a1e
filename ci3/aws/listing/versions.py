"""List object versions and delete markers."""

import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from ci3.aws.client_errors import translate_errors
from ci3.aws.listing.validation import HINT, PaginationMarkers, check_entries
from ci3.core.model.objects import StoredVersion
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsRequestTypeDef

_KINDS = re.compile(rb"<(?:[\w.-]+:)?(Version|DeleteMarker)(?=[\s>])")


def register_order_recorder(client: "S3Client") -> None:
    """Make a client record the order of versions and delete markers on a page.

    botocore returns them in two separate lists.
    """
    client.meta.events.register("after-call.s3.ListObjectVersions", _record_order)


def _record_order(http_response: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
    parsed["Kinds"] = _KINDS.findall(http_response.content)


def list_versions(
    client: "S3Client", bucket: str, prefix: str
) -> Generator[tuple[StoredVersion, ...], None, None]:
    """List every version and delete marker under a prefix, page by page.

    The versions of a key are adjacent, newest first as S3 stored them. Where a server lists them
    in another order they are sorted by time, a delete marker before a version of the same second.
    Raises ListingError for a page that can't be trusted.
    """
    action = _describe_listing(bucket, prefix)
    for response in _list_responses(client, {"Bucket": bucket, "Prefix": prefix}, action):
        yield _parse_page(response, prefix, action)


def list_version_folders(
    client: "S3Client", bucket: str, prefix: str
) -> Generator[frozenset[str], None, None]:
    """List the folders that begin with a prefix and have versions or delete markers, page by page.

    `app/ab` lists `app/ab/` and `app/abc/`; a folder may be on several pages. Raises as
    `list_versions` does.
    """
    action = _describe_listing(bucket, prefix)
    request: ListObjectVersionsRequestTypeDef = {
        "Bucket": bucket,
        "Prefix": prefix,
        "Delimiter": "/",
    }
    for response in _list_responses(client, request, action):
        folders = {entry.get("Prefix", "") for entry in response.get("CommonPrefixes", ())}
        # A server that ignores the delimiter lists the objects in the folders.
        keys = (version.key for version in _parse_page(response, prefix, action))
        folders |= {_get_folder(key, prefix) for key in keys if "/" in key[len(prefix) :]}
        if any(_get_folder(folder, prefix) != folder for folder in folders):
            raise ListingError(f"{action}: the response lists a folder outside the prefix", HINT)
        yield frozenset(folders)


def _get_folder(key: str, prefix: str) -> str:
    """Return the folder of a key that is the first one after the prefix, with its slash."""
    return f"{prefix}{key.removeprefix(prefix).partition('/')[0]}/"


def _describe_listing(bucket: str, prefix: str) -> str:
    return f"listing the versions of s3://{bucket}/{prefix}"


def _list_responses(
    client: "S3Client", request: "ListObjectVersionsRequestTypeDef", action: str
) -> Generator[Mapping[str, Any], None, None]:
    markers = PaginationMarkers(action)
    while True:
        with translate_errors(action):
            response = client.list_object_versions(**request)
        marker = markers.find_next(
            is_truncated=response.get("IsTruncated"),
            key=response.get("NextKeyMarker", ""),
            identifier=response.get("NextVersionIdMarker", ""),
        )
        yield response
        if marker is None:
            return
        request["KeyMarker"] = marker[0]
        if marker[1]:
            request["VersionIdMarker"] = marker[1]
        else:  # the page ends with a folder; S3 refuses an empty marker
            request.pop("VersionIdMarker", None)


def _parse_page(response: Mapping[str, Any], prefix: str, action: str) -> tuple[StoredVersion, ...]:
    entries = {
        b"Version": [*response.get("Versions", ())],
        b"DeleteMarker": [*response.get("DeleteMarkers", ())],
    }
    kinds = response.get("Kinds", ())
    if any(kinds.count(kind) != len(kind_entries) for kind, kind_entries in entries.items()):
        raise ListingError(f"{action}: cannot distinguish versions from delete markers", HINT)
    iterators = {kind: iter(kind_entries) for kind, kind_entries in entries.items()}
    try:
        versions = [
            _make_version(next(iterators[kind]), is_marker=kind != b"Version") for kind in kinds
        ]
    except KeyError as exc:
        raise ListingError(f"{action}: an entry has no {exc.args[0]}", HINT) from exc
    check_entries(((version.key, version.modified_at) for version in versions), prefix, action)
    by_key: dict[str, list[StoredVersion]] = {}
    for version in versions:
        by_key.setdefault(version.key, []).append(version)
    return tuple(
        version for key_versions in by_key.values() for version in _sort_newest_first(key_versions)
    )


def _sort_newest_first(versions: list[StoredVersion]) -> list[StoredVersion]:
    """Sort versions by time, but only if the latest is not first.

    Otherwise S3's order is kept: a multipart upload is dated to its start, so time may mislead.
    """
    if versions[0].is_latest or not any(version.is_latest for version in versions):
        return versions
    return sorted(
        versions,
        key=lambda version: (version.is_latest, version.modified_at, version.is_delete_marker),
        reverse=True,
    )


def _make_version(entry: Mapping[str, Any], *, is_marker: bool) -> StoredVersion:
    if not entry["VersionId"]:
        raise KeyError("VersionId")
    return StoredVersion(
        key=entry["Key"],
        version_id=entry["VersionId"],
        is_latest=entry["IsLatest"],
        is_delete_marker=is_marker,
        etag="" if is_marker else entry.get("ETag", ""),
        size_bytes=0 if is_marker else entry["Size"],
        modified_at=entry["LastModified"],
    )
