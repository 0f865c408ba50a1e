"""What the targets of a prefix pattern read once, in one phase of a run."""

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class SharedReads:
    """The results of requests that are the same for all targets; may be used by any thread.

    A phase begins with a new one: the recheck never sees what the plan has read.
    """

    began_at: float
    """When the phase began, on the monotonic clock: nothing in it was read before."""
    _futures: dict[Hashable, "Future[Any]"] = field(init=False, default_factory=dict)
    _lock: Lock = field(init=False, default_factory=Lock)

    def read(self, key: Hashable, read: Callable[[], _T]) -> _T:
        """Return the result of the first call with this key; its error is raised by each call."""
        with self._lock:
            future = self._futures.get(key)
            is_first = future is None
            if future is None:
                future = self._futures[key] = Future()
        if is_first:
            try:
                future.set_result(read())
            except BaseException as exc:  # noqa: BLE001 - raised again by each result()
                future.set_exception(exc)
        result: _T = future.result()
        return result


def read_unshared(_key: Hashable, read: Callable[[], _T]) -> _T:
    """Read for one target alone."""
    return read()
