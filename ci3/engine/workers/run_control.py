"""The frame of a run that deletes or restores: what ends it early, its progress and its errors."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol, TypeVar

from ci3.engine.workers.progress import Progress
from ci3.engine.workers.wait import wait_uninterrupted
from ci3.errors import DeniedError, ListingError, told

_TIME_LIMIT = "the time that timeout allows is over. Run again: it goes on where this one stopped"

_Item = TypeVar("_Item")


class _Account(Protocol):
    problem: str


_AccountT = TypeVar("_AccountT", bound=_Account)


@dataclass(slots=True, kw_only=True)
class RunControl:
    """Executes one run and stops it early; `stop_reason` is empty unless something stopped it.

    The work runs in other threads, which call `stop`, `is_stopped` and `count`. The main thread
    waits in `execute`: it alone gets interrupts, checks the time limit and shows progress.

    The time limit, an interrupt, lost access, an unwritable journal and a bug each call `stop`.
    The requests in flight are completed and recorded then, and no others are sent.
    """

    progress: Progress
    sleep: Callable[[float], None]
    is_over: Callable[[], bool] = lambda: False
    """Whether the time for this run is up."""
    monotonic: Callable[[], float] = time.monotonic
    stop_reason: str = field(init=False, default="")
    _done: int = field(init=False, default=0)
    _shown: int = field(init=False, default=0)
    _lock: Lock = field(init=False, default_factory=Lock)

    def stop(self, reason: str) -> None:
        """End the run early; the first reason counts."""
        self.stop_reason = self.stop_reason or reason

    def is_stopped(self) -> bool:
        """Whether nothing more may be sent."""
        return bool(self.stop_reason)

    def count(self, steps: int) -> None:
        """Count steps as done."""
        with self._lock:
            self._done += steps

    def execute(self, task: str, total: int, work: Callable[[], object]) -> None:
        """Run `work` in another thread until it is done; an error in it stops the run."""
        self._check_time_limit()
        try:
            with suppress(OSError):  # the terminal or pipe may be closed
                self.progress.begin(task, total)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account must come back
            self.stop(told(exc))
        with ThreadPoolExecutor(1, "run") as runner:
            running = runner.submit(work)
            wait_uninterrupted(
                running,
                on_tick=self._tick,
                on_interrupt=lambda: self.stop(told(KeyboardInterrupt())),
            )
            if error := running.exception():
                self.stop(told(error))
        self._show_progress()
        with suppress(OSError):
            self.progress.end()

    def contain_errors(
        self, work: Callable[[_Item, _AccountT], None]
    ) -> Callable[[_Item, _AccountT], None]:
        """Make an error in the work on one deployment its problem.

        An error other than a denied or invalid listing stops the run, and nothing begins after
        that.
        """

        def contained(item: _Item, account: _AccountT) -> None:
            try:
                if not self.is_stopped():
                    work(item, account)
            except Exception as exc:  # noqa: BLE001 - the account must come back
                account.problem = account.problem or told(exc)
                if not isinstance(exc, DeniedError | ListingError):
                    self.stop(told(exc))

        return contained

    def _tick(self) -> None:
        self._check_time_limit()
        self._show_progress()

    def _check_time_limit(self) -> None:
        if self.is_over():
            self.stop(_TIME_LIMIT)

    def _show_progress(self) -> None:
        done = self._done
        with suppress(OSError):
            self.progress.advance(done - self._shown)
            self.progress.beat()
        self._shown = done
