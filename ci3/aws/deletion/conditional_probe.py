"""Whether this S3 honours a condition on a deletion, tried on keys that nobody has."""

import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ci3.aws.deletion.delete_xml import Doomed
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.requests import DeleteRequests
from ci3.constants import PROBE_NAME
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeleteGuard, GuardProbe, ObjectOutcome

__all__ = ["PROBE_NAME", "probe_guard"]

_NO_ETAG = '"00000000000000000000000000000000"'
_HONOURED = (ObjectOutcome.ABSENT, ObjectOutcome.CHANGED)


Slot = AbstractContextManager[object]
"""Held while a request is out."""


def probe_guard(
    requests: DeleteRequests, prefix: str, versioning: Versioning, slot: Slot
) -> GuardProbe:
    """Delete absent keys on condition, singly and in a batch, and hold later requests to it.

    S3 answers that the key is missing or the condition failed; one that ignores conditions answers
    success, and on a versioned bucket makes a delete marker: it is removed by its id, and where
    that fails the reason names it. What is denied or can't be understood is no guard.
    """
    probing = _Probing(requests, prefix, versioning, slot)
    found = probing.find()
    requests.guards_singles = found.guard is not DeleteGuard.NONE
    requests.guards_batches = found.guard is DeleteGuard.ETAG
    return replace(found, reason="; ".join([found.reason, *probing.leftovers]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What was said on a condition, None by a store without batches; whether that `differs` else.

    A store may call every missing key missing. Denied without a condition differs too: a bucket's
    policy may insist on it.
    """

    said: KeyOutcome | None
    differs: bool = False

    @property
    def is_honoured(self) -> bool:
        return self.said is not None and self.said.outcome in _HONOURED

    @property
    def is_sure(self) -> bool:
        """Whether a condition must have been looked at."""
        looks_changed = self.said is not None and self.said.outcome is ObjectOutcome.CHANGED
        return self.differs or looks_changed


class _Probing:
    def __init__(
        self, requests: DeleteRequests, prefix: str, versioning: Versioning, slot: Slot
    ) -> None:
        self._requests = requests
        self._prefix = prefix
        self._slot = slot
        self._is_unversioned = versioning is Versioning.DISABLED
        self._batch_counts = False
        self.leftovers: list[str] = []

    def find(self) -> GuardProbe:
        """Ask; without versioning all at once, since nothing can be left behind."""
        if not self._is_unversioned:
            return self._weigh(self._try(in_batch=False), lambda: self._try(in_batch=True))
        with ThreadPoolExecutor(4, "probing") as pool:
            single, batch = (
                (
                    pool.submit(self._ask, in_batch=in_batch, is_conditional=True),
                    pool.submit(self._ask, in_batch=in_batch, is_conditional=False),
                )
                for in_batch in (False, True)
            )
            found = self._weigh(_compare(*single), lambda: _compare(*batch))
        if not self._batch_counts:
            self._requests.forget_batches()
        return found

    def _try(self, *, in_batch: bool) -> _Tried:
        return _Tried(said=self._ask(in_batch=in_batch, is_conditional=True))

    def _weigh(self, single: _Tried, try_batch: Callable[[], _Tried]) -> GuardProbe:
        """Decide by the answers."""
        if not single.is_honoured:
            is_denied = single.said is not None and single.said.outcome is ObjectOutcome.DENIED
            return replace(_none(_why_not(single.said)), is_denied=is_denied)
        if self._is_unversioned and not single.is_sure:
            return _none("this S3 answers of a missing key the same without a condition")
        batch = try_batch()
        self._batch_counts = True
        self._requests.absent_looks_changed = any(
            one.said is not None and one.said.outcome is ObjectOutcome.CHANGED
            for one in (single, batch)
        )
        if batch.is_honoured and (batch.is_sure or not self._is_unversioned):
            return GuardProbe(guard=DeleteGuard.ETAG, reason="this S3 honours conditions")
        if not single.is_sure:
            return _none("whether this S3 honours conditions can't be told from its answers")
        if batch.said is None:
            reason = "this S3 has no bulk delete, and honours conditions in single requests"
            return GuardProbe(guard=DeleteGuard.ETAG, reason=reason)
        reason = f"conditions hold only in single requests, not in batches: {_why_not(batch.said)}"
        return GuardProbe(guard=DeleteGuard.ETAG_SINGLE, reason=reason)

    def _ask(self, *, in_batch: bool, is_conditional: bool) -> KeyOutcome | None:
        one = Doomed(key=f"{self._prefix}{PROBE_NAME}{secrets.token_hex(8)}", etag=_NO_ETAG)
        with self._slot:
            if in_batch:
                sent = self._requests.send_batch([one], is_guarded=is_conditional, is_probe=True)
                said = sent.get(one)
            else:
                said = self._requests.send_one(one, is_guarded=is_conditional)
            if said and said.marker_version_id:
                self._remove_marker(one.key, said.marker_version_id)
        return said

    def _remove_marker(self, key: str, version_id: str) -> None:
        marker = Doomed(key=key, version_id=version_id)
        removed = self._requests.send_one(marker, is_guarded=False)
        if removed.outcome is not ObjectOutcome.DELETED:
            self.leftovers.append(
                f"a delete marker of {key}, which never was an object, is left: {removed.message}"
            )


def _compare(asked: Future[KeyOutcome | None], plainly: Future[KeyOutcome | None]) -> _Tried:
    plain = plainly.result()
    others = (ObjectOutcome.DELETED, ObjectOutcome.DENIED)
    return _Tried(said=asked.result(), differs=plain is not None and plain.outcome in others)


def _none(reason: str) -> GuardProbe:
    return GuardProbe(guard=DeleteGuard.NONE, reason=reason)


def _why_not(said: KeyOutcome | None) -> str:
    if said is None:
        return "this S3 has no bulk delete"
    match said.outcome:
        case ObjectOutcome.DELETED:
            return "this S3 ignores them"
        case ObjectOutcome.DENIED:
            return f"they were not allowed ({said.message}): they need s3:GetObject too"
        case _:
            return f"the answer was not understood ({said.message})"
