"""Progress as a line now and then; for logs, and quick to import."""

import time
from collections.abc import Callable

LOG_EVERY_SECONDS = 10.0


class ProgressLines:
    """Tells how far a task is: every ten seconds, and at its end."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock

    def begin(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""
        self._name, self._total, self._done = task, total, 0
        self._said_at = self._clock()

    def advance(self, steps: int) -> None:
        """Count steps of the current task as done."""
        self._done += steps
        self.beat()

    def beat(self) -> None:
        """Say how far it is, if that was not said for a while."""
        if self._clock() - self._said_at >= LOG_EVERY_SECONDS:
            self._said_at = self._clock()
            self._write(f"{self._name}: {self._done:,} of {self._total:,}")

    def end(self) -> None:
        """End the current task."""
        self._write(f"{self._name}: {self._done:,} of {self._total:,}")
