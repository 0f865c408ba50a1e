"""The face that keeps a journal in a bucket: it can put objects under one key, and read them."""

import secrets
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ci3.aws.client import error_code, translated
from ci3.errors import AccessError, GateError, JournalError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TAKEN_CODES = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409")
_WRITER = "ci3-writer"
"""The metadata that tells one writer's parts from another's of the same bytes."""


class JournalStore:
    """Writes the parts of one journal; every key begins with the journal's own."""

    def __init__(self, *, bucket: str, client: "S3Client", key: str) -> None:
        if not key.strip("/"):
            raise GateError("a journal in a bucket needs a key of its own")
        self.bucket = bucket
        self.key = key
        self._client = client
        self._writer = secrets.token_hex(8)
        for operation in ("PutObject", "GetObject"):
            event = f"before-parameter-build.s3.{operation}"
            client.meta.events.register(event, _only(bucket, key))

    def put(self, content: bytes, *, part: str) -> None:
        """Write a part of the journal, under its key with `part` behind; never over another.

        A part whose answer was lost is sent again, and then S3 says that it is there: it counts as
        written where it is this writer's. Raises JournalError when it can't be written: then
        nothing more may be deleted.
        """
        key = f"{self.key}{part}"
        try:
            with translated(f"writing the journal s3://{self.bucket}/{key}"):
                self._put(content, key)
        except AccessError as exc:
            raise JournalError(exc.message, exc.hint) from exc

    def _put(self, content: bytes, key: str) -> None:
        try:
            self._client.put_object(
                Bucket=self.bucket,
                Key=key,
                Body=content,
                IfNoneMatch="*",
                Metadata={_WRITER: self._writer},
            )
        except ClientError as exc:
            if error_code(exc) not in _TAKEN_CODES or not self._is_own(content, key):
                raise

    def _is_own(self, content: bytes, key: str) -> bool:
        """Whether what is there was put by this writer, and whole."""
        answer = self._client.get_object(Bucket=self.bucket, Key=key)
        with closing(answer["Body"]) as body:
            if answer["Metadata"].get(_WRITER) != self._writer:
                return False
            return body.read(len(content) + 1) == content


def _only(bucket: str, key: str) -> Callable[..., None]:
    def check(params: dict[str, Any], **_: object) -> None:
        if params.get("Bucket") != bucket or not str(params.get("Key", "")).startswith(key):
            raise GateError(f"a journal was to be at {params.get('Key')!r}, not {key!r}")

    return check
