"""Shares what is left of a listing with a worker process, since one process parses on one core."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event
from typing import Final

from ci3.core.inventory.summary import Sum
from ci3.engine.inventory.key_ranges import Range, Ranges
from ci3.engine.workers.latency_limit import Latency
from ci3.engine.workers.worker_process import Request, WorkerProcess

MIN_OBJECTS_TO_START: Final = 20_000
"""Estimated number of objects left from which on the worker takes part."""
MIN_OBJECTS_TO_SHARE: Final = 20_000
"""Estimated number of objects left of which it takes another part: each costs some requests."""
MAX_SHARED_OBJECTS: Final = 2_000_000
"""Objects in a part: seconds of work to repeat after a failure, done before the keys expire."""
START_CHECK_SECONDS: Final = 0.02
"""How often it is checked whether enough is left for the worker to start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanBoundary:
    """What a listing showed at the ends of a span; see `Range`."""

    first: str | None
    beyond: str | None
    ends_early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialListing:
    """The deployments of some spans, by name; those in doubt; the boundary of each span."""

    sums: dict[str, Sum]
    doubtful: frozenset[str]
    boundaries: tuple[SpanBoundary, ...]


class WorkSharing:
    """Gives ranges of a listing to a worker, if there is one; `changed` guards all state.

    `make_request` returns the request to list `spans` with at most `ceiling` S3 requests in flight.
    Those of both processes together are never more than `latency.ceiling`.
    """

    def __init__(
        self,
        ranges: Ranges,
        changed: Condition,
        latency: Latency,
        worker: WorkerProcess | None,
        make_request: Callable[..., Request[PartialListing]],
    ) -> None:
        self.range_count = 0
        """Ranges that the worker has."""
        self.begun_count = 0
        """Deployments that the worker has begun to list."""
        self.sums: dict[str, Sum] = {}
        self.doubtful: set[str] = set()
        self._ranges = ranges
        self._changed = changed
        self._latency = latency
        self._ceiling = latency.ceiling
        self._worker = worker
        self._make_request = make_request
        self._unconfirmed_count = 0
        self._closed = Event()

    def run(self, is_within_ceiling: Callable[[], bool]) -> None:
        """Have the worker list one part after another, as soon and as long as that pays.

        The first part waits until this process `is_within_ceiling`, of which it has half by then.
        """
        if self._worker is None or self._ceiling <= 1:
            return
        while not self._start():
            if self._closed.wait(START_CHECK_SECONDS):
                return
        try:
            while ranges := self._give(is_within_ceiling):
                spans = [(part.after, part.upto) for part in ranges]
                request = self._make_request(spans=spans, ceiling=self._ceiling // 2)
                if not self._take_back(ranges, self._worker.call(request, self._count)):
                    return
        finally:
            with self._changed:
                self._latency.ceiling = self._ceiling

    def close(self) -> None:
        """Give the worker nothing more; end it if it is at work."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            if self._worker is not None and self.range_count:
                self._worker.end()

    def _start(self) -> bool:
        """Reserve half of the S3 requests for the worker if enough is left to list."""
        with self._changed:
            if self._ranges.left() < MIN_OBJECTS_TO_START:
                return False
            self._latency.ceiling = self._ceiling - self._ceiling // 2
            return True

    def _give(self, is_within_ceiling: Callable[[], bool]) -> Sequence[Range]:
        """Take half of what is left, up to the maximum."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or is_within_ceiling())
            if self._closed.is_set() or self._ranges.left() < MIN_OBJECTS_TO_SHARE:
                return ()
            ranges = self._ranges.give_away(MAX_SHARED_OBJECTS)
            self.range_count += len(ranges)
            self._unconfirmed_count = 0
            return ranges

    def _take_back(self, ranges: Sequence[Range], listing: PartialListing | None) -> bool:
        """Enter what was listed; without a usable listing, leave the ranges to this process."""
        with self._changed:
            self.range_count -= len(ranges)
            self._changed.notify_all()
            if listing is None or len(listing.boundaries) != len(ranges):
                self.begun_count -= self._unconfirmed_count
                for part in ranges:
                    part.put_down()
                return False
            for part, boundary in zip(ranges, listing.boundaries, strict=True):
                part.first, part.beyond = boundary.first, boundary.beyond
                part.ends_early = boundary.ends_early
                part.is_done = True
            self.sums |= listing.sums
            self.doubtful |= listing.doubtful
            return True

    def _count(self, begun: int) -> None:
        with self._changed:
            self.begun_count += begun
            self._unconfirmed_count += begun
