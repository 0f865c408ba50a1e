"""Listings, page by page, with every check that keeps a wrong page from reading as an empty one."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from ci3.aws.client import translated
from ci3.core.model import StoredObject
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

_LISTING_ROOT = "ListBucketResult"
_ERROR_ROOT = "Error"
"""S3 may begin with 200 and then fail; botocore knows that, and asks again."""
_HEAD_BYTES = 4096
"""Enough to see a document's root."""
_IS_TRUNCATED = re.compile(rb"IsTruncated(?:\s*/>|>\s*([^<]*?)\s*<)")
_FIRST_DAY = datetime(2006, 3, 14, tzinfo=UTC)
"""No object is older than S3: a gateway that makes up times would make the newest the oldest."""
_HINT = (
    "Nothing was deleted. Check that the endpoint-url is an S3 and that no proxy answers for it; "
    "then run again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing: objects, and with a delimiter the folders beside them."""

    objects: tuple[StoredObject, ...]
    folders: tuple[str, ...]
    is_last: bool


def check_listings(client: "S3Client") -> None:
    """Make a client refuse every listing that is none, such as a login page's HTML."""
    # With `*` for s3 this runs before botocore's own check, which takes HTML that is no XML for an
    # internal error of S3 and asks again.
    client.meta.events.register_first("before-parse.*.ListObjectsV2", _check_document)


def _check_document(response_dict: dict[str, Any], **_: object) -> None:
    if response_dict["status_code"] != 200:  # noqa: PLR2004 - HTTP's OK
        return
    parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["start"])
    try:
        parser.feed(response_dict["body"][:_HEAD_BYTES])
        names = [str(getattr(event[-1], "tag", "")) for event in parser.read_events()]
    except ET.ParseError as exc:
        raise ListingError("a listing's answer is no XML", _HINT) from exc
    root = names[0].rpartition("}")[2] if names else "nothing"
    if root not in (_LISTING_ROOT, _ERROR_ROOT):
        raise ListingError(f"a listing's answer is <{root[:40]}>, not <{_LISTING_ROOT}>", _HINT)
    truncated = _IS_TRUNCATED.search(response_dict["body"])
    said = (truncated[1] or b"") if truncated else b"false"
    if said not in (b"true", b"false"):
        # botocore takes every other text for false, and the rest of the bucket would go unseen.
        raise ListingError(f"a listing's IsTruncated is {said[:40]!r}", _HINT)


def list_pages(
    client: "S3Client", bucket: str, prefix: str, *, delimiter: str = ""
) -> Generator[Page, None, None]:
    """List everything under a prefix; with a delimiter only its first level.

    Raises ListingError for a page that can't be trusted: no listing, outside the prefix, cut off
    without a token to go on with, or with a token that was used before.
    """
    where = f"listing s3://{bucket}/{prefix}"
    seen_tokens: set[str] = set()
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    if delimiter:
        request["Delimiter"] = delimiter
    while True:
        with translated(where):
            answer = client.list_objects_v2(**request)
        page = _page(answer, prefix, where)
        token = answer.get("NextContinuationToken", "")
        if page.is_last and token:
            raise ListingError(f"{where}: the last page gives a token to go on with", _HINT)
        yield page
        if page.is_last:
            return
        if not token or token in seen_tokens:
            what = "the same token twice" if token else "no token to go on with"
            raise ListingError(f"{where}: a page says that more follow, and gives {what}", _HINT)
        seen_tokens.add(token)
        request["ContinuationToken"] = token


def _page(answer: "ListObjectsV2OutputTypeDef", prefix: str, where: str) -> Page:
    if "IsTruncated" not in answer:
        raise ListingError(f"{where}: a page does not say whether more follow", _HINT)
    try:
        objects = tuple(_stored(entry) for entry in answer.get("Contents", ()))
        folders = tuple(entry["Prefix"] for entry in answer.get("CommonPrefixes", ()))
    except KeyError as exc:
        raise ListingError(f"{where}: an entry has no {exc.args[0]}", _HINT) from exc
    for name in (*(stored.key for stored in objects), *folders):
        if not name.startswith(prefix):
            raise ListingError(f"{where}: the answer names {name!r}, which is not there", _HINT)
    if any(stored.modified_at.tzinfo is None for stored in objects):
        raise ListingError(f"{where}: an entry's LastModified has no time zone", _HINT)
    if any(stored.modified_at < _FIRST_DAY for stored in objects):
        raise ListingError(f"{where}: an entry's LastModified is older than S3 itself", _HINT)
    return Page(objects=objects, folders=folders, is_last=not answer["IsTruncated"])


def _stored(entry: "ObjectTypeDef") -> StoredObject:
    return StoredObject(
        key=entry["Key"],
        etag=entry.get("ETag", ""),
        size_bytes=entry["Size"],
        modified_at=entry["LastModified"],
    )
