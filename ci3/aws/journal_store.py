"""The face that keeps a journal in a bucket: it can put objects under one key, and nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ci3.aws.client import translated
from ci3.errors import AccessError, GateError, JournalError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class JournalStore:
    """Writes the parts of one journal; every key begins with the journal's own."""

    def __init__(self, *, bucket: str, client: "S3Client", key: str) -> None:
        if not key.strip("/"):
            raise GateError("a journal in a bucket needs a key of its own")
        self.bucket = bucket
        self.key = key
        self._client = client
        client.meta.events.register("before-parameter-build.s3.PutObject", _only(bucket, key))

    def put(self, content: bytes, *, part: str) -> None:
        """Write a part of the journal, under its key with `part` behind; never over another.

        Raises JournalError when it can't be written: then nothing more may be deleted.
        """
        key = f"{self.key}{part}"
        try:
            with translated(f"writing the journal s3://{self.bucket}/{key}"):
                self._client.put_object(Bucket=self.bucket, Key=key, Body=content, IfNoneMatch="*")
        except AccessError as exc:
            raise JournalError(exc.message, exc.hint) from exc


def _only(bucket: str, key: str) -> Callable[..., None]:
    def check(params: dict[str, Any], **_: object) -> None:
        if params.get("Bucket") != bucket or not str(params.get("Key", "")).startswith(key):
            raise GateError(f"a journal was to be written to {params.get('Key')!r}, not {key!r}")

    return check
