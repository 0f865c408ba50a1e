"""An in-memory S3 that answers thousands of requests per second.

tests/system/real_s3/test_contract.py compares it with a real server.
"""

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import RLock
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from bench.s3_protocol import name_operation
from tests.support.s3 import memory_lifecycle
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.memory_listings import (
    PAGE,
    MemoryBucket,
    Version,
    document,
    error,
    list_objects,
    list_uploads,
    list_versions,
    local_name,
    parse,
    texts,
)

_NO_METADATA: Mapping[str, str] = {}


class MemoryS3:
    """Buckets and their answers to requests; `clock` is the time of stored objects."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.buckets: dict[str, MemoryBucket] = {}
        self.clock = clock
        self.honours_conditions = True
        self.honours_conditions_in_batches = True
        """False: like moto, which ignores the ETag of an entry of a batch."""
        self.honours_if_none_match = True
        self.trims_batch_keys = False
        """Whether DeleteObjects trims white space at the ends of keys, as s3rver does."""
        self.restores_versions = True
        """False: like OpenStack Swift, where removing a delete marker makes no version current."""
        self.stores_null_markers = True
        """False: a delete on a suspended bucket hides the key without a delete marker."""
        self._numbers = itertools.count(1)
        self._lock = RLock()

    def answer(self, request: Request) -> Answer:
        """Execute a request and return its answer."""
        parts = urlsplit(request.target)
        name, _, key = unquote(parts.path).removeprefix("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self._lock:
            if request.method == "PUT" and not key and not query:
                self.buckets[name] = MemoryBucket()
                return Answer(status=200, body=b"")
            if name not in self.buckets:
                return error(404, "NoSuchBucket")
            bucket = self.buckets[name]
            operation = name_operation(request.method, key, query)
            if key:
                return self._answer_of_object(bucket, operation, key, query, request)
            return self._answer_of_bucket(bucket, operation, query, request)

    def put(
        self,
        bucket: MemoryBucket,
        key: str,
        body: bytes,
        at: datetime | None = None,
        metadata: Mapping[str, str] = _NO_METADATA,
    ) -> None:
        """Store an object, last modified at `at` or now."""
        with self._lock:
            version = Version(
                version_id=self._version_id(bucket),
                modified_at=at or self._now(),
                body=body,
                metadata=metadata,
            )
            self._stack(bucket, key, version)

    def delete(self, bucket: MemoryBucket, key: str) -> Version | None:
        """Delete the current object; return the delete marker if the bucket is versioned."""
        with self._lock:
            if not bucket.versioning:
                bucket.versions.pop(key, None)
                return None
            if bucket.versioning == "Suspended" and not self.stores_null_markers:
                bucket.hidden_keys.add(key)
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

    def _stack(self, bucket: MemoryBucket, key: str, version: Version) -> None:
        """Add the newest version; a `null` version replaces the previous `null` version."""
        stored = bucket.versions.setdefault(key, [])
        if version.version_id == "null":
            stored[:] = [older for older in stored if older.version_id != "null"]
        stored.insert(0, version)
        bucket.hidden_keys.discard(key)

    def _answer_of_object(
        self,
        bucket: MemoryBucket,
        operation: str,
        key: str,
        query: dict[str, str],
        request: Request,
    ) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        match operation:
            case "CreateMultipartUpload":
                return self._begin_upload(bucket, key)
            case "AbortMultipartUpload":
                removed_upload = bucket.uploads.pop((key, query["uploadId"]), None)
                return (
                    Answer(status=204, body=b"") if removed_upload else error(404, "NoSuchUpload")
                )
            case "DeleteObject":
                return self._delete_one(
                    bucket, key, query.get("versionId", ""), headers.get("if-match", "")
                )
            case "PutObject":
                return self._put_object(bucket, key, headers, request.body)
            case "GetObject" | "HeadObject":
                return _get_object(bucket, key, has_body=operation == "GetObject")
        return error(501, "NotImplemented")

    def _answer_of_bucket(  # noqa: PLR0911 - one for each operation
        self, bucket: MemoryBucket, operation: str, query: dict[str, str], request: Request
    ) -> Answer:
        match operation:
            case "DeleteObjects":
                return self._delete_batch(bucket, request.body)
            case "PutBucketVersioning":
                bucket.versioning = texts(parse(request.body)).get("Status", "")
                return Answer(status=200, body=b"")
            case "GetBucketVersioning":
                status = f"<Status>{bucket.versioning}</Status>" if bucket.versioning else ""
                status += "<MfaDelete>Enabled</MfaDelete>" if bucket.needs_mfa else ""
                return document("VersioningConfiguration", status)
            case (
                "GetBucketLifecycleConfiguration"
                | "PutBucketLifecycleConfiguration"
                | "DeleteBucketLifecycle"
            ):
                return memory_lifecycle.answer(bucket, request)
            case "ListMultipartUploads":
                return list_uploads(bucket, query)
            case "ListObjectVersions":
                return list_versions(bucket, query)
            case "ListObjectsV2":
                return list_objects(bucket, query)
        return error(501, "NotImplemented")

    def _put_object(
        self, bucket: MemoryBucket, key: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        is_new_only = self.honours_if_none_match and headers.get("if-none-match") == "*"
        if is_new_only and key in bucket.current():
            return error(412, "PreconditionFailed")
        metadata = {
            name: value for name, value in headers.items() if name.startswith("x-amz-meta-")
        }
        self.put(bucket, key, body, metadata=metadata)
        return Answer(status=200, body=b"", headers={"ETag": bucket.versions[key][0].etag})

    def _begin_upload(self, bucket: MemoryBucket, key: str) -> Answer:
        upload_id = f"u{next(self._numbers)}"
        bucket.uploads[key, upload_id] = self._now()
        return document(
            "InitiateMultipartUploadResult",
            f"<Key>{escape(key)}</Key><UploadId>{upload_id}</UploadId>",
        )

    def _delete_one(
        self, bucket: MemoryBucket, key: str, version_id: str, condition: str
    ) -> Answer:
        if condition and version_id:
            return error(501, "NotImplemented")
        if code := self._failed_condition(bucket, key, condition):
            return error(404 if code == "NoSuchKey" else 412, code)
        if version_id:
            if code := _failed_lock(bucket, key, version_id):
                return error(403, code)
            removed = self._remove_version(bucket, key, version_id)
            marker = {"x-amz-delete-marker": "true"} if removed and removed.is_marker else {}
            return Answer(status=204, body=b"", headers={"x-amz-version-id": version_id, **marker})
        delete_marker = self.delete(bucket, key)
        headers = {}
        if delete_marker is not None:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": delete_marker.version_id}
        return Answer(status=204, body=b"", headers=headers)

    def _delete_batch(self, bucket: MemoryBucket, body: bytes) -> Answer:
        try:
            entries = [texts(entry) for entry in parse(body) if local_name(entry) == "Object"]
        except ET.ParseError:
            return error(400, "MalformedXML")
        if not 0 < len(entries) <= PAGE:
            return error(400, "MalformedXML")
        return document(
            "DeleteResult", "".join(self._delete_entry(bucket, entry) for entry in entries)
        )

    def _delete_entry(self, bucket: MemoryBucket, entry: dict[str, str]) -> str:
        key, version_id = entry["Key"], entry.get("VersionId", "")
        if self.trims_batch_keys:
            key = key.strip().strip("\ufeff").strip()
        identity = f"<Key>{escape(key)}</Key>"
        if version_id:
            identity += f"<VersionId>{version_id}</VersionId>"
        condition = entry.get("ETag", "") if self.honours_conditions_in_batches else ""
        code = self._failed_condition(bucket, key, condition)
        code = code or _failed_lock(bucket, key, version_id)
        if code:
            return f"<Error>{identity}<Code>{code}</Code><Message>no</Message></Error>"
        marker: Version | None = None
        if version_id:
            removed = self._remove_version(bucket, key, version_id)
            marker = removed if removed and removed.is_marker else None
        else:
            marker = self.delete(bucket, key)
        if marker is not None:
            identity += (
                "<DeleteMarker>true</DeleteMarker>"
                f"<DeleteMarkerVersionId>{marker.version_id}</DeleteMarkerVersionId>"
            )
        return f"<Deleted>{identity}</Deleted>"

    def _remove_version(self, bucket: MemoryBucket, key: str, version_id: str) -> Version | None:
        removed = _remove_version(bucket, key, version_id)
        if removed and removed.is_marker and not self.restores_versions:
            bucket.hidden_keys.add(key)
        return removed

    def _failed_condition(self, bucket: MemoryBucket, key: str, condition: str) -> str:
        if not condition or not self.honours_conditions:
            return ""
        stored = bucket.versions.get(key)
        if not stored or stored[0].is_marker:
            return "NoSuchKey"
        return "" if stored[0].etag == condition else "PreconditionFailed"


def _get_object(bucket: MemoryBucket, key: str, *, has_body: bool) -> Answer:
    version = bucket.current().get(key)
    if version is None:
        return error(404, "NoSuchKey")
    headers = {
        "ETag": version.etag,
        "Content-Length": str(len(version.body)),
        **version.metadata,
        **memory_lifecycle.expiration_header(bucket, key, version),
    }
    return Answer(status=200, body=version.body if has_body else b"", headers=headers)


def _failed_lock(bucket: MemoryBucket, key: str, version_id: str) -> str:
    return "AccessDenied" if (key, version_id) in bucket.locked_versions else ""


def _remove_version(bucket: MemoryBucket, key: str, version_id: str) -> Version | None:
    stored = bucket.versions.get(key, [])
    for version in stored:
        if version.version_id == version_id:
            stored.remove(version)
            if not stored:
                del bucket.versions[key]
            return version
    return None
