"""Store a journal in the bucket. S3 can't append, so each line is a separate object.

The objects ("parts") are numbered in the order of the lines and never overwritten: if a number is
taken, another run continues the same journal, and this one stops. An empty object next to them
records that the run is finished, so that a plan need not read the journal.
"""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import count
from threading import Lock

from ci3.aws.bucket import BucketReader
from ci3.aws.journal_store import JournalStore
from ci3.core.formatting import pluralize
from ci3.core.journal.location import (
    JournalLocation,
    RunState,
    format_part_name,
    format_state_suffix,
    parse_part_number,
)
from ci3.engine.journal.reader import LINE_LIMIT_BYTES, JournalFile, OpenJournal
from ci3.errors import AccessError, JournalError, SettingsError

READ_WORKERS = 16


class S3Sink:
    """Puts each line as an object; none is put before the previous one is in S3."""

    def __init__(self, store: JournalStore, last_part: int = 0, first_line: bytes = b"") -> None:
        """Continue after `last_part`; `first_line` is the content of the first part, if any."""
        self._store = store
        self._last_part = last_part
        self._first_line = first_line
        self._lock = Lock()
        self._is_broken = False

    def append_line(self, line: bytes, *, should_sync: bool) -> None:  # noqa: ARG002 - every part is durable
        """Put a line; raises JournalError when that fails, and for every line after that.

        After a failed put, the object may exist, or be another run's.
        """
        with self._lock:
            if self._is_broken:
                raise JournalError(
                    f"the journal s3://{self._store.bucket}/{self._store.key}/ cannot be written: "
                    "an earlier part could not be written",
                    "Resume the run from it once no other run uses it.",
                )
            self._is_broken = True
            self._store.put_part(line, suffix=_part_suffix(self._last_part + 1))
            self._first_line = self._first_line or line
            self._last_part += 1
            self._is_broken = False

    def truncate(self, size_bytes: int, *, read_bytes: int) -> None:
        """Do nothing: S3 stores an object completely or not at all."""

    def find_sharing_problem(self) -> str:
        """Return why this S3 might let a second run overwrite parts, or an empty text.

        This puts the first part once more: of all parts only its content is the same for every run
        that continues the journal. A later one might overwrite what another run has just written.
        """
        return self._store.find_overwrite_problem(self._first_line, suffix=_part_suffix(1))

    def record_state(self, state: RunState) -> None:
        """Put an empty object, whose name is the state; raises JournalError if that fails."""
        with self._lock:
            self._store.put_part(b"", suffix=format_state_suffix(state, self._last_part))

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def open_s3_sink(bucket: BucketReader, location: JournalLocation) -> S3Sink:
    """Open the sink of a new journal in the bucket."""
    return S3Sink(bucket.open_journal_store(location.run_prefix))


def read_stored_journal(bucket: BucketReader, location: JournalLocation) -> JournalFile:
    """Read a journal from the bucket.

    Raises AccessError where it does not exist, and SettingsError where it is not a journal, or is
    the journal of another location.
    """
    return _read_parts(bucket, location)[0]


def reopen_stored_journal(bucket: BucketReader, location: JournalLocation) -> OpenJournal:
    """Open a stored journal to continue it; raises the errors of `read_stored_journal`.

    It is not locked: another run shows only when the next part is put.
    """
    written, parts = _read_parts(bucket, location)
    store = bucket.open_journal_store(location.run_prefix)
    return OpenJournal(journal_file=written, sink=S3Sink(store, len(parts), parts[0]))


def _read_parts(bucket: BucketReader, location: JournalLocation) -> tuple[JournalFile, list[bytes]]:
    """Return the journal, and its parts in order."""
    parts: dict[int, str] = {}
    for key in bucket.list_keys(location.key_prefix):
        number = parse_part_number(key.removeprefix(location.key_prefix))
        if not number:
            raise SettingsError(f"s3://{location.bucket}/{key} is not part of a journal", "")
        parts[number] = key
    if not parts:
        raise AccessError(
            f"the journal {location.url} does not exist",
            "Check bucket, prefix and run ID. A run stores its journal with journal-file: s3://",
        )
    _refuse_missing_parts(parts, location)
    with ThreadPoolExecutor(READ_WORKERS, "reading-journal") as pool:
        keys = [parts[number] for number in sorted(parts)]
        lines = list(pool.map(lambda key: bucket.read_object(key, LINE_LIMIT_BYTES), keys))
    journal_file = JournalFile(BytesIO(b"".join(lines)), location.url)
    header = journal_file.header
    header_location = header.target.bucket, header.target.prefix, header.run_id
    if header_location != (location.bucket, location.prefix, location.run_id):
        raise SettingsError(
            f"{location.url} is the journal of the run {header.run_id} on {header.target.url}",
            "Use the journal at the location where the run stored it. Nothing was done.",
        )
    if header.target.endpoint_url.rstrip("/") != bucket.endpoint_url.rstrip("/"):
        raise SettingsError(
            f"{location.url} is the journal of a run at {header.target.endpoint_url or 'AWS'}, but "
            f"was read from {bucket.endpoint_url or 'AWS'}",
            "Set the endpoint-url that the run used. Nothing was done.",
        )
    return journal_file, lines


def _part_suffix(number: int) -> str:
    return f"/{format_part_name(number)}"


def _refuse_missing_parts(parts: Collection[int], location: JournalLocation) -> None:
    """Raise SettingsError where a part is missing before the last one.

    Missing last parts can't be detected: such a journal just has no end record. For example, parts
    1, 2 and 4 mean that part 3 is missing; parts 1 and 2 are complete.
    """
    if missing_count := max(parts) - len(parts):
        first = format_part_name(next(number for number in count(1) if number not in parts))
        raise SettingsError(
            f"the journal {location.url} is missing {pluralize(missing_count, 'part')}, "
            f"the first is {first}",
            "If the bucket has versioning, restore them first. Otherwise use `ci3 restore "
            "NAME --deleted-since` for each deployment. Nothing was done.",
        )
