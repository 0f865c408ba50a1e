"""Test on absent keys whether this S3 honors the condition of a conditional delete."""

import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ci3.aws.deletion.delete_xml import DeleteKey
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.requests import DeleteRequests
from ci3.constants import PROBE_KEY_PREFIX
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeleteGuard, GuardProbe, ObjectOutcome
from ci3.errors import AccessError

_IMPOSSIBLE_ETAG = '"00000000000000000000000000000000"'
_HONORED = (ObjectOutcome.ABSENT, ObjectOutcome.CHANGED)


Slot = AbstractContextManager[object]
"""A concurrency slot, held while a request is in flight."""


def probe_conditional_deletes(
    requests: DeleteRequests, prefix: str, versioning: Versioning, slot: Slot
) -> GuardProbe:
    """Send conditional deletes of absent keys, singly and in a batch, and configure `requests`.

    A server that honors the condition answers that the key is missing or that the condition failed.
    One that ignores it answers success, and on a versioned bucket creates a delete marker: the
    marker is removed by its ID, and the reason names it where that fails. A response that is denied
    or unexpected means no conditional deletes. Raises AccessError for one that names other keys.
    """
    probe = _Probe(requests, prefix, versioning, slot)
    result = probe.find()
    requests.should_condition_singles = result.guard is not DeleteGuard.NONE
    requests.should_condition_batches = result.guard is DeleteGuard.ETAG
    return replace(result, reason="; ".join([result.reason, *probe.leftovers]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """The outcome of a conditional delete, or None where there is no bulk delete.

    `has_other_control`: an unconditional delete had another outcome, so the condition had an
    effect. Without that, a server may just answer "missing" for every missing key. A denied
    unconditional delete counts too: a bucket policy may require conditions.
    """

    outcome: KeyOutcome | None
    has_other_control: bool = False

    @property
    def is_honored(self) -> bool:
        return self.outcome is not None and self.outcome.outcome in _HONORED

    @property
    def is_proven(self) -> bool:
        """Return whether the server must have evaluated the condition."""
        is_changed = self.outcome is not None and self.outcome.outcome is ObjectOutcome.CHANGED
        return self.has_other_control or is_changed


class _Probe:
    def __init__(
        self, requests: DeleteRequests, prefix: str, versioning: Versioning, slot: Slot
    ) -> None:
        self._requests = requests
        self._prefix = prefix
        self._slot = slot
        self._is_unversioned = versioning is Versioning.DISABLED
        self._was_batch_needed = False
        self.leftovers: list[str] = []

    def find(self) -> GuardProbe:
        """Run the probe.

        The requests run in parallel without versioning, where no delete marker can be left.
        """
        if not self._is_unversioned:
            return self._decide(self._try(in_batch=False), lambda: self._try(in_batch=True))
        with ThreadPoolExecutor(4, "probing") as pool:
            single, batch = (
                (
                    pool.submit(self._delete_absent_key, in_batch=in_batch, is_conditional=True),
                    pool.submit(self._delete_absent_key, in_batch=in_batch, is_conditional=False),
                )
                for in_batch in (False, True)
            )
            result = self._decide(_compare(*single), lambda: _compare(*batch))
            for future in (*single, *batch):
                future.result()  # an answer that names other keys counts though it is not needed
        if not self._was_batch_needed:
            self._requests.reset_bulk_delete()
        return result

    def _try(self, *, in_batch: bool) -> _Trial:
        return _Trial(outcome=self._delete_absent_key(in_batch=in_batch, is_conditional=True))

    def _decide(self, single: _Trial, try_batch: Callable[[], _Trial]) -> GuardProbe:
        """Decide by the outcomes of a conditional delete of an absent key, singly and in a batch.

        "Honored" is the outcome absent or changed. "Proven" is honored, and the outcome is changed
        or an unconditional delete, tried on unversioned buckets only, had another outcome. The
        first row that matches decides:

        | single              | versioned | batch                        | mode        |
        |---------------------|-----------|------------------------------|-------------|
        | not honored         | any       | not sent                     | none        |
        | honored, not proven | no        | not sent                     | none        |
        | honored             | no        | proven                       | etag        |
        | honored             | yes       | honored                      | etag        |
        | honored, not proven | yes       | not honored, no bulk delete  | none        |
        | proven              | any       | no bulk delete               | etag        |
        | proven              | any       | any other                    | etag-single |
        """
        if not single.is_honored:
            is_denied = (
                single.outcome is not None and single.outcome.outcome is ObjectOutcome.DENIED
            )
            return replace(
                _unconditional(_explain_not_honored(single.outcome)), is_denied=is_denied
            )
        if self._is_unversioned and not single.is_proven:
            return _unconditional("this S3 service responds the same with and without a condition")
        batch = try_batch()
        self._was_batch_needed = True
        self._requests.is_absent_reported_as_changed = any(
            trial.outcome is not None and trial.outcome.outcome is ObjectOutcome.CHANGED
            for trial in (single, batch)
        )
        if batch.is_honored and (batch.is_proven or not self._is_unversioned):
            return GuardProbe(
                guard=DeleteGuard.ETAG, reason="this S3 service supports conditional deletes"
            )
        if not single.is_proven:
            return _unconditional(
                "the responses do not show whether this S3 service supports conditional deletes"
            )
        if batch.outcome is None:
            reason = "this S3 service supports conditional deletes, but has no bulk delete"
            return GuardProbe(guard=DeleteGuard.ETAG, reason=reason)
        why = _explain_not_honored(batch.outcome)
        reason = f"conditional deletes work in single requests only, not in batches: {why}"
        return GuardProbe(guard=DeleteGuard.ETAG_SINGLE, reason=reason)

    def _delete_absent_key(self, *, in_batch: bool, is_conditional: bool) -> KeyOutcome | None:
        key = DeleteKey(
            key=f"{self._prefix}{PROBE_KEY_PREFIX}{secrets.token_hex(8)}", etag=_IMPOSSIBLE_ETAG
        )
        with self._slot:
            if in_batch:
                outcomes = self._requests.delete_batch(
                    [key], is_conditional=is_conditional, is_probe=True
                )
                outcome = outcomes.get(key)
            else:
                outcome = self._requests.delete_single(key, is_conditional=is_conditional)
            if outcome and outcome.marker_version_id:
                self._remove_marker(key.key, outcome.marker_version_id)
        if outcome and outcome.names_other_keys:
            raise AccessError(outcome.message, "")
        return outcome

    def _remove_marker(self, key: str, version_id: str) -> None:
        marker = DeleteKey(key=key, version_id=version_id)
        removed = self._requests.delete_single(marker, is_conditional=False)
        if removed.outcome is not ObjectOutcome.DELETED:
            self.leftovers.append(
                f"the delete marker of the probe key {key} could not be removed: {removed.message}"
            )


def _compare(
    conditional: Future[KeyOutcome | None], unconditional: Future[KeyOutcome | None]
) -> _Trial:
    unconditional_outcome = unconditional.result()
    different = (ObjectOutcome.DELETED, ObjectOutcome.DENIED)
    return _Trial(
        outcome=conditional.result(),
        has_other_control=unconditional_outcome is not None
        and unconditional_outcome.outcome in different,
    )


def _unconditional(reason: str) -> GuardProbe:
    return GuardProbe(guard=DeleteGuard.NONE, reason=reason)


def _explain_not_honored(outcome: KeyOutcome | None) -> str:
    if outcome is None:
        return "this S3 service has no bulk delete"
    match outcome.outcome:
        case ObjectOutcome.DELETED:
            return "this S3 service ignores conditions"
        case ObjectOutcome.DENIED:
            return f"conditional deletes were denied ({outcome.message}); grant s3:GetObject"
        case _:
            return f"unexpected response ({outcome.message})"
