"""Counts what goes on at the same moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class Meter:
    """Knows how many are inside of `counted` now, and how many were at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.now = self.most = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1
