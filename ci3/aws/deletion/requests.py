"""Send deletions: as batches where the server and the keys allow, or else one by one."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from ci3.aws.client_errors import NOT_IMPLEMENTED_CODES, get_error_code
from ci3.aws.deletion.delete_xml import (
    DeleteKey,
    build_batch_body,
    get_deleted,
    register_batch_codec,
)
from ci3.aws.deletion.outcomes import (
    DELETED,
    NO_RESPONSE_ERRORS,
    KeyOutcome,
    outcome_from_code,
    outcome_from_error,
    outcome_from_response,
    outcome_without_response,
)
from ci3.core.formatting import join_names
from ci3.core.inventory.key_text import filter_xml_stable, is_url_stable
from ci3.core.model.result import ObjectOutcome

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteObjectRequestTypeDef, DeleteObjectsOutputTypeDef

NAMES_SHOWN = 5
SINGLE_WORKERS = 4
"""Single requests in flight at once, for each batch that has to be sent singly."""

# `*` is excluded: as a condition, it matches any object.
_CONDITION_ETAG = re.compile(r"(?!\*$)[!-~]+")
_S3_ETAGS = re.compile('(?:"[0-9a-f-]+")*')

_MAYBE_NO_BATCH_CODES = (
    "MalformedXML",
    "MalformedPOSTRequest",
    "InvalidArgument",
    "InvalidRequest",
    "UnsupportedOperation",
    "400",
)
"""Possible errors of a server without bulk delete; with it, they mean something else."""

_NO_ETAG = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: the listing has no ETag for the condition",
)
_AMBIGUOUS_PATH = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: the key has a . or .. segment, which a server may resolve to another key, "
    "and it cannot be sent in a batch. Delete it manually",
)
_NOT_IN_RESPONSE = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message="missing in S3's response")
_NOT_SENT = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: S3 is rejecting all requests",
    should_stop_run=True,
)


class DeleteRequests:
    """Sends deletions from several threads at once, and records what this server supports.

    `should_condition_batches` and `should_condition_singles` make each such request conditional on
    the ETag. `is_absent_reported_as_changed`: this server answers for a missing key that the
    condition failed.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self.should_condition_batches = False
        self.should_condition_singles = False
        self.is_absent_reported_as_changed = False
        self.has_bulk_delete = True
        self._has_batch_succeeded = False
        self._needs_md5 = False
        register_batch_codec(client)
        client.meta.events.register("before-sign.s3.DeleteObjects", self._add_md5)

    def disable_retries(self) -> None:
        """Disable botocore's retries: each request is sent once.

        botocore's own retries may come minutes later. A lost response is then `unknown`. Call this
        only while no request is in flight.
        """
        events = self._client.meta.events
        events.unregister("needs-retry.s3", unique_id="retry-config-s3")

    def reset_bulk_delete(self) -> None:
        """Detect again whether there is bulk delete: the responses to a probe do not count."""
        self.has_bulk_delete = True
        self._has_batch_succeeded = False

    def delete_keys(
        self, keys: Sequence[DeleteKey], may_continue: Callable[[], bool] = lambda: True
    ) -> dict[DeleteKey, KeyOutcome]:
        """Delete up to 1,000 keys and return the outcome of each.

        `may_continue` is asked before each request but the first: if it returns False, the keys
        that were not sent have no outcome. Never raises for an error of S3.
        """
        batch = _filter_batchable(keys) if self.has_bulk_delete else []
        outcomes = (
            self.delete_batch(batch, is_conditional=self.should_condition_batches) if batch else {}
        )
        rest = [key for key in keys if key not in outcomes]
        if not batch or may_continue():
            outcomes |= self._delete_singly(rest, may_continue)
        if self.is_absent_reported_as_changed:
            return {key: _changed_to_unknown(outcome) for key, outcome in outcomes.items()}
        return outcomes

    def delete_batch(
        self, batch: Sequence[DeleteKey], *, is_conditional: bool, is_probe: bool = False
    ) -> dict[DeleteKey, KeyOutcome]:
        """Delete in one request; keys without an outcome have to be sent singly.

        With `is_conditional`, current objects are deleted on condition of their ETag. With
        `is_probe`, an error that may be about the condition is not taken for missing bulk delete.
        """
        outcomes: dict[DeleteKey, KeyOutcome] = {}
        if is_conditional:
            outcomes = dict.fromkeys(_find_without_etag(batch), _NO_ETAG)
        sent_keys = [key for key in batch if key not in outcomes]
        if not sent_keys:
            return outcomes
        try:
            response = self._delete_objects(sent_keys, is_conditional=is_conditional)
        except botocore.exceptions.ClientError as exc:
            if self._is_bulk_delete_missing(exc, is_probe=is_probe):
                self.has_bulk_delete = False
                return outcomes
            return outcomes | dict.fromkeys(sent_keys, outcome_from_error(exc, is_single_key=False))
        except NO_RESPONSE_ERRORS as exc:
            return outcomes | dict.fromkeys(sent_keys, outcome_without_response(exc))
        self._has_batch_succeeded = True
        return outcomes | _parse_response(sent_keys, response)

    def delete_single(self, key: DeleteKey, *, is_conditional: bool) -> KeyOutcome:
        """Delete in a single request, with the key in the URL; see `delete_batch`."""
        if not is_url_stable(key.key):
            return _AMBIGUOUS_PATH
        request: DeleteObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key.key}
        if key.version_id:
            request["VersionId"] = key.version_id
        elif is_conditional:
            if not _can_be_conditional(key):
                return _NO_ETAG
            request["IfMatch"] = key.etag
        try:
            response = self._client.delete_object(**request)
        except botocore.exceptions.ClientError as exc:
            return outcome_from_error(exc, is_single_key=True)
        except NO_RESPONSE_ERRORS as exc:
            return outcome_without_response(exc)
        made_marker = response.get("DeleteMarker") and not key.version_id
        return outcome_from_response(
            response, marker_version_id=response.get("VersionId", "") if made_marker else ""
        )

    def _delete_singly(
        self, keys: Sequence[DeleteKey], may_continue: Callable[[], bool]
    ) -> dict[DeleteKey, KeyOutcome]:
        """Delete each key in a request; all but the first only while `may_continue` says so."""
        is_stopped = Event()

        def delete(key: DeleteKey) -> KeyOutcome | None:
            if is_stopped.is_set():
                return _NOT_SENT
            if key is not keys[0] and not may_continue():
                return None
            outcome = self.delete_single(key, is_conditional=self.should_condition_singles)
            if outcome.should_stop_run:
                is_stopped.set()
            return outcome

        if not keys:
            return {}
        config: Any = self._client.meta.config  # missing in the stubs
        workers = min(SINGLE_WORKERS, config.max_pool_connections)
        with ThreadPoolExecutor(workers, "deleting-singly") as pool:
            outcomes = zip(keys, pool.map(delete, keys), strict=True)
            return {key: outcome for key, outcome in outcomes if outcome is not None}

    def _delete_objects(
        self, keys: Sequence[DeleteKey], *, is_conditional: bool
    ) -> "DeleteObjectsOutputTypeDef":
        """Send a batch, and a second time with its MD5 if this server requires that."""
        had_md5 = self._needs_md5
        # A client with `register_batch_codec` takes this instead of botocore's structure.
        body: Any = build_batch_body(keys, is_conditional=is_conditional)
        try:
            return self._client.delete_objects(Bucket=self._bucket, Delete=body)
        except botocore.exceptions.ClientError as exc:
            if had_md5 or not _requires_md5(exc):
                raise
        self._needs_md5 = True
        return self._client.delete_objects(Bucket=self._bucket, Delete=body)

    def _add_md5(self, request: "AWSRequest", **_: object) -> None:
        # botocore sends CRC32 since 1.36, which older servers do not accept as a checksum.
        if self._needs_md5 and "Content-MD5" not in request.headers:
            body: Any = request.body  # always bytes here, unlike in the stubs
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            request.headers["Content-MD5"] = base64.b64encode(digest).decode()

    def _is_bulk_delete_missing(
        self, exc: botocore.exceptions.ClientError, *, is_probe: bool
    ) -> bool:
        code = get_error_code(exc)
        if is_probe or self._has_batch_succeeded:
            return code in NOT_IMPLEMENTED_CODES
        return code in NOT_IMPLEMENTED_CODES or code in _MAYBE_NO_BATCH_CODES


def _filter_batchable(keys: Sequence[DeleteKey]) -> Sequence[DeleteKey]:
    """Return the keys that XML carries unchanged: nearly always all of them."""
    names = [key.key for key in keys]
    stable = filter_xml_stable(names)
    if len(stable) == len(names):
        return keys
    stable_names = set(stable)
    return [key for key in keys if key.key in stable_names]


def _find_without_etag(batch: Sequence[DeleteKey]) -> list[DeleteKey]:
    """Return the keys that have no ETag for a condition.

    Usually all ETags have the form that S3 writes, so they are tested at once.
    """
    if _S3_ETAGS.fullmatch("".join([key.etag for key in batch])) and all(key.etag for key in batch):
        return []
    return [key for key in batch if not _can_be_conditional(key)]


def _can_be_conditional(key: DeleteKey) -> bool:
    return bool(key.version_id or _CONDITION_ETAG.fullmatch(key.etag))


def _requires_md5(exc: botocore.exceptions.ClientError) -> bool:
    code = get_error_code(exc)
    message = str(exc.response.get("Error", {}).get("Message", "")).lower()
    return code == "MissingContentMD5" or (code == "InvalidRequest" and "content-md5" in message)


def _parse_response(
    sent_keys: Sequence[DeleteKey], response: "DeleteObjectsOutputTypeDef"
) -> dict[DeleteKey, KeyOutcome]:
    """Return the outcome of each sent key.

    Keys that are not in the response are unknown; an error takes precedence over "deleted". If the
    response names a key that was not sent, the server changes keys: each outcome stops the run.
    """
    current_keys = {key.key: key for key in sent_keys if not key.version_id}
    deleted = get_deleted(response)
    is_plain = (
        len(current_keys) == len(sent_keys)
        and not any(deleted.marker_ids)
        and not response.get("Errors")
    )
    if is_plain and deleted.keys == [*current_keys]:
        return dict.fromkeys(sent_keys, DELETED)
    outcomes = dict.fromkeys(sent_keys, _NOT_IN_RESPONSE)
    version_keys = {(key.key, key.version_id): key for key in sent_keys if key.version_id}
    sent_names = {key.key for key in sent_keys}
    unsent: list[str] = []
    for name, version_id, marker_id in zip(
        deleted.keys, deleted.version_ids, deleted.marker_ids, strict=True
    ):
        if key := current_keys.get(name):
            outcomes[key] = _deleted_with_marker(marker_id) if marker_id else DELETED
        elif key := version_keys.get((name, _get_version(version_id, marker_id))):
            outcomes[key] = DELETED
        elif name and (name not in sent_names or version_id or marker_id):
            unsent.append(_describe_key(name, version_id or marker_id))
    for error in response.get("Errors", ()):
        name = error.get("Key", "")
        version_id = _get_version(error.get("VersionId", ""), "")
        exact_key = current_keys.get(name) or version_keys.get((name, version_id))
        # Some servers omit the version in an error: it then concerns all versions of the key.
        keys = (exact_key,) if exact_key else _find_all_versions(error, sent_keys)
        for key in keys:
            outcomes[key] = outcome_from_code(error.get("Code", ""), error.get("Message", ""))
        if name and name not in sent_names:
            unsent.append(_describe_key(name, error.get("VersionId", "")))
    if unsent:
        message = (
            f"S3's response names {join_names(unsent, NAMES_SHOWN)}, which ci3 did not ask it to "
            "delete: this S3 service changes keys. Check what is left before you run ci3 again"
        )
        return {key: _stop_run(outcome, message) for key, outcome in outcomes.items()}
    return outcomes


def _describe_key(name: str, version_id: str) -> str:
    return f"{name!r} (version {version_id})" if version_id else repr(name)


def _stop_run(outcome: KeyOutcome, message: str) -> KeyOutcome:
    return replace(
        outcome, message=message, can_retry=False, should_stop_run=True, names_other_keys=True
    )


def _get_version(version_id: str, marker_id: str) -> str:
    """Return the version that an entry is about.

    For a removed delete marker, SeaweedFS returns only the marker's ID; for the version `null`, no
    ID at all.
    """
    return version_id or marker_id or "null"


def _deleted_with_marker(marker_id: str) -> KeyOutcome:
    return KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id=marker_id)


def _find_all_versions(error: Mapping[str, Any], sent_keys: Sequence[DeleteKey]) -> list[DeleteKey]:
    if error.get("VersionId"):
        return []
    return [key for key in sent_keys if key.key == error.get("Key")]


def _changed_to_unknown(outcome: KeyOutcome) -> KeyOutcome:
    """Replace changed by unknown, for a server that reports missing keys as changed.

    After a lost response, the key may be missing because ci3 deleted it.
    """
    if outcome.outcome is not ObjectOutcome.CHANGED:
        return outcome
    return replace(
        outcome, outcome=ObjectOutcome.UNKNOWN, message=f"changed or absent: {outcome.message}"
    )
