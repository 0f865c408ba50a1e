"""An in-process S3 (moto's server) whose objects can have any age."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, s3_backends
from moto.server import ThreadedMotoServer

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_numbers = itertools.count(1)


class MotoBucket:
    """A bucket of the in-process S3."""

    def __init__(self, endpoint_url: str, name: str) -> None:
        self.endpoint_url = endpoint_url
        self.name = name
        self._backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._backend.create_bucket(name, "us-east-1")

    @property
    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test-key",
            aws_secret_access_key="test-secret",
        )

    def put(self, key: str, *, days: float = 0, body: bytes = b"x") -> None:
        stored = self._backend.put_object(self.name, key, body)
        stored.last_modified = (datetime.now(UTC) - timedelta(days=days)).replace(
            tzinfo=None, microsecond=0
        )

    def deploy(self, name: str, *, days: float, files: int = 3) -> None:
        """Upload a deployment whose objects have the same age."""
        for number in range(files):
            self.put(f"{name}/file-{number:05}", days=days)

    def enable_versioning(self) -> None:
        self._backend.put_bucket_versioning(self.name, "Enabled")

    def keys(self) -> set[str]:
        return set(self.content())

    def content(self) -> dict[str, tuple[bytes, str, datetime]]:
        """Return bytes, ETag and time of each current object."""
        return {
            key: (stored.value, stored.etag, stored.last_modified)
            for key, stored in self._backend.buckets[self.name].keys.items()
            if isinstance(stored, FakeKey)
        }

    def folders(self) -> set[str]:
        return {key.partition("/")[0] for key in self.keys() if "/" in key}

    def options(self) -> list[str]:
        """Return the command's options for this bucket."""
        return ["--bucket-name", self.name, "--endpoint-url", self.endpoint_url]

    def inputs(self) -> Mapping[str, str]:
        """Return the action's environment for this bucket."""
        return {"INPUT_BUCKET": self.name, "INPUT_ENDPOINT-URL": self.endpoint_url}


@contextmanager
def running_s3() -> Iterator[str]:
    """Run the in-process S3 until the context ends; yield its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(endpoint_url: str) -> MotoBucket:
    """Create an empty bucket with a unique name."""
    return MotoBucket(endpoint_url, f"site-{next(_numbers):05}")
