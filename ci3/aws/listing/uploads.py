"""Multipart uploads that were begun and never finished: listing them."""

import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from ci3.aws.client import translated
from ci3.aws.listing.validation import HINT, Markers, check_entries
from ci3.core.model.objects import StoredUpload
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListMultipartUploadsRequestTypeDef

_ENCODED = re.compile(r"(?:[\w.~/*!'()+-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def list_uploads(
    client: "S3Client", bucket: str, prefix: str
) -> Generator[tuple[StoredUpload, ...], None, None]:
    """List every unfinished upload under a prefix, page by page.

    Raises ListingError for a page that can't be trusted.
    """
    where = f"listing the unfinished uploads of s3://{bucket}/{prefix}"
    # S3 names the last upload of the last page too.
    markers = Markers(where, may_end_with_one=True)
    request: ListMultipartUploadsRequestTypeDef = {
        "Bucket": bucket,
        "Prefix": prefix,
        "EncodingType": "url",
    }
    while True:
        with translated(where):
            answer = client.list_multipart_uploads(**request)
        is_encoded = _is_encoded(answer)
        after = markers.follow(
            is_truncated=answer.get("IsTruncated"),
            key=_decoded(answer.get("NextKeyMarker", ""), is_encoded=is_encoded),
            identifier=answer.get("NextUploadIdMarker", ""),
        )
        yield _page(answer, prefix, where, is_encoded=is_encoded)
        if after is None:
            return
        request["KeyMarker"] = after[0]
        request["UploadIdMarker"] = after[1]


def _is_encoded(answer: Mapping[str, Any]) -> bool:
    """Whether the keys are encoded, as was asked for; SeaweedFS says so, and does not do it."""
    keys = (entry.get("Key", "") for entry in answer.get("Uploads", ()))
    return answer.get("EncodingType") == "url" and all(map(_ENCODED.fullmatch, keys))


def _decoded(key: str, *, is_encoded: bool) -> str:
    return unquote_plus(key) if is_encoded else key


def _page(
    answer: Mapping[str, Any], prefix: str, where: str, *, is_encoded: bool
) -> tuple[StoredUpload, ...]:
    try:
        uploads = tuple(
            StoredUpload(
                key=_decoded(entry["Key"], is_encoded=is_encoded),
                upload_id=entry["UploadId"],
                started_at=entry["Initiated"],
            )
            for entry in answer.get("Uploads", ())
        )
    except KeyError as exc:
        raise ListingError(f"{where}: an entry has no {exc.args[0]}", HINT) from exc
    check_entries(((one.key, one.started_at) for one in uploads), prefix, where)
    return uploads
