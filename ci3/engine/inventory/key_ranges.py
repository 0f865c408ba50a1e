"""The key ranges of a listing that are not listed yet, and where they are split.

Nothing here sends a request or takes a lock: the caller reports each page, one at a time.

Keys sort as text, and `0` is the character after `/`: the border `b0` is greater than all keys of
the folder `b/` and less than those of `c/`. For example, with the deployments `a/` to `d/`, each
with 2,000 keys such as `a/0000`:

1. The range ("", None] has all keys. Its first page ends with `a/0999`: three are not started.
2. The later half of those is split off: ("", "b0"] keeps `b/`, and ("b0", None] has `c/` and `d/`.
3. The listing of ("", "b0"] ends when a page shows `c/0000`, a key beyond the range.
4. That of ("b0", None] began with the first key it showed. If both keys are the same, nothing
   changed where the ranges meet. Otherwise, both neighbors are in doubt:

   | key beyond ("", "b0"]            | first key of ("b0", None] | in doubt      |
   |----------------------------------|---------------------------|---------------|
   | `c/0000`                         | `c/0000`                  |               |
   | `c/0000`                         | `c/0001`                  | `b/` and `c/` |
   | none: the listing ended          | `c/0000`                  | `b/` and `c/` |
   | not read: `b/` is not wanted     | `c/0000`                  |               |

A folder is split in the middle if no other folder is left in its range: after the pages `d/0000` to
`d/0999` and `d/1000` to `d/1999`, at `d/59995000`, half-way from `d/1999` to the end of digits. A
guess that no key follows was too high, and the next one is lower.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ci3.core.inventory.keyspace import end_of_folder, guess_middle_key
from ci3.core.inventory.summary import SummaryBuilder
from ci3.engine.inventory.folders import Folders

MIN_FULL_PAGES: Final = 2
"""Full pages of one deployment after which it is split in the middle."""
PAGES_PER_GUESS: Final = 25
"""Pages listed for each further split in the middle."""

Span = tuple[str, str | None]
"""The keys greater than the first, up to and including the second or, if None, up to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingThresholds:
    """How many objects, most of them estimated, make it worthwhile to split or share a listing."""

    page_size: int = 1_000
    """Objects on a full page."""
    assumed_objects: int = 100
    """Estimated number of objects of a deployment before any was listed."""
    min_objects_to_split: int = 2_000
    """Estimated number of objects from which on a range is split: a split costs a request."""
    min_objects_to_give: int = 4_000
    """The same for the worker, which does not split its part for this process again."""
    min_objects_to_start: int = 20_000
    """Estimated number of objects left from which on the worker takes part."""
    min_objects_to_share: int = 20_000
    """Estimated number of objects left of which it takes another part: each costs some requests."""
    max_shared_objects: int = 2_000_000
    """Objects in a part: seconds of work to repeat after a failure, done before the keys expire."""
    start_check_seconds: float = 0.02
    """Interval of checks that enough is left for the worker to start."""


DEFAULT_THRESHOLDS: Final = ListingThresholds()


@dataclass(slots=True, eq=False)
class KeyRange:
    """The keys greater than `after`, up to `up_to` or the end; listed up to `position`.

    `first_key` and `key_beyond` are the first keys that the listing showed after `after` and after
    `up_to`. With `is_end_skipped`, no wanted folder followed, and `up_to` was not reached.
    `page_keys` are the keys of the last page if it and `full_page_count` pages in a row were full
    of one folder. `summaries` are by folder.
    """

    after: str
    up_to: str | None
    position: str
    is_taken: bool = False
    is_done: bool = False
    is_with_worker: bool = False
    is_inside_folder: bool = False
    """True if `after` is a guess in the middle of a folder."""
    is_end_skipped: bool = False
    first_key: str | None = None
    key_beyond: str | None = None
    page_keys: Sequence[str] = ()
    full_page_count: int = 0
    failed_guess_count: int = 0
    summaries: dict[str, SummaryBuilder] = field(default_factory=dict)

    def release(self) -> None:
        """Make the rest of the range available to any thread of this process."""
        self.is_taken = self.is_with_worker = False


class RangeQueue:
    """The ranges of one listing of `folders`, or of the given spans of it."""

    def __init__(
        self,
        folders: Folders,
        *,
        concurrency: int,
        spans: Sequence[Span] = (),
        thresholds: ListingThresholds = DEFAULT_THRESHOLDS,
    ) -> None:
        self.thresholds = thresholds
        self.prefix = folders.prefix
        self.folders = sorted(f"{folders.prefix}{name}/" for name in folders.names)
        self._borders = folders.boundaries
        self._concurrency = concurrency
        start = self._border_before(0) if self.folders else ""
        self.ranges = [KeyRange(after, up_to, after) for after, up_to in spans or [(start, None)]]
        self._object_count = 0
        self.started_count = 0
        """Number of deployments of which this process has listed a key."""

    def take(self) -> KeyRange | None:
        """Return an available range or half of the longest; None if no split is worth it."""
        available = (key_range for key_range in self.ranges if not key_range.is_taken)
        key_range = next(available, None) or self._split_longest()
        if key_range is not None:
            key_range.is_taken = True
        return key_range

    def take_for_worker(self, max_objects: int) -> list[KeyRange]:
        """Split off the later half of each range that is long enough, up to `max_objects`."""
        parts: list[KeyRange] = []
        objects_left: float = max_objects
        for key_range in self._open_ranges():
            first, end = self._unstarted_slice(key_range)
            fitting_count = max(1, int(objects_left // self._mean_objects()))
            count = min((end - first) // 2, fitting_count)
            is_long = (end - first) * self._mean_objects() >= self.thresholds.min_objects_to_give
            if objects_left > 0 and count and is_long:
                part = self._split(key_range, self._border_before(end - count))
                part.is_taken = part.is_with_worker = True
                parts.append(part)
                objects_left -= count * self._mean_objects()
        return parts

    def estimate_remaining(self) -> float:
        """Estimate the number of objects in deployments not started, without the worker's."""
        slices = map(self._unstarted_slice, self._open_ranges())
        return sum(end - first for first, end in slices) * self._mean_objects()

    def record_page(
        self, key_range: KeyRange, keys: Sequence[str], *, is_last: bool
    ) -> tuple[int, bool]:
        """Record a page; return how many of its keys are in the range, and True at its end."""
        up_to = key_range.up_to
        end = len(keys) if up_to is None else bisect_right(keys, up_to)
        is_first_page = key_range.position == key_range.after
        if key_range.first_key is None and keys:
            key_range.first_key = keys[0]
        if end < len(keys):
            key_range.key_beyond = keys[end]
        if end:
            self._object_count += end
            self.started_count += self._count_folders(key_range.position, keys[end - 1])
            key_range.position = keys[end - 1]
        self._record_full_page(key_range, keys, end)
        if key_range.is_inside_folder and is_first_page:
            self._record_guess(key_range, has_failed=not end)
        is_at_end = end < len(keys) or is_last
        key_range.is_end_skipped = not is_at_end and not self._has_wanted_keys(key_range)
        return end, is_at_end or key_range.is_end_skipped

    def find_folder(self, key: str) -> str | None:
        """Return the deployment's folder that contains a key."""
        index = bisect_right(self.folders, key) - 1
        if index >= 0 and key.startswith(self.folders[index]):
            return self.folders[index]
        return None

    def find_skip(self, key_range: KeyRange) -> str | None:
        """Return the border before the next folder if a page ended outside of all, else None."""
        if self.find_folder(key_range.position) is not None:
            return None
        following = bisect_right(self.folders, key_range.position)
        if following == len(self.folders):
            return None
        border = self._border_before(following)
        return border if border > key_range.position else None

    def find_doubtful(self) -> set[str]:
        """Return the folders on both sides of each border where two listings do not agree."""
        doubtful: set[str] = set()
        for earlier, later in pairwise(sorted(self.ranges, key=lambda key_range: key_range.after)):
            is_adjacent = earlier.up_to == later.after
            is_equal = earlier.is_end_skipped or earlier.key_beyond == later.first_key
            if is_adjacent and not is_equal:
                index = bisect_right(self.folders, later.after)
                doubtful |= {*self.folders[max(0, index - 1) : index + 1]}
        return doubtful

    def folders_in(self, span: Span) -> list[str]:
        """Return the folders that begin in a span."""
        after, up_to = span
        first = bisect_right(self.folders, after)
        return self.folders[first : None if up_to is None else bisect_left(self.folders, up_to)]

    def _open_ranges(self) -> list[KeyRange]:
        return [
            key_range
            for key_range in self.ranges
            if not (key_range.is_done or key_range.is_with_worker)
        ]

    def _split_longest(self) -> KeyRange | None:
        for key_range in sorted(self._open_ranges(), key=self._estimate_rest, reverse=True):
            border = self._find_split(key_range)
            if border is not None:
                return self._split(key_range, border)
        return None

    def _split(self, key_range: KeyRange, border: str) -> KeyRange:
        later = KeyRange(after=border, up_to=key_range.up_to, position=border)
        later.is_inside_folder = self.find_folder(border) is not None
        key_range.up_to = border
        self.ranges.append(later)
        return later

    def _estimate_rest(self, key_range: KeyRange) -> float:
        first, end = self._unstarted_slice(key_range)
        return (
            end - first
        ) * self._mean_objects() + key_range.full_page_count * self.thresholds.page_size

    def _mean_objects(self) -> float:
        """Estimate the number of objects of a deployment."""
        if not self.started_count:
            return max(self.thresholds.assumed_objects, self._object_count)
        return self._object_count / self.started_count

    def _unstarted_slice(self, key_range: KeyRange) -> tuple[int, int]:
        """Return start and end index in `folders` of the folders that are not started."""
        first = bisect_right(self.folders, key_range.position)
        if key_range.up_to is None:
            return first, len(self.folders)
        return first, max(first, bisect_left(self.folders, key_range.up_to))

    def _find_split(self, key_range: KeyRange) -> str | None:
        """Return a key that halves the rest of a range: between folders, or in a large one."""
        first, end = self._unstarted_slice(key_range)
        count, is_large = end - first, key_range.full_page_count > 0
        if count > 1 or (count and is_large):
            min_objects = self.thresholds.min_objects_to_split
            is_worth_it = is_large or count * self._mean_objects() >= min_objects
            return self._border_before(first + count // 2) if is_worth_it else None
        folder = self.find_folder(key_range.position)
        is_full = key_range.full_page_count >= MIN_FULL_PAGES
        if count or folder is None or not is_full or not self._may_guess():
            return None
        end_key = end_of_folder(folder)
        end_key = min(end_key, key_range.up_to) if key_range.up_to else end_key
        attempt = key_range.failed_guess_count
        guess = guess_middle_key(key_range.page_keys, end_key, folder=folder, attempt=attempt)
        return guess if key_range.position < guess and guess.startswith(folder) else None

    def _may_guess(self) -> bool:
        """Return True unless too many guesses were made: each may cost a request."""
        guess_count = sum(key_range.is_inside_folder for key_range in self.ranges)
        page_count = self._object_count // self.thresholds.page_size
        max_count = page_count // PAGES_PER_GUESS + self._concurrency // 2
        return guess_count < max_count

    def _border_before(self, index: int) -> str:
        """Return a key less than all keys of a folder, and not less than any key before it."""
        border_count = bisect_left(self._borders, self.folders[index])
        return self._borders[border_count - 1] if border_count else ""

    def _count_folders(self, after: str, up_to: str) -> int:
        return max(0, bisect_right(self.folders, up_to) - bisect_right(self.folders, after))

    def _record_guess(self, key_range: KeyRange, *, has_failed: bool) -> None:
        """Record in the range that was split whether no key follows the guess."""
        earlier = next(earlier for earlier in self.ranges if earlier.up_to == key_range.after)
        earlier.failed_guess_count = earlier.failed_guess_count + 1 if has_failed else 0

    def _record_full_page(self, key_range: KeyRange, keys: Sequence[str], end: int) -> None:
        """Count pages in a row that are full of one folder: it may be split in the middle."""
        folder = self.find_folder(keys[0]) if end > 1 and end == len(keys) else None
        if folder is None or not keys[-1].startswith(folder):
            key_range.full_page_count, key_range.page_keys = 0, ()
            return
        page_keys = key_range.page_keys
        is_same_folder = bool(page_keys) and page_keys[-1].startswith(folder)
        key_range.full_page_count = key_range.full_page_count + 1 if is_same_folder else 1
        key_range.page_keys = keys

    def _has_wanted_keys(self, key_range: KeyRange) -> bool:
        """Return True if a wanted folder may have keys in the rest of the range."""
        first, end = self._unstarted_slice(key_range)
        return first < end or self.find_folder(key_range.position) is not None
