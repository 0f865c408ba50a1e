"""How the S3 in memory is reached: by botocore without a socket, and by tests as a bucket."""

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
    """A bucket of an S3 in memory, with the ways that `tests.support.s3.moto_s3.Bucket` has."""

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

    def begin_upload(self, key: str) -> None:
        self._s3._begin_upload(self._bucket, key)

    def uploads(self) -> set[str]:
        """The keys that have unfinished uploads."""
        return {key for key, _ in self._bucket.uploads}

    @property
    def lifecycle(self) -> bytes:
        """The text of its lifecycle configuration; nothing where there is none."""
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


@contextmanager
def running_site() -> Iterator[MemorySite]:
    """Make an empty bucket, reached through a proxy that is told what goes wrong.

    What fails in the proxy, where it would be taken for a fault of S3's, fails at the end.
    """
    site = MemorySite()

    def ask(request: Request) -> Answer | None:
        try:
            return site.proxy.take(request)
        except BaseException as exc:
            site.proxy.failures.append(exc)
            raise

    with reached(ask):
        yield site
    if site.proxy.failures:
        raise site.proxy.failures[0]


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
