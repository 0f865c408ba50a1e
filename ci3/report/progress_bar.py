"""Progress as a bar; for terminals."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class ProgressBar:
    """Shows how far a task is, and leaves no trace."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None

    def begin(self, task: str, total: int) -> None:
        """Begin a task of so many steps."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task(task, total=total)
        self._bar.start()

    def advance(self, steps: int) -> None:
        """Count steps of the current task as done."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def beat(self) -> None:
        """Leave it to the bar, which shows the time."""

    def end(self) -> None:
        """End the current task."""
        if self._bar is not None:
            self._bar.stop()
