"""Test whether this S3 service can restore: write, delete and restore one object under `.ci3/`."""

import secrets
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

from ci3.aws.client_errors import translate_errors
from ci3.constants import RESTORE_PROBE_KEY_PREFIX
from ci3.core.doctor.facts import RestoreProbe
from ci3.core.formatting import pluralize
from ci3.core.model.objects import NULL_VERSION_ID, StoredVersion
from ci3.core.restore.decide import find_latest
from ci3.errors import AccessError, DeniedError, GateError, describe_error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONTENT = b"Written by ci3 doctor --probe-restore to test whether this S3 service can restore.\n"
_OPERATIONS = ("PutObject", "GetObject", "DeleteObject")


class _NotRestoredError(Exception):
    """This S3 did not do what a restore needs; the message says what."""


class ObjectReader(Protocol):
    """What the probe reads; `BucketReader` does it, whose client cannot write."""

    bucket: str

    def list_versions(self, prefix: str) -> Generator[tuple[StoredVersion, ...], None, None]:
        """List every version and delete marker under a prefix."""

    def list_keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys under a prefix."""

    def read_object(self, key: str, limit_bytes: int) -> bytes:
        """Return an object's content."""


class RestoreProber:
    """Writes, deletes and restores its own object; its client refuses every other key."""

    def __init__(self, *, reader: ObjectReader, client: "S3Client", prefix: str) -> None:
        self.key = f"{prefix}{RESTORE_PROBE_KEY_PREFIX}{secrets.token_hex(8)}"
        self._reader = reader
        self._client = client
        for operation in _OPERATIONS:
            event = f"before-parameter-build.s3.{operation}"
            client.meta.events.register(event, _make_key_check(reader.bucket, self.key))

    def probe(self) -> RestoreProbe:
        """Run the probe, and remove everything that it made, also after an error or interrupt.

        Raises AccessError if a permission is missing or a request fails; its message then names
        what could not be removed.
        """
        problem = ""
        error: BaseException | None = None
        try:
            self._require_permissions()
            self._write_and_restore()
        except _NotRestoredError as exc:
            problem = str(exc)
        except BaseException as exc:  # noqa: BLE001 - raised again below
            error = exc
        leftovers, interrupt = self._remove_all()
        error = error or interrupt
        if error is None:
            return RestoreProbe(problem=problem, leftovers=leftovers)
        if not leftovers:
            raise error
        error_type = type(error) if isinstance(error, AccessError) else AccessError
        message = f"{describe_error(error)} {'; '.join(leftovers)}"
        raise error_type(message, "Remove it manually.") from error

    def _require_permissions(self) -> None:
        """List, then delete an absent version and object: denied before anything was written."""
        self._list_versions()
        self._is_listed()
        self._delete(NULL_VERSION_ID)
        self._delete()
        self._remove_versions(self._list_versions())

    def _write_and_restore(self) -> None:
        with translate_errors(f"writing {self._url}"):
            self._client.put_object(Bucket=self._reader.bucket, Key=self.key, Body=_CONTENT)
        written = self._list_versions()
        latest = find_latest(written)
        if latest is None or latest.is_delete_marker or not self._is_listed():
            raise _NotRestoredError("the written object is not listed as the latest version")
        self._delete()
        hidden = self._list_versions()
        marker = find_latest(hidden)
        if marker is None or not marker.is_delete_marker or self._is_listed():
            raise _NotRestoredError("deleting the object did not hide it with a delete marker")
        self._remove_versions([version for version in hidden if version.is_delete_marker])
        restored = find_latest(self._list_versions())
        if restored is None or restored.version_id != latest.version_id:
            raise _NotRestoredError(
                "after its delete marker was removed, the object's version is not the latest"
            )
        if not self._is_listed():
            raise _NotRestoredError("after its delete marker was removed, the object is not listed")
        if self._reader.read_object(self.key, len(_CONTENT)) != _CONTENT:
            raise _NotRestoredError("the restored content differs from what was written")

    @property
    def _url(self) -> str:
        return f"s3://{self._reader.bucket}/{self.key}"

    def _delete(self, version_id: str = "") -> None:
        version = {"VersionId": version_id} if version_id else {}
        request: Any = {"Bucket": self._reader.bucket, "Key": self.key, **version}
        try:
            with translate_errors(f"deleting {self._url}"):
                self._client.delete_object(**request)
        except DeniedError:
            raise
        except AccessError:
            # Some stores answer that there is no such version. What counts is what is listed.
            if version_id != NULL_VERSION_ID:
                raise

    def _remove_versions(self, versions: list[StoredVersion]) -> None:
        for version in versions:
            self._delete(version.version_id)

    def _list_versions(self) -> list[StoredVersion]:
        with closing(self._reader.list_versions(self.key)) as pages:
            return [version for page in pages for version in page if version.key == self.key]

    def _is_listed(self) -> bool:
        return self.key in self._reader.list_keys(self.key)

    def _remove_all(self) -> tuple[tuple[str, ...], KeyboardInterrupt | None]:
        """Remove every version of the key; return sentences on what is left, and an interrupt."""
        problem, interrupt = "", None
        for _ in range(2):  # a deletion without a version ID makes another marker
            try:
                self._remove_versions(self._list_versions())
                if self._is_listed():
                    self._delete()
            except KeyboardInterrupt as exc:
                interrupt = exc
            except Exception as exc:  # noqa: BLE001 - what is left is reported
                problem = problem or describe_error(exc)
        return self._find_leftovers(problem), interrupt

    def _find_leftovers(self, problem: str) -> tuple[str, ...]:
        try:
            left_count = len(self._list_versions())
            if not left_count and not self._is_listed():
                return ()
        except AccessError as exc:
            return (f"It is unknown whether {self._url} was removed: {exc.message}",)
        remaining = pluralize(left_count, "version") if left_count else "1 object"
        return (f"{self._url} could not be removed ({remaining} left): {problem}",)


def _make_key_check(bucket: str, key: str) -> Callable[..., None]:
    def refuse_others(params: dict[str, Any], **_: object) -> None:
        if params.get("Bucket") != bucket or params.get("Key") != key:
            raise GateError(
                f"a restore probe tried to use {params.get('Key')!r} instead of {key!r}"
            )

    return refuse_others
