"""Listings, page by page, with every check that keeps a wrong page from reading as an empty one."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci3.aws.client import translated
from ci3.aws.listings import FIRST_DAY, HINT
from ci3.core.model import StoredObject
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing: objects, and with a delimiter the folders beside them."""

    objects: tuple[StoredObject, ...]
    folders: tuple[str, ...]
    is_last: bool


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
            raise ListingError(f"{where}: the last page gives a token to go on with", HINT)
        yield page
        if page.is_last:
            return
        if not token or token in seen_tokens:
            what = "the same token twice" if token else "no token to go on with"
            raise ListingError(f"{where}: a page says that more follow, and gives {what}", HINT)
        seen_tokens.add(token)
        request["ContinuationToken"] = token


def _page(answer: "ListObjectsV2OutputTypeDef", prefix: str, where: str) -> Page:
    if "IsTruncated" not in answer:
        raise ListingError(f"{where}: a page does not say whether more follow", HINT)
    try:
        objects = tuple(_stored(entry) for entry in answer.get("Contents", ()))
        folders = tuple(entry["Prefix"] for entry in answer.get("CommonPrefixes", ()))
    except KeyError as exc:
        raise ListingError(f"{where}: an entry has no {exc.args[0]}", HINT) from exc
    for name in (*(stored.key for stored in objects), *folders):
        if not name.startswith(prefix):
            raise ListingError(f"{where}: the answer names {name!r}, which is not there", HINT)
    if any(stored.modified_at.tzinfo is None for stored in objects):
        raise ListingError(f"{where}: an entry's LastModified has no time zone", HINT)
    if any(stored.modified_at < FIRST_DAY for stored in objects):
        raise ListingError(f"{where}: an entry's LastModified is older than S3 itself", HINT)
    return Page(objects=objects, folders=folders, is_last=not answer["IsTruncated"])


def _stored(entry: "ObjectTypeDef") -> StoredObject:
    return StoredObject(
        key=entry["Key"],
        etag=entry.get("ETag", ""),
        size_bytes=entry["Size"],
        modified_at=entry["LastModified"],
    )
