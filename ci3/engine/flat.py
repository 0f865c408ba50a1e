"""Lists many deployments at once: ranges of neighbours, page after page, several at the same time.

A worker that has nothing to do takes half of what the slowest has left. What comes of it is what
one listing for each deployment would give, for about as many requests as there are pages.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from threading import Condition
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.aws.pages import Page
from ci3.core.content import Content
from ci3.core.keyspace import end_of, is_sorted, middle
from ci3.core.listed import Listed
from ci3.engine.folders import Folders
from ci3.engine.latency import Latency
from ci3.engine.progress import Progress
from ci3.engine.watching import NOTICE_SECONDS
from ci3.errors import ListingError

PAGE_SIZE: Final = 1000
"""Objects on a full page."""
WORTH_PARTING: Final = 2 * PAGE_SIZE
"""A range that holds fewer objects is left to who has it: parting costs a request."""
PRESUMED_OBJECTS: Final = 100
"""Objects of a deployment, as long as none is known."""
PAGES_BEFORE_GUESS: Final = 2
"""Full pages of one deployment before it is parted in its midst."""
PAGES_FOR_A_GUESS: Final = 25
"""Pages that allow to part a deployment in its midst once more."""


class DisorderError(ListingError):
    """This S3 does not list keys in the order of S3, so that no range of them can be relied on."""


@dataclass(slots=True, eq=False)
class _Range:
    """The keys behind `after` up to `upto`; without `upto` to the end. `place` is listed already.

    `first` and `beyond` are the first key that the listing showed behind `after`, and behind
    `upto`; where it `ends_early`, because nothing that is wanted follows, nobody looked beyond.
    `last_keys` are those of the last page, if it and `full_pages` in a row held one deployment.
    """

    after: str
    upto: str | None
    place: str
    is_begun: bool = False
    is_done: bool = False
    is_in_midst: bool = False
    ends_early: bool = False
    first: str | None = None
    beyond: str | None = None
    last_keys: Sequence[str] = ()
    full_pages: int = 0
    vain_guesses: int = 0
    contents: dict[str, Content] = field(default_factory=dict)


class FlatListing:
    """One listing of the deployments that `found` names, of at most `ceiling` requests at once."""

    def __init__(
        self, bucket: BucketReader, found: Folders, *, required_file: str, ceiling: int
    ) -> None:
        self._bucket = bucket
        self._prefix = found.prefix
        self._folders = sorted(f"{found.prefix}{name}/" for name in found.names)
        self._borders = found.borders
        self._required_file = required_file
        self._latency = Latency(ceiling)
        self._ceiling = ceiling
        start = self._border(0) if self._folders else ""
        self._ranges = [_Range(after=start, upto=None, place=start)]
        self._active = 0
        self._object_count = 0
        self._begun_count = 0
        self._is_stopped = False
        self._changed = Condition()

    def run(self, progress: Progress) -> tuple[dict[str, Content], set[str]]:
        """List, and give by name what stands in each, and the names of which that is in doubt.

        Raises DisorderError where this S3 has another order, and AccessError as `list_pages` does.
        """
        if not self._folders:
            return {}, set()
        with ThreadPoolExecutor(self._ceiling, "listing") as pool:
            workers = [pool.submit(self._work) for _ in range(self._ceiling)]
            try:
                self._watch(workers, progress)
            finally:
                self._stop()
        for worker in workers:
            worker.result()
        return self._joined()

    def _watch(self, workers: Sequence[Future[None]], progress: Progress) -> None:
        shown = 0
        while wait(workers, timeout=NOTICE_SECONDS).not_done:
            begun = self._begun_count
            progress.advance(begun - shown)
            shown = begun
        progress.advance(len(self._folders) - shown)

    def _stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _work(self) -> None:
        """List range after range, until none is left."""
        try:
            while (one := self._take()) is not None:
                try:
                    self._list(one)
                finally:
                    with self._changed:
                        self._active -= 1
                        one.is_done = True
                        self._changed.notify_all()
        except BaseException:
            self._stop()
            raise

    def _take(self) -> _Range | None:
        """Wait for a range to list; None when all are listed, or in the hands of others."""
        with self._changed:
            while not self._is_stopped:
                if self._active < self._latency.allowed:
                    one = next((one for one in self._ranges if not one.is_begun), None)
                    one = one or self._part()
                    if one is not None:
                        one.is_begun = True
                        self._active += 1
                        self._changed.notify()  # what was taken may be worth parting
                        return one
                if not self._active:
                    return None
                self._changed.wait()
            return None

    def _part(self) -> _Range | None:
        """Take half of the longest range that is worth it."""
        open_ranges = [one for one in self._ranges if not one.is_done]
        for one in sorted(open_ranges, key=self._rest, reverse=True):
            border = self._half(one)
            if border is not None:
                later = _Range(after=border, upto=one.upto, place=border)
                later.is_in_midst = self._folder_of(border) is not None
                one.upto = border
                self._ranges.append(later)
                return later
        return None

    def _rest(self, one: _Range) -> float:
        """Estimate how many objects of a range are still to be listed."""
        first, end = self._whole(one)
        return (end - first) * self._mean() + one.full_pages * PAGE_SIZE

    def _mean(self) -> float:
        """Estimate how many objects a deployment has."""
        if not self._begun_count:
            return max(PRESUMED_OBJECTS, self._object_count)
        return self._object_count / self._begun_count

    def _whole(self, one: _Range) -> tuple[int, int]:
        """Give the deployments of a range that are not begun, as places from and up to."""
        first = bisect_right(self._folders, one.place)
        if one.upto is None:
            return first, len(self._folders)
        return first, max(first, bisect_left(self._folders, one.upto))

    def _half(self, one: _Range) -> str | None:
        """Find a key that parts what is left of a range, between deployments or in a large one."""
        first, end = self._whole(one)
        count, is_large = end - first, one.full_pages > 0
        if count > 1 or (count and is_large):
            is_worth_it = is_large or count * self._mean() >= WORTH_PARTING
            return self._border(first + count // 2) if is_worth_it else None
        folder = self._folder_of(one.place)
        if count or folder is None or one.full_pages < PAGES_BEFORE_GUESS or not self._may_guess():
            return None
        end_key = end_of(folder)
        end_key = min(end_key, one.upto) if one.upto else end_key
        guess = middle(one.last_keys, end_key, folder=folder, attempt=one.vain_guesses)
        return guess if one.place < guess and guess.startswith(folder) else None

    def _may_guess(self) -> bool:
        """Whether a deployment may be parted once more: each time may cost a request."""
        guesses = sum(one.is_in_midst for one in self._ranges)
        allowed = self._object_count // PAGE_SIZE // PAGES_FOR_A_GUESS + self._ceiling // 2
        return guesses < allowed

    def _folder_of(self, key: str) -> str | None:
        """Find the deployment that a key stands in."""
        place = bisect_right(self._folders, key) - 1
        if place >= 0 and key.startswith(self._folders[place]):
            return self._folders[place]
        return None

    def _border(self, place: int) -> str:
        """Give a key before all of a deployment's and behind all that stands before it."""
        before = bisect_left(self._borders, self._folders[place])
        return self._borders[before - 1] if before else ""

    def _list(self, one: _Range) -> None:
        """List a range; what stands in no deployment is jumped over once a page ends in it."""
        while True:
            jump = self._list_from(one)
            if jump is None:
                return
            one.place = jump

    def _list_from(self, one: _Range) -> str | None:
        """List from a range's place on; give where to go on, or None at its end."""
        with closing(self._pages(one.place)) as pages:
            for page in pages:
                if self._is_stopped or self._enter(one, page):
                    return None
                if (jump := self._jump(one)) is not None:
                    return jump
        return None

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

    def _jump(self, one: _Range) -> str | None:
        """Find where the next deployment begins, if a page ended where none is."""
        if self._folder_of(one.place) is not None:
            return None
        following = bisect_right(self._folders, one.place)
        if following == len(self._folders):
            return None
        border = self._border(following)
        return border if border > one.place else None

    def _enter(self, one: _Range, page: Page) -> bool:
        """Take what a page shows of a range; true at the range's end."""
        keys = page.listed.keys
        if not is_sorted(keys) or (keys and keys[0] <= one.place):
            raise DisorderError(
                f"listing s3://{self._bucket.bucket}/{self._prefix}: keys are not in order", ""
            )
        with self._changed:
            end = len(keys) if one.upto is None else bisect_right(keys, one.upto)
            is_first_page = one.place == one.after
            if one.first is None and keys:
                one.first = keys[0]
            if end < len(keys):
                one.beyond = keys[end]
            if end:
                self._object_count += end
                self._begun_count += self._between(one.place, keys[end - 1])
                one.place = keys[end - 1]
            self._note_fullness(one, keys, end)
            if one.is_in_midst and is_first_page:
                self._note_vanity(one, is_vain=not end)
            is_at_end = end < len(keys) or page.is_last
            one.ends_early = not is_at_end and not self._has_more(one)
            if self._active < self._latency.allowed:
                self._changed.notify()
        self._sort_in(one, page.listed, end)
        return is_at_end or one.ends_early

    def _between(self, before: str, key: str) -> int:
        """Count the deployments that a listing left behind as it went on."""
        return max(0, bisect_right(self._folders, key) - bisect_right(self._folders, before))

    def _note_vanity(self, one: _Range, *, is_vain: bool) -> None:
        """Note whether a guess found nothing, with the range that was parted by it."""
        parted = next(other for other in self._ranges if other.upto == one.after)
        parted.vain_guesses = parted.vain_guesses + 1 if is_vain else 0

    def _note_fullness(self, one: _Range, keys: Sequence[str], end: int) -> None:
        """Note whether one deployment fills page after page, so that it is worth parting."""
        folder = self._folder_of(keys[0]) if end > 1 and end == len(keys) else None
        if folder is None or not keys[-1].startswith(folder):
            one.full_pages, one.last_keys = 0, ()
            return
        is_same = bool(one.last_keys) and one.last_keys[-1].startswith(folder)
        one.full_pages = one.full_pages + 1 if is_same else 1
        one.last_keys = keys

    def _has_more(self, one: _Range) -> bool:
        """Whether anything behind a range's place may be wanted."""
        first, end = self._whole(one)
        return first < end or self._folder_of(one.place) is not None

    def _sort_in(self, one: _Range, listed: Listed, end: int) -> None:
        """Enter objects under their deployments; those between are passed over."""
        keys, place = listed.keys, 0
        while place < end:
            folder = self._folder_of(keys[place])
            if folder is None:
                following = bisect_right(self._folders, keys[place])
                if following == len(self._folders):
                    return
                place = bisect_left(keys, self._folders[following], place, end)
                continue
            behind = bisect_left(keys, end_of(folder), place, end)
            self._content(one, folder).add(listed.run(place, behind))
            place = behind

    def _content(self, one: _Range, folder: str) -> Content:
        if folder not in one.contents:
            is_first = not one.after.startswith(folder)
            one.contents[folder] = Content(folder, self._required_file, is_first)
        return one.contents[folder]

    def _joined(self) -> tuple[dict[str, Content], set[str]]:
        """Join what the ranges found; where two did not meet, or nothing was found, is doubt."""
        ranges = sorted(self._ranges, key=lambda one: one.after)
        joined: dict[str, Content] = {}
        doubtful: set[str] = set()
        for number, one in enumerate(ranges):
            for folder, content in one.contents.items():
                if folder in joined:
                    joined[folder].join(content)
                else:
                    joined[folder] = content
            before = ranges[number - 1]
            if number and not before.ends_early and before.beyond != one.first:
                doubtful |= self._around(one.after)
        doubtful |= {folder for folder in self._folders if folder not in joined}
        start = len(self._prefix)
        by_name = {folder[start:-1]: content for folder, content in joined.items()}
        return by_name, {folder[start:-1] for folder in doubtful}

    def _around(self, border: str) -> set[str]:
        """Give the deployments on both sides of a border."""
        place = bisect_right(self._folders, border)
        return {*self._folders[max(0, place - 1) : place + 1]}
