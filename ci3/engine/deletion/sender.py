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
from ci3.aws.deletion.outcomes import ABSENT, CHANGED, KeyOutcome, distinct_outcomes
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

_CHANGED_SINCE_LISTED = KeyOutcome(
    outcome=ObjectOutcome.CHANGED, message="kept: its objects changed since they were listed"
)


# Python 3.11 cannot instantiate `BatchPart[Entry]`, since the class is frozen and has slots.
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPart(Generic[Entry]):
    """Entries of one deployment that go into one batch, in the order of their keys.

    Their listing began at `listed_at`, in seconds of a monotonic clock. If listed again, all of
    `compared` must be unchanged: consecutive objects that include the entries, by default these.
    """

    name: str
    prefix: str
    entries: tuple[Entry, ...]
    listed_at: float
    compared: tuple[Entry, ...] = ()


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

    A request and the refresh before it hold one of the `slots` together. `RequestLimit` does not
    suffice: a thread waits there before each request, behind the listings of all other threads, and
    with a low concurrency its own listing would be stale every time. An outcome with
    `should_stop_run` stops the run. A subclass defines the request and the listings that it rests
    on.
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
    def _request(
        self, entries: Sequence[Entry], may_continue: Callable[[], bool]
    ) -> Mapping[Identity, KeyOutcome]:
        """Send one request; an exception leaves open whether S3 received it.

        What has to be sent singly is sent while `may_continue` returns True; the rest has no
        outcome.
        """

    @abstractmethod
    def _refresh(
        self, part: BatchPart[Entry], *, is_retry: bool
    ) -> tuple[BatchPart[Entry], Mapping[Identity, KeyOutcome]]:
        """List what is stale again; return outcomes of the entries that must not be sent.

        `listed_at` of what can never be stale is infinite.
        """

    @abstractmethod
    def _list_current(self, part: BatchPart[Entry]) -> Mapping[Identity, Entry]:
        """List the entries of a part that exist now, possibly with additional ones."""

    def _is_same(self, entry: Entry, listed: Entry | None) -> bool:
        """Return True if a later listing shows the entry unchanged."""
        return entry == listed

    def _is_fresh(self, listed_at: float) -> bool:
        return self.control.monotonic() - listed_at < FRESH_SECONDS

    def without_live(self, batch: Sequence[BatchPart[Entry]]) -> tuple[BatchPart[Entry], ...]:
        """Return the parts of a batch that may be sent by what is live."""
        withheld = self.live.check([part.name for part in batch])
        return tuple(part for part in batch if part.name not in withheld)

    def send(self, batch: Sequence[BatchPart[Entry]]) -> dict[Identity, KeyOutcome]:
        """Send a batch, then after a pause only what S3 asked to send again, and so on."""
        outcomes = self._send_fresh(batch, is_retry=False)
        for delay in self.retry_delays:
            failed = self._select(batch, outcomes, self._is_retried)
            # Unknown outcomes of withheld deployments are resolved by listing.
            retried = [part for part in failed if not self.live.is_withheld(part.name)]
            if not retried or self.control.is_stopped():
                break
            self.control.sleep(delay)
            for identity, outcome in self._send_fresh(retried, is_retry=True).items():
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

    def _send_fresh(
        self, batch: Sequence[BatchPart[Entry]], *, is_retry: bool
    ) -> dict[Identity, KeyOutcome]:
        """Refresh and send a batch; in several requests if refreshing all of it takes too long.

        What was not sent because it is live or the run was stopped has no outcome in a retry.
        """
        outcomes: dict[Identity, KeyOutcome] = {}
        unsent: dict[Identity, KeyOutcome] = {}
        waiting = deque(batch)
        has_reread = False
        while waiting and not self.control.is_stopped():
            names = [part.name for part in waiting]
            waiting = deque(self._drop_withheld(waiting, self.live.check(names), unsent))
            with self._limiter.acquire(), self.slots:
                parts = self._take_fresh(waiting, outcomes, is_retry=is_retry)
                # Once for each request: a source that is slow to read would be due each time.
                must_reread = self.live.is_due() and not has_reread
                if must_reread or self.control.is_stopped():
                    waiting.extendleft(reversed(parts))
                    has_reread = True
                    continue
                withheld = self.live.begin({part.name for part in parts})
                parts = self._drop_withheld(parts, withheld, unsent)
                waiting.extendleft(reversed(self._send_parts(parts, outcomes)))
                has_reread = False
        message = f"not sent: {self.control.stop_reason}"
        stopped = KeyOutcome(outcome=ObjectOutcome.FAILED, message=message)
        self._drop_withheld(waiting, {part.name: stopped for part in waiting}, unsent)
        return outcomes if is_retry else outcomes | unsent

    def _drop_withheld(
        self,
        parts: Iterable[BatchPart[Entry]],
        withheld: Mapping[str, KeyOutcome],
        unsent: dict[Identity, KeyOutcome],
    ) -> list[BatchPart[Entry]]:
        """Return the other parts; enter the outcome of the entries of withheld deployments."""
        remaining = []
        for part in parts:
            if outcome := withheld.get(part.name):
                unsent |= dict.fromkeys(map(self._identify, part.entries), outcome)
            else:
                remaining.append(part)
        return remaining

    def _take_fresh(
        self,
        waiting: deque[BatchPart[Entry]],
        outcomes: dict[Identity, KeyOutcome],
        *,
        is_retry: bool,
    ) -> list[BatchPart[Entry]]:
        """Take parts from the front and refresh them; return those that are fresh in the end.

        The others are put back. If it took longer than FRESH_SECONDS to list a single part, that
        part is returned alone: its request follows the listing at once. Example with four parts,
        the third of which takes 6 seconds to list:

        | seconds | part | listed at | in the end       |
        |---------|------|-----------|------------------|
        | 0       | 1    | 0         | put back         |
        | 1       | 2    | 1         | put back         |
        | 2       | 3    | 2         | returned, alone  |
        | 8       | 4    |           | was not taken    |
        """
        began_at = self.control.monotonic()
        taken: list[BatchPart[Entry]] = []
        newest: Sequence[BatchPart[Entry]] = ()
        oldest_at = math.inf
        while waiting and self._is_fresh(oldest_at) and not self.control.is_stopped():
            part, not_sent = self._refresh(waiting.popleft(), is_retry=is_retry)
            outcomes |= not_sent
            self._stop_if_required(not_sent)
            oldest_at = min(oldest_at, part.listed_at)
            newest = self._without(part, not_sent)
            taken += newest
        fresh = [part for part in taken if self._is_fresh(part.listed_at)]
        if not fresh:
            fresh = [part for part in newest if part.listed_at >= began_at]
        kept_ids = set(map(id, fresh))
        waiting.extendleft(part for part in reversed(taken) if id(part) not in kept_ids)
        return fresh

    def _send_parts(
        self, parts: Sequence[BatchPart[Entry]], outcomes: dict[Identity, KeyOutcome]
    ) -> list[BatchPart[Entry]]:
        """Send parts in one request, or each entry in one; return what was not sent yet."""
        entries = [entry for part in parts for entry in part.entries]
        if not entries:
            return []
        oldest_at = min(part.listed_at for part in parts)

        def may_continue() -> bool:
            is_stopped = self.control.is_stopped() or self.live.is_due()
            return not is_stopped and self._is_fresh(oldest_at)

        try:
            new_outcomes = self._request(entries, may_continue)
        except Exception as exc:  # noqa: BLE001 - S3 may have received the request
            new_outcomes = all_unknown(map(self._identify, entries), exc)
        outcomes |= new_outcomes
        if any(outcome.is_throttled for outcome in distinct_outcomes(new_outcomes.values())):
            self._limiter.on_throttle()
        else:
            self._limiter.on_success()
        self._stop_if_required(new_outcomes)
        return [rest for part in parts for rest in self._without(part, new_outcomes)]

    def _without(
        self, part: BatchPart[Entry], outcomes: Mapping[Identity, KeyOutcome]
    ) -> Sequence[BatchPart[Entry]]:
        """Return the part with the entries that have no outcome; nothing if all have one."""
        if not outcomes:
            return (part,)
        entries = tuple(entry for entry in part.entries if self._identify(entry) not in outcomes)
        return (replace(part, entries=entries),) if entries else ()

    def _stop_if_required(self, outcomes: Mapping[Identity, KeyOutcome]) -> None:
        distinct = distinct_outcomes(outcomes.values())
        if reason := next((outcome.message for outcome in distinct if outcome.should_stop_run), ""):
            self.control.stop(reason)

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
    message = describe_error(error)
    unknown = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=message, should_stop_run=True)
    return dict.fromkeys(identities, unknown)


def is_unresolved(outcome: KeyOutcome) -> bool:
    """Return True if the entry may exist or not: S3 may report an internal error after deleting."""
    return outcome.outcome is ObjectOutcome.UNKNOWN or outcome.can_retry


def still_listed(outcome: KeyOutcome) -> KeyOutcome:
    """Return the outcome of an entry that a later listing shows unchanged."""
    return KeyOutcome(outcome=ObjectOutcome.FAILED, message=f"still exists: {outcome.message}")


def keep_unless_absent(outcome: KeyOutcome | None) -> KeyOutcome:
    """Return the outcome of an entry in a changed deployment, given what its listing showed."""
    return ABSENT if outcome is ABSENT else _CHANGED_SINCE_LISTED


def not_listed(error: Exception) -> KeyOutcome:
    """Return the outcome of an entry that was not sent because it could not be listed again."""
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=f"not sent because it could not be listed again: {describe_error(error)}",
        can_retry=True,
        should_stop_run=not isinstance(error, DeniedError | ListingError),
    )
