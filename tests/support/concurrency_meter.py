"""Measures concurrency."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class ConcurrencyMeter:
    """Counts the threads inside `counted` now, and their maximum so far."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.current = self.maximum = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._changed:
            self.current += 1
            self.maximum = max(self.maximum, self.current)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.current -= 1

    def wait_for(self, count: int) -> None:
        """Wait until `count` threads have been inside at once; give up after ten seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.maximum >= count, timeout=10)
