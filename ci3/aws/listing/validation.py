"""Checks that the responses of listings and of reads of the bucket's settings have to pass."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HINT = (
    "Check that endpoint-url points to an S3 service and that no proxy responds in its place, then "
    "run again."
)
_ROOTS = {
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfiguration",
}
_ERROR_ROOT = "Error"
"""S3 may send status 200 and then fail; botocore detects that and retries."""
_HEAD_BYTES = 4096
"""Enough to find a document's root element."""
_IS_TRUNCATED = re.compile(rb"IsTruncated(?:\s*/>|>\s*([^<]*?)\s*<)")
S3_LAUNCH_DATE = datetime(2006, 3, 14, tzinfo=UTC)
"""When S3 was launched: older times are invented, and would make the newest object the oldest."""


def register_document_checks(client: "S3Client") -> None:
    """Make a client refuse responses that are another document, such as a login page's HTML.

    botocore takes any document for one without the elements that it looks for: a bucket without
    versions, for example.
    """
    for operation, root in _ROOTS.items():
        # With `*` for s3 this runs before botocore's own check, which takes HTML that is not XML
        # for an internal error of S3 and retries.
        client.meta.events.register_first(
            f"before-parse.*.{operation}", _make_document_check(operation, root)
        )


def _make_document_check(operation: str, expected: str) -> Callable[..., None]:
    def check(response_dict: dict[str, Any], **_: object) -> None:
        if response_dict["status_code"] != 200:  # noqa: PLR2004 - HTTP's OK
            return
        parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["start"])
        try:
            parser.feed(response_dict["body"][:_HEAD_BYTES])
            names = [str(getattr(event[-1], "tag", "")) for event in parser.read_events()]
        except ET.ParseError as exc:
            raise ListingError(f"the response to {operation} is not XML", HINT) from exc
        root = names[0].rpartition("}")[2] if names else "nothing"
        # Servers that derive names from the API's model, such as moto, append "Response".
        if root not in (expected, f"{operation}Response", _ERROR_ROOT):
            raise ListingError(
                f"the response to {operation} is <{root[:40]}>, not <{expected}>", HINT
            )
        truncated = _IS_TRUNCATED.search(response_dict["body"])
        is_truncated = (truncated[1] or b"") if truncated else b"false"
        if is_truncated not in (b"true", b"false"):
            # botocore reads any other text as false, and the following pages would be missed.
            raise ListingError(f"the IsTruncated of a listing is {is_truncated[:40]!r}", HINT)

    return check


def check_entries(entries: Iterable[tuple[str, datetime]], prefix: str, action: str) -> None:
    """Raise ListingError for a key outside the prefix or an impossible time, as (key, time)."""
    for key, modified_at in entries:
        if not key.startswith(prefix):
            raise ListingError(
                f"{action}: the response lists {key!r}, which is outside the prefix", HINT
            )
        if modified_at.tzinfo is None:
            raise ListingError(f"{action}: the time of an entry has no time zone", HINT)
        if modified_at < S3_LAUNCH_DATE:
            raise ListingError(f"{action}: the time of an entry is before S3 existed", HINT)


class PaginationMarkers:
    """Validates the markers between pages; a repeated marker would be an endless loop."""

    def __init__(self, action: str, *, can_end_with_marker: bool = False) -> None:
        self._action = action
        self._may_end_with_one = can_end_with_marker
        self._seen: set[tuple[str, str]] = set()

    def find_next(
        self, *, is_truncated: bool | None, key: str, identifier: str
    ) -> tuple[str, str] | None:
        """Return the marker of the next page, or None after the last page.

        Raises ListingError where the response is inconsistent.
        """
        if is_truncated is None:
            raise ListingError(f"{self._action}: a page has no IsTruncated", HINT)
        if not is_truncated:
            if key and not self._may_end_with_one:
                raise ListingError(f"{self._action}: the last page has a marker", HINT)
            return None
        marker = (key, identifier)
        if not key or marker in self._seen:
            problem = "a repeated marker" if key else "no marker"
            raise ListingError(f"{self._action}: a truncated page has {problem}", HINT)
        self._seen.add(marker)
        return marker
