"""Listings that are shared with a worker process."""

import os
import signal
import time
from contextlib import closing

import pytest

from bench.cases import Case, Work
from bench.layout import Layout
from bench.servers import MemoryServer
from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Inventory
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.key_ranges import ListingThresholds
from ci3.engine.inventory.listing import ListingScope, take_inventory
from ci3.engine.inventory.parallel_listing import ListSpans, ParallelListing
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.worker_process import (
    DEFAULT_TIMING,
    WorkerProcess,
    WorkerTiming,
    start_worker,
)

LARGE = Case(work=Work.PLAN, layout=Layout("60x1000"), delete_count=30, tools=(), title="large")
SMALL = Case(work=Work.PLAN, layout=Layout("30x20"), delete_count=15, tools=(), title="small")
LOW_THRESHOLDS = ListingThresholds(min_objects_to_start=2_000, min_objects_to_share=2_000)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("forks"),
]


@pytest.fixture
def worker(reader: BucketReader):
    with closing(start_worker(reader)) as worker:
        yield worker


def make_request(reader, spans) -> ListSpans:
    folders = find_folders(reader, "")
    return ListSpans(folders=folders, required_file="file-00001", concurrency=4, spans=spans)


@pytest.fixture
def list_all_request(reader) -> ListSpans:
    return make_request(reader, [("", None)])


def test_worker_lists_spans_as_the_parent_does(reader, worker):
    begun: list[int] = []
    spans = [("shop-00", "shop-10"), ("shop-20", None)]
    listed = worker.call(make_request(reader, spans), begun.append)
    assert listed == ParallelListing(reader, make_request(reader, spans)).list_deployments(
        lambda _: None
    )
    assert sorted(listed.summaries) == ["shop-1", "shop-3"]
    assert all(total.is_complete and total.object_count == 4 for total in listed.summaries.values())
    assert sum(begun) == 2
    assert [boundary.key_beyond for boundary in listed.boundaries] == ["shop-2/file-00000", None]
    assert worker.call(make_request(reader, spans[:1])).summaries.keys() == {"shop-1"}


def test_worker_that_is_killed_lists_nothing(list_all_request, worker):
    os.kill(worker._process.pid, signal.SIGKILL)
    assert worker.call(list_all_request) is None


def test_worker_without_permission_lists_nothing(shop, list_all_request, worker):
    shop.proxy.answer(
        "GET", "list-type=2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    assert worker.call(list_all_request) is None
    assert worker.call(list_all_request) is None


@pytest.mark.usefixtures("forks")
def test_silent_worker_is_not_waited_for_forever(list_all_request, reader):
    with closing(start_worker(reader, timing=WorkerTiming(silence_seconds=0.1))) as worker:
        os.kill(worker._process.pid, signal.SIGSTOP)
        assert worker.call(list_all_request) is None


def test_worker_that_waits_for_s3_is_waited_for(shop, list_all_request, reader):
    timing = WorkerTiming(heartbeat_seconds=0.05, silence_seconds=0.5)
    shop.proxy.call_before("GET", "list-type=2", act=lambda: time.sleep(0.6))
    with closing(start_worker(reader, timing=timing)) as worker:
        assert len(worker.call(list_all_request).summaries) == 4


@pytest.fixture
def list_at(memory_server: MemoryServer):
    """Return a function that lists a bucket and returns the inventory and the request count."""

    def list_at(
        concurrency: int, case: Case, *, is_shared: bool, timing: WorkerTiming = DEFAULT_TIMING
    ) -> tuple[Inventory, int]:
        bucket, url = memory_server.prepare_bucket(case, 5), memory_server.url
        reader = BucketReader(bucket=bucket, region="us-east-1", endpoint_url=url)
        with closing(start_worker(reader, timing=timing)) as worker:
            scope = ListingScope(
                concurrency=concurrency,
                worker=worker if is_shared else None,
                thresholds=LOW_THRESHOLDS if case is LARGE else ListingThresholds(),
            )
            inventory = take_inventory(reader, scope, NoProgress())
        return inventory, memory_server.read_counts().requests["ListObjectsV2"]

    return list_at


def test_large_bucket_is_listed_alike_with_a_worker_and_without(list_at, monkeypatch):
    listings = []
    call = WorkerProcess.call

    def record_call(self, *arguments):
        listings.append(call(self, *arguments))
        return listings[-1]

    monkeypatch.setattr(WorkerProcess, "call", record_call)
    shared, shared_requests = list_at(8, LARGE, is_shared=True)
    unshared, unshared_requests = list_at(1, LARGE, is_shared=False)
    assert shared == unshared
    assert len(shared.deployments) == 60
    assert sum(len(listing.summaries) for listing in listings) > 10
    assert unshared_requests == LARGE.layout.least_requests
    assert shared_requests <= 1.05 * LARGE.layout.least_requests + 20


def test_small_bucket_is_left_to_the_parent(list_at, monkeypatch):
    monkeypatch.setattr(WorkerProcess, "call", lambda *_: pytest.fail("the worker was called"))
    inventory, _ = list_at(8, SMALL, is_shared=True)
    assert len(inventory.deployments) == 30


@pytest.mark.parametrize(
    "signal_number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"]
)
def test_bucket_is_listed_if_the_worker_is_killed_or_stopped(list_at, monkeypatch, signal_number):
    """The parent lists the spans of a worker that is killed or stopped while it lists."""
    call = WorkerProcess.call
    signaled: list[int] = []

    def call_and_signal(self, request, on_progress):
        def count_and_signal(begun: int) -> None:
            on_progress(begun)
            if not signaled:
                signaled.append(begun)
                os.kill(self._process.pid, signal_number)

        return call(self, request, count_and_signal)

    monkeypatch.setattr(WorkerProcess, "call", call_and_signal)
    timing = WorkerTiming(heartbeat_seconds=0.1, silence_seconds=1)
    inventory, _ = list_at(8, LARGE, is_shared=True, timing=timing)
    assert signaled
    assert len(inventory.deployments) == 60
    assert not inventory.unlisted
    assert {deployment.object_count for deployment in inventory.deployments} == {1000}
