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


def reader_of(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


@dataclass(frozen=True)
class Task:
    """A request that does what these tests need."""

    words: object
    concurrency: int = 1

    def respond(self, bucket: BucketReader, on_progress: OnProgress, /) -> object:
        match self.words:
            case "count", str(prefix):
                return len(bucket.list_keys(prefix))
            case "say", word, *steps:
                for step in steps:
                    on_progress(step)
                return word
            case "wait", float(seconds), *steps:
                for step in steps:
                    on_progress(step)
                time.sleep(seconds)
                return "waited"
            case "who":
                return os.getpid(), open_files()
            case "fail":
                raise ValueError("unexpected")
            case "denied":
                raise DeniedError("no access", "")
            case "print":
                os.write(1, b"printed by the worker")
                os.write(2, b"printed by the worker")
                return "printed"
        return None


_MEETING = threading.Barrier(4)


@dataclass(frozen=True)
class Meeting:
    """A request that is answered once four are served at the same time."""

    concurrency: int = 1

    def respond(self, _bucket: BucketReader, _on_progress: OnProgress, /) -> str:
        _MEETING.wait(timeout=30)
        return "met"


def open_files() -> dict[int, str]:
    """Return what is open in this process, by number."""
    files = {}
    for entry in [*Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):  # the directory's own is closed by now
            files[int(entry.name)] = str(entry.readlink())
    return files


def ask(worker: WorkerProcess, words: object, on_progress: OnProgress = lambda _: None) -> object:
    return worker.call(Task(words), on_progress)


def has_ended(worker: WorkerProcess) -> bool:
    """Whether the worker is killed, and gets no further request."""
    worker._process.join(10)
    return worker._is_ended and worker._process.exitcode is not None


@pytest.mark.usefixtures("forks")
def test_worker_reads_the_bucket_and_responds(shop):
    with closing(start_worker(reader_of(shop))) as worker:
        assert ask(worker, ("count", "shop-1/")) == 4
        assert ask(worker, ("count", "")) == 16
        steps: list[int] = []
        assert ask(worker, ("say", "done", 1, 2), steps.append) == "done"
        assert steps == [1, 2]


@pytest.mark.usefixtures("forks")
def test_worker_serves_as_many_requests_at_once_as_it_has_connections(shop):
    with (
        closing(start_worker(reader_of(shop), connections=4)) as worker,
        ThreadPoolExecutor(4) as pool,
    ):
        assert [*pool.map(lambda _: worker.call(Meeting()), range(4))] == ["met"] * 4
        prefixes = [f"shop-{number % 5}/" for number in range(40)]
        counts = [*pool.map(lambda prefix: ask(worker, ("count", prefix)), prefixes)]
    assert counts == [0 if prefix == "shop-4/" else 4 for prefix in prefixes]


@pytest.mark.usefixtures("forks")
def test_worker_uses_the_parents_keys_and_never_shows_them(shop, monkeypatch):
    """They may come from a role, so that the environment must not be read again."""
    reader = reader_of(shop)
    opening = reader.export_access()
    assert opening.secret_key == SECRET
    assert SECRET not in repr(opening)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    with closing(start_worker(reader)) as worker:
        asked_before = len(shop.proxy.requests)
        assert ask(worker, ("count", "")) == 16
    signed = [one.headers["Authorization"] for one in shop.proxy.requests[asked_before:]]
    assert signed
    assert all("Credential=test-key/" in one for one in signed)


@pytest.mark.usefixtures("forks")
def test_refreshed_keys_reach_the_worker(shop, monkeypatch):
    with closing(start_worker(reader_of(shop))) as worker:
        assert ask(worker, ("count", "")) == 16
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed-key")
        worker._bucket = reader_of(shop)
        assert ask(worker, ("count", "")) == 16
    assert "Credential=renewed-key/" in shop.proxy.requests[-1].headers["Authorization"]


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize(
    "error", [AccessError("they have expired", "Get new ones."), RuntimeError("still expired")]
)
def test_worker_gets_no_request_without_keys(shop, monkeypatch, error):
    with closing(start_worker(reader_of(shop))) as worker:
        for opening in (lambda _: None, raising(error)):
            with monkeypatch.context() as patch:
                patch.setattr(BucketReader, "export_access", opening)
                assert ask(worker, ("count", "")) is None
            assert ask(worker, ("count", "")) == 16


@pytest.mark.usefixtures("forks")
def test_no_worker_is_started_without_keys(shop, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert start_worker(reader_of(shop)) is None


@pytest.mark.usefixtures("forks")
def test_keys_that_can_not_be_had_are_reported_and_not_asked_for_again(shop, monkeypatch):
    """Such as those of a role that needs an MFA code: botocore asks for it once."""
    monkeypatch.setattr(BucketReader, "export_access", raising(AccessError("a-message", "a-hint")))
    with pytest.raises(AccessError, match="a-message"):
        start_worker(reader_of(shop))


def raising(error: Exception) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("forks")
def test_worker_has_none_of_the_parents_output(shop, capfd):
    with closing(start_worker(reader_of(shop))) as worker:
        pid, files = ask(worker, "who")
        assert pid != os.getpid()
        assert [files[number] for number in range(3)] == ["/dev/null"] * 3
        assert ask(worker, "print") == "printed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("forks")
def test_worker_holds_no_file_lock_of_the_parent(shop, tmp_path):
    """Such as the journal's, which a resume takes as soon as the parent has ended."""
    with (tmp_path / "locked").open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        with closing(start_worker(reader_of(shop))) as worker:
            _, files = ask(worker, "who")
            locked.close()
            with (tmp_path / "locked").open() as again:
                fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert str(tmp_path / "locked") not in files.values()


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "fail", "end"])
def test_worker_that_has_ended_leaves_the_work_to_the_caller(shop, end):
    with closing(start_worker(reader_of(shop), connections=2)) as worker:
        if end == "fail":
            assert ask(worker, "fail") is None
        elif end == "end":
            worker.end()
        else:
            os.kill(worker._process.pid, end)
            worker._process.join()
        assert ask(worker, ("say", 1)) is None
        assert ask(worker, ("say", 1)) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_silent_worker_is_ended_and_its_late_response_never_received(shop):
    """It would be taken for the response to the next request."""
    timing = WorkerTiming(silence_seconds=0.1)
    with closing(start_worker(reader_of(shop), timing=timing)) as worker:
        assert ask(worker, ("wait", 0.2)) is None
        assert ask(worker, ("say", "next")) is None
        assert has_ended(worker)
        assert worker._process.exitcode == -signal.SIGKILL


@pytest.mark.usefixtures("forks")
def test_worker_that_stops_reading_a_request_is_ended(shop):
    """A long request does not fit in the buffer of a connection that is not read."""
    timing = WorkerTiming(silence_seconds=0.1)
    with closing(start_worker(reader_of(shop), timing=timing)) as worker:
        os.kill(worker._process.pid, signal.SIGSTOP)
        assert ask(worker, ("say", "x" * 5_000_000)) is None
        assert ask(worker, ("say", "next")) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_worker_that_stops_in_the_middle_of_a_response_is_ended(shop):
    timing = WorkerTiming(silence_seconds=0.3)
    with closing(start_worker(reader_of(shop), timing=timing)) as worker:

        def stop_in_response(_: int) -> None:
            """Wait until the response, which is longer than the pipe's buffer, has begun."""
            assert worker._pipes[0].poll(10)
            os.kill(worker._process.pid, signal.SIGSTOP)
            os.waitpid(worker._process.pid, os.WUNTRACED)  # until it has stopped

        assert ask(worker, ("say", "x" * 5_000_000, 1), stop_in_response) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_worker_that_is_killed_in_the_middle_of_a_response_leaves_the_work_to_the_caller(shop):
    with closing(start_worker(reader_of(shop))) as worker:

        def kill_in_response(_: int) -> None:
            assert worker._pipes[0].poll(10)
            os.kill(worker._process.pid, signal.SIGKILL)

        assert ask(worker, ("say", "x" * 5_000_000, 1), kill_in_response) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_heartbeats_keep_a_worker_alive_that_takes_long(shop):
    timing = WorkerTiming(heartbeat_seconds=0.05, silence_seconds=0.5)
    with closing(start_worker(reader_of(shop), timing=timing)) as worker:
        steps: list[int] = []
        assert ask(worker, ("wait", 0.6), steps.append) == "waited"
        assert {*steps} == {0}


@pytest.mark.usefixtures("forks")
def test_heartbeats_end_with_the_response(shop):
    timing = WorkerTiming(heartbeat_seconds=0.01)
    with closing(start_worker(reader_of(shop), timing=timing)) as worker:
        assert ask(worker, ("wait", 0.05)) == "waited"
        assert not worker._pipes[0].poll(0.1)


@pytest.mark.usefixtures("forks")
def test_response_after_an_error_of_the_caller_is_never_received(shop):
    """The caller no longer waits for it: the next one would take it for its own."""
    with closing(start_worker(reader_of(shop))) as worker:
        with pytest.raises(ZeroDivisionError):
            ask(worker, ("say", "first", 0), lambda steps: 1 // steps)
        assert ask(worker, ("say", "second")) is None
        assert has_ended(worker)


@pytest.mark.usefixtures("forks")
def test_access_error_leaves_the_request_to_the_caller_and_the_worker_alive(shop):
    with closing(start_worker(reader_of(shop))) as worker:
        assert ask(worker, "denied") is None
        assert ask(worker, ("say", "next")) == "next"


@pytest.mark.usefixtures("forks")
def test_caller_that_waits_continues_when_the_worker_is_ended(shop):
    with closing(start_worker(reader_of(shop))) as worker, ThreadPoolExecutor(1) as pool:
        has_begun = threading.Event()
        heard = pool.submit(ask, worker, ("wait", 60.0, 1), lambda _: has_begun.set())
        assert has_begun.wait(timeout=30)
        worker.end()
        assert heard.result(timeout=10) is None


@pytest.mark.usefixtures("forks")
def test_closed_worker_leaves_no_process_and_no_connection(shop):
    with closing(start_worker(reader_of(shop), connections=3)) as worker:
        pid, _ = ask(worker, "who")
    assert worker._process.exitcode is not None
    assert not Path(f"/proc/{pid}").exists()
    assert all(one.closed for one in worker._pipes)


@pytest.mark.usefixtures("forks")
def test_worker_ignores_interrupts(shop):
    with closing(start_worker(reader_of(shop))) as worker:
        os.kill(worker._process.pid, signal.SIGINT)
        assert ask(worker, ("say", "here")) == "here"


@pytest.mark.usefixtures("forks")
def test_no_worker_is_started_where_no_process_can_be_made(shop, monkeypatch):
    def refuse(*_: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert start_worker(reader_of(shop), connections=2) is None
    monkeypatch.undo()
    monkeypatch.setattr(multiprocessing.context.ForkContext, "Pipe", refuse)
    assert start_worker(reader_of(shop), connections=2) is None


@pytest.mark.parametrize("cores", [0, 1, 2, 64])
def test_worker_is_started_where_there_is_a_core_for_it(shop, monkeypatch, cores):
    monkeypatch.setattr(worker_process, "_is_single_threaded", lambda: True)
    monkeypatch.setattr(worker_process, "_count_cores", lambda: cores)
    worker = start_worker(reader_of(shop))
    assert (worker is None) == (cores < 2)
    if worker is not None:
        worker.close()


def test_no_worker_is_started_while_there_are_other_threads(shop, monkeypatch):
    monkeypatch.setattr(worker_process, "_count_cores", lambda: 2)
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    assert start_worker(reader_of(shop)) is None
    done.set()
    other.join()


def test_no_worker_is_started_where_threads_can_not_be_counted(tmp_path):
    """Such as on macOS, whose libraries do not support a fork."""
    for tasks, is_alone in ((["1"], True), (["1", "2"], False), (None, False)):
        folder = tmp_path / str(tasks)
        for task in tasks or ():
            (folder / task).mkdir(parents=True)
        assert worker_process._is_single_threaded(folder) == is_alone


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_cores_are_those_that_this_process_may_use(monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(cores)})
    assert worker_process._count_cores(Path("/nowhere")) == cores


@pytest.mark.parametrize(
    ("said", "cores"),
    [("max 100000", 4), ("100000 100000", 1), ("350000 100000", 3), ("50000 100000", 0), ("?", 4)],
)
def test_container_may_have_less_than_the_cores_it_sees(tmp_path, monkeypatch, said, cores):
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(4)})
    assert worker_process._count_cores(tmp_path / "cpu.max") == cores
