"""The requests that delete: batches where S3 and the keys allow, else one by one."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import botocore.exceptions

from ci3.aws.client import error_code
from ci3.aws.deletion.delete_xml import Doomed, batch_body, deleted_by, write_batches
from ci3.aws.deletion.outcomes import (
    DELETED,
    NO_ANSWER,
    KeyOutcome,
    done,
    from_code,
    refused,
    unanswered,
)
from ci3.core.model.result import ObjectOutcome

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        DeleteObjectRequestTypeDef,
        DeleteObjectsOutputTypeDef,
    )

SINGLE_WORKERS = 4
"""Single requests at once, for each batch that has to go like that."""

# XML 1.0's characters (https://www.w3.org/TR/xml/#charsets), less line breaks, which a parser
# may fold: a key with any other would spoil the whole batch.
_FIT_FOR_BATCH = re.compile("[\t -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
# `*` is a condition that any object meets.
_FIT_FOR_CONDITION = re.compile(r"(?!\*$)[!-~]+")
_ETAGS = re.compile('(?:"[0-9a-f-]+")*')

_NO_BATCH_CODES = ("NotImplemented", "501", "MethodNotAllowed", "405")
_PERHAPS_NO_BATCH_CODES = (
    "MalformedXML",
    "MalformedPOSTRequest",
    "InvalidArgument",
    "InvalidRequest",
    "UnsupportedOperation",
    "400",
)
"""What a store without bulk delete may say; from one that has it, they mean something else."""

_UNGUARDABLE = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: the listing gave no ETag that a condition could name",
)
_SILENT = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message="S3's answer leaves it out")
_NOT_SENT = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: S3 refuses every request by now",
    stops_run=True,
)


class DeleteRequests:
    """Sends deletions, several threads at once, and remembers what this S3 can do.

    With `guards_batches`, `guards_singles` set, each such request is on condition of the ETag.
    `absent_looks_changed` says that this S3 answers of a missing key that the condition failed.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self.guards_batches = False
        self.guards_singles = False
        self.absent_looks_changed = False
        self.has_batches = True
        self._a_batch_was_answered = False
        self._wants_md5 = False
        write_batches(client)
        client.meta.events.register("before-sign.s3.DeleteObjects", self._add_md5)

    def leave_resending_to_caller(self) -> None:
        """Send each request once: botocore's own attempts come minutes later, perhaps.

        An answer that was lost is `unknown` then; to be called while no request is out.
        """
        events = self._client.meta.events
        events.unregister("needs-retry.s3", unique_id="retry-config-s3")

    def forget_batches(self) -> None:
        """Learn anew whether there are batches: what a probe was answered does not count."""
        self.has_batches = True
        self._a_batch_was_answered = False

    def send(self, doomed: Sequence[Doomed]) -> dict[Doomed, KeyOutcome]:
        """Delete up to 1,000; give the outcome of each. Never raises for what S3 answers."""
        batch = _fit_for_batch(doomed) if self.has_batches else []
        outcomes = self.send_batch(batch, is_guarded=self.guards_batches) if batch else {}
        outcomes |= self._send_singly([one for one in doomed if one not in outcomes])
        if self.absent_looks_changed:
            return {one: _changed_or_gone(said) for one, said in outcomes.items()}
        return outcomes

    def send_batch(
        self, batch: Sequence[Doomed], *, is_guarded: bool, is_probe: bool = False
    ) -> dict[Doomed, KeyOutcome]:
        """Delete in one request; what comes back without an outcome has to go alone.

        Where it `is_guarded`, each current object goes on condition of its ETag. A probe does not
        take an error that may be about its condition for a lack of batches.
        """
        kept: dict[Doomed, KeyOutcome] = {}
        if is_guarded:
            kept = dict.fromkeys(_unguardable(batch), _UNGUARDABLE)
        sent = [one for one in batch if one not in kept]
        if not sent:
            return kept
        try:
            answer = self._delete_objects(sent, is_guarded=is_guarded)
        except botocore.exceptions.ClientError as exc:
            if self._lacks_batches(exc, is_probe=is_probe):
                self.has_batches = False
                return kept
            return kept | dict.fromkeys(sent, refused(exc, is_of_one_key=False))
        except NO_ANSWER as exc:
            return kept | dict.fromkeys(sent, unanswered(exc))
        self._a_batch_was_answered = True
        return kept | _read_answer(sent, answer)

    def send_one(self, one: Doomed, *, is_guarded: bool) -> KeyOutcome:
        """Delete in a request of its own; see `send_batch`."""
        request: DeleteObjectRequestTypeDef = {"Bucket": self._bucket, "Key": one.key}
        if one.version_id:
            request["VersionId"] = one.version_id
        elif is_guarded:
            if not _is_guardable(one):
                return _UNGUARDABLE
            request["IfMatch"] = one.etag
        try:
            answer = self._client.delete_object(**request)
        except botocore.exceptions.ClientError as exc:
            return refused(exc, is_of_one_key=True)
        except NO_ANSWER as exc:
            return unanswered(exc)
        made_marker = answer.get("DeleteMarker") and not one.version_id
        return done(answer, marker_version_id=answer.get("VersionId", "") if made_marker else "")

    def _send_singly(self, doomed: Sequence[Doomed]) -> dict[Doomed, KeyOutcome]:
        stopped = Event()

        def send(one: Doomed) -> KeyOutcome:
            if stopped.is_set():
                return _NOT_SENT
            said = self.send_one(one, is_guarded=self.guards_singles)
            if said.stops_run:
                stopped.set()
            return said

        if not doomed:
            return {}
        config: Any = self._client.meta.config  # the stubs do not know what it was made with
        workers = min(SINGLE_WORKERS, config.max_pool_connections)
        with ThreadPoolExecutor(workers, "deleting-singly") as pool:
            return dict(zip(doomed, pool.map(send, doomed), strict=True))

    def _delete_objects(
        self, sent: Sequence[Doomed], *, is_guarded: bool
    ) -> "DeleteObjectsOutputTypeDef":
        """Send a batch, once more with its MD5 if this S3 wants that."""
        had_md5 = self._wants_md5
        body: Any = batch_body(sent, is_guarded=is_guarded)  # see write_batches
        try:
            return self._client.delete_objects(Bucket=self._bucket, Delete=body)
        except botocore.exceptions.ClientError as exc:
            if had_md5 or not _asks_for_md5(exc):
                raise
        self._wants_md5 = True
        return self._client.delete_objects(Bucket=self._bucket, Delete=body)

    def _add_md5(self, request: "AWSRequest", **_: object) -> None:
        # botocore sends CRC32 since 1.36, which older servers do not take for a checksum.
        if self._wants_md5 and "Content-MD5" not in request.headers:
            body: Any = request.body  # bytes, whatever the stubs say
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            request.headers["Content-MD5"] = base64.b64encode(digest).decode()

    def _lacks_batches(self, exc: botocore.exceptions.ClientError, *, is_probe: bool) -> bool:
        code = error_code(exc)
        if is_probe or self._a_batch_was_answered:
            return code in _NO_BATCH_CODES
        return code in _NO_BATCH_CODES or code in _PERHAPS_NO_BATCH_CODES


def _fit_for_batch(doomed: Sequence[Doomed]) -> Sequence[Doomed]:
    """Take out what would spoil a batch; nearly always that is nothing, which one look tells."""
    if _FIT_FOR_BATCH.fullmatch("".join([one.key for one in doomed])):
        return doomed
    return [one for one in doomed if _FIT_FOR_BATCH.fullmatch(one.key)]


def _unguardable(batch: Sequence[Doomed]) -> list[Doomed]:
    """Find what no condition can name; one look tells where each has an ETag as S3 writes them."""
    if _ETAGS.fullmatch("".join([one.etag for one in batch])) and all(one.etag for one in batch):
        return []
    return [one for one in batch if not _is_guardable(one)]


def _is_guardable(one: Doomed) -> bool:
    return bool(one.version_id or _FIT_FOR_CONDITION.fullmatch(one.etag))


def _asks_for_md5(exc: botocore.exceptions.ClientError) -> bool:
    code = error_code(exc)
    message = str(exc.response.get("Error", {}).get("Message", "")).lower()
    return code == "MissingContentMD5" or (code == "InvalidRequest" and "content-md5" in message)


def _read_answer(
    sent: Sequence[Doomed], answer: "DeleteObjectsOutputTypeDef"
) -> dict[Doomed, KeyOutcome]:
    """Match what S3 says to what was asked; what it leaves out is unknown, an error goes first."""
    plain = {one.key: one for one in sent if not one.version_id}
    found = deleted_by(answer)
    is_plain = len(plain) == len(sent) and not any(found.marker_ids) and not answer.get("Errors")
    if is_plain and found.keys == [*plain]:
        return dict.fromkeys(sent, DELETED)
    outcomes = dict.fromkeys(sent, _SILENT)
    versions = {(one.key, one.version_id): one for one in sent if one.version_id}
    for key, version_id, marker_id in zip(
        found.keys, found.version_ids, found.marker_ids, strict=True
    ):
        if one := plain.get(key):
            outcomes[one] = _deleted(marker_id) if marker_id else DELETED
        elif one := versions.get((key, _version_of(version_id, marker_id))):
            outcomes[one] = DELETED
    for error in answer.get("Errors", ()):
        key = error.get("Key", "")
        version_id = _version_of(error.get("VersionId", ""), "")
        named = plain.get(key) or versions.get((key, version_id))
        # Some servers leave the version out of an error: then it speaks of all of the key's.
        about = (named,) if named else _unversioned(error, sent)
        for one in about:
            outcomes[one] = from_code(error.get("Code", ""), error.get("Message", ""))
    return outcomes


def _version_of(version_id: str, marker_id: str) -> str:
    """Find which version an entry speaks of.

    For a delete marker that was removed SeaweedFS gives the marker's id alone, and for the version
    `null` none at all.
    """
    return version_id or marker_id or "null"


def _deleted(marker_id: str) -> KeyOutcome:
    return KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id=marker_id)


def _unversioned(error: Mapping[str, Any], sent: Sequence[Doomed]) -> list[Doomed]:
    if error.get("VersionId"):
        return []
    return [one for one in sent if one.key == error.get("Key")]


def _changed_or_gone(said: KeyOutcome) -> KeyOutcome:
    """Leave open what this S3 leaves open: after a lost answer the key may be gone by our hand."""
    if said.outcome is not ObjectOutcome.CHANGED:
        return said
    return replace(said, outcome=ObjectOutcome.UNKNOWN, message=f"changed or gone: {said.message}")
