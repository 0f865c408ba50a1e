"""Sends batches of doomed objects: on a condition that S3 checks, or as they were just listed."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome, kinds
from ci3.aws.deletion.writer import BucketWriter
from ci3.constants import DELETE_BATCH_SIZE
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.workers.aimd_limit import ConcurrencyLimiter
from ci3.errors import DeniedError, ListingError, told

SENDERS = 8
FRESH_SECONDS = 5.0
"""How long a listing is good for where S3 does not check itself that nothing has changed."""
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Pauses before the objects that S3 asked to send again go out again."""
_OVERTAKEN = KeyOutcome(
    outcome=ObjectOutcome.CHANGED, message="kept: its objects changed since they were listed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Objects of one deployment that go into one batch, in the order of their keys.

    Their listing began at `listed_at`, in seconds of a clock that only goes on.
    """

    deployment: Deployment
    objects: tuple[StoredObject, ...]
    listed_at: float


Batch = tuple[Part, ...]


def fill_batches(parts: Iterable[Part]) -> Iterator[Batch]:
    """Fill batches of up to 1,000 objects, across deployments."""
    batch: list[Part] = []
    room = DELETE_BATCH_SIZE
    for part in parts:
        rest = part.objects
        while rest:
            taken, rest = rest[:room], rest[room:]
            batch.append(replace(part, objects=taken))
            room -= len(taken)
            if not room:
                yield tuple(batch)
                batch, room = [], DELETE_BATCH_SIZE
    if batch:
        yield tuple(batch)


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends batches, several threads at once, as fast as S3 wants it.

    Unless S3 `is_guarded`, that is checks each object itself, nothing is sent first that was listed
    longer than FRESH_SECONDS ago, nor again, without being listed once more.
    """

    reader: BucketReader
    writer: BucketWriter
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    slots: BoundedSemaphore
    is_stopped: Callable[[], bool]
    is_guarded: bool = False
    _limiter: ConcurrencyLimiter = field(
        init=False, default_factory=lambda: ConcurrencyLimiter(SENDERS)
    )
    _overtaken: set[str] = field(init=False, default_factory=set)

    def delete(self, batch: Batch) -> dict[str, KeyOutcome]:
        """Delete a batch, sending again alone what S3 asked to send again."""
        outcomes = self._send_in_turn(batch)
        for delay in RETRY_DELAYS_SECONDS:
            again = self._left_to_send(batch, outcomes)
            if not again or self.is_stopped():
                break
            self.sleep(delay)
            outcomes |= self._send_in_turn(again, is_again=True)
        return outcomes

    def _left_to_send(self, batch: Batch, outcomes: dict[str, KeyOutcome]) -> Batch:
        parts: list[Part] = []
        if not any(map(self._goes_again, kinds(outcomes.values()))):
            return ()
        for part in batch:
            left = tuple(one for one in part.objects if self._goes_again(outcomes[one.key]))
            if left:
                parts.append(replace(part, objects=left))
        return tuple(parts)

    def _goes_again(self, said: KeyOutcome) -> bool:
        """Whether to send it again; a lost answer's too, where it is listed first."""
        is_open = said.outcome is ObjectOutcome.UNKNOWN and not self.is_guarded
        return (said.can_retry or is_open) and not said.stops_run

    def _send_in_turn(self, parts: Batch, *, is_again: bool = False) -> dict[str, KeyOutcome]:
        """Send when it is their turn; S3's wish for fewer requests makes turns rarer."""
        with self._limiter.acquire(), self.slots:
            if self.is_guarded:
                outcomes = self._send([one for part in parts for one in part.objects])
            else:
                outcomes = self._send_fresh(parts, is_again=is_again)
        if any(one.is_throttled for one in kinds(outcomes.values())):
            self._limiter.on_throttle()
        else:
            self._limiter.on_success()
        return outcomes

    def _send_fresh(self, parts: Batch, *, is_again: bool) -> dict[str, KeyOutcome]:
        """Send as it was just listed; what takes long to list again goes in several requests."""
        outcomes: dict[str, KeyOutcome] = {}
        waiting = deque(parts)
        while waiting:
            fresh: list[StoredObject] = []
            oldest_at = math.inf
            while waiting and self.monotonic() - oldest_at < FRESH_SECONDS:
                part = waiting.popleft()
                said: dict[str, KeyOutcome] = {}
                if is_again or self._is_stale(part):
                    part, said = self._list_again(part, is_again=is_again)
                outcomes |= said
                oldest_at = min(oldest_at, part.listed_at)
                fresh += (one for one in part.objects if one.key not in said)
            if fresh:
                outcomes |= self._send(fresh)
        return outcomes

    def _is_stale(self, part: Part) -> bool:
        is_old = self.monotonic() - part.listed_at >= FRESH_SECONDS
        return is_old or part.deployment.prefix in self._overtaken

    def _list_again(self, part: Part, *, is_again: bool) -> tuple[Part, dict[str, KeyOutcome]]:
        """List a part again; give the outcome of what is not to be sent then.

        Before the first request a change keeps all of it, and the rest of its deployment; later,
        when some of it is gone by this run's hand, what has changed.
        """
        began_at = self.monotonic()
        try:
            found = list_part(self.reader, part)
        except Exception as exc:  # noqa: BLE001 - what can't be looked at is not sent
            return part, dict.fromkeys((one.key for one in part.objects), not_listed(exc))
        there = {one.key: one for one in found}
        kept = {
            one.key: gone_or_changed(is_there=one.key in there)
            for one in part.objects
            if there.get(one.key) != one
        }
        prefix = part.deployment.prefix
        is_changed = any(one.outcome is ObjectOutcome.CHANGED for one in kept.values())
        if is_changed or (found and not is_again and found != part.objects):
            self._overtaken.add(prefix)
        if found and not is_again and prefix in self._overtaken:
            kept = dict.fromkeys((one.key for one in part.objects), _OVERTAKEN)
        return replace(part, listed_at=began_at), kept

    def _send(self, objects: Sequence[StoredObject]) -> dict[str, KeyOutcome]:
        try:
            return dict(self.writer.delete(objects))
        except Exception as exc:  # noqa: BLE001 - the request may be out: look what became of it
            return all_unknown(objects, exc)


def list_part(reader: BucketReader, part: Part) -> tuple[StoredObject, ...]:
    """List what stands from the first key of a part to its last, by key."""
    prefix = part.deployment.prefix
    first, last = part.objects[0].key, part.objects[-1].key
    start_after = first[:-1] if len(first) > len(prefix) else ""
    found: Sequence[StoredObject] = ()
    with closing(reader.list_pages(prefix, start_after=start_after)) as pages:
        for page in pages:
            found = (*found, *page.objects)
            if found and found[-1].key >= last:
                break
    if not is_sorted([one.key for one in found]):
        _, found = list_deployment(reader, part.deployment.name, prefix)
    return tuple(one for one in found if first <= one.key <= last)


def all_unknown(objects: Iterable[StoredObject], error: BaseException) -> dict[str, KeyOutcome]:
    """Say of each object that the answer was lost, and that the run is to stop."""
    one = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=told(error), stops_run=True)
    return {stored.key: one for stored in objects}


def is_unsettled(one: KeyOutcome) -> bool:
    """Whether the object may be there or not; an internal error can come after the deed."""
    return one.outcome is ObjectOutcome.UNKNOWN or one.can_retry


def gone_or_changed(*, is_there: bool) -> KeyOutcome:
    """Say of something that is not as it was listed what became of it."""
    if is_there:
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it changed meanwhile")
    return KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")


def seen_again(asked: StoredObject, found: StoredObject | None, said: KeyOutcome) -> KeyOutcome:
    """Say what became of an object by looking at it again."""
    if found == asked:
        message = f"it is still there: {said.message}"
        return KeyOutcome(outcome=ObjectOutcome.FAILED, message=message)
    return gone_or_changed(is_there=found is not None)


def not_listed(error: Exception) -> KeyOutcome:
    """Say that something was not sent, since it could not be listed again; later perhaps it can."""
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=f"not sent, since it could not be listed again: {told(error)}",
        can_retry=True,
        stops_run=not isinstance(error, DeniedError | ListingError),
    )
