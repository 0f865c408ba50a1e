"""A copy of this Python: what it answers, as whom, and what becomes of it if it fails."""

import fcntl
import multiprocessing.context
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ci3.aws.bucket import BucketReader
from ci3.engine.workers import worker_process as fork
from ci3.engine.workers.worker_process import Fork, Say, fork_beside, forked
from ci3.errors import AccessError
from tests.support.s3.moto_s3 import Bucket

SECRET = "test-secret"
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def reader_of(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


def answer(bucket: BucketReader, question: object, say: Say) -> None:
    """Answer what these tests ask."""
    match question:
        case "count", str(prefix):
            say(len(bucket.list_keys(prefix)))
        case "say", *words:
            for word in words:
                say(word)
        case "wait", float(seconds):
            time.sleep(seconds)
            say("waited")
        case "who":
            say((os.getpid(), open_files()))
        case "fail":
            raise ValueError("nobody thought of this")
        case "print":
            os.write(1, b"said by the copy")
            os.write(2, b"said by the copy")
            say("printed")


def open_files() -> dict[int, str]:
    """Tell what is open in this process, by number."""
    found = {}
    for one in [*Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):  # the list's own is closed by now
            found[int(one.name)] = str(one.readlink())
    return found


def ask(copy: Fork, question: object) -> object:
    with copy.line() as line:
        return line.hear() if line.ask(question) else "it has ended"


@pytest.mark.usefixtures("forks")
def test_copy_reads_the_bucket_and_answers(shop):
    with forked(reader_of(shop), answer) as copy:
        assert ask(copy, ("count", "shop-1/")) == 4
        assert ask(copy, ("count", "")) == 16
        with copy.line() as line:
            assert line.ask(("say", 1, 2))
            assert [line.hear(), line.hear()] == [1, 2]


@pytest.mark.usefixtures("forks")
def test_copy_answers_as_many_at_once_as_there_are_lines(shop):
    with (
        closing(fork_beside(reader_of(shop), answer, lines=4)) as copy,
        ThreadPoolExecutor(4) as pool,
    ):
        began = time.monotonic()
        assert [*pool.map(lambda _: ask(copy, ("wait", 0.4)), range(4))] == ["waited"] * 4
        assert time.monotonic() - began < 1.2
        prefixes = [f"shop-{number % 5}/" for number in range(40)]
        counts = [*pool.map(lambda prefix: ask(copy, ("count", prefix)), prefixes)]
    assert counts == [0 if prefix == "shop-4/" else 4 for prefix in prefixes]


@pytest.mark.usefixtures("forks")
def test_copy_asks_with_the_keys_of_this_python_and_never_shows_them(shop, monkeypatch):
    """They may come from a role: what the environment holds is not what counts."""
    reader = reader_of(shop)
    opening = reader.opening()
    assert opening.secret_key == SECRET
    assert SECRET not in repr(opening)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    with forked(reader, answer) as copy:
        asked_before = len(shop.proxy.requests)
        assert ask(copy, ("count", "")) == 16
    signed = [one.headers["Authorization"] for one in shop.proxy.requests[asked_before:]]
    assert signed
    assert all("Credential=test-key/" in one for one in signed)


@pytest.mark.usefixtures("forks")
def test_copy_goes_on_with_new_keys(shop, monkeypatch):
    with forked(reader_of(shop), answer) as copy:
        assert ask(copy, ("count", "")) == 16
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed-key")
        copy._bucket = reader_of(shop)
        assert ask(copy, ("count", "")) == 16
    assert "Credential=renewed-key/" in shop.proxy.requests[-1].headers["Authorization"]


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize(
    "error", [AccessError("they have expired", "Get new ones."), RuntimeError("still expired")]
)
def test_copy_is_not_asked_without_keys(shop, monkeypatch, error):
    with forked(reader_of(shop), answer) as copy:
        monkeypatch.setattr(BucketReader, "opening", lambda _: None)
        assert ask(copy, ("count", "")) == "it has ended"
        monkeypatch.setattr(BucketReader, "opening", raising(error))
        assert ask(copy, ("count", "")) == "it has ended"


@pytest.mark.usefixtures("forks")
def test_there_is_no_copy_without_keys(shop, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with forked(reader_of(shop), answer) as copy:
        assert copy is None


@pytest.mark.usefixtures("forks")
def test_keys_that_can_not_be_had_are_told_and_not_asked_for_again(shop, monkeypatch):
    """Such as a role that is not to be had without a code: botocore asks for that once."""
    monkeypatch.setattr(BucketReader, "opening", raising(AccessError("wrong code", "Try again.")))
    with pytest.raises(AccessError, match="wrong code"), forked(reader_of(shop), answer):
        pytest.fail("there was a copy")


def raising(error: Exception) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise error

    return fail


@pytest.mark.usefixtures("forks")
def test_copy_writes_nowhere_that_this_python_writes(shop, capfd):
    with forked(reader_of(shop), answer) as copy:
        pid, files = ask(copy, "who")
        assert pid != os.getpid()
        assert [files[number] for number in range(3)] == ["/dev/null"] * 3
        assert ask(copy, "print") == "printed"
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("forks")
def test_copy_holds_no_lock_of_this_python(shop, tmp_path):
    """Such as that of the journal, which a resume wants as soon as this Python is gone."""
    with (tmp_path / "locked").open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        with forked(reader_of(shop), answer) as copy:
            _, files = ask(copy, "who")
            locked.close()
            with (tmp_path / "locked").open() as again:
                fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert str(tmp_path / "locked") not in files.values()


@pytest.mark.usefixtures("forks")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "fail", "end"])
def test_copy_that_has_ended_says_so(shop, end):
    with closing(fork_beside(reader_of(shop), answer, lines=2)) as copy:
        if end == "fail":
            assert ask(copy, "fail") is None
        elif end == "end":
            copy.end()
        else:
            os.kill(copy._process.pid, end)
            copy._process.join()
        assert ask(copy, ("say", 1)) in (None, "it has ended")
        assert ask(copy, ("say", 1)) == "it has ended"


@pytest.mark.usefixtures("forks")
def test_copy_that_stands_still_is_ended_and_never_heard_again(shop, monkeypatch):
    """What it says too late must not be taken for the answer to what is asked next."""
    with forked(reader_of(shop), answer) as copy:
        monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.3)
        assert ask(copy, ("wait", 0.6)) is None
        assert ask(copy, ("say", "next")) == "it has ended"
        copy._process.join(10)
        assert copy._process.exitcode == -signal.SIGKILL


@pytest.mark.usefixtures("forks")
def test_copy_that_stands_still_while_it_is_asked_is_ended(shop, monkeypatch):
    """A long question does not fit in a pipe that nobody reads."""
    monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.3)
    with forked(reader_of(shop), answer) as copy:
        os.kill(copy._process.pid, signal.SIGSTOP)
        assert ask(copy, ("say", "x" * 5_000_000)) == "it has ended"
        assert ask(copy, ("say", "next")) == "it has ended"


@pytest.mark.usefixtures("forks")
def test_copy_that_stands_still_in_the_midst_of_an_answer_is_ended(shop, monkeypatch):
    monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.3)
    with forked(reader_of(shop), answer) as copy, copy.line() as line:
        assert line.ask(("say", "x" * 5_000_000))
        assert line._pipe.poll(10)
        os.kill(copy._process.pid, signal.SIGSTOP)
        assert line.hear() is None


@pytest.mark.usefixtures("forks")
def test_who_waits_for_a_copy_goes_on_when_it_is_ended(shop):
    with forked(reader_of(shop), answer) as copy, ThreadPoolExecutor(1) as pool:
        heard = pool.submit(ask, copy, ("wait", 60.0))
        time.sleep(0.1)
        copy.end()
        assert heard.result(timeout=10) is None


@pytest.mark.usefixtures("forks")
def test_copy_ends_with_what_it_was_there_for(shop):
    with closing(fork_beside(reader_of(shop), answer, lines=3)) as copy:
        pid, _ = ask(copy, "who")
    assert copy._process.exitcode is not None
    assert not Path(f"/proc/{pid}").exists()
    assert all(one.closed for one in copy._pipes)


@pytest.mark.usefixtures("forks")
def test_copy_heeds_no_interrupt(shop):
    with forked(reader_of(shop), answer) as copy:
        os.kill(copy._process.pid, signal.SIGINT)
        assert ask(copy, ("say", "here")) == "here"


@pytest.mark.usefixtures("forks")
def test_there_is_no_copy_where_no_process_can_be_made(shop, monkeypatch):
    def refuse(*_: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert fork_beside(reader_of(shop), answer, lines=2) is None
    monkeypatch.undo()
    monkeypatch.setattr(multiprocessing.context.ForkContext, "Pipe", refuse)
    assert fork_beside(reader_of(shop), answer, lines=2) is None


@pytest.mark.parametrize("cores", [0, 1, 2, 64])
def test_there_is_a_copy_where_there_is_a_core_for_it(shop, monkeypatch, cores):
    monkeypatch.setattr(fork, "_is_alone", lambda: True)
    monkeypatch.setattr(fork, "_count_cores", lambda: cores)
    with forked(reader_of(shop), answer) as copy:
        assert (copy is None) == (cores < 2)


def test_there_is_no_copy_beside_other_threads(shop, monkeypatch):
    monkeypatch.setattr(fork, "_count_cores", lambda: 2)
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    with forked(reader_of(shop), answer) as copy:
        assert copy is None
    done.set()
    other.join()


def test_there_is_no_copy_where_threads_can_not_be_seen(shop, monkeypatch, tmp_path):
    """Such as on macOS, where a copy can't be relied on."""
    monkeypatch.setattr(fork, "_count_cores", lambda: 2)
    for tasks, is_alone in ((["1"], True), (["1", "2"], False), (None, False)):
        folder = tmp_path / str(tasks)
        for task in tasks or ():
            (folder / task).mkdir(parents=True)
        monkeypatch.setattr(fork, "_THREADS", folder)
        assert fork._is_alone() == is_alone


@pytest.mark.parametrize("cores", [1, 2, 64])
def test_cores_are_those_that_this_python_may_use(monkeypatch, cores):
    monkeypatch.setattr(fork, "_CPU_MAX", Path("/nowhere"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(cores)})
    assert fork._count_cores() == cores


@pytest.mark.parametrize(
    ("said", "cores"),
    [("max 100000", 4), ("100000 100000", 1), ("350000 100000", 3), ("50000 100000", 0), ("?", 4)],
)
def test_container_may_have_less_than_the_cores_it_sees(tmp_path, monkeypatch, said, cores):
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    monkeypatch.setattr(fork, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(4)})
    assert fork._count_cores() == cores
