"""Starts the S3 servers of the benchmark: the in-memory server, and SeaweedFS."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote
from urllib.request import urlopen

from bench.cases import Case, Work
from bench.s3_protocol import UNKNOWN

if TYPE_CHECKING:
    from tests.support.s3.seaweedfs import SeaweedFS

READY_SECONDS = 30
# Otherwise glibc's malloc would return large pages to the kernel after each response.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """The figures that a server counted during a run; a real server counts none."""

    requests: Mapping[str, int] | None = None
    cpu_seconds: float | None = None
    most_at_once: int | None = None


class Server(Protocol):
    """An S3 server that prepares a bucket for each run."""

    url: str

    def prepare_bucket(self, case: Case, delay_ms: int) -> str:
        """Bring a bucket into the case's initial state; return its name."""

    def read_counts(self) -> ServerCounts:
        """Return the figures since the bucket was prepared."""

    def count_objects(self, bucket: str) -> int:
        """Return the number of objects in a bucket."""


class MemoryServer:
    """The in-memory S3, in a separate process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def prepare_bucket(self, case: Case, delay_ms: int) -> str:
        """Reset the bucket whose name is the case's layout."""
        bucket = case.layout.text
        self.query(f"reset?delay={delay_ms}&bucket={quote(bucket)}")
        return bucket

    def read_counts(self) -> ServerCounts:
        """Return the figures; raise ValueError if the server did not support a request."""
        counts = self.query("counts")
        if UNKNOWN in counts["requests"]:
            raise ValueError(
                f"requests that the benchmark's server does not support: {counts['requests']}"
            )
        return ServerCounts(**counts)

    def count_objects(self, bucket: str) -> int:
        """Return the number of objects in a bucket."""
        object_count: int = self.query(f"objects?bucket={quote(bucket)}")["objects"]
        return object_count

    def query(self, path: str) -> dict[str, Any]:
        """Return the server's JSON response to a control request, such as `reset?delay=30`."""
        with urlopen(f"{self.url}/-/{path}", timeout=60) as response:  # noqa: S310 - loopback
            result: dict[str, Any] = json.load(response)
            return result


class RealServer:
    """SeaweedFS; each run that deletes gets a new bucket."""

    def __init__(self, server: "SeaweedFS") -> None:
        self._server = server
        self.url = server.url
        self._numbers = count(1)
        self._listed_buckets: dict[str, str] = {}

    def prepare_bucket(self, case: Case, delay_ms: int) -> str:  # noqa: ARG002 - SeaweedFS has no delay
        """Seed a bucket, oldest deployments first; buckets that are only listed are seeded once."""
        text = case.layout.text
        if case.work is Work.PLAN and text in self._listed_buckets:
            return self._listed_buckets[text]
        bucket = f"{text}-{next(self._numbers)}"
        to_delete, to_keep = (
            case.layout.by_age[: case.delete_count],
            case.layout.by_age[case.delete_count :],
        )
        rounds: list[Mapping[str, bytes]] = [
            {
                deployment.key(number): b"x"
                for deployment in deployments
                for number in range(deployment.object_count)
            }
            for deployments in (to_delete, to_keep)
        ]
        self._server.seed({bucket: rounds})
        if case.work is Work.PLAN:
            self._listed_buckets[text] = bucket
        return bucket

    def read_counts(self) -> ServerCounts:
        """Return no figures: SeaweedFS does not count."""
        return ServerCounts()

    def count_objects(self, bucket: str) -> int:
        """Return the number of objects, by listing them."""
        paginator = self._server.client.get_paginator("list_objects_v2")
        return sum(page["KeyCount"] for page in paginator.paginate(Bucket=bucket))


@contextmanager
def running_memory_server() -> Iterator[MemoryServer]:
    """Run the in-memory server until the context ends."""
    with TemporaryDirectory(prefix="ci3-bench-") as folder:
        port_file = Path(folder) / "port"
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.memory_s3", str(port_file)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, **_MALLOC},
            stdin=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not port_file.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the in-memory server did not start")
                time.sleep(0.02)
            yield MemoryServer(f"http://127.0.0.1:{port_file.read_text()}")
        finally:
            process.kill()
            process.wait()


@contextmanager
def running_real_server() -> Iterator[RealServer]:
    """Run SeaweedFS until the context ends."""
    from tests.support.s3.seaweedfs import running_seaweedfs  # noqa: PLC0415 - heavy, rarely used

    with running_seaweedfs() as server:
        yield RealServer(server)
