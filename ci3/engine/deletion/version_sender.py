"""Sends batches of versions that go for good; what is called `null` only as it was just listed.

An upload overwrites the version `null` in place while versioning is suspended: of all others the
id is guard enough.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import (
    FRESH_SECONDS,
    RETRY_DELAYS_SECONDS,
    SENDERS,
    gone_or_changed,
    is_unsettled,
    not_listed,
)
from ci3.engine.inventory.versions import list_all_versions
from ci3.engine.workers.aimd_limit import ConcurrencyLimiter
from ci3.errors import told

Version = tuple[str, str]
"""A version or a delete marker: its key and id."""


def id_of(one: StoredVersion) -> Version:
    """Give what names a version."""
    return one.key, one.version_id


@dataclass(slots=True, kw_only=True)
class VersionSender:
    """Sends batches, several threads at once, as fast as S3 wants it."""

    reader: BucketReader
    remover: VersionRemover
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    is_stopped: Callable[[], bool]
    _limiter: ConcurrencyLimiter = field(
        init=False, default_factory=lambda: ConcurrencyLimiter(SENDERS)
    )

    def delete(self, batch: Sequence[StoredVersion], listed_at: float) -> dict[Version, KeyOutcome]:
        """Delete versions, sending again alone those that S3 asked to send again.

        Their listing began at `listed_at`, by `monotonic`.
        """
        said = self._send_in_turn(batch, listed_at)
        for delay in RETRY_DELAYS_SECONDS:
            again = [one for one in batch if _goes_again(said[id_of(one)])]
            if not again or self.is_stopped():
                break
            self.sleep(delay)
            said |= self._send_in_turn(again, -math.inf)
        return said

    def settle(self, batch: Sequence[StoredVersion], said: dict[Version, KeyOutcome]) -> None:
        """Look again at versions of which S3 did not say what became of them."""
        unknown = [one for one in batch if is_unsettled(said[id_of(one)])]
        if not unknown:
            return
        try:
            there = self._look_at(unknown)
        except Exception:  # noqa: BLE001 - what can't be looked at stays unknown
            return
        for one in unknown:
            said[id_of(one)] = _seen_again(one, there.get(id_of(one)), said[id_of(one)])

    def _send_in_turn(
        self, versions: Sequence[StoredVersion], listed_at: float
    ) -> dict[Version, KeyOutcome]:
        """Send when it is their turn; S3's wish for fewer requests makes turns rarer."""
        with self._limiter.acquire():
            said = self._overwritten(versions, listed_at)
            said |= self._send([id_of(one) for one in versions if id_of(one) not in said])
        if any(one.is_throttled for one in said.values()):
            self._limiter.on_throttle()
        else:
            self._limiter.on_success()
        return said

    def _overwritten(
        self, versions: Sequence[StoredVersion], listed_at: float
    ) -> dict[Version, KeyOutcome]:
        """Look again at what is called null; give the outcome of what is another by now."""
        nulls = [one for one in versions if one.version_id == NULL_VERSION_ID]
        if not nulls or self.monotonic() - listed_at < FRESH_SECONDS:
            return {}
        try:
            there = self._look_at(nulls)
        except Exception as exc:  # noqa: BLE001 - what can't be looked at is not sent
            return dict.fromkeys(map(id_of, nulls), not_listed(exc))
        return {
            id_of(one): gone_or_changed(is_there=id_of(one) in there)
            for one in nulls
            if not _is_same(one, there.get(id_of(one)))
        }

    def _look_at(self, versions: Sequence[StoredVersion]) -> dict[Version, StoredVersion]:
        """List no more than what begins like all of the keys."""
        first, last = min(one.key for one in versions), max(one.key for one in versions)
        same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        prefix = "".join(character for character, _ in same)
        return {id_of(one): one for one in list_all_versions(self.reader, prefix)}

    def _send(self, versions: Sequence[Version]) -> dict[Version, KeyOutcome]:
        if not versions:
            return {}
        try:
            return dict(self.remover.remove(versions, may_name_null=True))
        except Exception as exc:  # noqa: BLE001 - the request may be out: look what became of it
            lost = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=told(exc), stops_run=True)
            return dict.fromkeys(versions, lost)


def _goes_again(said: KeyOutcome) -> bool:
    """Whether to send it again, after a lost answer too: its id, or a look first, makes it safe."""
    is_open = said.can_retry or said.outcome is ObjectOutcome.UNKNOWN
    return is_open and not said.stops_run


def _is_same(asked: StoredVersion, found: StoredVersion | None) -> bool:
    """Whether it is still what was listed; what hides it, or no longer does, is another matter."""
    return found is not None and _content(asked) == _content(found)


def _content(one: StoredVersion) -> tuple[object, ...]:
    return one.is_marker, one.etag, one.size_bytes, one.modified_at


def _seen_again(asked: StoredVersion, found: StoredVersion | None, said: KeyOutcome) -> KeyOutcome:
    if not _is_same(asked, found):
        return gone_or_changed(is_there=found is not None)
    message = f"it is still there: {said.message}"
    return KeyOutcome(outcome=ObjectOutcome.FAILED, message=message)
