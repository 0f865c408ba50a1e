"""Read large objects in chunks, without holding a whole object in memory."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError, IncompleteReadError

from ci3.aws.client import MAX_ATTEMPTS
from ci3.aws.client_errors import translate_errors
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20


def stream_object(
    client: "S3Client", bucket: str, key: str, size_bytes: int
) -> Generator[bytes, None, None]:
    """Read an object of a known size; after a broken connection, request the rest.

    Raises ListingError where the size differs or the object was replaced between two requests, and
    AccessError where it can't be read.
    """
    position, etag, attempts = 0, "", 0
    while position < size_bytes:
        request: dict[str, Any] = {"Bucket": bucket, "Key": key}
        if position:
            request["Range"] = f"bytes={position}-"
        if etag:
            request["IfMatch"] = etag
        with translate_errors(f"reading s3://{bucket}/{key}"):
            response = client.get_object(**request)
            with closing(response["Body"]) as body:
                received_bytes = response.get("ContentLength", 0)
                if received_bytes != size_bytes - position:
                    raise ListingError(
                        f"received {received_bytes:,} bytes instead of {size_bytes - position:,}",
                        "Run again with a complete report. Nothing was planned or deleted.",
                    )
                etag = response.get("ETag", "")
                try:
                    while chunk := body.read(CHUNK_BYTES):
                        position += len(chunk)
                        yield chunk
                except (HTTPClientError, IncompleteReadError):
                    attempts += 1
                    if attempts >= MAX_ATTEMPTS:
                        raise
