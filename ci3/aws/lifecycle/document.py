"""A bucket's lifecycle configuration as XML text, read and written byte for byte."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import botocore.exceptions

from ci3.aws.client_errors import NOT_IMPLEMENTED_CODES, get_error_code, translate_errors
from ci3.aws.deletion.outcomes import NO_RESPONSE_ERRORS
from ci3.aws.parser_hook import register_early_parser
from ci3.core.lifecycle.configuration import (
    ConfigurationText,
    LifecycleTextError,
    parse_configuration,
)
from ci3.errors import AccessError, UnsupportedError, redact_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

_RAW_KEY = "ci3-text"
_RULE_ID = re.compile(r'rule-id="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleDocument:
    """A lifecycle configuration as S3 returned it.

    `transition_minimum` is the header that came with it; a write has to send it again.
    """

    text: ConfigurationText
    transition_minimum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """The result of writing the lifecycle configuration.

    With a `problem` it may have been written all the same, unless `is_rejected`: then S3 certainly
    did nothing.
    """

    problem: str = ""
    is_rejected: bool = False


def keep_raw_xml(client: "S3Client") -> None:
    """Make a client keep the raw XML of the configuration: botocore drops unknown elements."""
    register_early_parser(
        client, "GetBucketLifecycleConfiguration", lambda body: (body, body), _RAW_KEY
    )


def read_lifecycle(client: "S3Client", bucket: str) -> LifecycleDocument:
    """Return the configuration; the client must be one that `keep_raw_xml` was called with.

    Raises AccessError where it can't be read or has an element that ci3 does not support, and
    UnsupportedError where this S3 service does not support lifecycle rules.
    """
    action = f"reading the lifecycle configuration of s3://{bucket}"
    with translate_errors(action):
        try:
            response: Mapping[str, Any] = client.get_bucket_lifecycle_configuration(Bucket=bucket)
        except botocore.exceptions.ClientError as exc:
            if get_error_code(exc) == "NoSuchLifecycleConfiguration":
                return LifecycleDocument(text=ConfigurationText())
            if get_error_code(exc) in NOT_IMPLEMENTED_CODES:
                raise UnsupportedError(
                    "this S3 service does not support lifecycle rules", "Use engine: direct."
                ) from exc
            raise
    try:
        text = _parse_configuration(response.get(_RAW_KEY))
    except LifecycleTextError as exc:
        raise AccessError(
            f"{action}: {exc}",
            "Use engine: direct, or remove that from the configuration. It was not changed.",
        ) from exc
    minimum = response.get("TransitionDefaultMinimumObjectSize", "")
    return LifecycleDocument(text=text, transition_minimum=str(minimum))


def _parse_configuration(raw: bytes | None) -> ConfigurationText:
    if not raw:
        raise LifecycleTextError("the response is empty")
    return parse_configuration(raw)


def find_expiration_rule(client: "S3Client", bucket: str, key: str) -> str:
    """Return the ID of the rule by which S3 will delete an object, from its header, or "".

    Raises AccessError where it can't be read, also where the object does not exist.
    """
    with translate_errors(f"reading when s3://{bucket}/{key} expires"):
        expiration = client.head_object(Bucket=bucket, Key=key).get("Expiration", "")
    rule_id = _RULE_ID.search(expiration)
    return unquote(rule_id[1]) if rule_id else ""


class LifecycleWriter:
    """Replaces a bucket's lifecycle configuration; its client can do nothing else.

    Each request is sent once: a retry after a lost response could overwrite what another writer
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
        events.register_first(build, _remove_configuration, "ci3-take-text")
        events.register(call, _set_body, "ci3-put-text")
        events.unregister("needs-retry.s3", unique_id="retry-config-s3")

    def write(self, raw: bytes, transition_minimum: str) -> WriteResult:
        """Write a configuration byte for byte; an empty one deletes the bucket's configuration.

        Never raises for an error that S3 returns.
        """
        try:
            if not raw:
                self._client.delete_bucket_lifecycle(Bucket=self.bucket)
                return WriteResult()
            parameters: Any = {"LifecycleConfiguration": raw}
            if transition_minimum:
                parameters["TransitionDefaultMinimumObjectSize"] = transition_minimum
            self._client.put_bucket_lifecycle_configuration(Bucket=self.bucket, **parameters)
        except botocore.exceptions.ClientError as exc:
            code = get_error_code(exc)
            status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            is_refused = 400 <= status < 500  # noqa: PLR2004 - HTTP's client errors
            message = exc.response.get("Error", {}).get("Message", "")
            hint = " (s3:PutLifecycleConfiguration)" if code == "AccessDenied" else ""
            problem = f"S3 returned {code}{hint}" + (f": {message}" if message else "")
            return WriteResult(problem=problem, is_rejected=is_refused)
        except NO_RESPONSE_ERRORS as exc:
            return WriteResult(problem=redact_secrets(f"no valid response: {exc}"))
        return WriteResult()


def _remove_configuration(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_RAW_KEY] = params["LifecycleConfiguration"]
    params["LifecycleConfiguration"] = {"Rules": []}


def _set_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context[_RAW_KEY]
