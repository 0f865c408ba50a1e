"""Listings, page by page, with every check that keeps a wrong page from reading as an empty one."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci3.aws.client import translated
from ci3.aws.listing.fast_parser import listed_by
from ci3.aws.listing.validation import FIRST_DAY, HINT
from ci3.core.inventory.columns import Listed, time_text
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.model.objects import StoredObject
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

_FIRST_TIME = time_text(FIRST_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing: objects, and with a delimiter the folders beside them.

    `retries` says how often it had to be asked for again.
    """

    listed: Listed
    folders: tuple[str, ...]
    is_last: bool
    retries: int = 0

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """Its objects."""
        return self.listed.objects()


def list_pages(
    client: "S3Client", bucket: str, prefix: str, *, delimiter: str = "", start_after: str = ""
) -> Generator[Page, None, None]:
    """List everything under a prefix; with a delimiter only its first level.

    What stands up to `start_after` is left out, in the order of this S3. Raises
    ListingError for a page that can't be trusted: no listing, outside the prefix, cut off
    without a token to go on with, or with a token that was used before.
    """
    where = f"listing s3://{bucket}/{prefix}"
    seen_tokens: set[str] = set()
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    if delimiter:
        request["Delimiter"] = delimiter
    if start_after:
        request["StartAfter"] = start_after
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
        listed = listed_by(answer)
        entries = answer.get("Contents", ())
        if listed is not None and entries:
            raise ListingError(f"{where}: a page was read twice", HINT)
        if listed is None:
            listed = _listed(entries, where)
        folders = tuple(entry["Prefix"] for entry in answer.get("CommonPrefixes", ()))
    except KeyError as exc:
        raise ListingError(f"{where}: an entry has no {exc.args[0]}", HINT) from exc
    for name in (*_outermost(listed.keys), *folders):
        if not name.startswith(prefix):
            raise ListingError(f"{where}: the answer names {name!r}, which is not there", HINT)
    if min(listed.times, default=_FIRST_TIME) < _FIRST_TIME:
        raise ListingError(f"{where}: an entry's LastModified is older than S3 itself", HINT)
    return Page(
        listed=listed,
        folders=folders,
        is_last=not answer["IsTruncated"],
        retries=answer["ResponseMetadata"].get("RetryAttempts", 0),
    )


def _listed(entries: "Sequence[ObjectTypeDef]", where: str) -> Listed:
    objects = [
        StoredObject(
            key=entry["Key"],
            etag=entry.get("ETag", ""),
            size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )
        for entry in entries
    ]
    if any(one.modified_at.tzinfo is None for one in objects):
        raise ListingError(f"{where}: an entry's LastModified has no time zone", HINT)
    return Listed.of(objects)


def _outermost(keys: Sequence[str]) -> Sequence[str]:
    """Give the keys between which all others stand; those that are not sorted are all given."""
    return (keys[0], keys[-1]) if keys and is_sorted(keys) else keys
