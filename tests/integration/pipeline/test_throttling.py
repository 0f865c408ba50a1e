"""A throttled run sends fewer requests at once, whether it deletes objects or versions."""

from dataclasses import replace

import pytest

from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS, SENDERS
from tests.support.cleanup_run import apply_plan, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.throttling import ThrottlingS3


@pytest.mark.parametrize("delete_versions", ["false", "true"])
def test_deletion_sends_fewer_requests_at_once_when_throttled(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, delete_versions: str
) -> None:
    monkeypatch.setattr("ci3.engine.deletion.sender.DELETE_BATCH_SIZE", 1)
    if delete_versions == "true":
        site.enable_versioning()
    site.deploy("new", days=1)
    for number in range(SENDERS):
        site.deploy(f"old-{number:02}", days=10 + number, files=1)
    throttling = ThrottlingS3(proxy, senders=SENDERS)
    context = replace(make_context(site, delete_versions=delete_versions), sleep=throttling.pause)
    reader = context.open_bucket()
    result = apply_plan(context, context.make_plan(reader), reader, is_fresh=True)
    assert [dict(deployment.counts) for deployment in result.deployments] == [
        {"failed": 1}
    ] * SENDERS
    assert throttling.most_in_flight[1:] == [1] * (len(RETRY_DELAYS_SECONDS) - 1)
