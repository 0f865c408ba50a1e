"""An S3 in memory, asked by botocore without a socket: thousands of requests a second.

It answers as tests/real_s3/test_contract.py says, which a real server passes too.
"""

import base64
import copy
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from threading import RLock
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import boto3
import botocore.exceptions
import botocore.handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from tests.fault_proxy import Answer, FaultProxy, Request

URL = "http://s3.memory.test"
OWNER = "<Owner><ID>owner</ID></Owner>"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_XML_CANNOT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PAGE = 1000


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

    def current(self) -> dict[str, Version]:
        return {
            key: stored[0]
            for key, stored in sorted(self.versions.items())
            if stored and not stored[0].is_marker
        }


class MemoryS3:
    """Buckets, and what they answer to a request; `clock` says what is stored when."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.buckets: dict[str, MemoryBucket] = {}
        self.clock = clock
        self.honours_conditions = True
        self._numbers = itertools.count(1)
        self._lock = RLock()

    def answer(self, request: Request) -> Answer:
        """Do what a request asks."""
        parts = urlsplit(request.target)
        name, _, key = unquote(parts.path).removeprefix("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            if request.method == "PUT" and not key and not query:
                self.buckets[name] = MemoryBucket()
                return Answer(status=200, body=b"")
            if name not in self.buckets:
                return _error(404, "NoSuchBucket")
            bucket = self.buckets[name]
            if key:
                return self._answer_of_object(bucket, key, query, request)
            return self._answer_of_bucket(bucket, query, request)

    def put(self, bucket: MemoryBucket, key: str, body: bytes, at: datetime | None = None) -> None:
        """Store an object, as old as is wanted."""
        with self._lock:
            one = Version(
                version_id=self._version_id(bucket), modified_at=at or self._now(), body=body
            )
            self._stack(bucket, key, one)

    def delete(self, bucket: MemoryBucket, key: str) -> Version | None:
        """Delete the current object; gives the delete marker if that makes one."""
        with self._lock:
            if not bucket.versioning:
                bucket.versions.pop(key, None)
                return None
            marker = Version(
                version_id=self._version_id(bucket), modified_at=self._now(), is_marker=True
            )
            self._stack(bucket, key, marker)
            return marker

    def _now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def _version_id(self, bucket: MemoryBucket) -> str:
        return f"v{next(self._numbers):08}" if bucket.versioning == "Enabled" else "null"

    def _stack(self, bucket: MemoryBucket, key: str, one: Version) -> None:
        """Put a version on top; the one called `null` is replaced, not kept."""
        stored = bucket.versions.setdefault(key, [])
        if one.version_id == "null":
            stored[:] = [other for other in stored if other.version_id != "null"]
        stored.insert(0, one)

    def _answer_of_object(  # noqa: PLR0911 - one for each operation
        self, bucket: MemoryBucket, key: str, query: dict[str, str], request: Request
    ) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        match request.method:
            case "POST" if "uploads" in query:
                return self._begin_upload(bucket, key)
            case "DELETE" if "uploadId" in query:
                is_there = bucket.uploads.pop((key, query["uploadId"]), None)
                return Answer(status=204, body=b"") if is_there else _error(404, "NoSuchUpload")
            case "DELETE":
                return self._delete_one(
                    bucket, key, query.get("versionId", ""), headers.get("if-match", "")
                )
            case "PUT":
                if headers.get("if-none-match") == "*" and key in bucket.current():
                    return _error(412, "PreconditionFailed")
                self.put(bucket, key, request.body)
                return Answer(status=200, body=b"", headers={"ETag": bucket.versions[key][0].etag})
            case "GET" if found := bucket.current().get(key):
                return Answer(
                    status=200,
                    body=found.body,
                    headers={"ETag": found.etag, "Content-Length": str(len(found.body))},
                )
        return _error(404, "NoSuchKey")

    def _answer_of_bucket(  # noqa: PLR0911 - one for each operation
        self, bucket: MemoryBucket, query: dict[str, str], request: Request
    ) -> Answer:
        match request.method:
            case "POST" if "delete" in query:
                return self._delete_batch(bucket, request.body)
            case "PUT" if "versioning" in query:
                bucket.versioning = _texts(_parse(request.body)).get("Status", "")
                return Answer(status=200, body=b"")
            case "GET" if "versioning" in query:
                status = f"<Status>{bucket.versioning}</Status>" if bucket.versioning else ""
                return _document("VersioningConfiguration", status)
            case "GET" if "lifecycle" in query:
                return _error(404, "NoSuchLifecycleConfiguration")
            case "GET" if "uploads" in query:
                return _list_uploads(bucket, query)
            case "GET" if "versions" in query:
                return _list_versions(bucket, query)
            case "GET" if query.get("list-type") == "2":
                return _list_objects(bucket, query)
        return _error(501, "NotImplemented")

    def _begin_upload(self, bucket: MemoryBucket, key: str) -> Answer:
        upload_id = f"u{next(self._numbers)}"
        bucket.uploads[key, upload_id] = self._now()
        return _document(
            "InitiateMultipartUploadResult",
            f"<Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId>",
        )

    def _delete_one(
        self, bucket: MemoryBucket, key: str, version_id: str, condition: str
    ) -> Answer:
        if condition and version_id:
            return _error(501, "NotImplemented")
        if code := self._failed_condition(bucket, key, condition):
            return _error(404 if code == "NoSuchKey" else 412, code)
        if version_id:
            removed = _remove_version(bucket, key, version_id)
            marker = {"x-amz-delete-marker": "true"} if removed and removed.is_marker else {}
            return Answer(status=204, body=b"", headers={"x-amz-version-id": version_id, **marker})
        made = self.delete(bucket, key)
        headers = {}
        if made is not None:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": made.version_id}
        return Answer(status=204, body=b"", headers=headers)

    def _delete_batch(self, bucket: MemoryBucket, body: bytes) -> Answer:
        try:
            asked = [_texts(entry) for entry in _parse(body) if _name(entry) == "Object"]
        except ET.ParseError:
            return _error(400, "MalformedXML")
        if not 0 < len(asked) <= _PAGE:
            return _error(400, "MalformedXML")
        return _document("DeleteResult", "".join(self._delete_entry(bucket, one) for one in asked))

    def _delete_entry(self, bucket: MemoryBucket, asked: dict[str, str]) -> str:
        key, version_id = asked["Key"], asked.get("VersionId", "")
        named = f"<Key>{escape(key)}</Key>"
        if version_id:
            named += f"<VersionId>{version_id}</VersionId>"
        if code := self._failed_condition(bucket, key, asked.get("ETag", "")):
            return f"<Error>{named}<Code>{code}</Code><Message>no</Message></Error>"
        marker: Version | None = None
        if version_id:
            removed = _remove_version(bucket, key, version_id)
            marker = removed if removed and removed.is_marker else None
        else:
            marker = self.delete(bucket, key)
        if marker is not None:
            named += (
                "<DeleteMarker>true</DeleteMarker>"
                f"<DeleteMarkerVersionId>{marker.version_id}</DeleteMarkerVersionId>"
            )
        return f"<Deleted>{named}</Deleted>"

    def _failed_condition(self, bucket: MemoryBucket, key: str, condition: str) -> str:
        if not condition or not self.honours_conditions:
            return ""
        stored = bucket.versions.get(key)
        if not stored or stored[0].is_marker:
            return "NoSuchKey"
        return "" if stored[0].etag == condition else "PreconditionFailed"


def _remove_version(bucket: MemoryBucket, key: str, version_id: str) -> Version | None:
    stored = bucket.versions.get(key, [])
    for one in stored:
        if one.version_id == version_id:
            stored.remove(one)
            if not stored:
                del bucket.versions[key]
            return one
    return None


# Listings.


def _list_objects(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token", "")
    after = _from_token(token) if token else query.get("start-after", "")
    limit = min(int(query.get("max-keys", _PAGE)), _PAGE)
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


def _list_versions(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
    after = query.get("key-marker", ""), query.get("version-id-marker", "")
    limit = min(int(query.get("max-keys", _PAGE)), _PAGE)
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


def _list_uploads(bucket: MemoryBucket, query: dict[str, str]) -> Answer:
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
    return _document(root, f"{encoding}{prefix}{truncated}{body}")


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
        return f"<DeleteMarker>{common}{OWNER}</DeleteMarker>"
    return (
        f"<Version>{common}<ETag>{escape(one.etag)}</ETag><Size>{len(one.body)}</Size>"
        f"{OWNER}<StorageClass>STANDARD</StorageClass></Version>"
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


# XML.


def _parse(body: bytes) -> ET.Element:
    return ET.fromstring(body)  # noqa: S314 - the tests' own requests


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _texts(element: Iterable[ET.Element]) -> dict[str, str]:
    return {_name(one): one.text or "" for one in element}


def _document(root: str, body: str) -> Answer:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">{body}</{root}>'
    return Answer(
        status=200,
        body=_XML_CANNOT.sub(lambda found: f"&#{ord(found[0])};", text).encode(),
        headers={"Content-Type": "application/xml"},
    )


def _error(status: int, code: str) -> Answer:
    text = f"<Error><Code>{code}</Code><Message>told by the S3 in memory</Message></Error>"
    return Answer(status=status, body=text.encode(), headers={"Content-Type": "application/xml"})


class MemorySite:
    """A bucket of an S3 in memory, with the ways that `tests.s3.Bucket` has."""

    name = "site"

    def __init__(self) -> None:
        self.endpoint_url = URL
        self._s3 = MemoryS3()
        self._bucket = self._s3.buckets.setdefault(self.name, MemoryBucket())
        self.proxy: FaultProxy | None = FaultProxy(self._s3.answer)

    @property
    def client(self):
        return make_client()

    def put(self, key: str, *, days: float = 0, body: bytes = b"x") -> None:
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        self._s3.put(self._bucket, key, body, at)

    def deploy(self, name: str, *, days: float, files: int = 3) -> None:
        for number in range(files):
            self.put(f"{name}/file-{number:05}", days=days)

    def remove(self, key: str) -> None:
        self._s3.delete(self._bucket, key)

    def enable_versioning(self) -> None:
        self._bucket.versioning = "Enabled"

    @property
    def keeps_versions(self) -> bool:
        return bool(self._bucket.versioning)

    def honour_conditions(self, *, yes: bool) -> None:
        self._s3.honours_conditions = yes

    def answer(self, request: Request) -> Answer:
        return self._s3.answer(request)

    def save(self) -> MemoryBucket:
        """Keep the bucket as it is, to go back to."""
        return copy.deepcopy(self._bucket)

    def go_back(self, saved: MemoryBucket) -> None:
        self._bucket = self._s3.buckets[self.name] = copy.deepcopy(saved)

    def keys(self) -> set[str]:
        return set(self._bucket.current())

    def content(self) -> dict[str, tuple[bytes, str, datetime]]:
        return {
            key: (one.body, one.etag, one.modified_at)
            for key, one in self._bucket.current().items()
        }

    def current_versions(self) -> dict[str, str]:
        return {key: one.version_id for key, one in self._bucket.current().items()}

    def all_versions(self) -> set[tuple[str, str]]:
        """Every version that has content, as key and id."""
        return {
            (key, one.version_id)
            for key, some in self._bucket.versions.items()
            for one in some
            if not one.is_marker
        }

    def versions(self) -> list[tuple[str, bool]]:
        return sorted(
            (key, one.is_marker) for key, some in self._bucket.versions.items() for one in some
        )

    def folders(self) -> set[str]:
        return {key.partition("/")[0] for key in self.keys() if "/" in key}

    def options(self) -> list[str]:
        return ["--bucket-name", self.name, "--endpoint-url", self.endpoint_url]


# How botocore reaches it.


class _Raw(BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def reached(answer: Callable[[Request], Answer | None]) -> Iterator[None]:
    """Let every botocore session that is made meanwhile ask here for what it would send to URL.

    No answer stands for a connection that was closed.
    """

    def send(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if not request.url.startswith(URL):
            return None
        body = request.body or b""
        if not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else body.read()
        asked = Request(
            method=request.method,
            target=request.url.removeprefix(URL),
            headers={name: _text(value) for name, value in request.headers.items()},
            body=body,
        )
        answered = answer(asked)
        if answered is None:
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)
        return AWSResponse(
            request.url, answered.status, dict(answered.headers), _Raw(answered.body)
        )

    # botocore gives these to each session that it makes.
    entry = ("before-send.s3", send)
    botocore.handlers.BUILTIN_HANDLERS.append(entry)
    try:
        yield
    finally:
        botocore.handlers.BUILTIN_HANDLERS.remove(entry)


def make_client():
    """Make a client of boto3's own; only within `reached`."""
    return boto3.Session().client(
        "s3",
        endpoint_url=URL,
        region_name="us-east-1",
        aws_access_key_id="test-key",
        aws_secret_access_key="test-secret",
        config=Config(s3={"addressing_style": "path"}),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
