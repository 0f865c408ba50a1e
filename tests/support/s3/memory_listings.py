"""The in-memory S3's buckets, and the XML of its listings and errors."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from bench.s3_protocol import format_document, format_error
from tests.support.s3.fault_proxy import Answer

PAGE = 1000
_OWNER = "<Owner><ID>owner</ID></Owner>"
_INVALID_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of an object, or a delete marker."""

    version_id: str
    modified_at: datetime
    is_marker: bool = False
    body: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The `x-amz-meta-` headers with which it was stored."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(kw_only=True)
class MemoryBucket:
    """A bucket: the versions of each key, newest first."""

    versioning: str = ""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[tuple[str, str], datetime] = field(default_factory=dict)
    lifecycle: bytes = b""
    transition_minimum: str = "all_storage_classes_128K"
    needs_mfa: bool = False
    page_size: int = PAGE
    """Maximum number of entries of a page, also if a request asks for more."""
    locked_versions: set[tuple[str, str]] = field(default_factory=set)
    """Versions that can't be deleted, as (key, ID); a delete marker can still hide them."""
    hidden_keys: set[str] = field(default_factory=set)
    """Keys without a current version, although their newest version is not a delete marker."""

    def current(self) -> dict[str, Version]:
        return {
            key: stored[0]
            for key, stored in sorted(self.versions.items())
            if stored and not stored[0].is_marker and key not in self.hidden_keys
        }


def list_objects(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token", "")
    after = _decode_token(token) if token else query.get("start-after", "")
    limit = min(int(query.get("max-keys", PAGE)), bucket.page_size)
    entries: dict[str, str] = {}
    is_truncated = False
    for key in sorted(key for key in bucket.versions if key > after and key.startswith(prefix)):
        version = bucket.versions[key][0]
        if version.is_marker or key in bucket.hidden_keys:
            continue
        folder = _folder(key, prefix, delimiter)
        if (folder and folder <= after) or (folder or key) in entries:
            continue
        if len(entries) == limit:
            is_truncated = True
            break
        entries[folder or key] = (
            _common_prefix(folder, query) if folder else _contents(key, version, query)
        )
    next_token = ""
    if is_truncated:
        next_token = (
            f"<NextContinuationToken>{_encode_token([*entries][-1])}</NextContinuationToken>"
        )
    return _page("ListBucketResult", query, is_truncated, next_token + "".join(entries.values()))


def list_versions(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    after = query.get("key-marker", ""), query.get("version-id-marker", "")
    limit = min(int(query.get("max-keys", PAGE)), bucket.page_size)
    prefix = query.get("prefix", "")
    keys = sorted(key for key in bucket.versions if key >= after[0] and key.startswith(prefix))
    entries = [
        (key, version, version_index == 0 and key not in bucket.hidden_keys)
        for key in keys
        for version_index, version in enumerate(bucket.versions[key])
    ]
    start = 0
    if after[0]:
        matching_indexes = [
            index
            for index, (key, version, _) in enumerate(entries)
            if (key, version.version_id) == after
        ]
        later_indexes = [index for index, (key, _, _) in enumerate(entries) if key > after[0]]
        start = (
            matching_indexes[0] + 1 if matching_indexes else (later_indexes or [len(entries)])[0]
        )
    page_entries = entries[start : start + limit]
    is_truncated = len(entries) > start + limit
    next_markers = ""
    if is_truncated:
        key, version, _ = page_entries[-1]
        next_markers = (
            f"<NextKeyMarker>{_encode_key(key, query)}</NextKeyMarker>"
            f"<NextVersionIdMarker>{version.version_id}</NextVersionIdMarker>"
        )
    body = "".join(
        _version(key, version, query, is_latest=latest) for key, version, latest in page_entries
    )
    return _page("ListVersionsResult", query, is_truncated, next_markers + body)


def list_uploads(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    entries = "".join(
        f"<Upload><Key>{_encode_key(key, query)}</Key><UploadId>{upload_id}</UploadId>"
        f"<Initiated>{_format_time(at)}</Initiated></Upload>"
        for (key, upload_id), at in sorted(bucket.uploads.items())
        if key.startswith(query.get("prefix", ""))
    )
    return _page("ListMultipartUploadsResult", query, is_truncated=False, body=entries)


def _page(root: str, query: dict[str, str], is_truncated: bool, body: str) -> Answer:
    encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
    truncated = f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
    prefix = f"<Prefix>{_encode_key(query.get('prefix', ''), query)}</Prefix>"
    return document(root, f"{encoding}{prefix}{truncated}{body}")


def _contents(key: str, version: Version, query: dict[str, str]) -> str:
    return (
        f"<Contents><Key>{_encode_key(key, query)}</Key>"
        f"<LastModified>{_format_time(version.modified_at)}</LastModified><ETag>{escape(version.etag)}</ETag>"
        f"<Size>{len(version.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _common_prefix(folder: str, query: dict[str, str]) -> str:
    return f"<CommonPrefixes><Prefix>{_encode_key(folder, query)}</Prefix></CommonPrefixes>"


def _version(key: str, version: Version, query: dict[str, str], *, is_latest: bool) -> str:
    common = (
        f"<Key>{_encode_key(key, query)}</Key><VersionId>{version.version_id}</VersionId>"
        f"<IsLatest>{str(is_latest).lower()}</IsLatest>"
        f"<LastModified>{_format_time(version.modified_at)}</LastModified>"
    )
    if version.is_marker:
        return f"<DeleteMarker>{common}{_OWNER}</DeleteMarker>"
    return (
        f"<Version>{common}<ETag>{escape(version.etag)}</ETag><Size>{len(version.body)}</Size>"
        f"{_OWNER}<StorageClass>STANDARD</StorageClass></Version>"
    )


def _folder(key: str, prefix: str, delimiter: str) -> str:
    head, has_delimiter, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return f"{prefix}{head}{delimiter}" if has_delimiter else ""


def _encode_key(text: str, query: dict[str, str]) -> str:
    return quote(text, safe="/~") if query.get("encoding-type") == "url" else escape(text)


def _format_time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"


def _encode_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode_token(token: str) -> str:
    return base64.urlsafe_b64decode(token).decode()


def parse(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the tests' own requests


def local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def texts(element: Iterable[ET.Element]) -> dict[str, str]:
    return {local_name(child): child.text or "" for child in element}


def document(root: str, body: str) -> Answer:
    text = _INVALID_IN_XML.sub(lambda match: f"&#{ord(match[0])};", format_document(root, body))
    return Answer(status=200, body=text.encode(), headers={"Content-Type": "application/xml"})


def error(status: int, code: str) -> Answer:
    text = format_error(code, "refused by the test")
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "application/xml"})
