"""How the main thread waits for work in others: an interrupt must not fall into the midst of it."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from threading import Lock
from typing import Any, Final

from ci3.engine.workers.progress import Progress

NOTICE_SECONDS: Final = 0.2
"""How often an interrupt is looked for: one that comes as a wait begins would not end it."""


def watch(
    running: Iterable[Future[Any]], *, look_up: Callable[[], None], stop: Callable[[str], None]
) -> None:
    """Wait until all is done, and look up now and then; an interrupt only asks the work to stop.

    Interrupts reach the main thread alone, so that none can fall between a request and the account
    of it.
    """
    left = set(running)
    is_done = False
    while not is_done:
        try:
            while left:
                left = wait(left, timeout=NOTICE_SECONDS).not_done
                if left:
                    look_up()
            is_done = True
        except KeyboardInterrupt:
            stop("it was interrupted")


class Steps:
    """Counts steps in any thread, and shows in the main one how many were done since."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._done = 0
        self._shown = 0

    def count(self, steps: int) -> None:
        """Count steps as done."""
        with self._lock:
            self._done += steps

    def show(self, progress: Progress) -> None:
        """Tell of the steps since the last time, and that the run is alive."""
        done = self._done
        with suppress(OSError):  # whoever watches may have gone away
            progress.advance(done - self._shown)
            progress.beat()
        self._shown = done
