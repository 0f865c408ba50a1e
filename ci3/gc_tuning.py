"""How Python keeps its memory: how often it looks for garbage, and in how many heaps it is."""

import atexit
import gc
from typing import Final

_NEW_OBJECTS: Final = 100_000
"""Python's own 700 cost a tenth of a plan; what waits here until then is a few megabytes."""
_M_ARENA_MAX: Final = -8
"""Source: glibc's malloc.h; other C libraries have no such thing."""


def look_seldom() -> None:
    """Let Python look less often: a run makes many objects, and hardly any that go in circles.

    And not at its end: several looks through all that was ever imported, a quarter of the time of
    a short run, for memory that the system takes back at once.
    """
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
    atexit.register(gc.freeze)


def keep_one_heap() -> None:
    """Let threads share a heap, as one at a time runs: with one each, a third more memory is held.

    To be called before there are any.
    """
    try:
        import ctypes  # noqa: PLC0415 - only who lists needs it, and not every Python has it

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (ImportError, OSError, AttributeError):
        return
