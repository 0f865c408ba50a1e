"""A limit on concurrent requests from the time that a response takes to arrive and to be parsed.

Only one thread parses at a time. More responses than it can parse would only wait.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

INITIAL_LIMIT = 8
MIN_LIMIT = 2
MEASUREMENTS_KEPT = 16
"""Measurements that count: older ones do not show what the network is like now."""


@dataclass(slots=True)
class Measurement:
    """One request; `retries` is how often it had to be sent again."""

    retries: int = 0


class LatencyLimiter:
    """Measures requests from any thread; `limit` is how many may be in flight now.

    For example, if S3 takes 90 ms to respond and parsing takes 10 ms, the limit is 1 + 90 / 10 =
    10. It is at least 2 and at most `maximum`. A retry halves it.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.limit = min(INITIAL_LIMIT, maximum)
        self._wait_seconds: deque[float] = deque(maxlen=MEASUREMENTS_KEPT)
        self._work_seconds: deque[float] = deque(maxlen=MEASUREMENTS_KEPT)
        self._lock = Lock()

    def set_maximum(self, maximum: int) -> None:
        """Set the maximum of the limit, and lower the limit to it."""
        with self._lock:
            self.maximum = maximum
            self.limit = min(self.limit, maximum)

    @contextmanager
    def measure_request(self) -> Iterator[Measurement]:
        """Measure the request made inside: the elapsed time, and this thread's CPU time of it."""
        measurement = Measurement()
        began_at, cpu_before = time.monotonic(), time.thread_time()
        yield measurement
        work = time.thread_time() - cpu_before
        self._adjust(time.monotonic() - began_at - work, work, measurement.retries)

    def _adjust(self, wait: float, work: float, retries: int) -> None:
        with self._lock:
            if retries:
                self.limit = max(1, self.limit // 2)
                self._wait_seconds.clear()
                self._work_seconds.clear()
                return
            self._wait_seconds.append(wait)
            self._work_seconds.append(work)
            # The minimum: the others include time that a thread waited for the interpreter.
            useful = 1 + min(self._wait_seconds) / max(min(self._work_seconds), 1e-6)
            self.limit = max(min(MIN_LIMIT, self.maximum), min(self.maximum, round(useful)))
