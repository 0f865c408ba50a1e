"""Progress of a task, as the engine reports it to a front end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

TICK_SECONDS: Final = 0.2
"""Pause between two reports of progress while other threads work."""


class Progress(Protocol):
    """Receives progress from one thread, except `beat`, which any thread may call."""

    def begin(self, task: str, total: int, /) -> None:
        """Begin a task of `total` steps."""

    def advance(self, steps: int, /) -> None:
        """Count steps of the current task as done."""

    def beat(self) -> None:
        """Show that the run is alive, although no step may be done for a while."""

    def end(self) -> None:
        """End the current task."""


class NoProgress:
    """Shows nothing."""

    def begin(self, _task: str, _total: int) -> None:
        """Do nothing."""

    def advance(self, _steps: int) -> None:
        """Do nothing."""

    def beat(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


@contextmanager
def show_task(progress: Progress, task: str, total: int) -> Iterator[None]:
    """Begin a task, and end it however the block ends."""
    progress.begin(task, total)
    try:
        yield
    finally:
        progress.end()
