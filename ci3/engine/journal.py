"""The journal: what is about to be deleted, on disk before the request, and what became of it."""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Self

from ci3.aws.bucket import KeyOutcome
from ci3.constants import JOURNAL_FOLDER, JOURNAL_FORMAT
from ci3.core.model import StoredObject, Target
from ci3.core.wording import timestamp
from ci3.engine.journal_file import JournalFile, lock_journal
from ci3.errors import JournalError, SettingsError


def stored_journal_key(prefix: str, run_id: str) -> str:
    """Name the object that a run's journal is stored as, in the bucket that it cleaned."""
    return f"{prefix}{JOURNAL_FOLDER}/journals/{run_id}.jsonl"


class LineFile:
    """A file that grows by whole lines of JSON, each on disk when it is added."""

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

    def add(self, record: Mapping[str, object]) -> None:
        """Add a line; raises JournalError when it can't be written, and then leaves none of it."""
        line = json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"
        with self._lock:
            if self._is_broken:
                raise _unwritten(self._path, "an earlier line broke off")
            try:
                _write_all(self._file, line)
                os.fsync(self._file.fileno())
            except OSError as exc:
                self._take_back()
                raise _unwritten(self._path, str(exc.strerror)) from exc
            self._size_bytes += len(line)

    def cut(self, size_bytes: int) -> None:
        """Cut off what stands behind so many bytes."""
        self._size_bytes = size_bytes
        self._file.truncate(size_bytes)
        self._file.seek(size_bytes)

    def close(self) -> None:
        """Close it."""
        # Each line was flushed or told as unwritable, so that a full disk has no more to say.
        with suppress(OSError):
            self._file.close()

    def _take_back(self) -> None:
        """Cut off what was written of a line; where that fails too, no other may follow it."""
        try:
            self.cut(self._size_bytes)
        except OSError:
            self._is_broken = True


def _write_all(file: BinaryIO, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[file.write(rest) :]


def _unwritten(path: str, why: str) -> JournalError:
    return JournalError(
        f"the journal {path} can't be written: {why}",
        "Make room or name another journal-file, and run again.",
    )


class Journal:
    """Writes JSON Lines: a header, then for each batch its intent and its outcome.

    Lines, told apart by `record`: `header` (`format`, `ci3_version`, `run_id`, `plan_id`,
    `started_at`, `target`), `intent` (`batch`, `objects` as key, ETag, size, last modified, version
    id), `outcome` (`batch`, `outcomes` by key), `resumed`, `end` (`stopped`); see
    docs/journal.schema.json.
    """

    def __init__(self, path: str, lines: LineFile | None = None) -> None:
        """Make the file; raises SettingsError when it is there already or can't be made."""
        self.path = path
        self._lines = lines or LineFile(_create(path), path)

    @classmethod
    def resume(cls, path: str, target: Target, *, ci3_version: str, resumed_at: datetime) -> Self:
        """Open a run's journal to go on with it, and write that down; batches count anew.

        A last line that a crash cut off is taken away. Raises SettingsError where it is no journal,
        is in use, or is of another target.
        """
        lines = LineFile(_open(path), path)
        try:
            lines.cut(_size_to_go_on_from(path, target))
            moment = timestamp(resumed_at)
            lines.add({"record": "resumed", "ci3_version": ci3_version, "resumed_at": moment})
        except BaseException:
            lines.close()
            raise
        return cls(path, lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()

    def begin(
        self, *, ci3_version: str, run_id: str, plan_id: str, started_at: datetime, target: Target
    ) -> None:
        """Write the header: which run this is, of which plan, on which bucket."""
        self._lines.add(
            {
                "record": "header",
                "format": JOURNAL_FORMAT,
                "ci3_version": ci3_version,
                "run_id": run_id,
                "plan_id": plan_id,
                "started_at": timestamp(started_at),
                "target": {
                    "bucket": target.bucket,
                    "region": target.region,
                    "prefix": target.prefix,
                    "endpoint_url": target.endpoint_url,
                    "versioning": target.versioning,
                },
            }
        )

    def intend(self, batch: int, objects: Sequence[StoredObject]) -> None:
        """Write down what the next request is to delete; it is on disk when this returns."""
        self._lines.add(
            {
                "record": "intent",
                "batch": batch,
                "objects": [
                    {
                        "key": stored.key,
                        "etag": stored.etag,
                        "size_bytes": stored.size_bytes,
                        "modified_at": timestamp(stored.modified_at),
                        "version_id": stored.version_id or None,
                    }
                    for stored in objects
                ],
            }
        )

    def conclude(self, batch: int, outcomes: Mapping[str, KeyOutcome]) -> None:
        """Write down what became of each key of a batch."""
        self._lines.add(
            {
                "record": "outcome",
                "batch": batch,
                "outcomes": [
                    {
                        "key": key,
                        "outcome": one.outcome,
                        "marker_version_id": one.marker_version_id or None,
                        "message": one.message,
                    }
                    for key, one in outcomes.items()
                ],
            }
        )

    def end(self, stopped: str) -> None:
        """Write that the run ended, and why early if it did."""
        self._lines.add({"record": "end", "stopped": stopped})


def _create(path: str) -> BinaryIO:
    try:
        return Path(path).open("xb", buffering=0)
    except FileExistsError as exc:
        raise SettingsError(
            f"the journal {path} is there already, and may be all that can undo a run",
            "Name another journal-file, or move that one away.",
        ) from exc
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("r+b", buffering=0)
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: str, exc: OSError) -> SettingsError:
    return SettingsError(
        f"the journal {path} can't be written: {exc.strerror}",
        "Name a journal-file in a folder that can be written. Nothing was deleted.",
    )


def _size_to_go_on_from(path: str, target: Target) -> int:
    """Check that a journal is of a target; give its size without a torn last line."""
    with Path(path).open("rb") as stream:
        written = JournalFile(stream, path)
    of = written.header.target
    for name in ("bucket", "prefix", "endpoint_url"):
        if getattr(of, name) != getattr(target, name):
            raise SettingsError(
                f"the journal {path} is of {of.url} at {of.endpoint_url or 'AWS'}, and this run is "
                f"of {target.url} at {target.endpoint_url or 'AWS'}",
                "Resume with the settings of the run that wrote it. Nothing was deleted.",
            )
    return written.size_bytes
