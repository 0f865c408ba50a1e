"""Whether this S3 honours a condition on a deletion, tried on keys that nobody has."""

import secrets
from dataclasses import replace

from ci3.aws.delete_wire import Doomed
from ci3.aws.deleting import DeleteRequests
from ci3.aws.outcomes import KeyOutcome
from ci3.constants import PROBE_NAME
from ci3.core.model import DeleteGuard, GuardProbe, ObjectOutcome, Versioning

__all__ = ["PROBE_NAME", "probe_guard"]

_NO_ETAG = '"00000000000000000000000000000000"'
_HONOURED = (ObjectOutcome.ABSENT, ObjectOutcome.CHANGED)


def probe_guard(requests: DeleteRequests, prefix: str, versioning: Versioning) -> GuardProbe:
    """Delete absent keys on condition, singly and in a batch, and hold later requests to it.

    S3 answers that the key is missing or the condition failed; one that ignores conditions answers
    success, and on a versioned bucket makes a delete marker: it is removed by its id, and where
    that fails the reason names it. What is denied or can't be understood is no guard.
    """
    probing = _Probing(requests, prefix, versioning)
    found = probing.find()
    requests.guards_singles = found.guard is not DeleteGuard.NONE
    requests.guards_batches = found.guard is DeleteGuard.ETAG
    return replace(found, reason="; ".join([found.reason, *probing.leftovers]))


class _Probing:
    def __init__(self, requests: DeleteRequests, prefix: str, versioning: Versioning) -> None:
        self._requests = requests
        self._prefix = prefix
        self._is_unversioned = versioning is Versioning.DISABLED
        self.leftovers: list[str] = []

    def find(self) -> GuardProbe:
        single = self._ask(in_batch=False)
        if single is None or single.outcome not in _HONOURED:
            is_denied = single is not None and single.outcome is ObjectOutcome.DENIED
            return replace(_none(_why_not(single)), is_denied=is_denied)
        is_sure = single.outcome is ObjectOutcome.CHANGED
        if not is_sure and self._is_unversioned:
            is_sure = self._is_other_without_condition(in_batch=False)
            if not is_sure:
                return _none("this S3 answers of a missing key the same without a condition")
        batch = self._ask(in_batch=True)
        self._requests.absent_looks_changed = ObjectOutcome.CHANGED in (
            single.outcome,
            batch and batch.outcome,
        )
        return self._weigh(batch, is_sure_of_single=is_sure)

    def _weigh(self, batch: KeyOutcome | None, *, is_sure_of_single: bool) -> GuardProbe:
        """Decide by the batch's answer; None is a store without batches."""
        if batch is not None and self._is_honoured_in_batch(batch):
            return GuardProbe(guard=DeleteGuard.ETAG, reason="this S3 honours conditions")
        if not is_sure_of_single:
            return _none("whether this S3 honours conditions can't be told from its answers")
        if batch is None:
            reason = "this S3 has no bulk delete, and honours conditions in single requests"
            return GuardProbe(guard=DeleteGuard.ETAG, reason=reason)
        reason = f"conditions hold only in single requests, not in batches: {_why_not(batch)}"
        return GuardProbe(guard=DeleteGuard.ETAG_SINGLE, reason=reason)

    def _is_honoured_in_batch(self, batch: KeyOutcome) -> bool:
        if batch.outcome is ObjectOutcome.ABSENT and self._is_unversioned:
            return self._is_other_without_condition(in_batch=True)
        return batch.outcome in _HONOURED

    def _is_other_without_condition(self, *, in_batch: bool) -> bool:
        """Ask the same without a condition: a store may call every missing key missing.

        Denied counts too: a bucket's policy may insist on the condition. Asked only without
        versioning, where nothing can be left behind.
        """
        plain = self._ask(in_batch=in_batch, is_conditional=False)
        return plain is not None and plain.outcome in (ObjectOutcome.DELETED, ObjectOutcome.DENIED)

    def _ask(self, *, in_batch: bool, is_conditional: bool = True) -> KeyOutcome | None:
        self._requests.guards_singles = self._requests.guards_batches = is_conditional
        one = Doomed(key=f"{self._prefix}{PROBE_NAME}{secrets.token_hex(8)}", etag=_NO_ETAG)
        if in_batch:
            said = self._requests.send_batch([one], is_probe=True).get(one)
        else:
            said = self._requests.send_one(one)
        if said and said.marker_version_id:
            self._remove_marker(one.key, said.marker_version_id)
        return said

    def _remove_marker(self, key: str, version_id: str) -> None:
        removed = self._requests.send_one(Doomed(key=key, version_id=version_id))
        if removed.outcome is not ObjectOutcome.DELETED:
            self.leftovers.append(
                f"a delete marker of {key}, which never was an object, is left: {removed.message}"
            )


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
