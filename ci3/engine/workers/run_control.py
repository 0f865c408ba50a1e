"""Control of a run that deletes or restores: early stop, progress and errors."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol, TypeVar

from ci3.engine.workers.progress import TICK_SECONDS, Progress
from ci3.errors import DeniedError, ListingError, describe_error

_TIME_LIMIT = "timeout reached. Run again to continue"


class _HasProblem(Protocol):
    problem: str


_Tally = TypeVar("_Tally", bound=_HasProblem)


@dataclass(slots=True, kw_only=True)
class RunControl:
    """Executes one run; `stop_reason` is empty unless the run was stopped early.

    The work runs in other threads, which call `stop`, `is_stopped` and `count_done`. The main
    thread waits in `execute`: it alone gets interrupts, checks the time limit and shows progress.

    The time limit, an interrupt, lost access, an unwritable journal and a bug each call `stop`.
    The requests in flight are completed and recorded then, and no others are sent.
    """

    progress: Progress
    sleep: Callable[[float], None]
    is_time_up: Callable[[], bool] = lambda: False
    """Returns True when the run has reached its time limit."""
    monotonic: Callable[[], float] = time.monotonic
    stop_reason: str = field(init=False, default="")
    _done: int = field(init=False, default=0)
    _shown: int = field(init=False, default=0)
    _lock: Lock = field(init=False, default_factory=Lock)

    def stop(self, reason: str) -> None:
        """Stop the run; of several reasons, the first is kept."""
        self.stop_reason = self.stop_reason or reason

    def is_stopped(self) -> bool:
        """Return True if no further request may be sent."""
        return bool(self.stop_reason)

    def count_done(self, steps: int) -> None:
        """Count steps as done."""
        with self._lock:
            self._done += steps

    def execute(self, task: str, total: int, work: Callable[[], object]) -> None:
        """Run `work` in another thread until it is done; an error in it stops the run."""
        self._check_time_limit()
        try:
            with suppress(OSError):  # the terminal or pipe may be closed
                self.progress.begin(task, total)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the results must be returned
            self.stop(describe_error(exc))
        with ThreadPoolExecutor(1, "run") as runner:
            running = runner.submit(work)
            self._wait(running)
            if error := running.exception():
                self.stop(describe_error(error))
        try:
            self._show_progress()
            with suppress(OSError):
                self.progress.end()
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the results must be returned
            self.stop(describe_error(exc))

    def contain_errors(self, work: Callable[[_Tally], None]) -> Callable[[_Tally], None]:
        """Return the work on one deployment, with an error entered as the problem of its tally.

        An error other than a denied or invalid listing stops the run. After a stop, `work` is not
        called.
        """

        def contained(tally: _Tally) -> None:
            try:
                if not self.is_stopped():
                    work(tally)
            except Exception as exc:  # noqa: BLE001 - the results must be returned
                tally.problem = tally.problem or describe_error(exc)
                if not isinstance(exc, DeniedError | ListingError):
                    self.stop(describe_error(exc))

        return contained

    def _wait(self, running: Future[object]) -> None:
        """Wait until the work is done. An interrupt only stops the run.

        So it cannot fall between a request and the record of its outcome. One that arrives as
        `wait` begins does not end it, but is raised after TICK_SECONDS at the latest.
        """
        while True:
            try:
                while wait((running,), timeout=TICK_SECONDS).not_done:
                    self._check_time_limit()
                    self._show_progress()
            except KeyboardInterrupt as exc:
                self.stop(describe_error(exc))
            else:
                return

    def _check_time_limit(self) -> None:
        if self.is_time_up():
            self.stop(_TIME_LIMIT)

    def _show_progress(self) -> None:
        done = self._done
        with suppress(OSError):
            self.progress.advance(done - self._shown)
            self.progress.beat()
        self._shown = done
