"""A bucket as ci3 sees it: one face that reads, and another, made only to apply, that deletes."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import botocore.exceptions
import botocore.parsers

from ci3.aws.client import (
    READ_OPERATIONS,
    WRITE_OPERATIONS,
    error_code,
    make_client,
    translated,
)
from ci3.aws.pages import Page, check_listings, list_pages
from ci3.core.model import ObjectOutcome, StoredObject, Target, Versioning
from ci3.errors import AccessError, GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 32

# XML 1.0's characters (https://www.w3.org/TR/xml/#charsets), less line breaks, which a parser
# may fold: a key with any other would spoil the whole batch.
_FIT_FOR_BATCH = re.compile("[\t -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")

# What the AWS configuration names counts as if it were a setting, so that a plan records it.
_AWS_ENDPOINT = re.compile(r"https://s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?")

_GONE_CODES = ("NoSuchKey", "NoSuchVersion")
_DENIED_CODES = ("AccessDenied", "AllAccessDisabled", "403")
_RETRIED_CODES = (
    "InternalError",
    "SlowDown",
    "ServiceUnavailable",
    "RequestTimeout",
    "503",
    "500",
)
_STOPPING_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidToken",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "NoSuchBucket",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOutcome:
    """What S3 said of one key; `marker_version_id` names the delete marker it made, if any.

    `can_retry` is true where S3 asked to come again: nothing was done to the key. `stops_run` is
    true where no other request would fare better: the credentials ran out, the bucket is gone.
    """

    outcome: ObjectOutcome
    marker_version_id: str = ""
    message: str = ""
    can_retry: bool = False
    stops_run: bool = False


class BucketReader:
    """Reads a bucket; its client refuses every operation that changes something."""

    def __init__(self, *, bucket: str, region: str, endpoint_url: str) -> None:
        self.bucket = bucket
        self._asked_region = region
        self._client = make_client(
            region=region,
            endpoint_url=endpoint_url,
            operations=READ_OPERATIONS,
            connections=CONNECTIONS,
        )
        check_listings(self._client)
        self._asked_endpoint_url = endpoint_url
        in_force = self._client.meta.endpoint_url
        is_default = not endpoint_url and _AWS_ENDPOINT.fullmatch(in_force)
        self.endpoint_url = "" if is_default else in_force

    def list_pages(self, prefix: str, *, delimiter: str = "") -> Generator[Page, None, None]:
        """List everything under a prefix, or its first level; see `ci3.aws.pages`."""
        return list_pages(self._client, self.bucket, prefix, delimiter=delimiter)

    def read_start(self, key: str, limit_bytes: int) -> bytes:
        """Read an object's first bytes, at most the limit; the rest stays unread.

        Raises AccessError when it can't be read.
        """
        # No Range: S3 answers an empty object's with an error.
        with translated(f"reading s3://{self.bucket}/{key}"):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            with closing(answer["Body"]) as body:
                content = body.read(limit_bytes)
            if len(content) < min(limit_bytes, answer["ContentLength"]):
                raise AccessError("the object breaks off", "Run again; if it stays, ask this S3.")
            return content

    def target(self, prefix: str) -> Target:
        """Describe where a plan applies, as the plan records it."""
        return Target(
            bucket=self.bucket,
            region=self._client.meta.region_name,
            prefix=prefix,
            endpoint_url=self.endpoint_url,
            versioning=self._versioning(),
        )

    def _versioning(self) -> Versioning:
        """Read whether deleted objects can come back; not being told is `unknown`."""
        try:
            with translated(f"reading the versioning of s3://{self.bucket}"):
                answer = self._client.get_bucket_versioning(Bucket=self.bucket)
        except AccessError:
            return Versioning.UNKNOWN
        match answer.get("Status"):
            case "Enabled":
                return Versioning.ENABLED
            case "Suspended":
                return Versioning.SUSPENDED
            case None:
                return Versioning.DISABLED
            case _:
                return Versioning.UNKNOWN

    def open_writer(self) -> "BucketWriter":
        """Make the face that deletes, with a client of its own; only an apply calls this."""
        writer = BucketWriter(
            bucket=self.bucket, region=self._asked_region, endpoint_url=self._asked_endpoint_url
        )
        if writer.address != self._client.meta.endpoint_url:
            raise GateError(f"the bucket was read at one S3, and {writer.address} is another")
        return writer


class BucketWriter:
    """Deletes objects; its client can do nothing else."""

    def __init__(self, *, bucket: str, region: str, endpoint_url: str) -> None:
        self.bucket = bucket
        self._client: S3Client = make_client(
            region=region,
            endpoint_url=endpoint_url,
            operations=WRITE_OPERATIONS,
            connections=CONNECTIONS,
        )

    @property
    def address(self) -> str:
        """Where its requests go."""
        return self._client.meta.endpoint_url

    def delete(self, objects: Sequence[StoredObject]) -> Mapping[str, KeyOutcome]:
        """Delete up to 1,000 objects; give the outcome of each key.

        A key that the answer does not speak of is `unknown`. Never raises for what S3 answers.
        """
        batch = [stored.key for stored in objects if _FIT_FOR_BATCH.fullmatch(stored.key)]
        outcomes = self._delete_batch(batch) if batch else {}
        for stored in objects:
            if not _FIT_FOR_BATCH.fullmatch(stored.key):
                outcomes[stored.key] = self._delete_one(stored.key)
        return outcomes

    def _delete_batch(self, keys: Sequence[str]) -> dict[str, KeyOutcome]:
        try:
            answer = self._client.delete_objects(
                Bucket=self.bucket,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": False},
            )
        except botocore.exceptions.ClientError as exc:
            return dict.fromkeys(keys, _refused(exc, is_of_one_key=False))
        except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as exc:
            return dict.fromkeys(keys, _unanswered(exc))
        silent = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message="S3's answer leaves it out")
        outcomes = dict.fromkeys(keys, silent)
        for entry in answer.get("Deleted", ()):
            if (key := entry.get("Key", "")) in outcomes:
                outcomes[key] = KeyOutcome(
                    outcome=ObjectOutcome.DELETED,
                    marker_version_id=entry.get("DeleteMarkerVersionId", ""),
                )
        for error in answer.get("Errors", ()):
            if (key := error.get("Key", "")) in outcomes:
                outcomes[key] = _from_code(error.get("Code", ""), error.get("Message", ""))
        return outcomes

    def _delete_one(self, key: str) -> KeyOutcome:
        try:
            answer = self._client.delete_object(Bucket=self.bucket, Key=key)
        except botocore.exceptions.ClientError as exc:
            return _refused(exc, is_of_one_key=True)
        except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError) as exc:
            return _unanswered(exc)
        return KeyOutcome(
            outcome=ObjectOutcome.DELETED,
            marker_version_id=answer.get("VersionId", "") if answer.get("DeleteMarker") else "",
        )


def _unanswered(exc: Exception) -> KeyOutcome:
    return KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=f"no answer that could be read: {exc}")


def _refused(exc: botocore.exceptions.ClientError, *, is_of_one_key: bool) -> KeyOutcome:
    """Read a whole request's error; that all of a batch is gone is not for S3 to say like this."""
    code = error_code(exc)
    message = str(exc.response.get("Error", {}).get("Message", ""))
    if code == "404" or (code in _GONE_CODES and not is_of_one_key):
        return KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=f"{code}: {message}")
    return _from_code(code, message)


def _from_code(code: str, message: str) -> KeyOutcome:
    text = f"{code}: {message}" if message else code
    if code in _GONE_CODES:
        return KeyOutcome(outcome=ObjectOutcome.ABSENT, message=text)
    if code in _DENIED_CODES:
        return KeyOutcome(outcome=ObjectOutcome.DENIED, message=text)
    if code in ("PreconditionFailed", "412"):
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message=text)
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=text,
        can_retry=code in _RETRIED_CODES,
        stops_run=code in _STOPPING_CODES,
    )
