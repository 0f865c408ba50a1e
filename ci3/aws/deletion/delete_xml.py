"""A batch of deletions on the wire: its request is written here, and what its answer says deleted.

botocore takes twenty times as long for both. What is sent is what botocore would have sent; of the
answer it reads whatever does not look like the answers of S3 and its kin.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.sax.saxutils import escape

from ci3.aws.parser_hook import read_ahead, xml_text

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ANSWER_KEY = "Read"
"""Where the answer of a client that `write_batches` was told of has what was read here."""
_BODY = "ci3_body"

_HEAD = '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
_TAIL = "<Quiet>false</Quiet></Delete>"
_TEXT = "[^<]*"
_DELETED = re.compile(
    f"<Deleted><Key>({_TEXT})</Key>(?:<VersionId>({_TEXT})</VersionId>)?"
    "(?:<DeleteMarker>(?:true|false)</DeleteMarker>)?"
    f"(?:<DeleteMarkerVersionId>({_TEXT})</DeleteMarkerVersionId>)?</Deleted>"
)
_REST = re.compile(
    r'(?:<\?xml version="1\.0"(?: encoding="(?:UTF|utf)-8")?(?: standalone="yes")?\?>)?[ \t\n]*'
    r'<DeleteResult(?: xmlns="[^"<&]*")?>'
    r"(?:<Error>(?:<([A-Za-z]+)(?:/>|>[^<>]*</\1>))*</Error>|[ \t\n])*</DeleteResult>[ \t\n]*"
)


class Doomed(NamedTuple):
    """What one deletion names: the current object, or with `version_id` exactly one version."""

    key: str
    etag: str = ""
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What an answer says deleted, column by column; texts are empty where it says nothing."""

    keys: list[str]
    version_ids: list[str]
    marker_ids: list[str]


def write_batches(client: "S3Client") -> None:
    """Make a client take a batch's body, as `batch_body` makes it, for the parameter `Delete`."""
    events = client.meta.events
    # By their names, no handler is there twice where two faces share a client.
    events.register_first("before-parameter-build.s3.DeleteObjects", _take_body, "ci3-take-body")
    events.register("before-call.s3.DeleteObjects", _put_body, "ci3-put-body")
    read_ahead(client, "DeleteObjects", split_answer, ANSWER_KEY)


@dataclass(frozen=True, slots=True)
class Body:
    """A batch's body, and the first key in it, which stands for all where botocore looks."""

    content: bytes
    first_key: str


def batch_body(doomed: Sequence[Doomed], *, is_guarded: bool) -> Body:
    """Write a batch as XML; guarded, each object is named with its ETag, and each version without.

    Keys must be such as XML can carry.
    """
    objects = [
        f"<Object><Key>{one.key}</Key><VersionId>{one.version_id}</VersionId></Object>"
        if one.version_id
        else f"<Object><Key>{one.key}</Key><ETag>{one.etag}</ETag></Object>"
        if is_guarded
        else f"<Object><Key>{one.key}</Key></Object>"
        for one in _escaped(doomed)
    ]
    content = "".join((_HEAD, *objects, _TAIL)).encode("utf-8")
    return Body(content=content, first_key=doomed[0].key)


def _escaped(doomed: Sequence[Doomed]) -> Sequence[Doomed]:
    texts = "".join([one.key + one.etag + one.version_id for one in doomed])
    if "&" not in texts and "<" not in texts and ">" not in texts:
        return doomed
    return [Doomed(escape(one.key), escape(one.etag), escape(one.version_id)) for one in doomed]


def _take_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    body: Body = params["Delete"]
    context[_BODY] = body.content
    params["Delete"] = {"Objects": [{"Key": body.first_key}], "Quiet": False}


def _put_body(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    params["body"] = context[_BODY]


def deleted_by(answer: Mapping[str, Any]) -> Deleted:
    """Give what an answer says deleted, whoever read it."""
    found: Deleted | None = answer.get(ANSWER_KEY)
    if found is not None:
        return found
    entries = answer.get("Deleted", ())
    return Deleted(
        [entry.get("Key", "") for entry in entries],
        [entry.get("VersionId", "") for entry in entries],
        [entry.get("DeleteMarkerVersionId", "") for entry in entries],
    )


def split_answer(body: bytes) -> tuple[bytes, Deleted] | None:
    """Part an answer into what botocore is to read and what it says deleted, or give None."""
    page = xml_text(body)
    if page is None:
        return None
    parts = _DELETED.split(page)
    rest = "".join(parts[::4])
    if len(parts) == 1 or not _REST.fullmatch(rest):
        return None
    deleted = Deleted(parts[1::4], _texts(parts[2::4]), _texts(parts[3::4]))
    columns = (deleted.keys, deleted.version_ids, deleted.marker_ids)
    if any("&" in "".join(column) for column in columns):
        return None  # a reference: botocore resolves it
    return rest.encode("utf-8"), deleted


def _texts(column: list[str]) -> list[str]:
    return [text or "" for text in column] if any(column) else [""] * len(column)
