"""An S3-compatible server that a test starts on loopback: its address, credentials and buckets."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

UPLOADS = 8
UPLOAD_ATTEMPTS = 4
START_SECONDS = 30
STARTS = 3
STOP_SECONDS = 10
# The headers and the body go out separately: without this each upload waits 40 ms for an ACK.
NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
Rounds = Sequence[Mapping[str, bytes]]


class MissingProgramError(Exception):
    """A program of a store is not installed; the message says how to install it."""


@dataclass(frozen=True, kw_only=True)
class LocalStore:
    """A running server; its timestamps differ when `time_step_seconds` have passed."""

    name: str
    version: str
    url: str
    access_key: str
    secret_key: str
    time_step_seconds: float = 0.01

    @cached_property
    def client(self) -> Any:
        """A boto3 client that sends each request once."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                max_pool_connections=UPLOADS,
                retries={"total_max_attempts": 1},
            ),
        )

    def environ(self) -> dict[str, str]:
        """Return the environment variables with which ci3 reaches this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def seed(self, buckets: Mapping[str, Rounds], versioned: Iterable[str] = ()) -> None:
        """Create buckets from rounds of objects; each round is newer than the round before."""
        for bucket in buckets:
            self.client.create_bucket(Bucket=bucket)
        for bucket in versioned:
            self.set_versioning(bucket, "Enabled")
        session = URLLib3Session(max_pool_connections=UPLOADS, socket_options=NO_DELAY)
        with ThreadPoolExecutor(UPLOADS) as pool:
            for number in range(max(map(len, buckets.values()))):
                if number:
                    time.sleep(self.time_step_seconds)
                uploads = [
                    pool.submit(self._upload, session, f"{bucket}/{key}", body)
                    for bucket, rounds in buckets.items()
                    if number < len(rounds)
                    for key, body in rounds[number].items()
                ]
                for upload in uploads:
                    upload.result()

    def _upload(self, session: URLLib3Session, path: str, body: bytes) -> None:
        """Upload an object four times as fast as boto3 does."""
        signer = S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", "us-east-1")
        for attempt in range(1, UPLOAD_ATTEMPTS + 1):
            request = AWSRequest("PUT", f"{self.url}/{quote(path, safe='/~')}", data=body)
            signer.add_auth(request)
            response = session.send(request.prepare())
            if response.status_code == HTTPStatus.OK:
                return
            # rclone fails with 500 if two uploads create the same folder.
            assert response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR, response.text
            assert attempt < UPLOAD_ATTEMPTS, response.text

    def set_versioning(self, bucket: str, status: str) -> None:
        """Enable or suspend versioning."""
        self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def content(self, bucket: str) -> dict[str, bytes]:
        """Return the bytes of every object, by key."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        with ThreadPoolExecutor(UPLOADS) as pool:
            bodies = pool.map(
                lambda key: self.client.get_object(Bucket=bucket, Key=key)["Body"].read(), keys
            )
            return dict(zip(keys, bodies, strict=True))

    def accepts(self, operation: str, **parameters: Any) -> bool:
        """Return whether a request succeeds."""
        try:
            getattr(self.client, operation)(**parameters)
        except ClientError:
            return False
        return True


def find_program(name: str, hint: str) -> str:
    """Return the path of a program, which may be installed in this Python's environment."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    if program := shutil.which(name, path=path):
        return program
    raise MissingProgramError(f"{name} is not installed: {hint}")


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 on which nothing listens."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


@contextmanager
def running_process(
    command: Sequence[str], folder: Path, *, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a folder; stop it when the context or this process ends."""
    # setpriv is part of util-linux. Without it a server survives the SIGKILL of a test run.
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*prefix, *command],
            cwd=folder,
            env={
                "HOME": str(folder),
                "PATH": os.environ.get("PATH", os.defpath),
                **(environ or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=STOP_SECONDS)


@contextmanager
def started(name: str, start: Callable[[Path, ExitStack], str]) -> Iterator[str]:
    """Start a store in a temporary folder, and yield its address; retry if a port was taken.

    `start` enters the store's processes into the stack, and returns "" if one of them has ended.
    """
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix=f"ci3-{name}-") as path, ExitStack() as processes:
            folder = Path(path)
            if url := start(folder, processes):
                yield url
                return
            log = (folder / "log").read_text(encoding="utf-8")
    raise AssertionError(log)


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Return whether a server became ready; False if its process has ended."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if is_ready():
            return True
        time.sleep(0.02)
    return False


def answers(url: str) -> bool:
    """Return whether an HTTP server answers, with any status."""
    try:
        with urlopen(url, timeout=5):  # noqa: S310 - loopback
            return True
    except HTTPError as answer:
        answer.close()
        return True
    except (URLError, OSError):
        return False
