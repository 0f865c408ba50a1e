"""The servers that answer: the bench's own in memory, and SeaweedFS, a real one."""

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
from bench.memory_s3 import UNKNOWN

if TYPE_CHECKING:
    from tests.support.s3.seaweedfs import SeaweedFS

READY_SECONDS = 30
# glibc's malloc would else give large pages back to the kernel after each answer.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a server has to tell after a run; a real one tells less."""

    requests: Mapping[str, int] | None = None
    cpu_seconds: float | None = None
    most_at_once: int | None = None


class Server(Protocol):
    """Gives a run a bucket, and says what became of it."""

    url: str

    def make_ready(self, case: Case, delay_ms: int) -> str:
        """Bring a bucket into the case's state; give its name."""

    def served(self) -> Served:
        """Tell what was asked since."""

    def left(self, bucket: str) -> int:
        """Count the objects that are left."""


class MemoryServer:
    """The bench's own S3, in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def make_ready(self, case: Case, delay_ms: int) -> str:
        """Restore the bucket; its name is its layout."""
        bucket = case.layout.text
        self._ask(f"reset?delay={delay_ms}&bucket={quote(bucket)}")
        return bucket

    def served(self) -> Served:
        """Tell what was asked; raises ValueError where that was more than this server knows."""
        said = self._ask("counts")
        if UNKNOWN in said["requests"]:
            raise ValueError(f"requests that the bench's server does not know: {said['requests']}")
        return Served(**said)

    def left(self, bucket: str) -> int:
        """Count the objects that are left."""
        left: int = self._ask(f"left?bucket={quote(bucket)}")["left"]
        return left

    def _ask(self, what: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/-/{what}", timeout=60) as answer:  # noqa: S310 - loopback
            said: dict[str, Any] = json.load(answer)
            return said


class RealServer:
    """SeaweedFS: each run that deletes gets a bucket of its own."""

    def __init__(self, server: "SeaweedFS") -> None:
        self._server = server
        self.url = server.url
        self._numbers = count(1)
        self._listed: dict[str, str] = {}

    def make_ready(self, case: Case, delay_ms: int) -> str:  # noqa: ARG002 - it has none
        """Seed a bucket, the doomed before the rest; a bucket that is only listed, just once."""
        text = case.layout.text
        if case.work is Work.PLAN and text in self._listed:
            return self._listed[text]
        bucket = f"{text}-{next(self._numbers)}"
        doomed, kept = case.layout.by_age[: case.doomed], case.layout.by_age[case.doomed :]
        rounds: list[Mapping[str, bytes]] = [
            {one.key(number): b"x" for one in some for number in range(one.count)}
            for some in (doomed, kept)
        ]
        self._server.seed({bucket: rounds})
        if case.work is Work.PLAN:
            self._listed[text] = bucket
        return bucket

    def served(self) -> Served:
        """Tell nothing: SeaweedFS does not count."""
        return Served()

    def left(self, bucket: str) -> int:
        """Count by listing."""
        paginator = self._server.client.get_paginator("list_objects_v2")
        return sum(page["KeyCount"] for page in paginator.paginate(Bucket=bucket))


@contextmanager
def running_memory_server() -> Iterator[MemoryServer]:
    """Run the server in memory."""
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
                    raise RuntimeError("the server in memory did not start")
                time.sleep(0.02)
            yield MemoryServer(f"http://127.0.0.1:{port_file.read_text()}")
        finally:
            process.kill()
            process.wait()


@contextmanager
def running_real_server() -> Iterator[RealServer]:
    """Run SeaweedFS."""
    from tests.support.s3.seaweedfs import running_seaweedfs  # noqa: PLC0415 - only where it is asked

    with running_seaweedfs() as server:
        yield RealServer(server)
