"""Access to the in-memory S3: for botocore without a socket, for tests as a bucket."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO

import boto3
import botocore.exceptions
import botocore.handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from tests.support.s3.fault_proxy import Answer, FaultProxy, Request
from tests.support.s3.memory_listings import MemoryBucket
from tests.support.s3.memory_s3 import MemoryS3

URL = "http://s3.memory.test"


class MemorySite:
    """A bucket of an in-memory S3, with the interface of `tests.support.s3.moto_s3.Bucket`."""

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
        modified_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
        self._s3.put(self._bucket, key, body, modified_at)

    def deploy(self, name: str, *, days: float, files: int = 3) -> None:
        for number in range(files):
            self.put(f"{name}/file-{number:05}", days=days)

    def remove(self, key: str) -> None:
        self._s3.delete(self._bucket, key)

    def enable_versioning(self) -> None:
        self._bucket.versioning = "Enabled"

    def begin_upload(self, key: str, *, days: float = 0) -> None:
        """Begin a multipart upload, as of some days ago; less than 0 is in the future."""
        before = set(self._bucket.uploads)
        self._s3._begin_upload(self._bucket, key)
        for upload in set(self._bucket.uploads) - before:
            self._bucket.uploads[upload] -= timedelta(days=days)

    def uploads(self) -> set[str]:
        """Return the keys of unfinished multipart uploads."""
        return {key for key, _ in self._bucket.uploads}

    @property
    def lifecycle(self) -> bytes:
        """The lifecycle configuration's XML; empty if there is none."""
        return self._bucket.lifecycle

    @lifecycle.setter
    def lifecycle(self, raw: bytes) -> None:
        self._bucket.lifecycle = raw

    @property
    def transition_minimum(self) -> str:
        return self._bucket.transition_minimum

    @transition_minimum.setter
    def transition_minimum(self, value: str) -> None:
        self._bucket.transition_minimum = value

    def suspend_versioning(self) -> None:
        self._bucket.versioning = "Suspended"

    @property
    def keeps_versions(self) -> bool:
        return bool(self._bucket.versioning)

    def set_conditional_deletes(self, *, yes: bool) -> None:
        self._s3.honours_conditions = yes

    def trim_batch_keys(self) -> None:
        self._s3.trims_batch_keys = True

    def behave_like_swift(self) -> None:
        """Let nothing be current after a delete marker was removed."""
        self._s3.restores_versions = False

    def store_no_null_markers(self) -> None:
        """Let a delete on a suspended bucket hide the key without a delete marker."""
        self._s3.stores_null_markers = False

    def answer(self, request: Request) -> Answer:
        return self._s3.answer(request)

    def save_bucket(self) -> MemoryBucket:
        """Return a copy of the bucket for `go_back`."""
        return copy.deepcopy(self._bucket)

    def restore_bucket(self, saved: MemoryBucket) -> None:
        self._bucket = self._s3.buckets[self.name] = copy.deepcopy(saved)

    def keys(self) -> set[str]:
        return set(self._bucket.current())

    def content(self) -> dict[str, tuple[bytes, str, datetime]]:
        return {
            key: (version.body, version.etag, version.modified_at)
            for key, version in self._bucket.current().items()
        }

    def current_versions(self) -> dict[str, str]:
        return {key: version.version_id for key, version in self._bucket.current().items()}

    def all_versions(self) -> set[tuple[str, str]]:
        """Return (key, id) of every version that is not a delete marker."""
        return {
            (key, version.version_id)
            for key, versions in self._bucket.versions.items()
            for version in versions
            if not version.is_marker
        }

    def versions(self) -> list[tuple[str, bool]]:
        return sorted(
            (key, version.is_marker)
            for key, versions in self._bucket.versions.items()
            for version in versions
        )

    def folders(self) -> set[str]:
        return {key.partition("/")[0] for key in self.keys() if "/" in key}

    def options(self) -> list[str]:
        return ["--bucket-name", self.name, "--endpoint-url", self.endpoint_url]


class _Raw(BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def intercept_requests(answer: Callable[[Request], Answer | None]) -> Iterator[None]:
    """Answer the requests to URL of every botocore session created in the context.

    An answer of None closes the connection.
    """

    def send(request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        if not request.url.startswith(URL):
            return None
        body = request.body or b""
        if not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else body.read()
        s3_request = Request(
            method=request.method,
            target=request.url.removeprefix(URL),
            headers={name: _text(value) for name, value in request.headers.items()},
            body=body,
        )
        s3_answer = answer(s3_request)
        if s3_answer is None:
            raise botocore.exceptions.ConnectionClosedError(endpoint_url=request.url)
        return AWSResponse(
            request.url, s3_answer.status, dict(s3_answer.headers), _Raw(s3_answer.body)
        )

    # botocore registers these with each new session.
    entry = ("before-send.s3", send)
    botocore.handlers.BUILTIN_HANDLERS.append(entry)
    try:
        yield
    finally:
        botocore.handlers.BUILTIN_HANDLERS.remove(entry)


@contextmanager
def running_site() -> Iterator[MemorySite]:
    """Yield an empty bucket behind a scripted proxy.

    Errors in the proxy's script, which a client would take for S3's, are raised at the end.
    """
    site = MemorySite()

    def take_request(request: Request) -> Answer | None:
        try:
            return site.proxy.handle(request)
        except BaseException as exc:
            site.proxy.failures.append(exc)
            raise

    with intercept_requests(take_request):
        yield site
    if site.proxy.failures:
        raise site.proxy.failures[0]


def make_client():
    """Return a plain boto3 client; works only within `reached`."""
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
