"""The bucket's lifecycle configuration as text: read as it stands, and written as it is given."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import botocore.exceptions

from ci3.aws.client import error_code, translated
from ci3.aws.deletion.outcomes import NO_ANSWER
from ci3.aws.parser_hook import read_ahead
from ci3.core.lifecycle.configuration import (
    ConfigurationText,
    LifecycleTextError,
    read_configuration,
)
from ci3.errors import AccessError, LackingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

_TEXT = "ci3-text"
_LACKING_CODES = ("NotImplemented", "501", "MethodNotAllowed", "405")
_RULE_ID = re.compile(r'rule-id="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleReading:
    """A configuration as S3 gave it; `transition_minimum` is a header of it, echoed in a write."""

    text: ConfigurationText
    transition_minimum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What S3 said of a write; with a `problem` it may have been done all the same.

    `is_refused` where S3 said for certain that it did nothing.
    """

    problem: str = ""
    is_refused: bool = False


def keep_text(client: "S3Client") -> None:
    """Have a client keep the text of the configuration: botocore drops what it does not know."""
    read_ahead(client, "GetBucketLifecycleConfiguration", lambda body: (body, body), _TEXT)


def read_lifecycle(client: "S3Client", bucket: str) -> LifecycleReading:
    """Read the configuration with a client that `keep_text` was told of.

    Raises AccessError where it can't be read, or where it has something that ci3 does not know;
    LackingError where this S3 has no lifecycle.
    """
    where = f"reading the lifecycle configuration of s3://{bucket}"
    with translated(where):
        try:
            answer: Mapping[str, Any] = client.get_bucket_lifecycle_configuration(Bucket=bucket)
        except botocore.exceptions.ClientError as exc:
            if error_code(exc) == "NoSuchLifecycleConfiguration":
                return LifecycleReading(text=ConfigurationText())
            if error_code(exc) in _LACKING_CODES:
                raise LackingError("this S3 has no lifecycle", "Use engine: direct.") from exc
            raise
    try:
        text = _whole(answer.get(_TEXT))
    except LifecycleTextError as exc:
        raise AccessError(
            f"{where}: {exc}",
            "It is left as it is. Delete with engine: direct, or take that out of it.",
        ) from exc
    minimum = answer.get("TransitionDefaultMinimumObjectSize", "")
    return LifecycleReading(text=text, transition_minimum=str(minimum))


def _whole(raw: bytes | None) -> ConfigurationText:
    if not raw:
        raise LifecycleTextError("the answer is empty")
    return read_configuration(raw)


def expiring_rule(client: "S3Client", bucket: str, key: str) -> str:
    """Give the ID of the rule by which S3 says it will delete an object, or nothing.

    Raises AccessError where that can't be read, also where the object is gone.
    """
    with translated(f"reading when s3://{bucket}/{key} expires"):
        expiration = client.head_object(Bucket=bucket, Key=key).get("Expiration", "")
    found = _RULE_ID.search(expiration)
    return unquote(found[1]) if found else ""


class LifecycleWriter:
    """Replaces a bucket's lifecycle configuration; its client can do nothing else.

    Each request goes out once: sent again after a lost answer, it could undo what somebody else
    has written in between.
    """

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._client = client
        events = client.meta.events
        build, call = (
            f"{event}.s3.PutBucketLifecycleConfiguration"
            for event in ("before-parameter-build", "before-call")
        )
        events.register_first(build, _take_text, "ci3-take-text")
        events.register(call, _put_text, "ci3-put-text")
        events.unregister("needs-retry.s3", unique_id="retry-config-s3")

    def write(self, raw: bytes, transition_minimum: str) -> Written:
        """Put a configuration in place, byte for byte; where there is nothing in it, take it away.

        Never raises for what S3 answers.
        """
        try:
            if not raw:
                self._client.delete_bucket_lifecycle(Bucket=self.bucket)
                return Written()
            more: Any = {"LifecycleConfiguration": raw}
            if transition_minimum:
                more["TransitionDefaultMinimumObjectSize"] = transition_minimum
            self._client.put_bucket_lifecycle_configuration(Bucket=self.bucket, **more)
        except botocore.exceptions.ClientError as exc:
            code = error_code(exc)
            status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            is_refused = 400 <= status < 500  # noqa: PLR2004 - HTTP's errors of the asking side
            message = exc.response.get("Error", {}).get("Message", "")
            hint = " (s3:PutLifecycleConfiguration)" if code == "AccessDenied" else ""
            told = f"S3 answered {code}{hint}: {message}"
            return Written(problem=told, is_refused=is_refused)
        except NO_ANSWER as exc:
            return Written(problem=f"no answer that could be read: {exc}")
        return Written()


def _take_text(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_TEXT] = params["LifecycleConfiguration"]
    params["LifecycleConfiguration"] = {"Rules": []}


def _put_text(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context[_TEXT]
