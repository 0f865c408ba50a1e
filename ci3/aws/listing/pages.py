"""List objects page by page; every page is checked, so that a wrong page never reads as empty."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci3.aws.client_errors import translate_errors
from ci3.aws.listing.fast_parser import get_parsed_objects
from ci3.aws.listing.validation import HINT, S3_LAUNCH_DATE
from ci3.core.inventory.columns import ObjectColumns, format_listing_time
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.model.objects import StoredObject
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef, ObjectTypeDef

_FIRST_TIME = format_listing_time(S3_LAUNCH_DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing: objects, and with a delimiter the folders at the same level.

    `retries` is how many times botocore repeated the request.
    """

    columns: ObjectColumns
    folders: tuple[str, ...]
    is_last: bool
    retries: int = 0

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """The page's objects, in listing order."""
        return self.columns.to_objects()


def list_pages(
    client: "S3Client", bucket: str, prefix: str, *, delimiter: str = "", start_after: str = ""
) -> Generator[Page, None, None]:
    """List everything under a prefix, or with a delimiter only its first level.

    Keys up to and including `start_after` are left out, in the sort order of this S3. Raises
    ListingError for a page that cannot be trusted: not a listing, a key outside the prefix,
    truncated without a continuation token, or with a token that was used before.
    """
    action = f"listing s3://{bucket}/{prefix}"
    seen_tokens: set[str] = set()
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    if delimiter:
        request["Delimiter"] = delimiter
    if start_after:
        request["StartAfter"] = start_after
    while True:
        with translate_errors(action):
            response = client.list_objects_v2(**request)
        page = _parse_page(response, prefix, action)
        token = response.get("NextContinuationToken", "")
        if page.is_last and token:
            raise ListingError(f"{action}: the last page has a continuation token", HINT)
        yield page
        if page.is_last:
            return
        if not token or token in seen_tokens:
            problem = "a repeated" if token else "no"
            raise ListingError(f"{action}: a truncated page has {problem} continuation token", HINT)
        seen_tokens.add(token)
        request["ContinuationToken"] = token


def _parse_page(response: "ListObjectsV2OutputTypeDef", prefix: str, action: str) -> Page:
    if "IsTruncated" not in response:
        raise ListingError(f"{action}: a page has no IsTruncated", HINT)
    try:
        listed = get_parsed_objects(response)
        entries = response.get("Contents", ())
        if listed is not None and entries:
            raise ListingError(f"{action}: a page was parsed twice", HINT)
        if listed is None:
            listed = _make_columns(entries, action)
        folders = tuple(entry["Prefix"] for entry in response.get("CommonPrefixes", ()))
    except KeyError as exc:
        raise ListingError(f"{action}: an entry has no {exc.args[0]}", HINT) from exc
    for name in (*_get_outermost_keys(listed.keys), *folders):
        if not name.startswith(prefix):
            raise ListingError(
                f"{action}: the response lists {name!r}, which is outside the prefix", HINT
            )
    if min(listed.times, default=_FIRST_TIME) < _FIRST_TIME:
        raise ListingError(f"{action}: the LastModified of an entry is before S3 existed", HINT)
    return Page(
        columns=listed,
        folders=folders,
        is_last=not response["IsTruncated"],
        retries=response["ResponseMetadata"].get("RetryAttempts", 0),
    )


def _make_columns(entries: "Sequence[ObjectTypeDef]", action: str) -> ObjectColumns:
    objects = [
        StoredObject(
            key=entry["Key"],
            etag=entry.get("ETag", ""),
            size_bytes=entry["Size"],
            modified_at=entry["LastModified"],
        )
        for entry in entries
    ]
    if any(stored.modified_at.tzinfo is None for stored in objects):
        raise ListingError(f"{action}: the LastModified of an entry has no time zone", HINT)
    return ObjectColumns.from_objects(objects)


def _get_outermost_keys(keys: Sequence[str]) -> Sequence[str]:
    """Return the first and last of sorted keys, which bound the others, or else all keys."""
    return (keys[0], keys[-1]) if keys and is_sorted(keys) else keys
