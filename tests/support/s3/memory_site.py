"""Access to the in-memory S3: for botocore without a socket, for tests as a bucket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import botocore.exceptions
import botocore.handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request
from tests.support.s3.memory_s3 import MemoryS3

URL = "http://s3.memory.test"


class MemorySite(Bucket):
    """The only bucket of an S3 that is reached without a socket: see `intercept_requests`."""

    def __init__(self) -> None:
        super().__init__(s3=MemoryS3(), name="site", endpoint_url=URL)
        self.proxy = FaultProxy(self._s3.answer)

    def set_conditional_deletes(self, *, yes: bool) -> None:
        self._s3.honours_conditions = yes

    def trim_batch_keys(self) -> None:
        self._s3.trims_batch_keys = True

    def behave_like_swift(self) -> None:
        """Make no version current when a delete marker is removed."""
        self._s3.restores_versions = False

    def store_no_null_markers(self) -> None:
        """Make a delete on a suspended bucket hide the key without a delete marker."""
        self._s3.stores_null_markers = False

    def answer(self, request: Request) -> Answer:
        return self._s3.answer(request)


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

    Errors in the proxy's script are raised at the end: to a client they look like errors of S3.
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


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
