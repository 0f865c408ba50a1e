"""Parse response XML before botocore does, where the result is certain to be the same."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTROL_BYTES = bytes({*range(32)} - {*b"\t\n"})
"""Control characters that XML 1.0 forbids, and the carriage return, which parsers normalize.

Source: https://www.w3.org/TR/xml/#charsets and #sec-line-ends
"""
_FORBIDDEN_CHARACTERS = ("\ufffe", "\uffff")


def decode_xml(body: bytes) -> str | None:
    """Decode a document, or return None where an XML parser would refuse or change a character."""
    if len(body.translate(None, _CONTROL_BYTES)) != len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if any(character in text for character in _FORBIDDEN_CHARACTERS):
        return None
    # Searching for one bracket is a hundred times as fast as for the three characters.
    return None if "]" in text and "]]>" in text else text


def register_early_parser(
    client: "S3Client",
    operation: str,
    split_body: Callable[[bytes], tuple[bytes, object] | None],
    result_key: str,
) -> None:
    """Register a parser that runs before botocore's on the successful responses of an operation.

    `split_body` returns the part of the body that is left to botocore and the parsed part, which
    the client's response then has under `result_key`; or None to leave the whole body to botocore.
    """

    def parse_early(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
    ) -> None:
        if response_dict["status_code"] != 200:  # noqa: PLR2004 - HTTP's OK
            return
        parts = split_body(response_dict["body"])
        if parts is not None:
            response_dict["body"], customized_response_dict[result_key] = parts

    # With `*` for s3 this runs before botocore's own handlers. The unique id keeps it from being
    # registered twice when two classes share a client.
    client.meta.events.register_first(
        f"before-parse.*.{operation}", parse_early, f"ci3-{result_key}"
    )
