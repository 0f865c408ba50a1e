"""Where a journal's lines go: to a file that grows by whole lines, each there or not at all."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol

from ci3.errors import JournalError, SettingsError


class Lines(Protocol):
    """A place that takes whole lines, in order."""

    def add(self, line: bytes, *, is_urgent: bool) -> None:
        """Add a line; what is urgent outlasts a crash of the machine once this returns."""

    def cut(self, size_bytes: int, *, read_bytes: int) -> None:
        """Take away what stands behind so many bytes, if all there is was read; go on from there.

        Raises SettingsError where there is more than that: another run is writing.
        """

    def close(self) -> None:
        """Take no more."""


class LineFile:
    """A file that grows by whole lines."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        """Take an open file over; raises SettingsError, and closes it, where it is in use."""
        self._file = file
        self._path = path
        self._lock = Lock()
        self._size_bytes = 0
        self._is_broken = False
        try:
            lock_journal(file, path, fcntl.LOCK_EX)
        except SettingsError:
            self.close()
            raise

    def add(self, line: bytes, *, is_urgent: bool) -> None:
        """Add a line; raises JournalError when it can't be written, and then leaves none of it."""
        with self._lock:
            if self._is_broken:
                raise _unwritten(self._path, "an earlier line broke off")
            try:
                if not self._has(self._size_bytes):  # where no locks are, this is what tells
                    self._is_broken = True
                    raise JournalError(
                        f"the journal {self._path} was written by another run meanwhile",
                        "Go on with it by resume, once no other run does.",
                    )
                _write_all(self._file, line)
                if is_urgent:
                    os.fsync(self._file.fileno())
            except OSError as exc:
                self._take_back()
                raise _unwritten(self._path, str(exc.strerror)) from exc
            self._size_bytes += len(line)

    def cut(self, size_bytes: int, *, read_bytes: int) -> None:
        """Cut off what stands behind so many bytes, unless the file has grown since it was read."""
        try:
            if not self._has(read_bytes):
                raise _in_use(self._path, "writing")
            self._end_at(size_bytes)
        except OSError as exc:
            raise _unwritable(self._path, exc) from exc

    def close(self) -> None:
        """Close it."""
        # Each line was written or told as unwritable, so that a full disk has no more to say.
        with suppress(OSError):
            self._file.close()

    def _take_back(self) -> None:
        """Cut off what was written of a line; where that fails too, no other may follow it."""
        try:
            self._end_at(self._size_bytes)
        except OSError:
            self._is_broken = True

    def _has(self, size_bytes: int) -> bool:
        return os.fstat(self._file.fileno()).st_size == size_bytes

    def _end_at(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._file.truncate(size_bytes)
        self._file.seek(size_bytes)


def create_file(path: str) -> LineFile:
    """Make a journal's file; raises SettingsError when it is there already or can't be made."""
    try:
        return LineFile(Path(path).open("xb", buffering=0), path)
    except FileExistsError as exc:
        raise SettingsError(
            f"the journal {path} is there already, and may be all that can undo a run",
            "Name another journal-file, or move that one away.",
        ) from exc
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def reopen_file(path: str) -> LineFile:
    """Open a journal's file to go on with it; raises SettingsError when that is impossible."""
    try:
        return LineFile(Path(path).open("r+b", buffering=0), path)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def lock_journal(stream: BinaryIO, path: str, how: int) -> None:
    """Hold a journal against another run, as long as it is open; where no locks are, do not."""
    try:
        fcntl.flock(stream.fileno(), how | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise _in_use(path, "writing or reading") from exc
    except OSError:
        return


def _write_all(file: BinaryIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]


def _in_use(path: str, how: str) -> SettingsError:
    return SettingsError(
        f"the journal {path} is in use: another run is {how} it", "Wait until that run has ended."
    )


def _unwritten(path: str, why: str) -> JournalError:
    return JournalError(
        f"the journal {path} can't be written: {why}",
        "Make room or name another journal-file, and run again.",
    )


def _unwritable(path: str, exc: OSError) -> SettingsError:
    return SettingsError(
        f"the journal {path} can't be written: {exc.strerror}",
        "Name a journal-file in a folder that can be written. Nothing was deleted.",
    )
