"""Large objects, read part after part without ever being in memory as a whole."""

from collections.abc import Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError, IncompleteReadError

from ci3.aws.client import ATTEMPTS, translated
from ci3.errors import ListingError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_BYTES = 1 << 20


def read_parts(
    client: "S3Client", bucket: str, key: str, size_bytes: int
) -> Generator[bytes, None, None]:
    """Read an object of a known size; where the connection breaks, the rest is asked for anew.

    Raises ListingError where it is of another size, or another one by the time it is asked anew,
    and AccessError where it can't be read.
    """
    place, etag, attempts = 0, "", 0
    while place < size_bytes:
        request: dict[str, Any] = {"Bucket": bucket, "Key": key}
        if place:
            request["Range"] = f"bytes={place}-"
        if etag:
            request["IfMatch"] = etag
        with translated(f"reading s3://{bucket}/{key}"):
            answer = client.get_object(**request)
            with closing(answer["Body"]) as body:
                came = answer.get("ContentLength", 0)
                if came != size_bytes - place:
                    raise ListingError(
                        f"{came:,} bytes came, and {size_bytes - place:,} should",
                        "Run again with a report that is whole. Nothing was planned or deleted.",
                    )
                etag = answer.get("ETag", "")
                try:
                    while part := body.read(PART_BYTES):
                        place += len(part)
                        yield part
                except (HTTPClientError, IncompleteReadError):
                    attempts += 1
                    if attempts >= ATTEMPTS:
                        raise
