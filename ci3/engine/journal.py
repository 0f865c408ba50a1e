"""The journal: what is about to be deleted, on disk before the request, and what became of it."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from ci3.aws.bucket import KeyOutcome
from ci3.constants import JOURNAL_FORMAT
from ci3.core.model import StoredObject, Target
from ci3.core.wording import timestamp
from ci3.errors import JournalError, SettingsError


class Journal:
    """Writes JSON Lines: a header, then for each batch its intent and its outcome.

    Lines, told apart by `record`: `header` (`format`, `ci3_version`, `run_id`, `plan_id`,
    `started_at`, `target`), `intent` (`batch`, `objects` as key, ETag, size, last modified, version
    id), `outcome` (`batch`, `outcomes` by key), `end` (`stopped`).
    """

    def __init__(self, path: str) -> None:
        """Make the file; raises SettingsError when it is there already or can't be made."""
        self.path = path
        self._lock = Lock()
        try:
            self._file = Path(path).open("x", encoding="utf-8")  # noqa: SIM115 - open for the run
        except FileExistsError as exc:
            raise SettingsError(
                f"the journal {path} is there already, and may be all that can undo a run",
                "Name another journal-file, or move that one away.",
            ) from exc
        except OSError as exc:
            raise SettingsError(
                f"the journal {path} can't be written: {exc.strerror}",
                "Name a journal-file in a folder that can be written. Nothing was deleted.",
            ) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Each record was flushed or told as unwritable, so that a full disk has no more to say.
        with suppress(OSError):
            self._file.close()

    def begin(
        self, *, ci3_version: str, run_id: str, plan_id: str, started_at: datetime, target: Target
    ) -> None:
        """Write the header: which run this is, of which plan, on which bucket."""
        self._write(
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
        self._write(
            {
                "record": "intent",
                "batch": batch,
                "objects": [
                    {
                        "key": stored.key,
                        "etag": stored.etag,
                        "size_bytes": stored.size_bytes,
                        "modified_at": timestamp(stored.modified_at),
                        "version_id": None,
                    }
                    for stored in objects
                ],
            }
        )

    def conclude(self, batch: int, outcomes: Mapping[str, KeyOutcome]) -> None:
        """Write down what became of each key of a batch."""
        self._write(
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
        self._write({"record": "end", "stopped": stopped})

    def _write(self, record: Mapping[str, object]) -> None:
        try:
            with self._lock:
                self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as exc:
            raise JournalError(
                f"the journal {self.path} can't be written: {exc.strerror}",
                "Make room or name another journal-file, and run again.",
            ) from exc
