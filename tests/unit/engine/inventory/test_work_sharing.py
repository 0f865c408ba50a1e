"""A shared listing finds the same deployments as an unshared one, whatever the worker does."""

import pickle
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Condition, Event

import pytest

from ci3.core.model.deployment import Deployment
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.key_ranges import ListingThresholds, RangeQueue
from ci3.engine.inventory.parallel_listing import ListSpans, ParallelListing
from ci3.engine.inventory.work_sharing import PartialListing, WorkSharing
from ci3.engine.workers.latency_limit import LatencyLimiter
from ci3.engine.workers.worker_process import OnProgress
from ci3.errors import AccessError
from tests.support.concurrency_meter import ConcurrencyMeter
from tests.unit.engine.inventory.sorted_bucket import SortedBucket
from tests.unit.engine.inventory.test_parallel_listing import describe_deployments, make_keys

CASES = 200
EMPTY_LISTING = PartialListing(summaries={}, doubtful_names=frozenset(), boundaries=())
MANY_KEYS = {
    f"{folder_number:02}/{file_number:03}"
    for folder_number in range(60)
    for file_number in range(20)
}


THRESHOLDS = ListingThresholds(
    page_size=5,
    assumed_objects=2,
    min_objects_to_split=10,
    min_objects_to_give=1,
    min_objects_to_start=1,
    min_objects_to_share=1,
    start_check_seconds=0.0002,
)
"""Low enough to share any listing, and to check often whether to share it."""


class MeteredBucket:
    """Lists with a delay for each page, and counts the requests in flight."""

    bucket = "metered"

    def __init__(self, bucket: SortedBucket, meter: ConcurrencyMeter, seconds: float) -> None:
        self._listing = bucket
        self._meter = meter
        self._seconds = seconds

    def list_pages(self, prefix: str, *, start_after: str = ""):
        pages = self._listing.list_pages(prefix, start_after=start_after)
        while True:
            with self._meter.counted():
                time.sleep(self._seconds)
                page = next(pages, None)
            if page is None:
                return
            yield page


class CallbackBucket:
    """Calls a function before each page."""

    bucket = "watched"

    def __init__(self, bucket: SortedBucket, before_page: Callable[[], None]) -> None:
        self._listing = bucket
        self._before_page = before_page

    def list_pages(self, prefix: str, *, start_after: str = ""):
        pages = self._listing.list_pages(prefix, start_after=start_after)
        while True:
            self._before_page()
            page = next(pages, None)
            if page is None:
                return
            yield page


class ThreadWorker:
    """A worker in a thread that pickles requests and responses as a worker process does.

    Its call number `fails_at` fails.
    """

    def __init__(self, bucket, fails_at: int | None = None) -> None:
        self._bucket = bucket
        self.fails_at = fails_at
        self.spans: list[tuple[str, str | None]] = []
        self.calls = 0
        self.ended = Event()

    def call(self, request: ListSpans, on_progress: OnProgress) -> PartialListing | None:
        self.spans += request.spans
        self.calls += 1
        if self.calls == self.fails_at:
            on_progress(3)
            return None
        request = pickle.loads(pickle.dumps(request))  # noqa: S301 - pickled by this test
        response = request.respond(self._bucket, lambda _: None)
        return pickle.loads(pickle.dumps(response))  # noqa: S301 - pickled by this test

    def end(self) -> None:
        self.ended.set()


def make_request(
    folders: Folders, concurrency: int, thresholds: ListingThresholds = THRESHOLDS
) -> ListSpans:
    return ListSpans(
        folders=folders, required_file="", concurrency=concurrency, thresholds=thresholds
    )


def list_with(
    bucket,
    worker: ThreadWorker | None,
    folders: Folders,
    *,
    concurrency: int,
    thresholds: ListingThresholds = THRESHOLDS,
) -> PartialListing:
    request = make_request(folders, concurrency, thresholds)
    return ParallelListing(bucket, request, worker).list_deployments(lambda _: None)


def to_deployments(listed: PartialListing, prefix: str) -> list[Deployment]:
    return [
        summary.to_deployment(name, f"{prefix}{name}/")
        for name, summary in sorted(listed.summaries.items())
    ]


def test_listing_with_a_worker_equals_separate_listings() -> None:
    shared_count = failed_count = 0
    for seed in range(CASES):
        rng = random.Random(seed)  # noqa: S311 - reproducible by its seed
        prefix = rng.choice(["", "app/", "a/"])
        match = rng.choice([None, None, re.compile("[ab].*")])
        keys = make_keys(rng, prefix)
        bucket = SortedBucket(keys, rng.choice([1, 2, 3, 5]), seed)
        folders = find_folders(bucket, prefix, match)
        worker = ThreadWorker(bucket, rng.choice([None, None, 1, 2]))
        listed = list_with(bucket, worker, folders, concurrency=rng.choice([1, 2, 3, 8]))
        assert not listed.doubtful_names, seed
        assert to_deployments(listed, prefix) == describe_deployments(keys, prefix, match), seed
        shared_count += worker.calls > 0
        failed_count += worker.calls == worker.fails_at
    assert shared_count > failed_count > 10


def test_no_deployment_is_split_between_the_processes() -> None:
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    slow = CallbackBucket(bucket, lambda: time.sleep(0.001))
    worker = ThreadWorker(bucket)
    listed = list_with(slow, worker, find_folders(bucket, ""), concurrency=4)
    ends = [end for span in worker.spans for end in span if end]
    assert ends
    assert all("/" not in end for end in ends)
    assert len(listed.summaries) == 60


def test_deployment_that_grows_at_the_boundary_of_a_span_is_in_doubt() -> None:
    """The test adds a key at the boundary of two spans, which only one process lists."""
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    folders = find_folders(bucket, "")
    added_keys: list[str] = []

    class GrowingWorker(ThreadWorker):
        def call(self, request, on_progress):
            listed = super().call(request, on_progress)
            if not added_keys:
                added_keys.append(request.spans[0][0] + "!")
                bucket.keys = sorted({*bucket.keys, *added_keys})
            return listed

    worker = GrowingWorker(bucket)

    def wait_for_added_key() -> None:
        while worker.calls and not added_keys:
            time.sleep(0.0005)

    listed = list_with(CallbackBucket(bucket, wait_for_added_key), worker, folders, concurrency=2)
    folder_number = int(added_keys[0][:2])
    assert listed.doubtful_names == {f"{folder_number:02}", f"{folder_number + 1:02}"}


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_both_processes_together_respect_the_concurrency_limit(limit: int) -> None:
    """The worker starts when the parent has reached its limit of requests in flight."""
    thresholds = replace(
        THRESHOLDS, min_objects_to_start=200, assumed_objects=1, start_check_seconds=0.05
    )
    bucket, meter = SortedBucket(MANY_KEYS, 20, 1), ConcurrencyMeter()
    folders = find_folders(bucket, "")
    worker = ThreadWorker(MeteredBucket(bucket, meter, 0.001))
    metered = MeteredBucket(bucket, meter, 0.003 * limit)
    list_with(metered, worker, folders, concurrency=limit, thresholds=thresholds)
    assert 1 <= meter.maximum <= limit
    assert bool(worker.spans) == (limit > 1)


def test_error_in_the_parent_ends_the_worker_and_is_raised() -> None:
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    folders = find_folders(bucket, "")
    is_called = Event()

    class EndlessWorker(ThreadWorker):
        def call(self, *_):
            is_called.set()
            assert self.ended.wait(timeout=30), "the worker was not ended"

    def fail_after_call() -> None:
        if is_called.is_set():
            raise AccessError("no", "Do something.")
        time.sleep(0.001)

    worker = EndlessWorker(bucket)
    with pytest.raises(AccessError, match="no"):
        list_with(CallbackBucket(bucket, fail_after_call), worker, folders, concurrency=4)
    assert worker.ended.is_set()


def test_idle_worker_is_not_ended() -> None:
    """The worker can list again, such as deployments that must be listed with their objects."""
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    folders = find_folders(bucket, "")
    worker = ThreadWorker(bucket)
    first = list_with(bucket, worker, folders, concurrency=4)
    calls = worker.calls
    assert list_with(bucket, worker, folders, concurrency=4).summaries == first.summaries
    assert worker.calls > calls > 0
    assert not worker.ended.is_set()


@pytest.mark.parametrize("case", ["doubted by the worker", "listed by both processes"])
def test_deployment_that_the_worker_doubts_is_in_doubt(case: str) -> None:
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    folders = find_folders(bucket, "")
    doubtful: set[str] = set()

    class DoubtingWorker(ThreadWorker):
        def call(self, request, on_progress):
            listed = super().call(request, on_progress)
            name, summary = next(iter(listed.summaries.items()))
            if case == "doubted by the worker":
                doubtful.add(name)
                return replace(listed, doubtful_names=frozenset({name}))
            doubtful.add("00")  # the parent has started with this deployment
            return replace(listed, summaries=listed.summaries | {"00": summary})

    slow = CallbackBucket(bucket, lambda: time.sleep(0.001))
    listed = list_with(slow, DoubtingWorker(bucket), folders, concurrency=4)
    assert doubtful
    assert listed.doubtful_names == doubtful


@pytest.mark.parametrize("response", [None, EMPTY_LISTING])
def test_failed_request_is_not_counted_as_progress(response: PartialListing | None) -> None:
    """A response that does not match the spans is a failure, too."""
    bucket = SortedBucket(MANY_KEYS, 5, 1)
    folders = find_folders(bucket, "")

    class FailingWorker(ThreadWorker):
        def call(self, _, on_progress):
            on_progress(7)
            assert work_sharing.started_count == 7
            return response

    queue = RangeQueue(folders, concurrency=4, thresholds=THRESHOLDS)
    work_sharing = WorkSharing(
        queue,
        Condition(),
        LatencyLimiter(4),
        FailingWorker(bucket),
        partial(replace, make_request(folders, 4)),
    )
    work_sharing.share_ranges(lambda: True)
    assert work_sharing.started_count == work_sharing.range_count == 0
    assert queue.estimate_remaining() > 0


@pytest.mark.parametrize(
    ("deployments", "objects", "max_objects", "given"),
    [(60, 20, 10_000, 30), (60, 20, 200, 10), (60, 20, 1, 1), (2, 20, 10_000, 1), (1, 20, 9, 0)],
)
def test_worker_gets_half_of_the_remaining_folders_up_to_the_maximum(
    deployments: int, objects: int, max_objects: int, given: int
) -> None:
    keys = {
        f"{folder_number:02}/{file_number:03}"
        for folder_number in range(deployments)
        for file_number in range(objects)
    }
    queue = RangeQueue(
        find_folders(SortedBucket(keys, 1000, 1), ""), concurrency=4, thresholds=THRESHOLDS
    )
    queue._object_count, queue.started_count = objects * 9, 9
    given_ranges = queue.take_for_worker(max_objects)
    assert (
        sum(len(queue.folders_in((key_range.after, key_range.up_to))) for key_range in given_ranges)
        == given
    )
    assert all(key_range.is_with_worker and key_range.is_taken for key_range in given_ranges)
