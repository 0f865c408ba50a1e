"""A limit on concurrent requests: additive increase, multiplicative decrease."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class ConcurrencyLimiter:
    """Limits requests in flight: halves the limit when throttled, then raises it in steps of 1."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._limit = maximum
        self._in_flight = 0
        self._successes = 0
        self._changed = Condition()

    @property
    def limit(self) -> int:
        """Number of requests that may be in flight now."""
        return self._limit

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Wait until one more request may be in flight, and count it while inside."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self._limit)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def on_throttle(self) -> None:
        """Halve the limit: S3 asked for fewer requests."""
        with self._changed:
            self._limit = max(1, self._limit // 2)
            self._successes = 0

    def on_success(self) -> None:
        """Count a request that was not throttled; `limit` of them raise the limit by one."""
        with self._changed:
            self._successes += 1
            if self._successes >= self._limit and self._limit < self._maximum:
                self._limit += 1
                self._successes = 0
                self._changed.notify_all()
