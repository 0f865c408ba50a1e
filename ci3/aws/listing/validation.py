"""What makes a listing's answer worth believing, whichever listing it is."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HINT = (
    "Nothing was deleted. Check that the endpoint-url is an S3 and that no proxy answers for it; "
    "then run again."
)
_ROOTS = {
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
}
_ERROR_ROOT = "Error"
"""S3 may begin with 200 and then fail; botocore knows that, and asks again."""
_HEAD_BYTES = 4096
"""Enough to see a document's root."""
_IS_TRUNCATED = re.compile(rb"IsTruncated(?:\s*/>|>\s*([^<]*?)\s*<)")
FIRST_DAY = datetime(2006, 3, 14, tzinfo=UTC)
"""Nothing in S3 is older: a gateway that makes up times would make the newest the oldest."""


def check_listings(client: "S3Client") -> None:
    """Make a client refuse every listing that is none, such as a login page's HTML."""
    for operation, root in _ROOTS.items():
        # With `*` for s3 this runs before botocore's own check, which takes HTML that is no XML
        # for an internal error of S3 and asks again.
        client.meta.events.register_first(f"before-parse.*.{operation}", _check_document(root))


def _check_document(expected: str) -> Callable[..., None]:
    def check(response_dict: dict[str, Any], **_: object) -> None:
        if response_dict["status_code"] != 200:  # noqa: PLR2004 - HTTP's OK
            return
        parser: ET.XMLPullParser[ET.Element] = ET.XMLPullParser(["start"])
        try:
            parser.feed(response_dict["body"][:_HEAD_BYTES])
            names = [str(getattr(event[-1], "tag", "")) for event in parser.read_events()]
        except ET.ParseError as exc:
            raise ListingError("a listing's answer is no XML", HINT) from exc
        root = names[0].rpartition("}")[2] if names else "nothing"
        if root not in (expected, _ERROR_ROOT):
            raise ListingError(f"a listing's answer is <{root[:40]}>, not <{expected}>", HINT)
        truncated = _IS_TRUNCATED.search(response_dict["body"])
        said = (truncated[1] or b"") if truncated else b"false"
        if said not in (b"true", b"false"):
            # botocore takes every other text for false, and the rest would go unseen.
            raise ListingError(f"a listing's IsTruncated is {said[:40]!r}", HINT)

    return check


def check_entries(entries: Iterable[tuple[str, datetime]], prefix: str, where: str) -> None:
    """Refuse entries, as key and time, that can't be this listing's."""
    for key, when in entries:
        if not key.startswith(prefix):
            raise ListingError(f"{where}: the answer names {key!r}, which is not there", HINT)
        if when.tzinfo is None:
            raise ListingError(f"{where}: an entry's time has no time zone", HINT)
        if when < FIRST_DAY:
            raise ListingError(f"{where}: an entry is older than S3 itself", HINT)


class Markers:
    """The places where pages go on; two that are alike would be a loop."""

    def __init__(self, where: str, *, may_end_with_one: bool = False) -> None:
        self._where = where
        self._may_end_with_one = may_end_with_one
        self._seen: set[tuple[str, str]] = set()

    def follow(
        self, *, is_truncated: bool | None, key: str, identifier: str
    ) -> tuple[str, str] | None:
        """Give where the next page begins, None after the last; raises ListingError in doubt."""
        if is_truncated is None:
            raise ListingError(f"{self._where}: a page does not say whether more follow", HINT)
        if not is_truncated:
            if key and not self._may_end_with_one:
                raise ListingError(f"{self._where}: the last page gives a marker to go on", HINT)
            return None
        marker = (key, identifier)
        if not key or marker in self._seen:
            what = "the same marker twice" if key else "no marker to go on with"
            raise ListingError(
                f"{self._where}: a page says that more follow, and gives {what}", HINT
            )
        self._seen.add(marker)
        return marker
