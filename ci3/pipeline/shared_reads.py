"""Readings that targets of a run share.

`SharedReads`: all requests that are the same for the targets of a prefix pattern, within one phase.
`GitHubReads`: the live sources on GitHub, for all targets of an apply.
"""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final, Self, TypeVar

from ci3.core.live.sources import LiveSource
from ci3.engine.live_watch import SLOW_INTERVAL_SECONDS

REUSE_SECONDS: Final = SLOW_INTERVAL_SECONDS
"""Maximum age of a reading of GitHub at a recheck: the same as while objects are deleted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubReads:
    """The readings of sources on GitHub in an apply: they are the same for all its targets.

    A reading may be used again if it began after `needed_after`. The targets are cleaned up one
    after another:

    | for                                   | needed after                                    |
    |---------------------------------------|-------------------------------------------------|
    | the approval of each plan             | never used again, but kept for the next row     |
    | the recheck before a later target     | `REUSE_SECONDS` ago                             |
    | the last readings, in a new object    | any time: the first one follows all deletions   |
    """

    needed_after: float
    """On the monotonic clock; infinite to use none."""
    monotonic: Callable[[], float]
    _readings: dict[LiveSource, tuple[float, Any]] = field(default_factory=dict)
    """The last reading of each source, and when it began; shared by all views."""

    def view_since(self, needed_after: float) -> Self:
        """Return the same readings, of which only those that began after a time are used."""
        return replace(self, needed_after=needed_after)

    def read(self, key: Hashable, read: Callable[[], _T]) -> _T:
        """Return the last reading if it is new enough, or a new one; others are always new."""
        if not isinstance(key, LiveSource) or not key.kind.is_on_github:
            return read()
        if not self.find_times([key]):
            began_at = self.monotonic()
            self._readings[key] = (began_at, read())
        result: _T = self._readings[key][1]
        return result

    def find_times(self, sources: Iterable[LiveSource]) -> dict[LiveSource, float]:
        """Return when the readings that may be used again began, by source."""
        times = {
            source: self._readings[source][0] for source in sources if source in self._readings
        }
        return {source: time for source, time in times.items() if time > self.needed_after}
