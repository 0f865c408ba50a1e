"""A shared listing gives what an unshared one gives, whatever happens to the worker."""

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
from tests.unit.engine.inventory.test_parallel_listing import each_alone, make_keys

CASES = 200
NOTHING = PartialListing(summaries={}, doubtful_names=frozenset(), boundaries=())
MANY = {f"{number:02}/{inner:03}" for number in range(60) for inner in range(20)}


THRESHOLDS = ListingThresholds(
    page_size=5,
    assumed_objects=2,
    min_objects_to_split=10,
    min_objects_to_give=1,
    min_objects_to_start=1,
    min_objects_to_share=1,
    start_check_seconds=0.0002,
)
"""Any listing is worth sharing, and checked for it all the time."""


class Metered:
    """Lists, and waits for each page."""

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


class Watched:
    """Lists page by page, each of which something else comes before."""

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
    """A worker in a thread; requests and responses are pickled as a real one's are.

    It fails at its `fails_at`th call.
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
        request = pickle.loads(pickle.dumps(request))  # noqa: S301 - our own
        response = request.respond(self._bucket, lambda _: None)
        return pickle.loads(pickle.dumps(response))  # noqa: S301 - our own

    def end(self) -> None:
        self.ended.set()


def everything(
    found: Folders, concurrency: int, thresholds: ListingThresholds = THRESHOLDS
) -> ListSpans:
    return ListSpans(
        folders=found, required_file="", concurrency=concurrency, thresholds=thresholds
    )


def list_with(
    bucket,
    worker: ThreadWorker | None,
    found: Folders,
    *,
    concurrency: int,
    thresholds: ListingThresholds = THRESHOLDS,
) -> PartialListing:
    request = everything(found, concurrency, thresholds)
    return ParallelListing(bucket, request, worker).list_deployments(lambda _: None)


def described(listed: PartialListing, prefix: str) -> list[Deployment]:
    return [
        one.to_deployment(name, f"{prefix}{name}/")
        for name, one in sorted(listed.summaries.items())
    ]


def test_listing_with_a_worker_gives_what_listing_each_alone_gives() -> None:
    shared = failed = 0
    for seed in range(CASES):
        chance = random.Random(seed)  # noqa: S311 - the same at each run
        prefix = chance.choice(["", "app/", "a/"])
        match = chance.choice([None, None, re.compile("[ab].*")])
        keys = make_keys(chance, prefix)
        bucket = SortedBucket(keys, chance.choice([1, 2, 3, 5]), seed)
        found = find_folders(bucket, prefix, match)
        worker = ThreadWorker(bucket, chance.choice([None, None, 1, 2]))
        listed = list_with(bucket, worker, found, concurrency=chance.choice([1, 2, 3, 8]))
        assert not listed.doubtful_names, seed
        assert described(listed, prefix) == each_alone(keys, prefix, match), seed
        shared += worker.calls > 0
        failed += worker.calls == worker.fails_at
    assert shared > failed > 10


def test_no_deployment_is_split_between_the_processes() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    slow = Watched(bucket, lambda: time.sleep(0.001))
    worker = ThreadWorker(bucket)
    listed = list_with(slow, worker, find_folders(bucket, ""), concurrency=4)
    ends = [end for span in worker.spans for end in span if end]
    assert ends
    assert all("/" not in end for end in ends)
    assert len(listed.summaries) == 60


def test_deployment_that_grows_at_the_boundary_of_a_span_is_in_doubt() -> None:
    """A key that comes to stand where two Pythons' parts meet was seen by one of them alone."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    grown: list[str] = []

    class Growing(ThreadWorker):
        def call(self, request, on_progress):
            listed = super().call(request, on_progress)
            if not grown:
                grown.append(request.spans[0][0] + "!")
                bucket.keys = sorted({*bucket.keys, *grown})
            return listed

    worker = Growing(bucket)

    def wait_for_growth() -> None:
        while worker.calls and not grown:
            time.sleep(0.0005)

    listed = list_with(Watched(bucket, wait_for_growth), worker, found, concurrency=2)
    before = int(grown[0][:2])
    assert listed.doubtful_names == {f"{before:02}", f"{before + 1:02}"}


@pytest.mark.parametrize("ceiling", [1, 2, 3, 5, 8])
def test_both_processes_together_keep_to_the_ceiling(ceiling: int) -> None:
    """The worker starts when the parent has as many requests in flight as it may."""
    thresholds = replace(
        THRESHOLDS, min_objects_to_start=200, assumed_objects=1, start_check_seconds=0.05
    )
    bucket, meter = SortedBucket(MANY, 20, 1), ConcurrencyMeter()
    found = find_folders(bucket, "")
    worker = ThreadWorker(Metered(bucket, meter, 0.001))
    metered = Metered(bucket, meter, 0.003 * ceiling)
    list_with(metered, worker, found, concurrency=ceiling, thresholds=thresholds)
    assert 1 <= meter.maximum <= ceiling
    assert bool(worker.spans) == (ceiling > 1)


def test_error_in_the_parent_ends_the_worker_and_is_raised() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    asked = Event()

    class Endless(ThreadWorker):
        def call(self, *_):
            asked.set()
            assert self.ended.wait(timeout=30), "it was not ended"

    def fail_in_the_end() -> None:
        if asked.is_set():
            raise AccessError("no", "Do something.")
        time.sleep(0.001)

    worker = Endless(bucket)
    with pytest.raises(AccessError, match="no"):
        list_with(Watched(bucket, fail_in_the_end), worker, found, concurrency=4)
    assert worker.ended.is_set()


def test_idle_worker_is_not_ended() -> None:
    """It can list again, such as what turns out to be wanted in full."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    worker = ThreadWorker(bucket)
    first = list_with(bucket, worker, found, concurrency=4)
    calls = worker.calls
    assert list_with(bucket, worker, found, concurrency=4).summaries == first.summaries
    assert worker.calls > calls > 0
    assert not worker.ended.is_set()


@pytest.mark.parametrize("what", ["its own doubt", "listed on both sides"])
def test_deployment_that_the_worker_doubts_is_in_doubt(what: str) -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    doubtful: set[str] = set()

    class Doubting(ThreadWorker):
        def call(self, request, on_progress):
            listed = super().call(request, on_progress)
            name, summed = next(iter(listed.summaries.items()))
            if what == "its own doubt":
                doubtful.add(name)
                return replace(listed, doubtful_names=frozenset({name}))
            doubtful.add("00")  # the parent has begun with that
            return replace(listed, summaries=listed.summaries | {"00": summed})

    slow = Watched(bucket, lambda: time.sleep(0.001))
    listed = list_with(slow, Doubting(bucket), found, concurrency=4)
    assert doubtful
    assert listed.doubtful_names == doubtful


@pytest.mark.parametrize("response", [None, NOTHING])
def test_failed_request_is_not_counted_as_progress(response: PartialListing | None) -> None:
    """A response that does not match the spans is a failure, too."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")

    class Failing(ThreadWorker):
        def call(self, _, on_progress):
            on_progress(7)
            assert work_sharing.started_count == 7
            return response

    listed_ranges = RangeQueue(found, concurrency=4, thresholds=THRESHOLDS)
    work_sharing = WorkSharing(
        listed_ranges,
        Condition(),
        LatencyLimiter(4),
        Failing(bucket),
        partial(replace, everything(found, 4)),
    )
    work_sharing.share_ranges(lambda: True)
    assert work_sharing.started_count == work_sharing.range_count == 0
    assert listed_ranges.estimate_remaining() > 0


@pytest.mark.parametrize(
    ("deployments", "objects", "most", "given"),
    [(60, 20, 10_000, 30), (60, 20, 200, 10), (60, 20, 1, 1), (2, 20, 10_000, 1), (1, 20, 9, 0)],
)
def test_worker_gets_half_of_what_is_left_or_as_much_as_fits(
    deployments: int, objects: int, most: int, given: int
) -> None:
    keys = {f"{number:02}/{inner:03}" for number in range(deployments) for inner in range(objects)}
    some = RangeQueue(
        find_folders(SortedBucket(keys, 1000, 1), ""), concurrency=4, thresholds=THRESHOLDS
    )
    some._object_count, some.started_count = objects * 9, 9
    away = some.take_for_worker(most)
    assert sum(len(some.folders_in((one.after, one.up_to))) for one in away) == given
    assert all(one.is_with_worker and one.is_taken for one in away)
