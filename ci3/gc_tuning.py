"""Tuning of Python's garbage collector and of the C library's memory allocator."""

import atexit
import gc
from typing import Final

_GC_THRESHOLD: Final = 100_000
"""Allocations between collections of the youngest generation.

With Python's default of 700, collections take a tenth of the time of a plan. The garbage that
accumulates in between is a few megabytes.
"""
_M_ARENA_MAX: Final = -8
"""Number of mallopt's M_ARENA_MAX parameter.

Source: malloc.h of glibc; other C libraries do not have the parameter.
"""


def tune_gc() -> None:
    """Raise the GC thresholds: a run allocates many objects and creates few reference cycles.

    Also skip the collections at exit. They traverse all imported modules several times, which is a
    quarter of the time of a short run, to free memory that the system reclaims anyway.
    """
    gc.set_threshold(_GC_THRESHOLD, 20, 20)
    atexit.register(gc.freeze)


def share_malloc_arena() -> None:
    """Make all threads share one malloc arena; call it before any thread starts.

    Only one thread runs Python code at a time. With an arena for each thread, the process uses a
    third more memory. Does nothing if the C library is not glibc.
    """
    try:
        import ctypes  # noqa: PLC0415 - needed for listings only, and not in every Python build

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (ImportError, OSError, AttributeError):
        return
