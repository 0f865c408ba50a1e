"""A bucket of the in-memory S3, as tests fill and read it."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.loaders import create_loader
from botocore.session import get_session

from tests.support.s3.memory_listings import MemoryBucket
from tests.support.s3.memory_s3 import MemoryS3

if TYPE_CHECKING:
    from tests.support.s3.fault_proxy import FaultProxy


class Bucket:
    """A bucket of an in-memory S3 whose objects can have any age.

    Clients reach it at `endpoint_url`, through `proxy` if there is one.
    """

    def __init__(self, *, s3: MemoryS3, name: str, endpoint_url: str) -> None:
        self.name = name
        self.endpoint_url = endpoint_url
        self.proxy: FaultProxy | None = None
        self._s3 = s3
        self._bucket = s3.buckets.setdefault(name, MemoryBucket())

    @property
    def client(self):
        return make_client(self.endpoint_url)

    def put(self, key: str, *, days: float = 0, body: bytes = b"x") -> None:
        self.put_at(key, datetime.now(UTC) - timedelta(days=days), body=body)

    def put_at(self, key: str, modified_at: datetime, *, body: bytes = b"x") -> None:
        self._s3.put(self._bucket, key, body, modified_at.replace(microsecond=0))

    def deploy(self, name: str, *, days: float, files: int = 3) -> None:
        for number in range(files):
            self.put(f"{name}/file-{number:05}", days=days)

    def remove(self, key: str) -> None:
        self._s3.delete(self._bucket, key)

    def set_page_size(self, count: int) -> None:
        """Limit the pages of listings to this many entries."""
        self._bucket.page_size = count

    def enable_versioning(self) -> None:
        self._bucket.versioning = "Enabled"

    def lock(self, key: str) -> None:
        """Put a legal hold on an object, which forbids only deleting its version."""
        self._bucket.locked_versions.add((key, self.current_versions()[key]))

    def begin_upload(self, key: str, *, days: float = 0) -> None:
        """Begin a multipart upload some days ago; a negative number is in the future."""
        before = set(self._bucket.uploads)
        self._s3._begin_upload(self._bucket, key)
        for upload in set(self._bucket.uploads) - before:
            self._bucket.uploads[upload] -= timedelta(days=days)

    def uploads(self) -> set[str]:
        """Return the keys of unfinished multipart uploads."""
        return {key for key, _ in self._bucket.uploads}

    @property
    def lifecycle(self) -> bytes:
        """The lifecycle configuration's XML; empty if there is none."""
        return self._bucket.lifecycle

    @lifecycle.setter
    def lifecycle(self, raw: bytes) -> None:
        self._bucket.lifecycle = raw

    @property
    def transition_minimum(self) -> str:
        return self._bucket.transition_minimum

    @transition_minimum.setter
    def transition_minimum(self, value: str) -> None:
        self._bucket.transition_minimum = value

    def suspend_versioning(self) -> None:
        self._bucket.versioning = "Suspended"

    @property
    def keeps_versions(self) -> bool:
        return bool(self._bucket.versioning)

    def keys(self) -> set[str]:
        return set(self._bucket.current())

    def content(self) -> dict[str, tuple[bytes, str, datetime]]:
        return {
            key: (version.body, version.etag, version.modified_at)
            for key, version in self._bucket.current().items()
        }

    def versions(self) -> list[tuple[str, bool]]:
        return sorted(
            (key, version.is_marker)
            for key, versions in self._bucket.versions.items()
            for version in versions
        )

    def folders(self) -> set[str]:
        return {key.partition("/")[0] for key in self.keys() if "/" in key}

    def options(self) -> list[str]:
        """Return the command's options for this bucket."""
        return ["--bucket-name", self.name, "--endpoint-url", self.endpoint_url]

    def inputs(self) -> Mapping[str, str]:
        """Return the action's environment for this bucket."""
        return {"INPUT_BUCKET": self.name, "INPUT_ENDPOINT-URL": self.endpoint_url}

    def save_bucket(self) -> MemoryBucket:
        """Return a copy of the bucket for `restore_bucket`."""
        return copy.deepcopy(self._bucket)

    def restore_bucket(self, saved: MemoryBucket) -> None:
        self._bucket = self._s3.buckets[self.name] = copy.deepcopy(saved)

    def current_versions(self) -> dict[str, str]:
        return {key: version.version_id for key, version in self._bucket.current().items()}

    def all_versions(self) -> set[tuple[str, str]]:
        """Return (key, id) of every version that is not a delete marker."""
        return {
            (key, version.version_id)
            for key, versions in self._bucket.versions.items()
            for version in versions
            if not version.is_marker
        }


_load_models = cache(create_loader)


def make_client(endpoint_url: str):
    """Return a client of botocore without any of ci3's settings."""
    session = get_session()
    session.register_component("data_loader", _load_models())
    return session.create_client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test-key",
        aws_secret_access_key="test-secret",
        config=Config(s3={"addressing_style": "path"}),
    )
