"""Lists many deployments at once: ranges of neighbours, page after page, several at the same time.

A thread that has nothing to do takes half of what the slowest has left; where much is left, a
worker process takes a part. The result is what one listing for each deployment would give, for
about as many requests as there are pages.
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
from ci3.core.inventory.columns import Listed
from ci3.core.inventory.keyspace import end_of, is_sorted
from ci3.core.inventory.summary import Content
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.key_ranges import Range, Ranges, Span
from ci3.engine.inventory.work_sharing import PartialListing, SpanBoundary, WorkSharing
from ci3.engine.workers.latency_limit import Latency
from ci3.engine.workers.wait import NOTICE_SECONDS
from ci3.engine.workers.worker_process import OnProgress, WorkerProcess
from ci3.errors import ListingError


class DisorderError(ListingError):
    """This S3 does not list keys in the order of S3, so that no range of them can be relied on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSpans:
    """What to list, here or as a request to a worker: what `found` names, or only some spans of it.

    At most `ceiling` S3 requests are in flight.
    """

    found: Folders
    required_file: str
    ceiling: int
    spans: Sequence[Span] = ()

    def respond(self, bucket: BucketReader, on_progress: OnProgress, /) -> PartialListing:
        """List the spans in the worker."""
        return FlatListing(bucket, self).run(on_progress)


class FlatListing:
    """One listing; with a worker, the ceiling applies to both processes together."""

    def __init__(
        self, bucket: BucketReader, listed: ListSpans, worker: WorkerProcess | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = listed.found.prefix
        self._required_file = listed.required_file
        self._ceiling = listed.ceiling
        self._ranges = Ranges(listed.found, ceiling=listed.ceiling, spans=listed.spans)
        self._spans = [(one.after, one.upto) for one in self._ranges.all]
        self._latency = Latency(listed.ceiling)
        self._active = 0
        self._is_stopped = False
        self._changed = Condition()
        self._sharing = WorkSharing(
            self._ranges, self._changed, self._latency, worker, partial(replace, listed)
        )

    def run(self, on_progress: OnProgress) -> PartialListing:
        """List all, calling `on_progress` with the number of deployments begun since.

        Raises DisorderError where this S3 has another order, and AccessError as `list_pages` does.
        """
        if not self._ranges.folders:
            return PartialListing(sums={}, doubtful=frozenset(), boundaries=())
        with ThreadPoolExecutor(self._ceiling + 1, "listing") as pool:
            try:
                sharing = pool.submit(self._stop_on_error, self._share)
                workers = [
                    pool.submit(self._stop_on_error, self._work) for _ in range(self._ceiling)
                ]
                self._watch(workers, on_progress)
            finally:
                self._stop()
        for future in (*workers, sharing):
            future.result()
        return self._join()

    def _watch(self, workers: Sequence[Future[None]], on_progress: OnProgress) -> None:
        """Report progress until this process has nothing left to list."""
        total, shown = len(self._wanted()), 0
        while wait(workers, timeout=NOTICE_SECONDS).not_done:
            begun = min(total, self._ranges.begun_count + self._sharing.begun_count)
            on_progress(max(0, begun - shown))
            shown = max(shown, begun)
        on_progress(total - shown)

    def _wanted(self) -> list[str]:
        return [folder for span in self._spans for folder in self._ranges.within(span)]

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
        self._sharing.run(lambda: self._active <= self._latency.ceiling)

    def _work(self) -> None:
        """List range after range, until none is left."""
        while (one := self._take()) is not None:
            self._leave(one, is_done=self._list(one))

    def _take(self) -> Range | None:
        """Wait for a range to list; None when all are listed, or in the hands of others."""
        with self._changed:
            while not self._is_stopped:
                if self._active < self._latency.allowed:
                    one = self._ranges.take()
                    if one is not None:
                        self._active += 1
                        self._changed.notify()  # what was taken may be worth parting
                        return one
                if not self._active and not self._sharing.range_count:
                    return None
                self._changed.wait()
            return None

    def _leave(self, one: Range, *, is_done: bool) -> None:
        with self._changed:
            if is_done:
                one.is_done = True
                self._active -= 1
            self._changed.notify_all()

    def _list(self, one: Range) -> bool:
        """List a range to its end; false where it was put down before.

        What stands in no deployment is jumped over once a page ends in it.
        """
        while True:
            jump = None
            with closing(self._pages(one.place)) as pages:
                for page in pages:
                    if self._is_stopped or self._enter(one, page):
                        return True
                    if self._put_down(one):
                        return False
                    if (jump := self._ranges.jump(one)) is not None:
                        break
            if jump is None:
                return True
            with self._changed:
                one.place = jump

    def _put_down(self, one: Range) -> bool:
        """Leave a range for later where too many are at work by now, all at once or one by one."""
        with self._changed:
            # What is worth it wavers as it is measured; the ceiling is a promise.
            allowed = self._latency.allowed
            if self._active <= min(self._latency.ceiling, allowed + allowed // 2):
                return False
            self._active -= 1
            one.put_down()
            return True

    def _pages(self, after: str) -> Generator[Page, None, None]:
        """List pages, noting how long each is waited for."""
        pages = self._bucket.list_pages(self._prefix, start_after=after)
        with closing(pages):
            while True:
                with self._latency.measured() as measured:
                    page = next(pages, None)
                    measured.retries = page.retries if page else 0
                if page is None:
                    return
                yield page

    def _enter(self, one: Range, page: Page) -> bool:
        """Take what a page shows of a range; true at the range's end."""
        keys = page.listed.keys
        if not is_sorted(keys) or (keys and keys[0] <= one.place):
            raise DisorderError(
                f"listing s3://{self._bucket.bucket}/{self._prefix}: keys are not in order", ""
            )
        with self._changed:
            end, is_at_end = self._ranges.enter(one, keys, is_last=page.is_last)
            if self._active < self._latency.allowed:
                self._changed.notify()
        self._sort_in(one, page.listed, end)
        return is_at_end

    def _sort_in(self, one: Range, listed: Listed, end: int) -> None:
        """Enter objects under their deployments; those between are passed over."""
        folders, keys, place = self._ranges.folders, listed.keys, 0
        while place < end:
            folder = self._ranges.folder_of(keys[place])
            if folder is None:
                following = bisect_right(folders, keys[place])
                if following == len(folders):
                    return
                place = bisect_left(keys, folders[following], place, end)
                continue
            behind = bisect_left(keys, end_of(folder), place, end)
            self._content(one, folder).add(listed.run(place, behind))
            place = behind

    def _content(self, one: Range, folder: str) -> Content:
        if folder not in one.contents:
            is_first = not one.after.startswith(folder)
            one.contents[folder] = Content(folder, self._required_file, is_first)
        return one.contents[folder]

    def _join(self) -> PartialListing:
        """Join what the ranges found; where two did not meet, or nothing was found, is doubt."""
        ranges = sorted(self._ranges.all, key=lambda one: one.after)
        joined: dict[str, Content] = {}
        doubtful: set[str] = set()
        before = None
        for one in ranges:
            for folder, content in one.contents.items():
                if folder in joined:
                    joined[folder].join(content)
                else:
                    joined[folder] = content
            meets = before is not None and before.upto == one.after
            if before and meets and not before.ends_early and before.beyond != one.first:
                doubtful |= self._ranges.around(one.after)
            before = one
        start = len(self._prefix)
        sums = {folder[start:-1]: content.sum_up() for folder, content in joined.items()}
        names = {folder[start:-1] for folder in self._wanted()}
        unsure = {folder[start:-1] for folder in doubtful} | self._sharing.doubtful
        # Nothing is listed twice, but if it were, neither would be the whole.
        unsure |= sums.keys() & self._sharing.sums.keys()
        sums |= self._sharing.sums
        return PartialListing(
            sums=sums,
            doubtful=frozenset(unsure | (names - sums.keys())),
            boundaries=tuple(self._boundary(span) for span in self._spans),
        )

    def _boundary(self, span: Span) -> SpanBoundary:
        """Return what was listed at the ends of a span, which may have been split since."""
        after, upto = span
        begin = next(one for one in self._ranges.all if one.after == after)
        end = next(one for one in self._ranges.all if one.upto == upto)
        return SpanBoundary(first=begin.first, beyond=end.beyond, ends_early=end.ends_early)
