"""Shares what is left of a listing with a sibling: another Python, since one has but one core."""

from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Condition
from typing import TYPE_CHECKING, Final, Protocol

from ci3.engine.latency import Latency
from ci3.engine.ranges import Range, Ranges, Span
from ci3.engine.share import Share

if TYPE_CHECKING:
    from ci3.core.content import Sum

WORTH_A_SIBLING: Final = 200_000
"""Objects left from which on one is started: until it can list, this Python lists a quarter."""
WORTH_A_SHARE: Final = 60_000
"""Objects left of which one that is there takes a share: each costs some requests."""
LARGEST_SHARE: Final = 2_000_000
"""Objects in a share: what may have to be listed again is seconds of work, and keys last for it."""


class Sibling(Protocol):
    """Another Python that lists as this one does, at the same time: each reads with one core."""

    def is_ready(self) -> bool:
        """Wait until it can list; false where it can't."""

    def list_spans(self, spans: Sequence[Span], count: Callable[[int], None]) -> Share | None:
        """List spans, counting deployments as they are begun; None where that failed, however.

        None says nothing about the bucket: what was asked for is still to be listed.
        """

    def end(self) -> None:
        """End it, whatever it does, from any thread; who waits for it goes on."""

    def close(self) -> None:
        """End it and let go of it, in the thread that asks it."""


Start = Callable[[int], Sibling]
"""Starts a sibling that may have so many requests out at once."""


class Sharing:
    """The sibling of one listing, if it may have one, and what that has; `changed` guards it all.

    `ceiling` is how many requests may be out at once, of both Pythons together; `latency` is told
    what of that is left for this one.
    """

    def __init__(
        self,
        ranges: Ranges,
        changed: Condition,
        latency: Latency,
        *,
        ceiling: int,
        start: Start | None,
    ) -> None:
        self.away = 0
        """Ranges that the sibling has."""
        self.begun_count = 0
        """Deployments that it has come to."""
        self.sums: dict[str, Sum] = {}
        self.doubtful: set[str] = set()
        self._ranges = ranges
        self._changed = changed
        self._latency = latency
        self._ceiling = ceiling
        self._start = start if ceiling > 1 else None
        self._counted = 0
        self._sibling: Sibling | None = None
        self._is_closed = False

    def find_worthy(self) -> Start | None:
        """Give, once, what starts the sibling, when that is worth it; half of the requests go."""
        with self._changed:
            if self._start is None or self._ranges.left() < WORTH_A_SIBLING:
                return None
            start, self._start = self._start, None
            self._latency.ceiling = self._ceiling - self._ceiling // 2
            return start

    def run(self, start: Start, is_within: Callable[[], bool]) -> None:
        """Have the sibling list share after share, as long as that is worth it.

        It begins once this Python `is_within` what is left for it of the requests.
        """
        try:
            with closing(start(self._ceiling // 2)) as sibling:
                with self._changed:
                    self._sibling = sibling
                    is_closed = self._is_closed
                is_serving = not is_closed and sibling.is_ready()
                while is_serving and (given := self._give(is_within)):
                    spans = [(one.after, one.upto) for one in given]
                    is_serving = self._take_back(given, sibling.list_spans(spans, self._count))
        finally:
            with self._changed:
                self._latency.ceiling = self._ceiling

    def close(self) -> None:
        """End the sibling."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            sibling = self._sibling
        if sibling is not None:
            sibling.end()

    def _give(self, is_within: Callable[[], bool]) -> Sequence[Range]:
        """Give half of what is left, or where that is very much a part of it."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or is_within())
            if self._is_closed or self._ranges.left() < WORTH_A_SHARE:
                return ()
            given = self._ranges.give_away(LARGEST_SHARE)
            self.away += len(given)
            self._counted = 0
            return given

    def _take_back(self, given: Sequence[Range], share: Share | None) -> bool:
        """Note what was listed; where nothing was, it falls back to this Python."""
        with self._changed:
            self.away -= len(given)
            self._changed.notify_all()
            if share is None:
                self.begun_count -= self._counted
                for one in given:
                    one.put_down()
                return False
            for one, edge in zip(given, share.edges, strict=True):
                one.first, one.beyond, one.ends_early = edge.first, edge.beyond, edge.ends_early
                one.is_done = True
            self.sums |= share.sums
            self.doubtful |= share.doubtful
            return True

    def _count(self, begun: int) -> None:
        with self._changed:
            self.begun_count += begun
            self._counted += begun
