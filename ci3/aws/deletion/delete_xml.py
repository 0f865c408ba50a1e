"""Write the XML of a DeleteObjects request, and parse the deleted keys of its response.

botocore takes twenty times as long for both. The request is what botocore would send; a response
that does not look like those of S3 and compatible servers is left to botocore.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

from ci3.aws.parser_hook import decode_xml, register_early_parser

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DELETED_KEY = "Read"
"""The key of the `DeletedColumns` in the response of a client with `register_batch_codec`."""
_BODY_KEY = "ci3_body"

_HEAD = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_TAIL = "<Quiet>false</Quiet></Delete>"
_TEXT = "[^<]*"
_DELETED = re.compile(
    f"<Deleted><Key>({_TEXT})</Key>(?:<VersionId>({_TEXT})</VersionId>)?"
    "(?:<DeleteMarker>(?:true|false)</DeleteMarker>)?"
    f"(?:<DeleteMarkerVersionId>({_TEXT})</DeleteMarkerVersionId>)?</Deleted>"
)
_REMAINDER = re.compile(
    r'(?:<\?xml version="1\.0"(?: encoding="(?:UTF|utf)-8")?(?: standalone="yes")?\?>)?[ \t\n]*'
    r'<DeleteResult(?: xmlns="[^"<&]*")?>'
    r"(?:<Error>(?:<([A-Za-z]+)(?:/>|>[^<>]*</\1>))*</Error>|[ \t\n])*</DeleteResult>[ \t\n]*"
)


class DeleteKey(NamedTuple):
    """One object to delete: the current one, or with `version_id` exactly that version."""

    key: str
    etag: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class DeletedColumns:
    """The deleted objects of a response, as columns; missing values are empty."""

    keys: list[str]
    version_ids: list[str]
    marker_ids: list[str]


def register_batch_codec(client: "S3Client") -> None:
    """Make a client take a `BatchBody` for the parameter `Delete`, and parse responses here."""
    events = client.meta.events
    # The unique ids keep handlers from being registered twice when two classes share a client.
    events.register_first("before-parameter-build.s3.DeleteObjects", _remove_body, "ci3-take-body")
    events.register("before-call.s3.DeleteObjects", _set_body, "ci3-put-body")
    register_early_parser(client, "DeleteObjects", split_response, DELETED_KEY)


@dataclass(frozen=True, slots=True)
class BatchBody:
    """The XML of a batch, and its first key, which replaces all keys where botocore validates."""

    content: bytes
    first_key: str


def build_batch_body(keys: Sequence[DeleteKey], *, is_conditional: bool) -> BatchBody:
    """Write a batch as XML.

    With `is_conditional`, objects carry their ETag; versions never do. Keys must consist of
    characters that XML allows.
    """
    objects = [
        f"<Object><Key>{key.key}</Key><VersionId>{key.version_id}</VersionId></Object>"
        if key.version_id
        else f"<Object><Key>{key.key}</Key><ETag>{key.etag}</ETag></Object>"
        if is_conditional
        else f"<Object><Key>{key.key}</Key></Object>"
        for key in _escape_keys(keys)
    ]
    content = "".join((_HEAD, *objects, _TAIL)).encode("utf-8")
    return BatchBody(content=content, first_key=keys[0].key)


def _escape_keys(keys: Sequence[DeleteKey]) -> Sequence[DeleteKey]:
    texts = "".join([key.key + key.etag + key.version_id for key in keys])
    if "&" not in texts and "<" not in texts and ">" not in texts:
        return keys
    return [DeleteKey(escape(key.key), escape(key.etag), escape(key.version_id)) for key in keys]


def _remove_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    body: BatchBody = params["Delete"]
    context[_BODY_KEY] = body.content
    params["Delete"] = {"Objects": [{"Key": body.first_key}], "Quiet": False}


def _set_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context[_BODY_KEY]


def get_deleted(response: Mapping[str, Any]) -> DeletedColumns:
    """Return the deleted objects of a response, whether `split_response` or botocore parsed it."""
    deleted: DeletedColumns | None = response.get(DELETED_KEY)
    if deleted is not None:
        return deleted
    entries = response.get("Deleted", ())
    return DeletedColumns(
        [entry.get("Key", "") for entry in entries],
        [entry.get("VersionId", "") for entry in entries],
        [entry.get("DeleteMarkerVersionId", "") for entry in entries],
    )


def split_response(body: bytes) -> tuple[bytes, DeletedColumns] | None:
    """Split a response into the XML left to botocore and the deleted objects, or return None."""
    page = decode_xml(body)
    if page is None:
        return None
    parts = _DELETED.split(page)
    rest = "".join(parts[::4])
    if len(parts) == 1 or not _REMAINDER.fullmatch(rest):
        return None
    deleted = DeletedColumns(parts[1::4], _texts(parts[2::4]), _texts(parts[3::4]))
    columns = (deleted.keys, deleted.version_ids, deleted.marker_ids)
    if any("&" in "".join(column) for column in columns):
        return None  # an XML reference, which botocore resolves
    return rest.encode("utf-8"), deleted


def _texts(column: list[str]) -> list[str]:
    return [text or "" for text in column] if any(column) else [""] * len(column)
