"""Reading an answer's XML ahead of botocore: which is sure to be as a parser would read it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTROLS = bytes({*range(32)} - {*b"\t\n"})
"""What XML 1.0 has no place for, and the carriage return, which a parser makes a line feed.

Source: https://www.w3.org/TR/xml/#charsets and #sec-line-ends
"""
_NEVER_IN_A_TEXT = ("\ufffe", "\uffff")


def xml_text(body: bytes) -> str | None:
    """Decode a document, or give None where a parser would refuse or change a character of it."""
    if len(body.translate(None, _CONTROLS)) != len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if any(one in text for one in _NEVER_IN_A_TEXT):
        return None
    # The one bracket is found a hundred times as fast as the three characters.
    return None if "]" in text and "]]>" in text else text


def read_ahead(
    client: "S3Client",
    operation: str,
    split: Callable[[bytes], tuple[bytes, object] | None],
    key: str,
) -> None:
    """Have an operation's answers parted by `split`: what is left for botocore, and what was read.

    What was read stands under `key` in the client's answer; where `split` gives None, botocore
    reads the whole.
    """

    def take_out(
        response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
    ) -> None:
        if response_dict["status_code"] != 200:  # noqa: PLR2004 - HTTP's OK
            return
        found = split(response_dict["body"])
        if found is not None:
            response_dict["body"], customized_response_dict[key] = found

    # With `*` for s3 this runs before botocore's own first look at the answer. By its name, it is
    # there once where two faces share a client.
    client.meta.events.register_first(f"before-parse.*.{operation}", take_out, f"ci3-{key}")
