"""Shares what is left of a listing with a worker process, since one process parses on one core."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event

from ci3.core.inventory.summary import DeploymentSummary
from ci3.engine.inventory.key_ranges import KeyRange, RangeQueue
from ci3.engine.workers.latency_limit import LatencyLimiter
from ci3.engine.workers.worker_process import Request, WorkerProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanBoundary:
    """Keys that a listing showed at the ends of a span; see `KeyRange`."""

    first_key: str | None
    key_beyond: str | None
    is_end_skipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialListing:
    """Summaries of the deployments of some spans, by name, and the boundary of each span."""

    summaries: dict[str, DeploymentSummary]
    doubtful_names: frozenset[str]
    """Deployments whose summary is missing or may be wrong."""
    boundaries: tuple[SpanBoundary, ...]


class WorkSharing:
    """Gives ranges of a listing to a worker, if there is one; `changed` guards all state.

    `make_request` returns the request to list `spans` with at most `concurrency` S3 requests in
    flight. Those of both processes together are never more than `limiter.maximum` at the start.
    """

    def __init__(
        self,
        queue: RangeQueue,
        changed: Condition,
        limiter: LatencyLimiter,
        worker: WorkerProcess | None,
        make_request: Callable[..., Request[PartialListing]],
    ) -> None:
        self.range_count = 0
        """Ranges that the worker has."""
        self.started_count = 0
        """Deployments that the worker has started to list."""
        self.summaries: dict[str, DeploymentSummary] = {}
        self.doubtful_names: set[str] = set()
        self._queue = queue
        self._thresholds = queue.thresholds
        self._changed = changed
        self._limiter = limiter
        self._concurrency = limiter.maximum
        self._worker = worker
        self._make_request = make_request
        self._unconfirmed_count = 0
        self._closed = Event()

    def share_ranges(self, is_within_maximum: Callable[[], bool]) -> None:
        """Have the worker list one part after another, as soon and as long as that pays.

        The first part waits until this process `is_within_maximum`, which is half of what it was.
        """
        if self._worker is None or self._concurrency <= 1:
            return
        while not self._reserve_requests():
            if self._closed.wait(self._thresholds.start_check_seconds):
                return
        try:
            while ranges := self._take_ranges(is_within_maximum):
                spans = [(key_range.after, key_range.up_to) for key_range in ranges]
                request = self._make_request(spans=spans, concurrency=self._concurrency // 2)
                if not self._enter_response(ranges, self._worker.call(request, self._count)):
                    return
        finally:
            with self._changed:
                self._limiter.set_maximum(self._concurrency)

    def close(self) -> None:
        """Share nothing more, and end the worker if it is listing."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            if self._worker is not None and self.range_count:
                self._worker.end()

    def _reserve_requests(self) -> bool:
        """Reserve half of the S3 requests for the worker if enough is left to list."""
        with self._changed:
            if self._queue.estimate_remaining() < self._thresholds.min_objects_to_start:
                return False
            self._limiter.set_maximum(self._concurrency - self._concurrency // 2)
            return True

    def _take_ranges(self, is_within_maximum: Callable[[], bool]) -> Sequence[KeyRange]:
        """Take half of what is left, up to `max_shared_objects`; nothing if that is too little."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or is_within_maximum())
            min_objects = self._thresholds.min_objects_to_share
            is_enough = self._queue.estimate_remaining() >= min_objects
            if self._closed.is_set() or not is_enough:
                return ()
            ranges = self._queue.take_for_worker(self._thresholds.max_shared_objects)
            self.range_count += len(ranges)
            self._unconfirmed_count = 0
            return ranges

    def _enter_response(self, ranges: Sequence[KeyRange], listing: PartialListing | None) -> bool:
        """Enter what was listed; without a usable listing, leave the ranges to this process."""
        with self._changed:
            self.range_count -= len(ranges)
            self._changed.notify_all()
            if listing is None or len(listing.boundaries) != len(ranges):
                self.started_count -= self._unconfirmed_count
                for key_range in ranges:
                    key_range.release()
                return False
            for key_range, boundary in zip(ranges, listing.boundaries, strict=True):
                key_range.first_key = boundary.first_key
                key_range.key_beyond = boundary.key_beyond
                key_range.is_end_skipped = boundary.is_end_skipped
                key_range.is_done = True
            self.summaries |= listing.summaries
            self.doubtful_names |= listing.doubtful_names
            return True

    def _count(self, started: int) -> None:
        with self._changed:
            self.started_count += started
            self._unconfirmed_count += started
