"""Progress as a bar, for terminals."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class ProgressBar:
    """Progress display with a transient bar, which is erased at the end of each task."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None

    def begin(self, task: str, total: int) -> None:
        """Start a task of `total` steps."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        self._task = self._bar.add_task(task, total=total)
        self._bar.start()

    def advance(self, steps: int) -> None:
        """Add completed steps to the current task."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def beat(self) -> None:
        """Do nothing: the bar's elapsed time shows that the run is alive."""

    def end(self) -> None:
        """End the current task."""
        if self._bar is not None:
            self._bar.stop()
