"""How the engine tells that it is getting on, without knowing who looks."""

from typing import Protocol


class Progress(Protocol):
    """Told of work as it is done; called from one thread, but for `beat`."""

    def begin(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""

    def advance(self, steps: int) -> None:
        """Count steps of the current task as done."""

    def beat(self) -> None:
        """Show that the run is alive, though nothing may be done for a while."""

    def end(self) -> None:
        """End the current task."""


class Silent:
    """Shows nothing."""

    def begin(self, task: str, total: int) -> None:
        """Show nothing."""

    def advance(self, steps: int) -> None:
        """Show nothing."""

    def beat(self) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""
