"""What of a listing is still to be listed: ranges of keys, and where they are parted.

Nothing here asks S3 or holds a lock: whoever lists tells what each page showed, one at a time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ci3.core.inventory.keyspace import end_of, middle
from ci3.core.inventory.summary import Content
from ci3.engine.inventory.folders import Folders

PAGE_SIZE: Final = 1000
"""Objects on a full page."""
WORTH_PARTING: Final = 2 * PAGE_SIZE
"""A range that holds fewer objects is left to who has it: parting costs a request."""
WORTH_GIVING: Final = 4 * PAGE_SIZE
"""A range that holds fewer is not parted for another process, which does not part it further."""
PRESUMED_OBJECTS: Final = 100
"""Objects of a deployment, as long as none is known."""
PAGES_BEFORE_GUESS: Final = 2
"""Full pages of one deployment before it is parted in its midst."""
PAGES_FOR_A_GUESS: Final = 25
"""Pages that allow to part a deployment in its midst once more."""

Span = tuple[str, str | None]
"""The keys behind the first up to the second; without a second up to the end."""


@dataclass(slots=True, eq=False)
class Range:
    """The keys behind `after` up to `upto`; without `upto` to the end. `place` is listed already.

    `first` and `beyond` are the first key that the listing showed behind `after`, and behind
    `upto`; where it `ends_early`, because nothing that is wanted follows, nobody looked beyond.
    `last_keys` are those of the last page, if it and `full_pages` in a row held one deployment.
    A range that `is_away` is in the hands of another process.
    """

    after: str
    upto: str | None
    place: str
    is_begun: bool = False
    is_done: bool = False
    is_away: bool = False
    is_in_midst: bool = False
    ends_early: bool = False
    first: str | None = None
    beyond: str | None = None
    last_keys: Sequence[str] = ()
    full_pages: int = 0
    vain_guesses: int = 0
    contents: dict[str, Content] = field(default_factory=dict)

    def put_down(self) -> None:
        """Be there for anybody to take, from its place on."""
        self.is_begun = self.is_away = False


class Ranges:
    """The ranges of one listing of what `found` names, or of the named spans of it."""

    def __init__(self, found: Folders, *, ceiling: int, spans: Sequence[Span] = ()) -> None:
        self.prefix = found.prefix
        self.folders = sorted(f"{found.prefix}{name}/" for name in found.names)
        self._borders = found.borders
        self._ceiling = ceiling
        start = self._border(0) if self.folders else ""
        self.all = [Range(after, upto, after) for after, upto in spans or [(start, None)]]
        self._object_count = 0
        self.begun_count = 0
        """Deployments that a listing has come to."""

    def take(self) -> Range | None:
        """Give a range that nobody has, or half of the longest one; None where none is worth it."""
        one = next((one for one in self.all if not one.is_begun), None) or self._part()
        if one is not None:
            one.is_begun = True
        return one

    def give_away(self, most_objects: int) -> list[Range]:
        """Give the later half of each range that is worth it, until that is so many objects."""
        given: list[Range] = []
        room: float = most_objects
        for one in self._open():
            first, end = self._whole(one)
            fitting = max(1, int(room // self._mean()))
            count = min((end - first) // 2, fitting)
            if room > 0 and count and (end - first) * self._mean() >= WORTH_GIVING:
                later = self._cut(one, self._border(end - count))
                later.is_begun = later.is_away = True
                given.append(later)
                room -= count * self._mean()
        return given

    def left(self) -> float:
        """Estimate how many objects are in deployments that are not begun, and not given away."""
        places = map(self._whole, self._open())
        return sum(end - first for first, end in places) * self._mean()

    def enter(self, one: Range, keys: Sequence[str], *, is_last: bool) -> tuple[int, bool]:
        """Note what a page shows: how many of its keys are the range's, and whether that ends."""
        end = len(keys) if one.upto is None else bisect_right(keys, one.upto)
        is_first_page = one.place == one.after
        if one.first is None and keys:
            one.first = keys[0]
        if end < len(keys):
            one.beyond = keys[end]
        if end:
            self._object_count += end
            self.begun_count += self._between(one.place, keys[end - 1])
            one.place = keys[end - 1]
        self._note_fullness(one, keys, end)
        if one.is_in_midst and is_first_page:
            self._note_vanity(one, is_vain=not end)
        is_at_end = end < len(keys) or is_last
        one.ends_early = not is_at_end and not self._has_more(one)
        return end, is_at_end or one.ends_early

    def folder_of(self, key: str) -> str | None:
        """Find the deployment that a key stands in."""
        place = bisect_right(self.folders, key) - 1
        if place >= 0 and key.startswith(self.folders[place]):
            return self.folders[place]
        return None

    def jump(self, one: Range) -> str | None:
        """Find where the next deployment begins, if a page ended where none is."""
        if self.folder_of(one.place) is not None:
            return None
        following = bisect_right(self.folders, one.place)
        if following == len(self.folders):
            return None
        border = self._border(following)
        return border if border > one.place else None

    def around(self, border: str) -> set[str]:
        """Give the deployments on both sides of a border."""
        place = bisect_right(self.folders, border)
        return {*self.folders[max(0, place - 1) : place + 1]}

    def within(self, span: Span) -> list[str]:
        """Give the deployments that begin in a span."""
        after, upto = span
        first = bisect_right(self.folders, after)
        return self.folders[first : None if upto is None else bisect_left(self.folders, upto)]

    def _open(self) -> list[Range]:
        return [one for one in self.all if not (one.is_done or one.is_away)]

    def _part(self) -> Range | None:
        """Take half of the longest range that is worth it."""
        for one in sorted(self._open(), key=self._rest, reverse=True):
            border = self._half(one)
            if border is not None:
                return self._cut(one, border)
        return None

    def _cut(self, one: Range, border: str) -> Range:
        later = Range(after=border, upto=one.upto, place=border)
        later.is_in_midst = self.folder_of(border) is not None
        one.upto = border
        self.all.append(later)
        return later

    def _rest(self, one: Range) -> float:
        """Estimate how many objects of a range are still to be listed."""
        first, end = self._whole(one)
        return (end - first) * self._mean() + one.full_pages * PAGE_SIZE

    def _mean(self) -> float:
        """Estimate how many objects a deployment has."""
        if not self.begun_count:
            return max(PRESUMED_OBJECTS, self._object_count)
        return self._object_count / self.begun_count

    def _whole(self, one: Range) -> tuple[int, int]:
        """Give the deployments of a range that are not begun, as places from and up to."""
        first = bisect_right(self.folders, one.place)
        if one.upto is None:
            return first, len(self.folders)
        return first, max(first, bisect_left(self.folders, one.upto))

    def _half(self, one: Range) -> str | None:
        """Find a key that parts what is left of a range, between deployments or in a large one."""
        first, end = self._whole(one)
        count, is_large = end - first, one.full_pages > 0
        if count > 1 or (count and is_large):
            is_worth_it = is_large or count * self._mean() >= WORTH_PARTING
            return self._border(first + count // 2) if is_worth_it else None
        folder = self.folder_of(one.place)
        if count or folder is None or one.full_pages < PAGES_BEFORE_GUESS or not self._may_guess():
            return None
        end_key = end_of(folder)
        end_key = min(end_key, one.upto) if one.upto else end_key
        guess = middle(one.last_keys, end_key, folder=folder, attempt=one.vain_guesses)
        return guess if one.place < guess and guess.startswith(folder) else None

    def _may_guess(self) -> bool:
        """Whether a deployment may be parted once more: each time may cost a request."""
        guesses = sum(one.is_in_midst for one in self.all)
        allowed = self._object_count // PAGE_SIZE // PAGES_FOR_A_GUESS + self._ceiling // 2
        return guesses < allowed

    def _border(self, place: int) -> str:
        """Give a key before all of a deployment's and behind all that stands before it."""
        before = bisect_left(self._borders, self.folders[place])
        return self._borders[before - 1] if before else ""

    def _between(self, before: str, key: str) -> int:
        """Count the deployments that a listing left behind as it went on."""
        return max(0, bisect_right(self.folders, key) - bisect_right(self.folders, before))

    def _note_vanity(self, one: Range, *, is_vain: bool) -> None:
        """Note whether a guess found nothing, with the range that was parted by it."""
        parted = next(other for other in self.all if other.upto == one.after)
        parted.vain_guesses = parted.vain_guesses + 1 if is_vain else 0

    def _note_fullness(self, one: Range, keys: Sequence[str], end: int) -> None:
        """Note whether one deployment fills page after page, so that it is worth parting."""
        folder = self.folder_of(keys[0]) if end > 1 and end == len(keys) else None
        if folder is None or not keys[-1].startswith(folder):
            one.full_pages, one.last_keys = 0, ()
            return
        is_same = bool(one.last_keys) and one.last_keys[-1].startswith(folder)
        one.full_pages = one.full_pages + 1 if is_same else 1
        one.last_keys = keys

    def _has_more(self, one: Range) -> bool:
        """Whether anything behind a range's place may be wanted."""
        first, end = self._whole(one)
        return first < end or self.folder_of(one.place) is not None
