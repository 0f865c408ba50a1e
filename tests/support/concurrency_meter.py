"""Measures concurrency."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Meter:
    """Counts the threads inside `counted` now, and their maximum so far."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.now = self.most = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.now -= 1

    def wait_until_at_once(self, count: int) -> None:
        """Wait until `count` threads have been inside at once; give up after ten seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.most >= count, timeout=10)
