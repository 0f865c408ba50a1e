"""How many requests are worth having out at once, by how long an answer takes to come and to read.

While one page is read by this process's one interpreter, the others are waited for: more than fill
that wait only stand in line.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

FEWEST = 2
KEPT = 16
"""Measurements that count: what the network was like a while ago does not."""


@dataclass(slots=True)
class Measured:
    """What came of one request: how often it had to be sent again."""

    retries: int = 0


class Latency:
    """Measures requests from any thread; `allowed` is how many may be out now.

    That is never more than `ceiling`, which may be set anew.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.allowed = min(8, ceiling)
        self._waits: deque[float] = deque(maxlen=KEPT)
        self._works: deque[float] = deque(maxlen=KEPT)
        self._lock = Lock()

    @property
    def ceiling(self) -> int:
        """How many requests may ever be out at once."""
        return self._ceiling

    @ceiling.setter
    def ceiling(self, ceiling: int) -> None:
        with self._lock:
            self._ceiling = ceiling
            self.allowed = min(self.allowed, ceiling)

    @contextmanager
    def measured(self) -> Iterator[Measured]:
        """Measure a request made inside: the time that passes, and this thread's own work in it."""
        measured = Measured()
        began, worked = time.monotonic(), time.thread_time()
        yield measured
        work = time.thread_time() - worked
        self._note(time.monotonic() - began - work, work, measured.retries)

    def _note(self, wait: float, work: float, retries: int) -> None:
        with self._lock:
            if retries:
                self.allowed = max(1, self.allowed // 2)
                self._waits.clear()
                self._works.clear()
                return
            self._waits.append(wait)
            self._works.append(work)
            # Of several that wait for the interpreter all but the quickest look slower than S3 is.
            useful = 1 + min(self._waits) / max(min(self._works), 1e-6)
            self.allowed = max(min(FEWEST, self._ceiling), min(self._ceiling, round(useful)))
