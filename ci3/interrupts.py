"""Turn signals into KeyboardInterrupt without breaking the locks of the standard library."""

import concurrent.futures
import queue
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Final

_RETRY_SECONDS: Final = 0.01
_WAITING_FUNCTIONS: Final = frozenset({"wait", "join", "_wait_for_tstate_lock"})
"""Functions of `threading` that a signal must interrupt, because they may wait for long."""
_LOCKING_FILES: Final = (threading.__file__, queue.__file__)
_LOCKING_FOLDER: Final = str(Path(concurrent.futures.__file__).parent)


def raise_interrupt(_signal: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; inside a short call that takes a lock, raise it a moment later.

    An exception between acquiring a lock and the `with` block that releases it leaves the lock
    held: `Condition.__enter__` is such a call. Other threads then wait for it forever, and so does
    the end of the process, which joins them.
    """
    if frame is None or not _is_taking_lock(frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, raise_interrupt)
    signal.setitimer(signal.ITIMER_REAL, _RETRY_SECONDS)


def _is_taking_lock(frame: FrameType) -> bool:
    """Return True in a function of the standard library that holds a lock for a short time."""
    filename = frame.f_code.co_filename
    is_locking = filename in _LOCKING_FILES or filename.startswith(_LOCKING_FOLDER)
    return is_locking and frame.f_code.co_name not in _WAITING_FUNCTIONS
