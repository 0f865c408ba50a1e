"""What S3 said of one key that was to be deleted: its answers and errors, read as outcomes."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.exceptions
import botocore.parsers

from ci3.aws.client import error_code
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError

NO_ANSWER = (
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
    # What our own clients raise: a redirect to nowhere, a role that can't be assumed any more.
    AccessError,
)

_GONE_CODES = ("NoSuchKey", "NoSuchVersion", "NoSuchUpload")
_DENIED_CODES = ("AccessDenied", "AllAccessDisabled", "403", "ObjectLocked")
_CHANGED_CODES = ("PreconditionFailed", "412")
_THROTTLED_CODES = ("SlowDown", "SlowDownWrite", "ServiceUnavailable", "503", "429")
_RETRIED_CODES = (
    *_THROTTLED_CODES,
    "InternalError",
    "RequestTimeout",
    "500",
    # Somebody wrote the key at that moment; asked again, the condition decides.
    "ConditionalRequestConflict",
    "OperationAborted",
    "409",
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

    `can_retry` is true where S3 asked to come again: nothing was done to the key. `is_throttled`
    is true where it asked to come more slowly. `stops_run` is true where no other request would
    fare better: the credentials ran out, the bucket is gone.
    """

    outcome: ObjectOutcome
    marker_version_id: str = ""
    message: str = ""
    can_retry: bool = False
    stops_run: bool = False
    is_throttled: bool = False


DELETED = KeyOutcome(outcome=ObjectOutcome.DELETED)
"""What S3 says of nearly every key."""


def kinds(outcomes: Iterable[KeyOutcome]) -> Collection[KeyOutcome]:
    """Give each outcome once: of a thousand keys nearly all share one."""
    return {id(one): one for one in outcomes}.values()


def unanswered(exc: Exception) -> KeyOutcome:
    """Read an answer that did not come, or that is none of S3's."""
    return KeyOutcome(
        outcome=ObjectOutcome.UNKNOWN,
        message=f"no answer that could be read: {exc}",
        stops_run=isinstance(exc, AccessError),
    )


def done(answer: Mapping[str, Any], *, marker_version_id: str = "") -> KeyOutcome:
    """Read the answer to one deletion; S3 says 204, and a page that says 200 is not S3."""
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    if status != 204:  # noqa: PLR2004 - HTTP's No Content
        return KeyOutcome(
            outcome=ObjectOutcome.UNKNOWN,
            marker_version_id=marker_version_id,
            message=f"the answer was {status}, where S3 answers 204",
        )
    return KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id=marker_version_id)


def refused(exc: botocore.exceptions.ClientError, *, is_of_one_key: bool) -> KeyOutcome:
    """Read a whole request's error.

    That all of a batch is gone, or has changed, is not for S3 to say like this.
    """
    code = error_code(exc)
    message = str(exc.response.get("Error", {}).get("Message", ""))
    is_of_a_key = code in _GONE_CODES or code in _CHANGED_CODES
    if code == "404" or (is_of_a_key and not is_of_one_key):
        return KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=f"{code}: {message}")
    return from_code(code, message)


def from_code(code: str, message: str) -> KeyOutcome:
    """Read the error of one key."""
    text = f"{code}: {message}" if message else code
    if code in _GONE_CODES:
        return KeyOutcome(outcome=ObjectOutcome.ABSENT, message=text)
    if code in _DENIED_CODES:
        return KeyOutcome(outcome=ObjectOutcome.DENIED, message=text)
    if code in _CHANGED_CODES:
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message=text)
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=text,
        can_retry=code in _RETRIED_CODES,
        stops_run=code in _STOPPING_CODES,
        is_throttled=code in _THROTTLED_CODES,
    )
