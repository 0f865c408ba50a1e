"""Lists many deployments at once: ranges of neighbours, page after page, several at the same time.

A worker that has nothing to do takes half of what the slowest has left; where much is left, another
Python takes a share. What comes of it is what one listing for each deployment would give, for about
as many requests as there are pages.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from threading import Condition
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.aws.listing.pages import Page
from ci3.core.inventory.columns import Listed
from ci3.core.inventory.keyspace import end_of, is_sorted
from ci3.core.inventory.summary import Content
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.key_ranges import Range, Ranges, Span
from ci3.engine.inventory.partial_listing import Edge, Share
from ci3.engine.inventory.work_sharing import Sharing, Sibling
from ci3.engine.workers.latency_limit import Latency
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.wait import NOTICE_SECONDS
from ci3.errors import ListingError

SHARE_SECONDS: Final = 0.02
"""How often it is looked for whether a sibling is worth it, as long as it has nothing to do."""


class DisorderError(ListingError):
    """This S3 does not list keys in the order of S3, so that no range of them can be relied on."""


class FlatListing:
    """One listing of the deployments that `found` names, or of those in some spans of keys.

    At most `ceiling` requests are out at once, those of the sibling included.
    """

    def __init__(  # noqa: PLR0913 - what is listed, and by how many
        self,
        bucket: BucketReader,
        found: Folders,
        *,
        required_file: str,
        ceiling: int,
        spans: Sequence[Span] = (),
        sibling: Sibling | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = found.prefix
        self._required_file = required_file
        self._ranges = Ranges(found, ceiling=ceiling, spans=spans)
        self._spans = [(one.after, one.upto) for one in self._ranges.all]
        self._latency = Latency(ceiling)
        self._ceiling = ceiling
        self._active = 0
        self._shares: list[Future[None]] = []
        self._is_stopped = False
        self._changed = Condition()
        self._sharing = Sharing(
            self._ranges, self._changed, self._latency, ceiling=ceiling, sibling=sibling
        )

    def run(self, progress: Progress) -> Share:
        """List all.

        Raises DisorderError where this S3 has another order, and AccessError as `list_pages` does.
        """
        if not self._ranges.folders:
            return Share(sums={}, doubtful=frozenset(), edges=())
        with ThreadPoolExecutor(self._ceiling + 1, "listing") as pool:
            try:
                self._share(pool)
                workers = [pool.submit(self._work) for _ in range(self._ceiling)]
                self._watch(pool, workers, progress)
            finally:
                self._stop()
        for one in (*workers, *self._shares):
            one.result()
        return self._join()

    def _watch(
        self, pool: ThreadPoolExecutor, workers: Sequence[Future[None]], progress: Progress
    ) -> None:
        """Show the workers' progress until they are done; a sibling is not waited for beyond."""
        total, shown = len(self._wanted()), 0
        while wait(workers, timeout=self._notice_seconds()).not_done:
            begun = min(total, self._ranges.begun_count + self._sharing.begun_count)
            progress.advance(max(0, begun - shown))
            shown = max(shown, begun)
            self._share(pool)
        progress.advance(total - shown)

    def _notice_seconds(self) -> float:
        return SHARE_SECONDS if self._sharing.may_begin else NOTICE_SECONDS

    def _wanted(self) -> list[str]:
        return [folder for span in self._spans for folder in self._ranges.within(span)]

    def _stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._sharing.close()

    def _share(self, pool: ThreadPoolExecutor) -> None:
        """Have the sibling begin, if that is worth it by now."""
        if (sibling := self._sharing.begin()) is not None:
            self._shares.append(pool.submit(self._share_with, sibling))

    def _share_with(self, sibling: Sibling) -> None:
        try:
            self._sharing.run(sibling, lambda: self._active <= self._latency.ceiling)
        except BaseException:
            self._stop()
            raise

    def _work(self) -> None:
        """List range after range, until none is left."""
        try:
            while (one := self._take()) is not None:
                self._leave(one, is_done=self._list(one))
        except BaseException:
            self._stop()
            raise

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
                if not self._active and not self._sharing.away:
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

    def _join(self) -> Share:
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
        return Share(
            sums=sums,
            doubtful=frozenset(unsure | (names - sums.keys())),
            edges=tuple(self._edge(span) for span in self._spans),
        )

    def _edge(self, span: Span) -> Edge:
        """Give what was seen at the ends of a span, which may have been parted since."""
        after, upto = span
        begin = next(one for one in self._ranges.all if one.after == after)
        end = next(one for one in self._ranges.all if one.upto == upto)
        return Edge(first=begin.first, beyond=end.beyond, ends_early=end.ends_early)
