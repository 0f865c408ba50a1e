"""Progress as periodic lines, for logs; imports no rich, so that it loads fast."""

import time
from collections.abc import Callable

LOG_INTERVAL_SECONDS = 10.0


class ProgressLines:
    """Progress display that writes a line every ten seconds and at the end of each task."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock

    def begin(self, task: str, total: int) -> None:
        """Start a task of `total` steps."""
        self._name, self._total, self._done = task, total, 0
        self._written_at = self._clock()

    def advance(self, steps: int) -> None:
        """Add completed steps to the current task."""
        self._done += steps
        self.beat()

    def beat(self) -> None:
        """Write the progress if the last line is at least ten seconds old."""
        if self._clock() - self._written_at >= LOG_INTERVAL_SECONDS:
            self._written_at = self._clock()
            self._write(f"{self._name}: {self._done:,} of {self._total:,}")

    def end(self) -> None:
        """End the current task."""
        self._write(f"{self._name}: {self._done:,} of {self._total:,}")
