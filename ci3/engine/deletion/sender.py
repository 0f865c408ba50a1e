"""Sends batches of objects, versions or delete markers: throttle, refresh, request, retry, resolve.

The subclasses for each are in `object_sender` and `version_sender`.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome, distinct_outcomes
from ci3.constants import DELETE_BATCH_SIZE
from ci3.core.model.result import ObjectOutcome
from ci3.engine.live_watch import LiveWatch
from ci3.engine.workers.aimd_limit import ConcurrencyLimiter
from ci3.engine.workers.run_control import RunControl
from ci3.errors import DeniedError, ListingError, describe_error

SENDERS = 8
FRESH_SECONDS = 5.0
"""Maximum age of a listing at the time of a request, even if the delete is conditional."""
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Pauses before each retry of what S3 asked to send again."""

Entry = TypeVar("Entry")
Identity = TypeVar("Identity", bound=Hashable)

CHANGED = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it changed meanwhile")
_CHANGED_SINCE_LISTED = KeyOutcome(
    outcome=ObjectOutcome.CHANGED, message="kept: its objects changed since they were listed"
)
ABSENT = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPart(Generic[Entry]):
    """Entries of one deployment that go into one batch, in the order of their keys.

    Their listing began at `listed_at`, in seconds of a monotonic clock.
    """

    # Python 3.11 cannot instantiate a subscripted alias of a frozen, slotted class: use `Part`.

    name: str
    prefix: str
    entries: tuple[Entry, ...]
    listed_at: float


def fill_batches(parts: Iterable[BatchPart[Entry]]) -> Iterator[tuple[BatchPart[Entry], ...]]:
    """Fill batches of up to 1,000 entries, across deployments."""
    batch: list[BatchPart[Entry]] = []
    free_count = DELETE_BATCH_SIZE
    for part in parts:
        rest = part.entries
        while rest:
            taken, rest = rest[:free_count], rest[free_count:]
            batch.append(replace(part, entries=taken))
            free_count -= len(taken)
            if not free_count:
                yield tuple(batch)
                batch, free_count = [], DELETE_BATCH_SIZE
    if batch:
        yield tuple(batch)


@dataclass(slots=True, kw_only=True)
class Sender(ABC, Generic[Entry, Identity]):
    """Sends batches from several threads, no faster than S3 allows.

    Each request holds one of the `slots`. An outcome with `stops_run` stops the run. A subclass
    defines the request and the listings that it rests on.
    """

    reader: BucketReader
    control: RunControl
    slots: AbstractContextManager[object] = field(default_factory=nullcontext)
    retry_delays: Sequence[float] = RETRY_DELAYS_SECONDS
    retries_unknown: bool = True
    """True if an entry is sent again after its response was lost."""
    live: LiveWatch = field(default_factory=LiveWatch)
    """Checked before each request for deployments that have become live."""
    _changed_prefixes: set[str] = field(init=False, default_factory=set)
    """The deployments in which a refresh found a change: nothing else of them is sent."""
    _limiter: ConcurrencyLimiter = field(
        init=False, default_factory=lambda: ConcurrencyLimiter(SENDERS)
    )

    @abstractmethod
    def _identify(self, entry: Entry) -> Identity:
        """Return what S3's response names the entry by."""

    @abstractmethod
    def _request(self, entries: Sequence[Entry]) -> Mapping[Identity, KeyOutcome]:
        """Send one request; an exception leaves open whether S3 received it."""

    @abstractmethod
    def _refresh(
        self, part: BatchPart[Entry], *, is_retry: bool
    ) -> tuple[BatchPart[Entry], Mapping[Identity, KeyOutcome]]:
        """List what is stale again; return outcomes of the entries that must not be sent."""

    @abstractmethod
    def _list_current(self, part: BatchPart[Entry]) -> Mapping[Identity, Entry]:
        """List the entries of a part that exist now, possibly with additional ones."""

    def _is_same(self, entry: Entry, listed: Entry | None) -> bool:
        """Return True if a later listing shows the entry unchanged."""
        return entry == listed

    def _is_fresh(self, listed_at: float) -> bool:
        return self.control.monotonic() - listed_at < FRESH_SECONDS

    def without_live(self, batch: Sequence[BatchPart[Entry]]) -> tuple[BatchPart[Entry], ...]:
        """Return the parts of a batch that may be sent by what is live; a reading takes a slot."""
        with self.slots if self.live.is_due() else nullcontext():
            withheld = self.live.check(part.name for part in batch)
        return tuple(part for part in batch if part.name not in withheld)

    def send(self, batch: Sequence[BatchPart[Entry]]) -> dict[Identity, KeyOutcome]:
        """Send a batch, then after a pause only what S3 asked to send again, and so on."""
        outcomes = self._send_throttled(batch, is_retry=False)
        for delay in self.retry_delays:
            # Unknown outcomes of withheld deployments are resolved by listing.
            retried = [
                part
                for part in self._select(batch, outcomes, self._is_retried)
                if not self.live.is_withheld(part.name)
            ]
            if not retried or self.control.is_stopped():
                break
            self.control.sleep(delay)
            for identity, outcome in self._send_throttled(retried, is_retry=True).items():
                # A retry that resolved nothing leaves a lost response as open as it was.
                if not (outcome.can_retry and outcomes[identity].outcome is ObjectOutcome.UNKNOWN):
                    outcomes[identity] = outcome
        return outcomes

    def resolve_unknown_outcomes(
        self, batch: Sequence[BatchPart[Entry]], outcomes: dict[Identity, KeyOutcome]
    ) -> None:
        """Replace unresolved outcomes by what a listing shows; without a listing they stay."""
        for part in self._select(batch, outcomes, is_unresolved):
            try:
                current = self._list_current(part)
            except Exception:  # noqa: BLE001, S112 - without a listing it stays unknown
                continue
            changed = self._changed(part.entries, current)
            for identity in map(self._identify, part.entries):
                outcomes[identity] = changed.get(identity) or still_listed(outcomes[identity])

    def _is_retried(self, outcome: KeyOutcome) -> bool:
        is_lost = self.retries_unknown and outcome.outcome is ObjectOutcome.UNKNOWN
        return (outcome.can_retry or is_lost) and not outcome.should_stop_run

    def _select(
        self,
        batch: Sequence[BatchPart[Entry]],
        outcomes: Mapping[Identity, KeyOutcome],
        is_selected: Callable[[KeyOutcome], bool],
    ) -> Sequence[BatchPart[Entry]]:
        """Return the entries of a batch whose outcomes are selected, without empty parts."""
        if not any(map(is_selected, distinct_outcomes(outcomes.values()))):
            return ()
        identify = self._identify
        selected = []
        for part in batch:
            entries = tuple(
                entry for entry in part.entries if is_selected(outcomes[identify(entry)])
            )
            if entries:
                selected.append(replace(part, entries=entries))
        return selected

    def _send_throttled(
        self, batch: Sequence[BatchPart[Entry]], *, is_retry: bool
    ) -> dict[Identity, KeyOutcome]:
        with self._limiter.acquire(), self.slots:
            outcomes = self._send_fresh(batch, is_retry=is_retry)
        distinct = distinct_outcomes(outcomes.values())
        if any(outcome.is_throttled for outcome in distinct):
            self._limiter.on_throttle()
        else:
            self._limiter.on_success()
        if reason := next((outcome.message for outcome in distinct if outcome.should_stop_run), ""):
            self.control.stop(reason)
        return outcomes

    def _send_fresh(
        self, batch: Sequence[BatchPart[Entry]], *, is_retry: bool
    ) -> dict[Identity, KeyOutcome]:
        """Refresh and send a batch; in several requests if refreshing all of it takes too long."""
        outcomes: dict[Identity, KeyOutcome] = {}
        waiting = deque(batch)
        while waiting:
            if withheld := self.live.begin([part.name for part in waiting]):
                kept = [part for part in waiting if part.name in withheld]
                waiting = deque(part for part in waiting if part.name not in withheld)
                for part in () if is_retry else kept:
                    outcomes |= dict.fromkeys(
                        map(self._identify, part.entries), withheld[part.name]
                    )
            entries: list[Entry] = []
            oldest_at = math.inf
            while waiting and self._is_fresh(oldest_at):
                part, not_sent = self._refresh(waiting.popleft(), is_retry=is_retry)
                outcomes |= not_sent
                oldest_at = min(oldest_at, part.listed_at)
                entries += (
                    [entry for entry in part.entries if self._identify(entry) not in not_sent]
                    if not_sent
                    else part.entries
                )
            if not entries:
                continue
            try:
                outcomes |= self._request(entries)
            except Exception as exc:  # noqa: BLE001 - S3 may have received the request
                outcomes |= all_unknown(map(self._identify, entries), exc)
        return outcomes

    def _changed(
        self, entries: Iterable[Entry], current: Mapping[Identity, Entry]
    ) -> dict[Identity, KeyOutcome]:
        """Return the outcomes of the entries that a listing does not show unchanged."""
        changed = {}
        for entry in entries:
            listed = current.get(identity := self._identify(entry))
            if not self._is_same(entry, listed):
                changed[identity] = ABSENT if listed is None else CHANGED
        return changed


def all_unknown(identities: Iterable[Identity], error: BaseException) -> dict[Identity, KeyOutcome]:
    """Mark every entry as unknown after a lost response, and stop the run."""
    return dict.fromkeys(
        identities,
        KeyOutcome(
            outcome=ObjectOutcome.UNKNOWN, message=describe_error(error), should_stop_run=True
        ),
    )


def is_unresolved(outcome: KeyOutcome) -> bool:
    """Return True if the entry may exist or not: S3 may report an internal error after deleting."""
    return outcome.outcome is ObjectOutcome.UNKNOWN or outcome.can_retry


def still_listed(outcome: KeyOutcome) -> KeyOutcome:
    """Return the outcome of an entry that a later listing shows unchanged."""
    message = f"it is still there: {outcome.message}"
    return KeyOutcome(outcome=ObjectOutcome.FAILED, message=message)


def keep_unless_absent(outcome: KeyOutcome | None) -> KeyOutcome:
    """Return the outcome of an entry in a changed deployment, given what its listing showed."""
    return ABSENT if outcome is ABSENT else _CHANGED_SINCE_LISTED


def not_listed(error: Exception) -> KeyOutcome:
    """Return the outcome of an entry that was not sent because it could not be listed again."""
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=f"not sent, since it could not be listed again: {describe_error(error)}",
        can_retry=True,
        should_stop_run=not isinstance(error, DeniedError | ListingError),
    )
