"""How many requests are out at once: fewer when S3 wants it, and more again bit by bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Pace:
    """Lets so many requests out at once; halved at each sign of too many, then raised by ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._out = 0
        self._well = 0
        self._changed = Condition()

    @property
    def allowed(self) -> int:
        """How many may be out now."""
        return self._allowed

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and hold it."""
        with self._changed:
            self._changed.wait_for(lambda: self._out < self._allowed)
            self._out += 1
        try:
            yield
        finally:
            with self._changed:
                self._out -= 1
                self._changed.notify_all()

    def slow_down(self) -> None:
        """Halve what may be out: S3 said that it is too much."""
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            self._well = 0

    def go_on(self) -> None:
        """Count a request that went well; as many as may be out allow one more."""
        with self._changed:
            self._well += 1
            if self._well >= self._allowed and self._allowed < self._most:
                self._allowed += 1
                self._well = 0
                self._changed.notify_all()
