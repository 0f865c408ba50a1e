"""List unfinished multipart uploads."""

import re
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus

from ci3.aws.client_errors import translate_errors
from ci3.aws.listing.validation import HINT, PaginationMarkers, check_entries
from ci3.core.model.objects import UnfinishedUpload
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListMultipartUploadsRequestTypeDef

_ENCODED_KEY = re.compile(r"(?:[\w.~/*!'()+-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def list_uploads(
    client: "S3Client", bucket: str, prefix: str
) -> Generator[tuple[UnfinishedUpload, ...], None, None]:
    """List every unfinished upload under a prefix, page by page.

    Raises ListingError for a page that can't be trusted.
    """
    action = f"listing the unfinished uploads of s3://{bucket}/{prefix}"
    # On the last page, S3 sets the markers to the last upload.
    markers = PaginationMarkers(action, can_end_with_marker=True)
    request: ListMultipartUploadsRequestTypeDef = {
        "Bucket": bucket,
        "Prefix": prefix,
        "EncodingType": "url",
    }
    while True:
        with translate_errors(action):
            response = client.list_multipart_uploads(**request)
        is_encoded = _is_encoded(response)
        marker = markers.find_next(
            is_truncated=response.get("IsTruncated"),
            key=_decode_key(response.get("NextKeyMarker", ""), is_encoded=is_encoded),
            identifier=response.get("NextUploadIdMarker", ""),
        )
        yield _parse_page(response, prefix, action, is_encoded=is_encoded)
        if marker is None:
            return
        request["KeyMarker"] = marker[0]
        request["UploadIdMarker"] = marker[1]


def _is_encoded(response: Mapping[str, Any]) -> bool:
    """Return whether keys are URL-encoded, as was requested.

    SeaweedFS reports that they are, and does not encode them.
    """
    keys = (entry.get("Key", "") for entry in response.get("Uploads", ()))
    return response.get("EncodingType") == "url" and all(map(_ENCODED_KEY.fullmatch, keys))


def _decode_key(key: str, *, is_encoded: bool) -> str:
    return unquote_plus(key) if is_encoded else key


def _parse_page(
    response: Mapping[str, Any], prefix: str, action: str, *, is_encoded: bool
) -> tuple[UnfinishedUpload, ...]:
    try:
        uploads = tuple(
            UnfinishedUpload(
                key=_decode_key(entry["Key"], is_encoded=is_encoded),
                upload_id=entry["UploadId"],
                started_at=entry["Initiated"],
                other_keys=(entry["Key"], unquote(entry["Key"]), unquote_plus(entry["Key"])),
            )
            for entry in response.get("Uploads", ())
        )
    except KeyError as exc:
        raise ListingError(f"{action}: an entry has no {exc.args[0]}", HINT) from exc
    check_entries(((upload.key, upload.started_at) for upload in uploads), prefix, action)
    return uploads
