"""Turn the responses and errors of deletions into one outcome per key."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.exceptions
import botocore.parsers

from ci3.aws.client_errors import get_error_code
from ci3.core.model.result import ObjectOutcome
from ci3.errors import AccessError, redact_secrets

NO_RESPONSE_ERRORS = (
    botocore.exceptions.BotoCoreError,
    botocore.parsers.ResponseParserError,
    # Raised by ci3's clients: a redirect without a region, a role that can't be assumed any more.
    AccessError,
)

_ABSENT_CODES = ("NoSuchKey", "NoSuchVersion", "NoSuchUpload")
_DENIED_CODES = ("AccessDenied", "AllAccessDisabled", "403", "ObjectLocked")
_CHANGED_CODES = ("PreconditionFailed", "412")
_THROTTLED_CODES = ("SlowDown", "SlowDownWrite", "ServiceUnavailable", "503", "429")
_RETRIED_CODES = (
    *_THROTTLED_CODES,
    "InternalError",
    "RequestTimeout",
    "500",
    # Another writer wrote the key at that moment; on a retry, the condition decides.
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
    """The outcome of one key; `marker_version_id` is that of the delete marker created, if any.

    `can_retry` is true where S3 did nothing to the key and a retry may succeed, `is_throttled`
    where S3 asked for a lower rate. `should_stop_run` is true where no other request can succeed
    either: the credentials expired, the bucket does not exist. `names_other_keys` is true where
    the response names a key that was not sent, so that another object may have been deleted.
    """

    outcome: ObjectOutcome
    marker_version_id: str = ""
    message: str = ""
    can_retry: bool = False
    should_stop_run: bool = False
    is_throttled: bool = False
    names_other_keys: bool = False


DELETED_OUTCOMES = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
"""Outcomes of what does not exist any more."""
DELETED = KeyOutcome(outcome=ObjectOutcome.DELETED)
"""The outcome of nearly every key, shared to save memory."""
ABSENT = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="no longer present when re-checked")
"""The outcome of what a later listing does not show."""
CHANGED = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="changed when re-checked")
"""The outcome of what a later listing shows with other content."""


def distinct_outcomes(outcomes: Iterable[KeyOutcome]) -> Collection[KeyOutcome]:
    """Return each outcome object once: of a thousand keys nearly all share one."""
    return {id(outcome): outcome for outcome in outcomes}.values()


def outcome_without_response(exc: Exception) -> KeyOutcome:
    """Return the outcome of a request whose response was lost or is not S3's."""
    return KeyOutcome(
        outcome=ObjectOutcome.UNKNOWN,
        message=redact_secrets(f"no valid response: {exc}"),
        should_stop_run=isinstance(exc, AccessError),
    )


def outcome_from_response(
    response: Mapping[str, Any], *, marker_version_id: str = ""
) -> KeyOutcome:
    """Return the outcome of one deletion: S3 answers 204; a page with status 200 is not from S3."""
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    if status != 204:  # noqa: PLR2004 - HTTP's No Content
        return KeyOutcome(
            outcome=ObjectOutcome.UNKNOWN,
            marker_version_id=marker_version_id,
            message=f"unexpected status {status} instead of 204",
        )
    return KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id=marker_version_id)


def outcome_from_error(exc: botocore.exceptions.ClientError, *, is_single_key: bool) -> KeyOutcome:
    """Return the outcome of each key of a request that failed as a whole.

    An error that concerns one key, such as NoSuchKey, is not valid for a batch: its keys are
    unknown then.
    """
    code = get_error_code(exc)
    message = str(exc.response.get("Error", {}).get("Message", ""))
    is_key_code = code in _ABSENT_CODES or code in _CHANGED_CODES
    if code == "404" or (is_key_code and not is_single_key):
        return KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=f"{code}: {message}")
    return outcome_from_code(code, message)


def outcome_from_code(code: str, message: str) -> KeyOutcome:
    """Return the outcome of one key by its error."""
    text = f"{code}: {message}" if message else code
    if code in _ABSENT_CODES:
        return KeyOutcome(outcome=ObjectOutcome.ABSENT, message=text)
    if code in _DENIED_CODES:
        return KeyOutcome(outcome=ObjectOutcome.DENIED, message=text)
    if code in _CHANGED_CODES:
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message=text)
    return KeyOutcome(
        outcome=ObjectOutcome.FAILED,
        message=text,
        can_retry=code in _RETRIED_CODES,
        should_stop_run=code in _STOPPING_CODES,
        is_throttled=code in _THROTTLED_CODES,
    )
