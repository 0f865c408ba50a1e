"""Read live sources again while deployments are deleted, and find what has become live."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Final

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.formatting import pluralize
from ci3.core.live.pins import Pin
from ci3.core.live.sources import LiveSource
from ci3.core.model.result import ObjectOutcome
from ci3.core.retention.closed_previews import ClosedPreviews
from ci3.errors import describe_error

INTERVAL_SECONDS: Final = 10.0
"""Maximum age of a reading of a pointer object, an SSM parameter or a URL."""
SLOW_INTERVAL_SECONDS: Final = 60.0
"""Maximum age of a reading of GitHub or CloudFront, which limit the rate of requests."""

_NOTHING: Final[Mapping[str, KeyOutcome]] = MappingProxyType({})

WatchedSource = LiveSource | ClosedPreviews
"""What is read again before and while something is deleted."""

ReadPins = Callable[[Sequence[WatchedSource], int], tuple[Sequence[Pin], str]]
"""Reads the given sources; returns their pins, and a problem or "".

The second argument is how many readings a rate limit must allow now: 2 while deployments are
deleted, for this reading and the last one of the run, and 1 for the last one.
"""


def _read_nothing(_sources: Sequence[WatchedSource], _count: int) -> tuple[Sequence[Pin], str]:
    return (), ""


@dataclass(slots=True, kw_only=True)
class LiveWatch:
    """What has become live since the deletions were approved; may be called by any thread.

    A deployment that is found to be live once is kept until the end, even if it is not live any
    more in a later reading. After a failed reading no other deployment is begun; those that were
    begun before are completed. The same is true of single deployments with a pin that
    `allows_completion`. Example, with a pointer object that names `new`, then `old-2`:

    | seconds | event                                  | result                                   |
    |---------|----------------------------------------|------------------------------------------|
    | 0       | sources read, deletions approved       |                                          |
    | 4       | `check(["old-1"])`, `begin(["old-1"])` | may be deleted: the reading is recent    |
    | 11      | the pointer moves to `old-2`           |                                          |
    | 12      | `check(["old-2", "old-3"])`            | read again: `old-2` is kept              |
    | 12      | `begin(["old-3"])`                     | may be deleted                           |
    | 23      | `check(["old-4"])`, the pointer fails  | not begun, nor is any other              |
    | 24      | `check(["old-3"])`                     | may be deleted: it was begun before      |
    """

    sources: Sequence[WatchedSource] = ()
    """Without sources, nothing is read and no lock is taken."""
    read_pins: ReadPins = _read_nothing
    read_at: float = 0.0
    """When the reading began with which the deletions were approved, on the monotonic clock."""
    earlier_read_at: Mapping[LiveSource, float] = field(default_factory=dict)
    """The same of the sources that were read at another time, for an earlier target."""
    approved_pins: Collection[Pin] = ()
    """The pins with which the deletions were approved: they match nothing to delete."""
    monotonic: Callable[[], float] = time.monotonic
    interval_seconds: float = INTERVAL_SECONDS
    slow_interval_seconds: float = SLOW_INTERVAL_SECONDS
    problem: str = ""
    """Why no other deployment may be begun, or ""."""
    kept: dict[str, str] = field(init=False, default_factory=dict)
    """The deployments that were not deleted, or not entirely, because they became live: why."""
    _read_at: dict[WatchedSource, float] = field(init=False)
    _due_at: float = field(init=False)
    _new_pins: tuple[Pin, ...] = field(init=False, default=())
    _begun: set[str] = field(init=False, default_factory=set)
    _reasons: dict[str, str] = field(init=False, default_factory=dict)
    """Why a deployment is live, or "", by name: as the pins say that are known now."""
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._read_at = dict.fromkeys(self.sources, self.read_at)
        self._read_at.update(self.earlier_read_at.items())
        self._set_due_at()

    @property
    def begun_names(self) -> frozenset[str]:
        """The deployments of which something was sent, or may have been."""
        return frozenset(self._begun)

    def is_due(self) -> bool:
        """Return True if the next check reads a source."""
        return bool(self.sources) and self.monotonic() >= self._due_at

    def check(self, names: Iterable[str]) -> Mapping[str, KeyOutcome]:
        """Return the deployments of which nothing may be sent now, with the outcome of the rest.

        The sources whose last reading is too old are read again first. A reading's age counts from
        when it began. A thread that waits for another's reading accepts it if it began after the
        thread had asked, however long it took.
        """
        if not self.sources:
            return _NOTHING
        if self.is_due():
            self._read_due(asked_at=self.monotonic())
        return self._find_withheld(names)

    def begin(self, names: Collection[str]) -> Mapping[str, KeyOutcome]:
        """Return the same as `check`, right before a request; the other deployments are begun.

        No source is read: a check must have been made shortly before.
        """
        if not self.sources:
            return _NOTHING
        withheld = self._find_withheld(names)
        self._begun.update(name for name in names if name not in withheld)
        return withheld

    def is_withheld(self, name: str) -> bool:
        """Return True if nothing more of a deployment may be sent, by what was read so far."""
        return name in self.kept or (bool(self.problem) and name not in self._begun)

    def read_last(self) -> None:
        """Read all sources, however recent their last readings are."""
        if self.sources:
            with self._lock:
                self._read(self.sources, reading_count=1)

    def find_reason(self, name: str) -> str:
        """Return why a deployment is live by what was read since the approval, or ""."""
        reasons = self._reasons
        if (reason := reasons.get(name)) is None:
            reason = reasons[name] = self._find_message(name, allows_completion=False)
        return reason

    def _find_message(self, name: str, *, allows_completion: bool) -> str:
        matching = (
            pin
            for pin in self._new_pins
            if pin.allows_completion is allows_completion and pin.matches(name)
        )
        return next((pin.build_reason(name).message for pin in matching), "")

    def _find_withheld(self, names: Iterable[str]) -> Mapping[str, KeyOutcome]:
        if not self._new_pins and not self.problem:
            return _NOTHING
        withheld = {}
        for name in names:
            reason = self.find_reason(name)
            if not reason and name not in self._begun:
                reason = self._find_message(name, allows_completion=True)
            if reason:
                self.kept[name] = reason
                withheld[name] = KeyOutcome(
                    outcome=ObjectOutcome.CHANGED, message=f"kept: {reason}"
                )
            elif self.problem and name not in self._begun:
                withheld[name] = KeyOutcome(
                    outcome=ObjectOutcome.FAILED, message=f"not started: {self.problem}"
                )
        return withheld

    def _read_due(self, *, asked_at: float) -> None:
        with self._lock:
            now = self.monotonic()
            due = [
                source
                for source, read_at in self._read_at.items()
                if read_at < asked_at and now - read_at >= self._get_interval(source)
            ]
            if due:
                self._read(due, reading_count=2)

    def _read(self, sources: Sequence[WatchedSource], *, reading_count: int) -> None:
        began_at = self.monotonic()
        try:
            pins, problem = self.read_pins(sources, reading_count)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - a failed reading must not lose results
            pins, problem = (), describe_error(exc)
        known = {*self.approved_pins, *self._new_pins}
        if new_pins := tuple(pin for pin in dict.fromkeys(pins) if pin not in known):
            self._new_pins += new_pins
            self._reasons = {}  # a new one: another thread may still fill the old one
        if problem and not self.problem:
            self.problem = f"the live sources could not be read again: {problem}"
        self._read_at |= dict.fromkeys(sources, began_at)
        self._set_due_at()

    def _set_due_at(self) -> None:
        due_at = (at + self._get_interval(source) for source, at in self._read_at.items())
        self._due_at = min(due_at, default=0.0)

    def _get_interval(self, source: WatchedSource) -> float:
        return self.slow_interval_seconds if source.has_rate_limit else self.interval_seconds


def describe_partly_deleted(reason: str, deleted_count: int, planned_count: int) -> str:
    """Return the problem of a deployment that became live when objects of it had been deleted."""
    which = "all" if deleted_count >= planned_count else f"{deleted_count:,} of"
    return (
        f"{reason}, but {which} {pluralize(planned_count, 'object')} had been deleted before that "
        "was known. Deploy it again, or restore it if the bucket has versioning"
    )
