"""An S3 on loopback: the tests' in-memory S3, and moto for the other AWS services."""

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import Answer, FaultProxy, Request, forward, serve_proxy
from tests.support.s3.memory_s3 import MemoryS3
from tests.support.s3.moto_s3 import running_s3

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(\w+)/aws4_request")


class LocalS3:
    """Buckets of the in-memory S3 at a URL that answers for the other AWS services, too."""

    def __init__(self) -> None:
        self.url = ""
        self._s3 = MemoryS3()
        self._s3.honours_conditions_in_batches = False
        self._numbers = itertools.count(1)
        self._moto_url = ""
        self._starting = Lock()
        self._servers = ExitStack()

    def new_bucket(self) -> Bucket:
        """Create an empty bucket with a unique name."""
        return Bucket(s3=self._s3, name=f"site-{next(self._numbers):05}", endpoint_url=self.url)

    def answer(self, request: Request) -> Answer:
        """Answer a request; what is neither for S3 nor for a bucket goes to moto."""
        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        is_for_bucket = request.target.partition("?")[0] != "/"
        if is_for_bucket and (scope is None or scope[1] == "s3"):
            return self._s3.answer(request)
        return forward(request, self._start_moto())

    def stop(self) -> None:
        """Stop moto, if it was started."""
        self._servers.close()

    def _start_moto(self) -> str:
        with self._starting:
            if not self._moto_url:
                self._moto_url = self._servers.enter_context(running_s3())
        return self._moto_url


@contextmanager
def running_local_s3() -> Iterator[LocalS3]:
    """Serve an S3 on loopback until the context ends."""
    local_s3 = LocalS3()
    with serve_proxy(FaultProxy(local_s3.answer)) as server:
        local_s3.url = server.url
        try:
            yield local_s3
        finally:
            local_s3.stop()
