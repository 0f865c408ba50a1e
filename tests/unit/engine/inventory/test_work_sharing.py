"""What a sibling lists at our side is what would be listed here, whatever becomes of it."""

import pickle
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition, Event

import pytest

from ci3.core.model.deployment import Deployment
from ci3.engine.inventory import (
    key_ranges as ranges,
)
from ci3.engine.inventory import (
    parallel_listing as flat,
)
from ci3.engine.inventory import (
    work_sharing as sharing,
)
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.key_ranges import Span
from ci3.engine.inventory.parallel_listing import FlatListing
from ci3.engine.inventory.partial_listing import Share
from ci3.engine.workers.latency_limit import Latency
from ci3.engine.workers.progress import Silent
from ci3.errors import AccessError
from tests.support.concurrency_meter import Meter
from tests.unit.engine.inventory.sorted_bucket import SortedBucket
from tests.unit.engine.inventory.test_parallel_listing import each_alone, make_keys

RUN_SECONDS = 6
MANY = {f"{number:02}/{inner:03}" for number in range(60) for inner in range(20)}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take small things for large, and look for what is worth sharing all the time."""
    small = {"PAGE_SIZE": 5, "WORTH_PARTING": 10, "WORTH_GIVING": 1, "PRESUMED_OBJECTS": 2}
    for name, value in small.items():
        monkeypatch.setattr(ranges, name, value)
    for name in ("WORTH_A_SIBLING", "WORTH_A_SHARE"):
        monkeypatch.setattr(sharing, name, 1)
    monkeypatch.setattr(flat, "SHARE_SECONDS", 0.0002)


class Metered:
    """Lists, and waits for each page."""

    bucket = "metered"

    def __init__(self, bucket: SortedBucket, meter: Meter, seconds: float) -> None:
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


class ThreadSibling:
    """A sibling in a thread; what it says goes through a pickle as a real one's does.

    It fails at its `fails_at`th share.
    """

    def __init__(self, bucket, found: Folders, fails_at: int | None = None) -> None:
        self._bucket = bucket
        self._found = found
        self.fails_at = fails_at
        self.spans: list[Span] = []
        self.shares = 0
        self.ended = Event()

    def list_spans(
        self, spans: Sequence[Span], ceiling: int, count: Callable[[int], None]
    ) -> Share | None:
        self.spans += spans
        self.shares += 1
        if self.shares == self.fails_at:
            count(3)
            return None
        listing = FlatListing(
            self._bucket, self._found, required_file="", ceiling=ceiling, spans=spans
        )
        return pickle.loads(pickle.dumps(listing.run(Silent())))  # noqa: S301 - our own

    def end(self) -> None:
        self.ended.set()


def list_with(bucket, sibling: ThreadSibling | None, found: Folders, *, ceiling: int) -> Share:
    listing = FlatListing(bucket, found, required_file="", ceiling=ceiling, sibling=sibling)
    return listing.run(Silent())


def described(share: Share, prefix: str) -> list[Deployment]:
    return [one.describe(name, f"{prefix}{name}/") for name, one in sorted(share.sums.items())]


def test_listing_with_a_sibling_gives_what_listing_each_alone_gives() -> None:
    deadline = time.monotonic() + RUN_SECONDS
    shared = failed = 0
    for seed in range(1000):
        chance = random.Random(seed)  # noqa: S311 - the same at each run
        prefix = chance.choice(["", "app/", "a/"])
        match = chance.choice([None, None, re.compile("[ab].*")])
        keys = make_keys(chance, prefix)
        bucket = SortedBucket(keys, chance.choice([1, 2, 3, 5]), seed)
        found = find_folders(bucket, prefix, match)
        sibling = ThreadSibling(bucket, found, chance.choice([None, None, 1, 2]))
        share = list_with(bucket, sibling, found, ceiling=chance.choice([1, 2, 3, 8]))
        assert not share.doubtful, seed
        assert described(share, prefix) == each_alone(keys, prefix, match), seed
        shared += sibling.shares > 0
        failed += sibling.shares == sibling.fails_at
        if time.monotonic() > deadline:
            break
    assert seed > 50
    assert shared > failed > 10


def test_no_deployment_is_given_away_in_its_midst() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    slow = Watched(bucket, lambda: time.sleep(0.001))
    sibling = ThreadSibling(bucket, find_folders(bucket, ""))
    share = list_with(slow, sibling, find_folders(bucket, ""), ceiling=4)
    ends = [end for span in sibling.spans for end in span if end]
    assert ends
    assert all("/" not in end for end in ends)
    assert len(share.sums) == 60


def test_deployment_that_grows_at_the_border_of_a_share_is_in_doubt() -> None:
    """A key that comes to stand where two Pythons' parts meet was seen by one of them alone."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    grown: list[str] = []

    class Growing(ThreadSibling):
        def list_spans(self, spans, ceiling, count):
            share = super().list_spans(spans, ceiling, count)
            if not grown:
                grown.append(spans[0][0] + "!")
                bucket.keys = sorted({*bucket.keys, *grown})
            return share

    sibling = Growing(bucket, found)

    def wait_for_growth() -> None:
        while sibling.shares and not grown:
            time.sleep(0.0005)

    share = list_with(Watched(bucket, wait_for_growth), sibling, found, ceiling=2)
    before = int(grown[0][:2])
    assert share.doubtful == {f"{before:02}", f"{before + 1:02}"}


@pytest.mark.parametrize("ceiling", [1, 2, 3, 5, 8])
def test_both_pythons_together_keep_to_the_ceiling(
    ceiling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sibling comes when this Python has as many out as may be, and must do with less then."""
    monkeypatch.setattr(sharing, "WORTH_A_SIBLING", 200)
    monkeypatch.setattr(ranges, "PRESUMED_OBJECTS", 1)
    monkeypatch.setattr(flat, "SHARE_SECONDS", 0.05)
    bucket, meter = SortedBucket(MANY, 20, 1), Meter()
    found = find_folders(bucket, "")
    sibling = ThreadSibling(Metered(bucket, meter, 0.001), found)
    list_with(Metered(bucket, meter, 0.02), sibling, found, ceiling=ceiling)
    assert 1 <= meter.most <= ceiling
    assert bool(sibling.spans) == (ceiling > 1)


def test_what_fails_here_ends_the_sibling_and_is_told() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    asked = Event()

    class Endless(ThreadSibling):
        def list_spans(self, *_):
            asked.set()
            assert self.ended.wait(timeout=30), "it was not ended"

    def fail_in_the_end() -> None:
        if asked.is_set():
            raise AccessError("no", "Do something.")
        time.sleep(0.001)

    sibling = Endless(bucket, found)
    with pytest.raises(AccessError, match="no"):
        list_with(Watched(bucket, fail_in_the_end), sibling, found, ceiling=4)
    assert sibling.ended.is_set()


def test_sibling_that_has_nothing_is_not_ended() -> None:
    """It can list again, such as what turns out to be wanted in full."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    sibling = ThreadSibling(bucket, found)
    first = list_with(bucket, sibling, found, ceiling=4)
    shares = sibling.shares
    assert list_with(bucket, sibling, found, ceiling=4).sums == first.sums
    assert sibling.shares > shares > 0
    assert not sibling.ended.is_set()


@pytest.mark.parametrize("what", ["its own doubt", "listed on both sides"])
def test_what_a_sibling_is_not_sure_of_is_in_doubt(what: str) -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    doubtful: set[str] = set()

    class Doubting(ThreadSibling):
        def list_spans(self, spans, ceiling, count):
            share = super().list_spans(spans, ceiling, count)
            name, summed = next(iter(share.sums.items()))
            if what == "its own doubt":
                doubtful.add(name)
                return replace(share, doubtful=frozenset({name}))
            doubtful.add("00")  # this Python has begun with that
            return replace(share, sums=share.sums | {"00": summed})

    slow = Watched(bucket, lambda: time.sleep(0.001))
    share = list_with(slow, Doubting(bucket, found), found, ceiling=4)
    assert doubtful
    assert share.doubtful == doubtful


def test_share_that_fails_is_not_counted_as_progress() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")

    class Failing(ThreadSibling):
        def list_spans(self, _, __, count):
            count(7)
            assert sharing_of_it.begun_count == 7

    ranges_of_it = ranges.Ranges(found, ceiling=4)
    sharing_of_it = sharing.Sharing(
        ranges_of_it, Condition(), Latency(4), ceiling=4, sibling=Failing(bucket, found)
    )
    sharing_of_it.run(sharing_of_it.begin(), lambda: True)
    assert sharing_of_it.begun_count == sharing_of_it.away == 0
    assert ranges_of_it.left() > 0


@pytest.mark.parametrize(
    ("deployments", "objects", "most", "given"),
    [(60, 20, 10_000, 30), (60, 20, 200, 10), (60, 20, 1, 1), (2, 20, 10_000, 1), (1, 20, 9, 0)],
)
def test_share_is_half_of_what_is_left_or_as_much_as_fits(
    deployments: int, objects: int, most: int, given: int
) -> None:
    keys = {f"{number:02}/{inner:03}" for number in range(deployments) for inner in range(objects)}
    some = ranges.Ranges(find_folders(SortedBucket(keys, 1000, 1), ""), ceiling=4)
    some._object_count, some.begun_count = objects * 9, 9
    away = some.give_away(most)
    assert sum(len(some.within((one.after, one.upto))) for one in away) == given
    assert all(one.is_away and one.is_begun for one in away)
