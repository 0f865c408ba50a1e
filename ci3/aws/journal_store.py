"""Store a journal in a bucket: put objects under one key, and read them."""

import secrets
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ci3.aws.client_errors import get_error_code, translate_errors
from ci3.aws.request_limit import RequestLimit
from ci3.errors import AccessError, GateError, JournalError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_EXISTS_CODES = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
_CONDITION_FAILED_STATUS = 412
_WRITER_KEY = "ci3-writer"
"""Metadata with the writer's ID: two writers may put parts with the same bytes."""


class JournalStore:
    """Writes the parts of one journal; every key begins with the journal's own key."""

    def __init__(
        self, *, bucket: str, client: "S3Client", key: str, request_limit: RequestLimit
    ) -> None:
        if not key.strip("/"):
            raise GateError("a journal in a bucket needs a key")
        self.bucket = bucket
        self.key = key
        self._client = client
        self._request_limit = request_limit
        self._writer_id = secrets.token_hex(8)
        for operation in ("PutObject", "GetObject"):
            event = f"before-parameter-build.s3.{operation}"
            client.meta.events.register(event, _make_key_check(bucket, key))

    def put_part(self, content: bytes, *, suffix: str) -> None:
        """Write a part of the journal under its key plus `suffix`; never overwrite an object.

        If a response was lost, the retried request is answered with "exists": the part counts as
        written if the stored writer ID and content are this writer's. Raises JournalError when it
        can't be written; nothing more may be deleted then.
        """
        key = f"{self.key}{suffix}"
        try:
            with (
                translate_errors(f"writing the journal s3://{self.bucket}/{key}"),
                self._request_limit.hold(),
            ):
                self._put_object(content, key)
        except AccessError as exc:
            raise JournalError(exc.message, exc.hint) from exc

    def find_overwrite_problem(self, content: bytes, *, suffix: str) -> str:
        """Return why this S3 might let two runs write one part, or an empty text if it refuses.

        A part that exists is put once more, with the same content. S3 must answer that the
        condition failed (412); any other answer, such as 403 or 501, proves nothing. Where the
        condition is ignored, the part is overwritten with the bytes that it has.
        """
        key = f"{self.key}{suffix}"
        try:
            with translate_errors(f"checking the journal s3://{self.bucket}/{key}"):
                try:
                    self._put_if_absent(content, key)
                except ClientError as exc:
                    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                    if status == _CONDITION_FAILED_STATUS:
                        return ""
                    raise
        except AccessError as exc:
            return f"it is unknown whether this S3 service supports If-None-Match ({exc.message})"
        return "this S3 service ignores If-None-Match and overwrites existing parts"

    def _put_object(self, content: bytes, key: str) -> None:
        try:
            self._put_if_absent(content, key)
        except ClientError as exc:
            if get_error_code(exc) not in _EXISTS_CODES or not self._was_put_by_us(content, key):
                raise

    def _put_if_absent(self, content: bytes, key: str) -> None:
        self._client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=content,
            IfNoneMatch="*",
            Metadata={_WRITER_KEY: self._writer_id},
        )

    def _was_put_by_us(self, content: bytes, key: str) -> bool:
        """Return whether the stored object was put by this writer, with this content."""
        response = self._client.get_object(Bucket=self.bucket, Key=key)
        with closing(response["Body"]) as body:
            if response["Metadata"].get(_WRITER_KEY) != self._writer_id:
                return False
            return body.read(len(content) + 1) == content


def _make_key_check(bucket: str, key: str) -> Callable[..., None]:
    def refuse_others(params: dict[str, Any], **_: object) -> None:
        if params.get("Bucket") != bucket or not str(params.get("Key", "")).startswith(key):
            raise GateError(
                f"request to write a journal to {params.get('Key')!r} instead of {key!r}"
            )

    return refuse_others
