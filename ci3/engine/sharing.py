"""Shares what is left of a listing with siblings: other Pythons, since one reads with one core."""

from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Condition
from typing import TYPE_CHECKING, Final

from ci3.engine.latency import Latency
from ci3.engine.ranges import Range, Ranges
from ci3.engine.shares import Share, Sibling

if TYPE_CHECKING:
    from ci3.core.content import Sum

WORTH_A_SIBLING: Final = 200_000
"""Objects left from which on one is started: until it can list, this Python lists a quarter."""
WORTH_A_SHARE: Final = 60_000
"""Objects left of which one that is there takes a share: each costs some requests."""
LARGEST_SHARE: Final = 10_000_000
"""Objects in a share: what may have to be listed again is minutes of work, not hours."""

Start = Callable[[int], Sibling]
"""Starts a sibling that may have so many requests out at once."""


class Sharing:
    """The siblings of one listing, and what they have of it; `changed` guards it all.

    `ceiling` is how many requests may be out at once, of all Pythons together; `latency` is told
    what of that is left for this one.
    """

    def __init__(
        self,
        ranges: Ranges,
        changed: Condition,
        latency: Latency,
        *,
        ceiling: int,
        starts: Sequence[Start],
    ) -> None:
        self.away = 0
        """Ranges that siblings have."""
        self.begun_count = 0
        """Deployments that siblings have come to."""
        self.sums: dict[str, Sum] = {}
        self.doubtful: set[str] = set()
        self._ranges = ranges
        self._changed = changed
        self._latency = latency
        self._starts = starts[: ceiling - 1]
        self._ceiling = ceiling
        self._part = ceiling // (1 + len(self._starts))
        self._running = self._busy = 0
        self._siblings: list[Sibling] = []
        self._is_closed = False

    def find_worthy(self) -> Sequence[Start]:
        """Take so many siblings to be started as are worth it by now."""
        with self._changed:
            count = int(self._ranges.left() // WORTH_A_SIBLING)
            worthy, self._starts = self._starts[:count], self._starts[count:]
            self._change_running(len(worthy))
            return worthy

    def run(self, start: Start, is_within: Callable[[], bool]) -> None:
        """Have a sibling list share after share, as long as that is worth it.

        It begins once this Python `is_within` what is left for it of the requests.
        """
        try:
            with closing(start(self._part)) as sibling:
                with self._changed:
                    self._siblings.append(sibling)
                    is_closed = self._is_closed
                is_serving = not is_closed and sibling.is_ready()
                while is_serving and (given := self._give(is_within)):
                    spans = [(one.after, one.upto) for one in given]
                    is_serving = self._take_back(given, sibling.list_spans(spans, self._count))
        finally:
            with self._changed:
                self._change_running(-1)

    def close(self) -> None:
        """End all siblings."""
        with self._changed:
            self._is_closed = True
            siblings = [*self._siblings]
        for sibling in siblings:
            sibling.close()

    def _change_running(self, change: int) -> None:
        self._running += change
        self._latency.ceiling = self._ceiling - self._running * self._part

    def _give(self, is_within: Callable[[], bool]) -> Sequence[Range]:
        """Part what is left among this Python and the siblings that have nothing to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or is_within())
            left = self._ranges.left()
            if self._is_closed or left < WORTH_A_SHARE:
                return ()
            parts = 1 + self._running - self._busy
            given = self._ranges.give_away(max(parts, int(left // LARGEST_SHARE)))
            self.away += len(given)
            self._busy += bool(given)
            return given

    def _take_back(self, given: Sequence[Range], share: Share | None) -> bool:
        """Note what was listed; where nothing was, it falls back to this Python."""
        with self._changed:
            self._busy -= 1
            self.away -= len(given)
            self._changed.notify_all()
            if share is None:
                for one in given:
                    one.begin_again()
                return False
            self.sums |= share.sums
            self.doubtful |= share.doubtful
            for one, edge in zip(given, share.edges, strict=True):
                one.first, one.beyond, one.ends_early = edge.first, edge.beyond, edge.ends_early
                one.is_done = True
            return True

    def _count(self, begun: int) -> None:
        with self._changed:
            self.begun_count += begun
