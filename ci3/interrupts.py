"""Turn signals into KeyboardInterrupt without breaking the locks of the standard library."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPT_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
"""The signals that end a run early."""
_RETRY_SECONDS: Final = 0.01
_WAITING_FUNCTIONS: Final = frozenset({"wait", "join", "_wait_for_tstate_lock", "emit"})
"""Functions in these files that a signal must interrupt, because they may wait for long."""
_LIBRARY: Final = Path(threading.__file__).parent
_LOCKING_FILES: Final = (
    "<frozen importlib._bootstrap>",
    *(str(_LIBRARY / name) for name in ("threading.py", "queue.py", "tempfile.py")),
    *(f"{_LIBRARY / name}/" for name in ("concurrent/futures", "logging")),
)
"""Files and folders of the standard library whose functions take a lock for a short time."""


def raise_interrupt(_signal: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; inside a short call that takes a lock, raise it a moment later.

    An exception between acquiring a lock and the block that releases it leaves the lock held:
    `Condition.__enter__` is such a call, and so is the beginning of every import. Other threads
    then wait for it forever, and so does the end of the process, which joins them.

    Where Python ignores exceptions, as in a finalizer, it is raised again a moment later.
    """
    if frame is not None and _is_taking_lock(frame):
        _raise_later()
        return
    sys.unraisablehook = _raise_ignored
    raise KeyboardInterrupt


def ignore_signals() -> None:
    """Ignore further signals, so that what the run has done is reported."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for signal_number in INTERRUPT_SIGNALS:
        # Not SIG_IGN: Python would report a signal that arrived just before as a race condition.
        signal.signal(signal_number, _ignore_signal)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Ignore signals while the error that ends the run is shown.

    Afterwards, a signal ends the process at once: it may wait for requests of other threads, and
    has nothing left to report.
    """
    ignore_signals()
    yield
    for signal_number in INTERRUPT_SIGNALS:
        signal.signal(signal_number, signal.SIG_DFL)


def _ignore_signal(_signal: int, _frame: FrameType | None) -> None:
    """Ignore a repeated signal."""


def _is_taking_lock(frame: FrameType) -> bool:
    is_locking = frame.f_code.co_filename.startswith(_LOCKING_FILES)
    return is_locking and frame.f_code.co_name not in _WAITING_FUNCTIONS


def _raise_later() -> None:
    signal.signal(signal.SIGALRM, raise_interrupt)
    signal.setitimer(signal.ITIMER_REAL, _RETRY_SECONDS)


def _raise_ignored(unraisable: "UnraisableHookArgs") -> None:
    if unraisable.exc_type is KeyboardInterrupt:
        _raise_later()
    else:
        sys.__unraisablehook__(unraisable)
