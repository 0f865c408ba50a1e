"""Fixtures for all tests, and an environment without the machine's AWS and GitHub settings."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ci3.engine.workers import worker_process
from tests.support import hypothesis_profile  # noqa: F401 - loads the profile for all tests
from tests.support.botocore_caches import share_botocore_caches
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, running_proxy
from tests.support.s3.local_s3 import LocalS3, running_local_s3
from tests.support.s3.moto_s3 import CREDENTIALS, MotoBucket, new_bucket, running_s3

share_botocore_caches()

ONE_WORKER_FOLDERS = ("python_action", "real_s3", "wheel", "workflows")
"""Folders whose tests run in one worker, because they share servers that are slow to start."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Distribute tests one by one, except those of the folders in ONE_WORKER_FOLDERS."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only if xdist is used

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = nodeid.removeprefix("tests/system/").partition("/")[0]
            if folder == "stores":  # one worker for each store: its name is the first parameter
                return f"{folder} {nodeid.partition('[')[2].partition('-')[0].rstrip(']')}"
            return folder if folder in ONE_WORKER_FOLDERS else nodeid

    return ByFolder(config, log)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Remove the machine's AWS and GitHub variables; run each test in its own folder."""
    monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it
    for name in os.environ:
        if name.startswith(("AWS_", "GITHUB_", "INPUT_", "RUNNER_", "ACTIONS_")):
            monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Give each test the default handlers of signals, which a command or a step replaces.

    A shell starts a process in the background with SIGINT ignored.
    """
    hook = sys.unraisablehook
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    for signal_number, handler in handlers.items():
        signal.signal(signal_number, handler)
    yield
    sys.unraisablehook = hook
    for signal_number, handler in handlers.items():
        signal.signal(signal_number, handler)


@pytest.fixture(scope="session")
def local_s3() -> Iterator[LocalS3]:
    """An in-memory S3 on loopback; moto answers for the other AWS services."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with running_local_s3() as local_s3:
        yield local_s3


@pytest.fixture(scope="session")
def s3_url(local_s3: LocalS3) -> str:
    return local_s3.url


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """An S3 by moto, which also enforces IAM policies."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with running_s3() as url:
        yield url


@pytest.fixture
def moto_bucket(moto_url: str) -> MotoBucket:
    """An empty bucket of moto's S3."""
    return new_bucket(moto_url)


@pytest.fixture
def bucket(local_s3: LocalS3) -> Bucket:
    """An empty bucket of the S3 on loopback."""
    return local_s3.new_bucket()


@pytest.fixture
def proxy(local_s3: LocalS3) -> Iterator[FaultProxy]:
    """A scripted proxy in front of the S3 on loopback."""
    with running_proxy(local_s3.answer) as proxy:
        yield proxy


@pytest.fixture
def site(bucket: Bucket, proxy: FaultProxy) -> Bucket:
    """An empty bucket behind the proxy."""
    bucket.endpoint_url, bucket.proxy = proxy.url, proxy
    return bucket


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between boto3's retries, in seconds, without waiting."""
    seconds: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.fixture
def command_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a command makes itself, in seconds, without waiting."""
    seconds: list[float] = []
    clock = SimpleNamespace(sleep=seconds.append)
    monkeypatch.setattr("ci3.pipeline.context_factory.time", clock)
    return seconds


@pytest.fixture
def closed_port_url() -> str:
    """A loopback URL whose port is closed."""
    with socket.socket() as closed_socket:
        closed_socket.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed_socket.getsockname()[1]}"


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow the worker process despite the tests' threads and on a machine with one core.

    Tests that use it ignore the warning of newer Pythons about forking a process with threads.
    """
    monkeypatch.setattr(worker_process, "_is_single_threaded", lambda: True)
    monkeypatch.setattr(worker_process, "_count_cores", lambda: 2)
