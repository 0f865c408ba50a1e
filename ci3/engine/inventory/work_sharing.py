"""Shares what is left of a listing with a sibling: another Python, since one has but one core."""

from collections.abc import Callable, Sequence
from threading import Condition
from typing import TYPE_CHECKING, Final, Protocol

from ci3.engine.inventory.key_ranges import Range, Ranges, Span
from ci3.engine.inventory.partial_listing import Share
from ci3.engine.workers.latency_limit import Latency

if TYPE_CHECKING:
    from ci3.core.inventory.summary import Sum

WORTH_A_SIBLING: Final = 20_000
"""Objects left, or as many deployments as may hold them, from which on one takes part."""
WORTH_A_SHARE: Final = 20_000
"""Objects left of which it takes a share: each costs some requests."""
LARGEST_SHARE: Final = 2_000_000
"""Objects in a share: what may have to be listed again is seconds of work, and keys last for it."""


class Sibling(Protocol):
    """Another Python that lists as this one does, at the same time: each reads with one core."""

    def list_spans(
        self, spans: Sequence[Span], ceiling: int, count: Callable[[int], None]
    ) -> Share | None:
        """List spans with so many requests out at once, counting deployments as they are begun.

        None, where that failed, says nothing about the bucket: what was asked for is still to be
        listed.
        """

    def end(self) -> None:
        """End it, whatever it does, from any thread; who waits for it goes on."""


class Sharing:
    """The sibling of one listing, if it has one, and what that has; `changed` guards it all.

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
        sibling: Sibling | None,
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
        self._idle = sibling if ceiling > 1 else None
        self._sibling: Sibling | None = None
        self._counted = 0
        self._is_closed = False

    @property
    def may_begin(self) -> bool:
        """Whether there is a sibling that has nothing to do yet."""
        return self._idle is not None

    def begin(self) -> Sibling | None:
        """Give, once, the sibling, when that is worth it; half of the requests are its own then."""
        with self._changed:
            if self._idle is None or self._ranges.left() < WORTH_A_SIBLING:
                return None
            self._sibling, self._idle = self._idle, None
            self._latency.ceiling = self._ceiling - self._ceiling // 2
            return self._sibling

    def run(self, sibling: Sibling, is_within: Callable[[], bool]) -> None:
        """Have the sibling list share after share, as long as that is worth it.

        It begins once this Python `is_within` what is left for it of the requests.
        """
        try:
            is_serving = True
            while is_serving and (given := self._give(is_within)):
                spans = [(one.after, one.upto) for one in given]
                share = sibling.list_spans(spans, self._ceiling // 2, self._count)
                is_serving = self._take_back(given, share)
        finally:
            with self._changed:
                self._latency.ceiling = self._ceiling

    def close(self) -> None:
        """Give the sibling nothing more; end it where it has something."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            busy = self._sibling if self.away else None
        if busy is not None:
            busy.end()

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
