"""Repeat an attempt with pauses until its result is final."""

from collections.abc import Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


def retry_until(
    attempt: Callable[[], _T],
    is_final: Callable[[_T], bool],
    pauses_seconds: Iterable[float],
    sleep: Callable[[float], None],
) -> _T:
    """Return the first final result or, when the pauses are used up, the last one.

    With pauses of 1 and 2 seconds there are up to three attempts.
    """
    result = attempt()
    for pause_seconds in pauses_seconds:
        if is_final(result):
            break
        sleep(pause_seconds)
        result = attempt()
    return result
