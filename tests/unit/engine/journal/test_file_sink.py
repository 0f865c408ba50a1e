"""The journal file: when it is flushed, full disks, and file locks."""

import errno
import fcntl
import io
import os
import resource
import signal
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.file_sink import create_journal_file, reopen_journal_file
from ci3.engine.journal.reader import reopen_journal
from ci3.engine.journal.writer import Journal
from ci3.errors import JournalError, RefusedError, SettingsError
from tests.support.builders import NOW
from tests.support.golden import assert_messages
from tests.support.journals import (
    DELETED,
    make_object,
    read_entries,
    read_journal,
    resume_journal,
    start_journal,
    write_journal,
)


def test_intent_is_flushed_at_once_and_outcome_with_the_next_record(monkeypatch):
    a = make_object("app/old/a")
    synced: list[int] = []

    def sync(file: int) -> None:
        if stat.S_ISREG(os.fstat(file).st_mode):
            synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    sizes = []
    with start_journal() as journal:
        sizes.append(Path("j.jsonl").stat().st_size)
        journal.record_intent([("app/old/", [a])])
        sizes.append(Path("j.jsonl").stat().st_size)
        journal.record_outcome(1, [DELETED])
        assert synced == sizes
        journal.record_end("")
        sizes.append(Path("j.jsonl").stat().st_size)
    assert synced == sizes


def test_folder_entry_of_a_new_journal_is_flushed_before_the_first_line(monkeypatch):
    events: list[str] = []

    def sync(file: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(file).st_mode)
        assert not is_folder or os.path.samestat(os.fstat(file), Path().stat())
        events.append("folder" if is_folder else "line")

    monkeypatch.setattr(os, "fsync", sync)
    with start_journal():
        assert events == ["folder", "line"]


@pytest.mark.parametrize(
    ("code", "is_refused"),
    [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True), (errno.ENOSPC, True)],
)
def test_folder_that_cannot_be_flushed_refuses_unless_flushing_is_unsupported(
    monkeypatch, code: int, *, is_refused: bool
) -> None:
    def sync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(SettingsError) if is_refused else nullcontext():
        create_journal_file("j.jsonl").close()
    assert Path("j.jsonl").exists() is not is_refused


@pytest.mark.parametrize("free_bytes", [0, 1, 50])
def test_line_that_does_not_fit_is_removed_and_shorter_lines_may_follow(free_bytes):
    a = make_object("app/old/a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with start_journal() as journal:
            journal.record_intent([("app/old/", [a])])
            size = Path("j.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + free_bytes, limits[1]))
            with pytest.raises(JournalError, match=r"j\.jsonl"):
                journal.record_intent(
                    [("app/old/", [make_object(f"app/old/{number}") for number in range(9)])]
                )
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            journal.record_outcome(1, [DELETED])
            journal.record_end("disk-full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    journal = read_journal(Path("j.jsonl").read_bytes())
    assert journal.stop_reason == "disk-full"
    assert [entry.outcome for entry in read_entries(journal).values()] == [ObjectOutcome.DELETED]


def test_nothing_is_written_after_a_partial_line_that_could_not_be_removed():
    with start_journal() as journal:
        before = Path("j.jsonl").read_bytes()
        journal._lines._file.close()
        journal._lines._file = _FailingFile("j.jsonl")
        with pytest.raises(JournalError, match=os.strerror(28)):
            journal.record_intent([("app/old/", [make_object("app/old/a")])])
        with pytest.raises(JournalError, match=r"j\.jsonl") as caught:
            journal.record_end("")
        assert_messages(__file__, [("after a line that could not be removed", caught.value)])
    after = Path("j.jsonl").read_bytes()
    assert after != before
    assert read_journal(after).is_truncated


class _FailingFile(io.FileIO):
    """A file that accepts a part of one line, and then fails to write and to truncate."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "r+")
        self.seek(0, io.SEEK_END)
        self._can_write = True

    def write(self, line) -> int:
        if not self._can_write:
            raise OSError(28, os.strerror(28))
        self._can_write = False
        return super().write(line[:10])

    def truncate(self, size=None):  # noqa: ARG002 - the signature of FileIO
        raise OSError(5, "Input/output error")


NO_LOCKS = os.strerror(errno.ENOLCK)


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system whose locks have no effect, such as NFS mounted with `nolock`."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)


@pytest.fixture
def refused_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks, where locking is an error."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, NO_LOCKS)

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("refused_locks")
def test_journal_that_cannot_be_locked_is_not_resumed():
    write_journal(([make_object("app/old/a")], None), stopped=None)
    content = Path("j.jsonl").read_bytes()
    with pytest.raises(RefusedError, match=NO_LOCKS), resume_journal():
        pass
    assert Path("j.jsonl").read_bytes() == content


@pytest.mark.usefixtures("refused_locks")
def test_new_journal_that_cannot_be_locked_reports_a_problem():
    with start_journal() as journal:
        assert NO_LOCKS in journal.sharing_problem


def test_new_journal_that_is_locked_reports_no_problem():
    with start_journal() as journal:
        assert journal.sharing_problem == ""


@pytest.mark.usefixtures("no_locks")
def test_without_locks_two_lines_written_at_the_same_time_stop_both_runs(
    monkeypatch: pytest.MonkeyPatch,
):
    """Both runs check the size successfully, and then both write."""
    content = write_journal(([make_object("app/old/a")], None), stopped=None)
    first, second = reopen_journal_file("j.jsonl"), reopen_journal_file("j.jsonl")
    for sink in (first, second):
        sink.truncate(len(content), read_bytes=len(content))
    has_size = first._has_size

    def write_second_line_after_check(size_bytes: int) -> bool:
        is_expected = has_size(size_bytes)
        monkeypatch.setattr(first, "_has_size", has_size)
        second.append_line(b"second\n", should_sync=True)
        return is_expected

    monkeypatch.setattr(first, "_has_size", write_second_line_after_check)
    first.append_line(b"first\n", should_sync=True)
    for sink in (first, second):
        with pytest.raises(JournalError, match=r"j\.jsonl"):
            sink.append_line(b"next\n", should_sync=True)
        sink.close()
    assert Path("j.jsonl").read_bytes() == content + b"second\nfirst\n"


@pytest.mark.usefixtures("no_locks")
def test_without_locks_lines_written_after_the_journal_was_read_are_kept():
    a = make_object("app/old/a")
    with start_journal() as running:
        running.record_intent([("app/old/", [a])])
        with reopen_journal("j.jsonl") as journal_file:
            running.record_outcome(1, [DELETED])
            running.record_intent([("app/old/", [make_object("app/old/b")])])
            content = Path("j.jsonl").read_bytes()
            with pytest.raises(SettingsError, match=r"j\.jsonl"):
                Journal.resume(journal_file, ci3_version="2", resumed_at=NOW)
        assert Path("j.jsonl").read_bytes() == content
        running.record_outcome(2, [DELETED])
        running.record_end("")
    journal = read_journal(Path("j.jsonl").read_bytes())
    assert journal.has_ended
    assert {entry.outcome for entry in read_entries(journal).values()} == {ObjectOutcome.DELETED}


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_run_stops_writing_after_another_run_resumes_its_journal():
    with start_journal() as running:
        running.record_intent([("app/old/", [make_object("app/old/a")])])
        with resume_journal() as resumed:
            for _ in range(2):
                with pytest.raises(JournalError, match=r"j\.jsonl"):
                    running.record_intent([("app/old/", [make_object("app/old/b")])])
            resumed.record_end("")
    journal = read_journal(Path("j.jsonl").read_bytes())
    assert (journal.has_ended, journal.last_batch) == (True, 1)
