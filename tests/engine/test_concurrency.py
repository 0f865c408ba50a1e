"""No more requests are out at once than `concurrency` says, whatever is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import pytest

from ci3.errors import ExitCode
from tests.engine.road import apply
from tests.fault_proxy import FaultProxy, running_proxy
from tests.s3 import Bucket


class _Meter:
    """Counts the requests that are in the proxy at the same moment."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._take = proxy.take
        self._lock = Lock()
        self.now = self.most = 0

    def take(self, request):
        with self._entered():
            return self._take(request)

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_never_more_requests_at_once_than_concurrency_says(
    bucket: Bucket, s3_url: str, concurrency: int
) -> None:
    bucket.deploy("new", days=1)
    for number in range(12):
        bucket.deploy(f"old-{number:02}", days=10 + number, files=120)
    bucket.put("old-00/\x01", days=10)
    with running_proxy(s3_url) as proxy:
        meter = _Meter(proxy)
        proxy.take = meter.take
        bucket.endpoint_url = proxy.url
        ran = apply(bucket, concurrency=str(concurrency))
    assert ran.code is ExitCode.DONE
    assert 1 <= meter.most <= concurrency
    assert concurrency == 1 or meter.most > 1
