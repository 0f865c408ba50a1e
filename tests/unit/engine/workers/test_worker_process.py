"""The worker process: requests, progress, credentials, isolation, silence and end."""

import fcntl
import multiprocessing.context
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.engine.workers import worker_process
from ci3.engine.workers.worker_process import (
    OnProgress,
    WorkerProcess,
    WorkerTiming,
    start_worker,
)
from ci3.errors import AccessError, DeniedError
from tests.support.s3.bucket import Bucket

SECRET = "test-secret"
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


@dataclass(frozen=True)
class Task:
    """A request with one of the actions that these tests need."""

    action: object
    concurrency: int = 1

    def respond(self, bucket: BucketReader, on_progress: OnProgress, /) -> object:
        match self.action:
            case "count", str(prefix):
                return len(bucket.list_keys(prefix))
            case "echo", word, *steps:
                for step in steps:
                    on_progress(step)
                return word
            case "wait", float(seconds), *steps:
                for step in steps:
                    on_progress(step)
                time.sleep(seconds)
                return "waited"
            case "who":
                return os.getpid(), list_open_files()
            case "fail":
                raise ValueError("unexpected")
            case "denied":
                raise DeniedError("no access", "")
            case "print":
                os.write(1, b"printed by the worker")
                os.write(2, b"printed by the worker")
                return "printed"
        return None


_BARRIER = threading.Barrier(4)


@dataclass(frozen=True)
class BarrierTask:
    """A request that is completed when four are served at the same time."""

    concurrency: int = 1

    def respond(self, _bucket: BucketReader, _on_progress: OnProgress, /) -> str:
        _BARRIER.wait(timeout=30)
        return "met"


def list_open_files() -> dict[int, str]:
    """Return the open files of this process by descriptor."""
    files = {}
    for entry in [*Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):  # the descriptor of the listed directory is closed
            files[int(entry.name)] = str(entry.readlink())
    return files


def call_worker(
    worker: WorkerProcess, action: object, on_progress: OnProgress = lambda _: None
) -> object:
    return worker.call(Task(action), on_progress)


def has_ended(worker: WorkerProcess) -> bool:
    """Return whether the worker is killed and gets no further request."""
    worker._process.join(10)
    return worker._is_ended and worker._process.exitcode is not None


@pytest.mark.usefixtures("forks")
def test_worker_reads_the_bucket_and_responds(shop):
    with closing(start_worker(make_reader(shop))) as worker:
        assert call_worker(worker, ("count", "shop-1/")) == 4
        assert call_worker(worker, ("count", "")) == 16
        steps: list[int] = []
        assert call_worker(worker, ("echo", "done", 1, 2), steps.append) == "done"
        assert steps == [1, 2]


@pytest.mark.usefixtures("forks")
def test_worker_serves_one_request_per_connection_at_the_same_time(shop):
    with (
        closing(start_worker(make_reader(shop), connections=4)) as worker,
        ThreadPoolExecutor(4) as pool,
    ):
        assert [*pool.map(lambda _: worker.call(BarrierTask()), range(4))] == ["met"] * 4
        prefixes = [f"shop-{number % 5}/" for number in range(40)]
        counts = [*pool.map(lambda prefix: call_worker(worker, ("count", prefix)), prefixes)]
    assert counts == [0 if prefix == "shop-4/" else 4 for prefix in prefixes]


@pytest.mark.usefixtures("forks")
def test_worker_uses_the_credentials_of_the_parent_and_never_shows_them(shop, monkeypatch):
    """The credentials may belong to a role, so the worker must not read the environment."""
    reader = make_reader(shop)
    access = reader.export_access()
    assert access.secret_key == SECRET
    assert SECRET not in repr(access)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    with closing(start_worker(reader)) as worker:
        earlier_count = len(shop.proxy.requests)
        assert call_worker(worker, ("count", "")) == 16
    headers = [request.headers["Authorization"] for request in shop.proxy.requests[earlier_count:]]
    assert headers
    assert all("Credential=test-key/" in header for header in headers)


@pytest.mark.usefixtures("forks")
def test_worker_uses_refreshed_credentials(shop, monkeypatch):
    with closing(start_worker(make_reader(shop))) as worker:
        assert call_worker(worker, ("count", "")) == 16
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed-key")
        worker._bucket = make_reader(shop)
        assert call_worker(worker, ("count", "")) == 16
    assert "Credential=renewed-key/" in shop.proxy.requests[-1].headers["Authorization"]


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize(
    "error", [AccessError("they have expired", "Get new ones."), RuntimeError("still expired")]
)
def test_worker_gets_no_request_without_credentials(shop, monkeypatch, error):
    with closing(start_worker(make_reader(shop))) as worker:
        for export_access in (lambda _: None, make_failing_function(error)):
            with monkeypatch.context() as patch:
                patch.setattr(BucketReader, "export_access", export_access)
                assert call_worker(worker, ("count", "")) is None
            assert call_worker(worker, ("count", "")) == 16


@pytest.mark.usefixtures("forks")
def test_no_worker_is_started_without_credentials(shop, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert start_worker(make_reader(shop)) is None


@pytest.mark.usefixtures("forks")
def test_credential_error_is_reported_and_credentials_are_requested_once(shop, monkeypatch):
    """Credentials of a role may need an MFA code, which botocore must request only once."""
    monkeypatch.setattr(
        BucketReader, "export_access", make_failing_function(AccessError("a-message", "a-hint"))
    )
    with pytest.raises(AccessError, match="a-message"):
        start_worker(make_reader(shop))


def make_failing_function(error: Exception) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("forks")
def test_worker_has_no_access_to_the_output_of_the_parent(shop, capfd):
    with closing(start_worker(make_reader(shop))) as worker:
        pid, files = call_worker(worker, "who")
        assert pid != os.getpid()
        assert [files[number] for number in range(3)] == ["/dev/null"] * 3
        assert call_worker(worker, "print") == "printed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("forks")
def test_worker_holds_no_file_lock_of_the_parent(shop, tmp_path):
    """For example, a resume locks the journal as soon as the parent has ended."""
    with (tmp_path / "locked").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with closing(start_worker(make_reader(shop))) as worker:
            _, files = call_worker(worker, "who")
            file.close()
            with (tmp_path / "locked").open() as reopened_file:
                fcntl.flock(reopened_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert str(tmp_path / "locked") not in files.values()


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "fail", "end"])
def test_ended_worker_returns_nothing(shop, end):
    with closing(start_worker(make_reader(shop), connections=2)) as worker:
        if end == "fail":
            assert call_worker(worker, "fail") is None
        elif end == "end":
            worker.end()
        else:
            os.kill(worker._process.pid, end)
            worker._process.join()
        assert call_worker(worker, ("echo", 1)) is None
        assert call_worker(worker, ("echo", 1)) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_silent_worker_is_ended_and_its_late_response_is_never_received(shop):
    """Otherwise it would be received as the response to the next request."""
    timing = WorkerTiming(silence_seconds=0.1)
    with closing(start_worker(make_reader(shop), timing=timing)) as worker:
        assert call_worker(worker, ("wait", 0.2)) is None
        assert call_worker(worker, ("echo", "next")) is None
        assert has_ended(worker)
        assert worker._process.exitcode == -signal.SIGKILL


@pytest.mark.usefixtures("forks")
def test_worker_that_stops_reading_a_request_is_ended(shop):
    """A long request does not fit in the buffer of a connection that is not read."""
    timing = WorkerTiming(silence_seconds=0.1)
    with closing(start_worker(make_reader(shop), timing=timing)) as worker:
        os.kill(worker._process.pid, signal.SIGSTOP)
        assert call_worker(worker, ("echo", "x" * 5_000_000)) is None
        assert call_worker(worker, ("echo", "next")) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_worker_that_stops_in_the_middle_of_a_response_is_ended(shop):
    timing = WorkerTiming(silence_seconds=0.3)
    with closing(start_worker(make_reader(shop), timing=timing)) as worker:

        def stop_in_response(_: int) -> None:
            """Wait until the response, which is longer than the pipe's buffer, has begun."""
            assert worker._pipes[0].poll(10)
            os.kill(worker._process.pid, signal.SIGSTOP)
            os.waitpid(worker._process.pid, os.WUNTRACED)  # until it has stopped

        assert call_worker(worker, ("echo", "x" * 5_000_000, 1), stop_in_response) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_worker_that_is_killed_in_the_middle_of_a_response_returns_nothing(shop):
    with closing(start_worker(make_reader(shop))) as worker:

        def kill_in_response(_: int) -> None:
            assert worker._pipes[0].poll(10)
            os.kill(worker._process.pid, signal.SIGKILL)

        assert call_worker(worker, ("echo", "x" * 5_000_000, 1), kill_in_response) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_slow_worker_with_heartbeats_is_not_ended(shop):
    timing = WorkerTiming(heartbeat_seconds=0.05, silence_seconds=0.5)
    with closing(start_worker(make_reader(shop), timing=timing)) as worker:
        steps: list[int] = []
        assert call_worker(worker, ("wait", 0.6), steps.append) == "waited"
        assert {*steps} == {0}


@pytest.mark.usefixtures("forks")
def test_heartbeats_end_with_the_response(shop):
    timing = WorkerTiming(heartbeat_seconds=0.01)
    with closing(start_worker(make_reader(shop), timing=timing)) as worker:
        assert call_worker(worker, ("wait", 0.05)) == "waited"
        assert not worker._pipes[0].poll(0.1)


@pytest.mark.usefixtures("forks")
def test_response_after_an_error_of_the_caller_is_never_received(shop):
    """The caller no longer waits for it; the next caller would receive it."""
    with closing(start_worker(make_reader(shop))) as worker:
        with pytest.raises(ZeroDivisionError):
            call_worker(worker, ("echo", "first", 0), lambda steps: 1 // steps)
        assert call_worker(worker, ("echo", "second")) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_worker_returns_nothing_after_an_access_error_and_continues(shop):
    with closing(start_worker(make_reader(shop))) as worker:
        assert call_worker(worker, "denied") is None
        assert call_worker(worker, ("echo", "next")) == "next"


@pytest.mark.usefixtures("forks")
def test_waiting_caller_continues_when_the_worker_is_ended(shop):
    with closing(start_worker(make_reader(shop))) as worker, ThreadPoolExecutor(1) as pool:
        has_begun = threading.Event()
        response = pool.submit(call_worker, worker, ("wait", 60.0, 1), lambda _: has_begun.set())
        assert has_begun.wait(timeout=30)
        worker.end()
        assert response.result(timeout=10) is None


@pytest.mark.usefixtures("forks")
def test_close_ends_the_process_and_closes_its_connections(shop):
    with closing(start_worker(make_reader(shop), connections=3)) as worker:
        pid, _ = call_worker(worker, "who")
    assert worker._process.exitcode is not None
    assert not Path(f"/proc/{pid}").exists()
    assert all(pipe.closed for pipe in worker._pipes)


@pytest.mark.usefixtures("forks")
def test_worker_ignores_interrupts(shop):
    with closing(start_worker(make_reader(shop))) as worker:
        os.kill(worker._process.pid, signal.SIGINT)
        assert call_worker(worker, ("echo", "here")) == "here"


@pytest.mark.usefixtures("forks")
def test_no_worker_is_started_if_a_fork_fails(shop, monkeypatch):
    def refuse(*_: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert start_worker(make_reader(shop), connections=2) is None
    monkeypatch.undo()
    monkeypatch.setattr(multiprocessing.context.ForkContext, "Pipe", refuse)
    assert start_worker(make_reader(shop), connections=2) is None


@pytest.mark.parametrize("cores", [0, 1, 2, 64])
def test_worker_is_started_only_if_a_second_core_is_available(shop, monkeypatch, cores):
    monkeypatch.setattr(worker_process, "_is_single_threaded", lambda: True)
    monkeypatch.setattr(worker_process, "_count_cores", lambda: cores)
    worker = start_worker(make_reader(shop))
    assert (worker is None) == (cores < 2)
    if worker is not None:
        worker.close()


def test_no_worker_is_started_if_other_threads_run(shop, monkeypatch):
    monkeypatch.setattr(worker_process, "_count_cores", lambda: 2)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert start_worker(make_reader(shop)) is None
    done.set()
    thread.join()


def test_process_is_single_threaded_only_if_its_threads_can_be_counted(tmp_path):
    """For example, on macOS, where a fork is not supported by the libraries."""
    for tasks, is_alone in ((["1"], True), (["1", "2"], False), (None, False)):
        folder = tmp_path / str(tasks)
        for task in tasks or ():
            (folder / task).mkdir(parents=True)
        assert worker_process._is_single_threaded(folder) == is_alone


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_cores_are_those_in_the_affinity_of_the_process(monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(cores)})
    assert worker_process._count_cores(Path("/nowhere")) == cores


@pytest.mark.parametrize(
    ("cpu_limit", "cores"),
    [("max 100000", 4), ("100000 100000", 1), ("350000 100000", 3), ("50000 100000", 0), ("?", 4)],
)
def test_cpu_limit_of_a_container_lowers_the_number_of_cores(
    tmp_path, monkeypatch, cpu_limit, cores
):
    (tmp_path / "cpu.max").write_text(f"{cpu_limit}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(4)})
    assert worker_process._count_cores(tmp_path / "cpu.max") == cores
