"""Write a journal to a file that grows by complete lines: each is written fully or not at all."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Protocol

from ci3.core.journal.location import RunState
from ci3.errors import JournalError, SettingsError, add_workspace_note

_UNSUPPORTED_SYNC_ERRORS = (
    errno.EACCES,  # a folder that may be written and not read
    errno.EBADF,
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EPERM,
)


class LineSink(Protocol):
    """A destination for the lines of a journal, in order."""

    def append_line(self, line: bytes, *, should_sync: bool) -> None:
        """Append a line; with `should_sync`, it is durable once this returns."""

    def truncate(self, size_bytes: int, *, read_bytes: int) -> None:
        """Discard everything after `size_bytes`, and continue there.

        `read_bytes` is the size that was read. Raises SettingsError where the journal has grown
        since: another run is writing it.
        """

    def find_sharing_problem(self) -> str:
        """Return why a second run could write the journal unnoticed, or an empty text.

        The header must have been written. This changes no line.
        """

    def record_state(self, state: RunState) -> None:
        """Record the state of the run where later plans find it, after the last line."""

    def close(self) -> None:
        """Release the journal; no line may follow."""


class FileSink:
    """A journal file that grows by complete lines."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        """Take over an open file; raises SettingsError, and closes it, where it is in use."""
        self._file = file
        self._path = path
        self._lock = Lock()
        self._size_bytes = 0
        self._is_broken = False
        # Where locks have no effect, two writers then add lines, which both detect by the size.
        # Otherwise one would overwrite the other's line at the same place.
        flags = fcntl.fcntl(file.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(file.fileno(), fcntl.F_SETFL, flags | os.O_APPEND)
        try:
            self._lock_problem = lock_journal(file, path, fcntl.LOCK_EX)
        except SettingsError:
            self.close()
            raise

    def append_line(self, line: bytes, *, should_sync: bool) -> None:
        """Append a line; raises JournalError, and leaves none of it, if it can't be written."""
        with self._lock:
            if self._is_broken:
                raise _write_error(self._path, "an earlier line could not be written completely")
            try:
                # Detects another writer where locks do not work.
                if not self._has_size(self._size_bytes):
                    self._is_broken = True
                    raise JournalError(
                        f"the journal {self._path} was also written by another run",
                        "Resume the run from it once no other run uses it.",
                    )
                _write_all(self._file, line)
                if should_sync:
                    os.fsync(self._file.fileno())
            except OSError as exc:
                self._remove_partial_line()
                raise _write_error(self._path, str(exc.strerror)) from exc
            self._size_bytes += len(line)

    def truncate(self, size_bytes: int, *, read_bytes: int) -> None:
        """Truncate the file, unless it has grown since it was read; raises SettingsError."""
        try:
            if not self._has_size(read_bytes):
                raise _in_use_error(self._path, "writing")
            self._truncate_to(size_bytes)
        except OSError as exc:
            raise _open_error(self._path, exc) from exc

    def find_sharing_problem(self) -> str:
        """Return why the file is not locked, or an empty text if it is."""
        return self._lock_problem

    def record_state(self, state: RunState) -> None:
        """Do nothing: plans do not read journal files."""

    def close(self) -> None:
        """Close the file."""
        # Every write was reported already, so an error here, as of a full disk, adds nothing.
        with suppress(OSError):
            self._file.close()

    def _remove_partial_line(self) -> None:
        """Remove a partly written line; if that fails too, refuse all further lines."""
        try:
            self._truncate_to(self._size_bytes)
        except OSError:
            self._is_broken = True

    def _has_size(self, size_bytes: int) -> bool:
        return os.fstat(self._file.fileno()).st_size == size_bytes

    def _truncate_to(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._file.truncate(size_bytes)
        self._file.seek(size_bytes)


def refuse_existing_journal(path: str) -> None:
    """Raise SettingsError if `create_journal_file` would, because the file exists."""
    if os.path.lexists(path):
        raise _exists_error(path)


def create_journal_file(path: str) -> FileSink:
    """Create a journal file; raises SettingsError when it exists or cannot be created.

    Its entry in the folder is durable once this returns.
    """
    try:
        file = Path(path).open("xb", buffering=0)  # noqa: SIM115 - the sink closes it
    except FileExistsError as exc:
        raise _exists_error(path) from exc
    except OSError as exc:
        raise _open_error(path, exc) from exc
    sink = FileSink(file, path)
    try:
        _sync_folder(Path(path).parent)
    except OSError as exc:
        sink.close()
        with suppress(OSError):
            Path(path).unlink()  # empty; the next run would refuse to overwrite it
        raise _open_error(path, exc) from exc
    return sink


def _sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk: else a power failure may leave a file without a name.

    Without effect where folders can't be opened or synced, as on some network file systems.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as exc:
        if exc.errno not in _UNSUPPORTED_SYNC_ERRORS:
            raise


def reopen_journal_file(path: str) -> FileSink:
    """Open a journal file to append to it; raises SettingsError when that is impossible."""
    try:
        return FileSink(Path(path).open("r+b", buffering=0), path)
    except OSError as exc:
        raise SettingsError(
            f"the journal {path} {_describe_open_problem(exc)}",
            add_workspace_note(
                "Name the journal that the interrupted run has written. Nothing was deleted.", path
            ),
        ) from exc


def open_journal_stream(path: str) -> BinaryIO:
    """Open a journal file for reading; raises SettingsError when that is impossible."""
    try:
        return Path(path).open("rb")
    except OSError as exc:
        raise SettingsError(
            f"the journal {path} {_describe_open_problem(exc)}",
            add_workspace_note("Name the journal that the run wrote.", path),
        ) from exc


def _describe_open_problem(exc: OSError) -> str:
    """Return what follows the name of a file that cannot be opened: `does not exist`."""
    is_missing = isinstance(exc, FileNotFoundError)
    return "does not exist" if is_missing else f"cannot be opened: {exc.strerror}"


def lock_journal(stream: BinaryIO, path: str, operation: int) -> str:
    """Lock a journal against other runs for as long as it is open.

    `operation` is LOCK_SH or LOCK_EX. Returns an empty text, or why there is no lock: some file
    systems have none. Raises SettingsError where another run holds the lock.
    """
    try:
        fcntl.flock(stream.fileno(), operation | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise _in_use_error(path, "writing or reading") from exc
    except OSError as exc:
        return f"its file system does not support locks ({exc.strerror})"
    return ""


def _write_all(file: BinaryIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]


def _in_use_error(path: str, activity: str) -> SettingsError:
    return SettingsError(
        f"the journal {path} is in use: another run is {activity} it",
        "Wait until that run has ended.",
    )


def _exists_error(path: str) -> SettingsError:
    return SettingsError(
        f"the journal {path} already exists, and may be needed to restore what a run deleted",
        "Name another journal-file, or move the existing file.",
    )


def _write_error(path: str, reason: str) -> JournalError:
    return JournalError(
        f"the journal {path} cannot be written: {reason}",
        "Free disk space or name another journal-file, and run again.",
    )


def _open_error(path: str, exc: OSError) -> SettingsError:
    return SettingsError(
        f"the journal {path} cannot be written: {exc.strerror}",
        add_workspace_note("Name a journal-file in a writable folder. Nothing was deleted.", path),
    )
