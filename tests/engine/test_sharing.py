"""What a sibling lists at our side is what would be listed here, whatever becomes of it."""

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Condition, Event

import pytest

from ci3.core.model import Deployment
from ci3.engine import flat, ranges, sharing
from ci3.engine.flat import FlatListing
from ci3.engine.folders import Folders, find_folders
from ci3.engine.latency import Latency
from ci3.engine.progress import Silent
from ci3.engine.ranges import Span
from ci3.engine.share import Share, read_share, write_share
from ci3.errors import AccessError
from tests.engine.meter import Meter
from tests.engine.sorted_bucket import SortedBucket
from tests.engine.test_flat import each_alone, make_keys

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
    monkeypatch.setattr(flat, "NOTICE_SECONDS", 0.0002)


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
    """A sibling in a thread; what it says goes through JSON as a real one's does.

    It fails at its `fails_at`th share, and before it is ready if that is 0.
    """

    def __init__(self, bucket, found: Folders, ceiling: int, fails_at: int | None = None) -> None:
        self._bucket = bucket
        self._found = found
        self._ceiling = ceiling
        self._fails_at = fails_at
        self.spans: list[Span] = []
        self.shares = 0
        self.is_closed = False
        self.ended = Event()

    def is_ready(self) -> bool:
        return self._fails_at != 0

    def list_spans(self, spans: Sequence[Span], count: Callable[[int], None]) -> Share | None:
        self.spans += spans
        self.shares += 1
        if self.shares == self._fails_at:
            count(3)
            return None
        listing = FlatListing(
            self._bucket, self._found, required_file="", ceiling=self._ceiling, spans=spans
        )
        return read_share(json.loads(json.dumps(write_share(listing.run(Silent())))))

    def end(self) -> None:
        self.ended.set()

    def close(self) -> None:
        self.is_closed = True


def list_with(bucket, found: Folders, *, ceiling: int, fails_at: int | None = None, theirs=None):
    """List with a sibling that fails when it is said; gives what was listed, and the sibling.

    It sees the same bucket, or `theirs`.
    """
    siblings: list[ThreadSibling] = []

    def start(part: int) -> ThreadSibling:
        siblings.append(ThreadSibling(theirs or bucket, found, part, fails_at))
        return siblings[-1]

    listing = FlatListing(bucket, found, required_file="", ceiling=ceiling, start=start)
    share = listing.run(Silent())
    return share, siblings[0] if siblings else None


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
        fails_at = chance.choice([None, None, 0, 1, 2])
        ceiling = chance.choice([1, 2, 3, 8])
        share, sibling = list_with(bucket, found, ceiling=ceiling, fails_at=fails_at)
        assert not share.doubtful, seed
        assert described(share, prefix) == each_alone(keys, prefix, match), seed
        if sibling is not None:
            assert sibling.is_closed, seed
            shared += sibling.shares > 0
            failed += sibling.shares == fails_at != 0
        if time.monotonic() > deadline:
            break
    assert seed > 50
    assert shared > failed > 10


def test_no_deployment_is_given_away_in_its_midst() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    slow = Watched(bucket, lambda: time.sleep(0.001))
    share, sibling = list_with(slow, find_folders(bucket, ""), ceiling=4)
    ends = [end for span in sibling.spans for end in span if end]
    assert ends
    assert all("/" not in end for end in ends)
    assert len(share.sums) == 60


def test_deployment_that_grows_at_the_border_of_a_share_is_in_doubt() -> None:
    """A key that comes to stand where two Pythons' parts meet was seen by one of them alone."""
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    siblings: list[ThreadSibling] = []
    grown: list[str] = []

    def start(part: int) -> ThreadSibling:
        sibling = ThreadSibling(bucket, found, part)
        listing = sibling.list_spans

        def list_and_grow(spans, count):
            share = listing(spans, count)
            if not grown:
                grown.append(spans[0][0] + "!")
                bucket.keys = sorted({*bucket.keys, *grown})
            return share

        sibling.list_spans = list_and_grow
        siblings.append(sibling)
        return sibling

    def wait_for_growth() -> None:
        while siblings and not (grown or siblings[0].is_closed):
            time.sleep(0.0005)

    watched = Watched(bucket, wait_for_growth)
    share = FlatListing(watched, found, required_file="", ceiling=2, start=start).run(Silent())
    before = int(grown[0][:2])
    assert share.doubtful == {f"{before:02}", f"{before + 1:02}"}


@pytest.mark.parametrize("ceiling", [1, 2, 3, 5, 8])
def test_both_pythons_together_keep_to_the_ceiling(
    ceiling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sibling comes when this Python has as many out as may be, and must do with less then."""
    monkeypatch.setattr(flat, "NOTICE_SECONDS", 0.05)
    bucket, meter = SortedBucket(MANY, 20, 1), Meter()
    _, sibling = list_with(
        Metered(bucket, meter, 0.02),
        find_folders(bucket, ""),
        ceiling=ceiling,
        theirs=Metered(bucket, meter, 0.001),
    )
    assert 1 <= meter.most <= ceiling
    assert bool(sibling and sibling.spans) == (ceiling > 1)


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

    watched = Watched(bucket, fail_in_the_end)
    sibling = Endless(bucket, found, 2)
    listing = FlatListing(watched, found, required_file="", ceiling=4, start=lambda _: sibling)
    with pytest.raises(AccessError, match="no"):
        listing.run(Silent())
    assert sibling.is_closed


def test_sibling_that_never_gets_ready_is_not_waited_for() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")

    class NeverReady(ThreadSibling):
        def is_ready(self) -> bool:
            assert self.ended.wait(timeout=30), "it was waited for"
            return False

    slow = Watched(bucket, lambda: time.sleep(0.001))
    sibling = NeverReady(bucket, found, 2)
    listing = FlatListing(slow, found, required_file="", ceiling=4, start=lambda _: sibling)
    share = listing.run(Silent())
    assert sibling.is_closed
    assert len(share.sums) == 60
    assert not share.doubtful


@pytest.mark.parametrize("what", ["its own doubt", "listed on both sides"])
def test_what_a_sibling_is_not_sure_of_is_in_doubt(what: str) -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    doubtful: set[str] = set()

    class Doubting(ThreadSibling):
        def list_spans(self, spans, count):
            share = super().list_spans(spans, count)
            name, summed = next(iter(share.sums.items()))
            if what == "its own doubt":
                doubtful.add(name)
                return replace(share, doubtful=frozenset({name}))
            doubtful.add("00")  # this Python has begun with that
            return replace(share, sums=share.sums | {"00": summed})

    slow = Watched(bucket, lambda: time.sleep(0.001))
    listing = FlatListing(
        slow, found, required_file="", ceiling=4, start=lambda part: Doubting(bucket, found, part)
    )
    share = listing.run(Silent())
    assert doubtful
    assert share.doubtful == doubtful


def test_share_that_fails_is_not_counted_as_progress() -> None:
    bucket = SortedBucket(MANY, 5, 1)
    found = find_folders(bucket, "")
    ranges_of_it = ranges.Ranges(found, ceiling=4)
    sharing_of_it = sharing.Sharing(
        ranges_of_it, Condition(), Latency(4), ceiling=4, start=lambda _: failing
    )

    class Failing(ThreadSibling):
        def list_spans(self, _, count):
            count(7)
            assert sharing_of_it.begun_count == 7

    failing = Failing(bucket, found, 2)
    sharing_of_it.run(sharing_of_it.find_worthy(), lambda: True)
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
