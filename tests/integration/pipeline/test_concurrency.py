"""No more requests are out at once than `concurrency` says, whatever is done."""

import pytest

from ci3.engine.deletion import refresh
from ci3.engine.inventory import work_sharing
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply
from tests.support.concurrency_meter import ConcurrencyMeter
from tests.support.s3.fault_proxy import running_proxy
from tests.support.s3.moto_s3 import Bucket


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("has_worker", [True, False])
@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_never_more_requests_at_once_than_concurrency_says(  # noqa: PLR0917 - fixtures
    bucket: Bucket,
    s3_url: str,
    monkeypatch: pytest.MonkeyPatch,
    forks: None,
    concurrency: int,
    has_worker: bool,
) -> None:
    """Those of the worker process count, too, which takes part in whatever it can here."""
    worth = 1 if has_worker else 10**9
    monkeypatch.setattr(work_sharing, "MIN_OBJECTS_TO_START", worth)
    monkeypatch.setattr(work_sharing, "MIN_OBJECTS_TO_SHARE", worth)
    monkeypatch.setattr(refresh, "MIN_TOTAL_OBJECTS", worth)
    bucket.deploy("new", days=1)
    for number in range(12):
        bucket.deploy(f"old-{number:02}", days=10 + number, files=120)
    bucket.put("old-00/\x01", days=10)
    with running_proxy(s3_url) as proxy:
        meter, take = ConcurrencyMeter(), proxy.handle

        def metered(request):
            with meter.counted():
                return take(request)

        proxy.handle = metered
        bucket.endpoint_url = proxy.url
        ran = apply(bucket, concurrency=str(concurrency))
    assert ran.exit_code is ExitCode.DONE
    assert 1 <= meter.maximum <= concurrency
    assert concurrency == 1 or meter.maximum > 1
