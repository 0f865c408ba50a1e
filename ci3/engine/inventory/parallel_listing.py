"""Lists many deployments with few requests: key ranges across deployments, several in parallel.

An idle thread takes half of the longest range; if much is left, a worker process takes a part. The
result is that of listing each deployment alone, for about as many requests as there are pages.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from threading import Condition

from ci3.aws.bucket import BucketReader
from ci3.aws.listing.pages import Page
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.inventory.keyspace import end_of_folder, is_sorted
from ci3.core.inventory.summary import SummaryBuilder
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.key_ranges import (
    DEFAULT_THRESHOLDS,
    KeyRange,
    ListingThresholds,
    RangeQueue,
    Span,
)
from ci3.engine.inventory.work_sharing import PartialListing, SpanBoundary, WorkSharing
from ci3.engine.workers.latency_limit import LatencyLimiter
from ci3.engine.workers.progress import TICK_SECONDS
from ci3.engine.workers.worker_process import OnProgress, WorkerProcess
from ci3.errors import ListingError


class UnsortedListingError(ListingError):
    """This S3 does not list keys in the order of S3, so that no key range is reliable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSpans:
    """Deployments to list, here or as a request to a worker: all `folders`, or those of spans.

    `concurrency` is the maximum number of S3 requests in flight.
    """

    folders: Folders
    required_file: str
    concurrency: int
    spans: Sequence[Span] = ()
    thresholds: ListingThresholds = DEFAULT_THRESHOLDS

    def respond(self, bucket: BucketReader, on_progress: OnProgress, /) -> PartialListing:
        """List the spans in the worker."""
        return ParallelListing(bucket, self).list_deployments(on_progress)


class ParallelListing:
    """One listing; with a worker, the concurrency limit is for both processes together."""

    def __init__(
        self, bucket: BucketReader, request: ListSpans, worker: WorkerProcess | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = request.folders.prefix
        self._required_file = request.required_file
        self._concurrency = request.concurrency
        self._queue = RangeQueue(
            request.folders,
            concurrency=request.concurrency,
            spans=request.spans,
            thresholds=request.thresholds,
        )
        self._spans = [(key_range.after, key_range.up_to) for key_range in self._queue.ranges]
        self._limiter = LatencyLimiter(request.concurrency)
        self._active_count = 0
        self._is_stopped = False
        self._changed = Condition()
        self._sharing = WorkSharing(
            self._queue, self._changed, self._limiter, worker, partial(replace, request)
        )

    def list_deployments(self, on_progress: OnProgress) -> PartialListing:
        """List everything; `on_progress` gets the number of newly started deployments.

        Raises UnsortedListingError if this S3 has another order; AccessError as `list_pages` does.
        """
        if not self._queue.folders:
            return PartialListing(summaries={}, doubtful_names=frozenset(), boundaries=())
        with ThreadPoolExecutor(self._concurrency + 1, "listing") as pool:
            try:
                sharing = pool.submit(self._stop_on_error, self._share)
                threads = [
                    pool.submit(self._stop_on_error, self._list_ranges)
                    for _ in range(self._concurrency)
                ]
                self._report_progress(threads, on_progress)
            finally:
                self._stop()
        for future in (*threads, sharing):
            future.result()
        return self._join_ranges()

    def _report_progress(self, threads: Sequence[Future[None]], on_progress: OnProgress) -> None:
        """Report progress until this process has nothing left to list."""
        total, reported = len(self._wanted_folders()), 0
        while wait(threads, timeout=TICK_SECONDS).not_done:
            started = min(total, self._queue.started_count + self._sharing.started_count)
            on_progress(max(0, started - reported))
            reported = max(reported, started)
        on_progress(total - reported)

    def _wanted_folders(self) -> list[str]:
        return [folder for span in self._spans for folder in self._queue.folders_in(span)]

    def _stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._sharing.close()

    def _stop_on_error(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException:
            self._stop()
            raise

    def _share(self) -> None:
        self._sharing.share_ranges(lambda: self._active_count <= self._limiter.maximum)

    def _list_ranges(self) -> None:
        while (key_range := self._take_range()) is not None:
            is_done = self._list_range(key_range)
            with self._changed:
                if is_done:
                    key_range.is_done = True
                    self._active_count -= 1
                self._changed.notify_all()

    def _take_range(self) -> KeyRange | None:
        """Wait for a range to list; None if all are listed, or the listing is stopped."""
        with self._changed:
            while not self._is_stopped:
                if self._active_count < self._limiter.limit:
                    key_range = self._queue.take()
                    if key_range is not None:
                        self._active_count += 1
                        self._changed.notify()  # the range may be worth a split
                        return key_range
                if not self._active_count and not self._sharing.range_count:
                    return None
                self._changed.wait()
            return None

    def _list_range(self, key_range: KeyRange) -> bool:
        """List a range; False if it was released before its end.

        If a page ends outside of all wanted folders, a new listing begins at the next one.
        """
        while True:
            skip = None
            with closing(self._list_pages(key_range.position)) as pages:
                for page in pages:
                    if self._is_stopped or self._enter_page(key_range, page):
                        return True
                    if self._release_excess(key_range):
                        return False
                    if (skip := self._queue.find_skip(key_range)) is not None:
                        break
            if skip is None:
                return True
            with self._changed:
                key_range.position = skip

    def _release_excess(self, key_range: KeyRange) -> bool:
        """Release a range if too many are being listed; return True if it was."""
        with self._changed:
            # The measured limit fluctuates, so that half more is tolerated, but not of the maximum.
            limit = self._limiter.limit
            if self._active_count <= min(self._limiter.maximum, limit + limit // 2):
                return False
            self._active_count -= 1
            key_range.release()
            return True

    def _list_pages(self, after: str) -> Generator[Page, None, None]:
        """List pages, and measure how long each takes."""
        pages = self._bucket.list_pages(self._prefix, start_after=after)
        with closing(pages):
            while True:
                with self._limiter.measure_request() as measurement:
                    page = next(pages, None)
                    measurement.retries = page.retries if page else 0
                if page is None:
                    return
                yield page

    def _enter_page(self, key_range: KeyRange, page: Page) -> bool:
        """Add a page's objects to the range's summaries; return True at the end of the range."""
        keys = page.columns.keys
        if not is_sorted(keys) or (keys and keys[0] <= key_range.position):
            raise UnsortedListingError(
                f"listing s3://{self._bucket.bucket}/{self._prefix}: the keys are not sorted", ""
            )
        with self._changed:
            end, is_at_end = self._queue.record_page(key_range, keys, is_last=page.is_last)
            if self._active_count < self._limiter.limit:
                self._changed.notify()
        self._add_objects(key_range, page.columns, end)
        return is_at_end

    def _add_objects(self, key_range: KeyRange, objects: ObjectColumns, end: int) -> None:
        """Add the first `end` objects to their folders' summaries; skip those in no wanted one."""
        folders, keys, start = self._queue.folders, objects.keys, 0
        while start < end:
            folder = self._queue.find_folder(keys[start])
            if folder is None:
                following = bisect_right(folders, keys[start])
                if following == len(folders):
                    return
                start = bisect_left(keys, folders[following], start, end)
                continue
            folder_end = bisect_left(keys, end_of_folder(folder), start, end)
            if folder not in key_range.summaries:
                is_first = not key_range.after.startswith(folder)
                key_range.summaries[folder] = SummaryBuilder(folder, self._required_file, is_first)
            key_range.summaries[folder].add_objects(objects.slice_rows(start, folder_end))
            start = folder_end

    def _join_ranges(self) -> PartialListing:
        """Join the summaries of all ranges; a folder without a consistent one is in doubt."""
        joined: dict[str, SummaryBuilder] = {}
        for key_range in sorted(self._queue.ranges, key=lambda key_range: key_range.after):
            for folder, content in key_range.summaries.items():
                if folder in joined:
                    joined[folder].append_part(content)
                else:
                    joined[folder] = content
        start = len(self._prefix)
        summaries = {
            folder[start:-1]: content.build_summary() for folder, content in joined.items()
        }
        names = {folder[start:-1] for folder in self._wanted_folders()}
        doubtful = {folder[start:-1] for folder in self._queue.find_doubtful()}
        # No deployment is listed by both processes. If it were, neither summary would be complete.
        doubtful |= self._sharing.doubtful_names | (summaries.keys() & self._sharing.summaries)
        summaries |= self._sharing.summaries
        return PartialListing(
            summaries=summaries,
            doubtful_names=frozenset(doubtful | (names - summaries.keys())),
            boundaries=tuple(self._find_boundary(span) for span in self._spans),
        )

    def _find_boundary(self, span: Span) -> SpanBoundary:
        """Return what was listed at the ends of a span, which may have been split since."""
        after, up_to = span
        first = next(key_range for key_range in self._queue.ranges if key_range.after == after)
        last = next(key_range for key_range in self._queue.ranges if key_range.up_to == up_to)
        return SpanBoundary(
            first_key=first.first_key,
            key_beyond=last.key_beyond,
            is_end_skipped=last.is_end_skipped,
        )
