"""What the S3 in memory holds, and how its listings and errors are written as XML."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from tests.support.s3.fault_proxy import Answer

PAGE = 1000
_OWNER = "<Owner><ID>owner</ID></Owner>"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_XML_CANNOT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of an object, or a delete marker."""

    version_id: str
    modified_at: datetime
    is_marker: bool = False
    body: bytes = b""

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(kw_only=True)
class MemoryBucket:
    """A bucket: of each key its versions, newest first."""

    versioning: str = ""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    uploads: dict[tuple[str, str], datetime] = field(default_factory=dict)
    lifecycle: bytes = b""
    transition_minimum: str = "all_storage_classes_128K"
    needs_mfa: bool = False

    def current(self) -> dict[str, Version]:
        return {
            key: stored[0]
            for key, stored in sorted(self.versions.items())
            if stored and not stored[0].is_marker
        }


def list_objects(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token", "")
    after = _from_token(token) if token else query.get("start-after", "")
    limit = min(int(query.get("max-keys", PAGE)), PAGE)
    found: dict[str, str] = {}
    is_truncated = False
    for key in sorted(key for key in bucket.versions if key > after and key.startswith(prefix)):
        one = bucket.versions[key][0]
        if one.is_marker:
            continue
        folder = _folder(key, prefix, delimiter)
        if (folder and folder <= after) or (folder or key) in found:
            continue
        if len(found) == limit:
            is_truncated = True
            break
        found[folder or key] = (
            _common_prefix(folder, query) if folder else _contents(key, one, query)
        )
    following = ""
    if is_truncated:
        following = f"<NextContinuationToken>{_token([*found][-1])}</NextContinuationToken>"
    return _page("ListBucketResult", query, is_truncated, following + "".join(found.values()))


def list_versions(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    after = query.get("key-marker", ""), query.get("version-id-marker", "")
    limit = min(int(query.get("max-keys", PAGE)), PAGE)
    prefix = query.get("prefix", "")
    keys = sorted(key for key in bucket.versions if key >= after[0] and key.startswith(prefix))
    entries = [
        (key, one, place == 0) for key in keys for place, one in enumerate(bucket.versions[key])
    ]
    start = 0
    if after[0]:
        places = [at for at, (key, one, _) in enumerate(entries) if (key, one.version_id) == after]
        later = [at for at, (key, _, _) in enumerate(entries) if key > after[0]]
        start = places[0] + 1 if places else (later or [len(entries)])[0]
    shown = entries[start : start + limit]
    is_truncated = len(entries) > start + limit
    following = ""
    if is_truncated:
        key, one, _ = shown[-1]
        following = (
            f"<NextKeyMarker>{_encoded(key, query)}</NextKeyMarker>"
            f"<NextVersionIdMarker>{one.version_id}</NextVersionIdMarker>"
        )
    body = "".join(_version(key, one, query, is_latest=latest) for key, one, latest in shown)
    return _page("ListVersionsResult", query, is_truncated, following + body)


def list_uploads(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    entries = "".join(
        f"<Upload><Key>{_encoded(key, query)}</Key><UploadId>{upload_id}</UploadId>"
        f"<Initiated>{_time(at)}</Initiated></Upload>"
        for (key, upload_id), at in sorted(bucket.uploads.items())
        if key.startswith(query.get("prefix", ""))
    )
    return _page("ListMultipartUploadsResult", query, is_truncated=False, body=entries)


def _page(root: str, query: dict[str, str], is_truncated: bool, body: str) -> Answer:
    encoding = "<EncodingType>url</EncodingType>" if query.get("encoding-type") == "url" else ""
    truncated = f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
    prefix = f"<Prefix>{_encoded(query.get('prefix', ''), query)}</Prefix>"
    return document(root, f"{encoding}{prefix}{truncated}{body}")


def _contents(key: str, one: Version, query: dict[str, str]) -> str:
    return (
        f"<Contents><Key>{_encoded(key, query)}</Key>"
        f"<LastModified>{_time(one.modified_at)}</LastModified><ETag>{escape(one.etag)}</ETag>"
        f"<Size>{len(one.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def _common_prefix(folder: str, query: dict[str, str]) -> str:
    return f"<CommonPrefixes><Prefix>{_encoded(folder, query)}</Prefix></CommonPrefixes>"


def _version(key: str, one: Version, query: dict[str, str], *, is_latest: bool) -> str:
    common = (
        f"<Key>{_encoded(key, query)}</Key><VersionId>{one.version_id}</VersionId>"
        f"<IsLatest>{str(is_latest).lower()}</IsLatest>"
        f"<LastModified>{_time(one.modified_at)}</LastModified>"
    )
    if one.is_marker:
        return f"<DeleteMarker>{common}{_OWNER}</DeleteMarker>"
    return (
        f"<Version>{common}<ETag>{escape(one.etag)}</ETag><Size>{len(one.body)}</Size>"
        f"{_OWNER}<StorageClass>STANDARD</StorageClass></Version>"
    )


def _folder(key: str, prefix: str, delimiter: str) -> str:
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return f"{prefix}{head}{delimiter}" if found else ""


def _encoded(text: str, query: dict[str, str]) -> str:
    return quote(text, safe="/~") if query.get("encoding-type") == "url" else escape(text)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _from_token(token: str) -> str:
    return base64.urlsafe_b64decode(token).decode()


def parse(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the tests' own requests


def local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def texts(element: Iterable[ET.Element]) -> dict[str, str]:
    return {local_name(one): one.text or "" for one in element}


def document(root: str, body: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">{body}</{root}>'
    return Answer(
        status=200,
        body=_XML_CANNOT.sub(lambda found: f"&#{ord(found[0])};", text).encode(),
        headers={"Content-Type": "application/xml"},
    )


def error(status: int, code: str) -> Answer:
    text = f"<Error><Code>{code}</Code><Message>told by the S3 in memory</Message></Error>"
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "application/xml"})
