"""Waits for work in other threads so that an interrupt cannot end it halfway."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Final

TICK_SECONDS: Final = 0.2
"""Pause between two checks for an interrupt: one that arrives as a wait begins does not end it."""


def wait_uninterrupted(
    future: Future[Any], *, on_tick: Callable[[], None], on_interrupt: Callable[[], None]
) -> None:
    """Wait until a future is done, and call `on_tick` every TICK_SECONDS.

    Only the main thread gets interrupts. One that arrives here only calls `on_interrupt`, so that
    it cannot fall between a request and the record of its outcome.
    """
    while True:
        try:
            while wait((future,), timeout=TICK_SECONDS).not_done:
                on_tick()
        except KeyboardInterrupt:
            on_interrupt()
        else:
            return
