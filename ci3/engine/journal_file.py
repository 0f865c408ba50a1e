"""A journal as it is read: strictly, line by line, and one deployment at a time.

The file is read through once, to check it and to note where each deployment stands in it; what
is in memory later is one deployment's, though a journal may hold a million keys.
"""

import fcntl
import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, BinaryIO, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ci3.core.model import ObjectOutcome, Target, Versioning
from ci3.core.undo import JournalEntry, merge_entries
from ci3.errors import SettingsError

LINE_LIMIT_BYTES = 64 * 1024 * 1024
"""A line of 1,000 keys of 1,024 bytes, each byte escaped in JSON, is a tenth of this."""
LINES_KEPT = 24
"""Lines kept as parsed: those of one deployment stand near those of the next."""

_HINT = "Take the journal as it was written, and the version of ci3 that wrote it."
_NOTHING_DONE = (
    "A journal begins with its header, before anything is deleted: that run deleted nothing."
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Target(_Strict):
    bucket: str = Field(min_length=1)
    region: str
    prefix: str = Field(pattern="^(.*/)?$")
    endpoint_url: str
    versioning: Versioning


class _Header(_Strict):
    """The first line: which run this is, of which plan, on which bucket."""

    record: Literal["header"]
    format: Literal["ci3-journal/1"]
    ci3_version: str
    run_id: str = Field(min_length=1)
    plan_id: str
    started_at: AwareDatetime
    target: _Target


class _IntendedObject(_Strict):
    key: str = Field(min_length=1)
    etag: str
    size_bytes: int = Field(ge=0)
    modified_at: AwareDatetime
    version_id: str | None = Field(min_length=1)


class _Intent(_Strict):
    """What the next request is to delete; written before it goes out."""

    record: Literal["intent"]
    batch: int
    objects: list[_IntendedObject]


class _KeyOutcome(_Strict):
    key: str = Field(min_length=1)
    outcome: ObjectOutcome
    marker_version_id: str | None = Field(min_length=1)
    message: str


class _Outcome(_Strict):
    """What became of each key of a batch; `marker_version_id` names the delete marker made."""

    record: Literal["outcome"]
    batch: int
    outcomes: list[_KeyOutcome]


class _End(_Strict):
    """The run ended; `stopped` says why early, or is empty."""

    record: Literal["end"]
    stopped: str


class _Resumed(_Strict):
    """The run goes on after it ended or crashed; batches are counted anew from here."""

    record: Literal["resumed"]
    ci3_version: str
    resumed_at: AwareDatetime


_Record = Annotated[_Header | _Intent | _Outcome | _End | _Resumed, Field(discriminator="record")]
_RECORD: TypeAdapter[_Header | _Intent | _Outcome | _End | _Resumed] = TypeAdapter(_Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHeader:
    """Which run a journal is of, of which plan, on which bucket."""

    ci3_version: str
    run_id: str
    plan_id: str
    started_at: datetime
    target: Target


class JournalFile:
    """A journal that was checked from its first to its last line.

    A last line without its line break was cut off by a crash, before whatever it speaks of was
    done or answered: it is left out, and `is_torn` says so. `size_bytes` is the size without it.
    """

    header: JournalHeader

    def __init__(self, stream: BinaryIO, source: str) -> None:
        """Read a journal that `source` names in errors; raises SettingsError for what is none."""
        self._stream = stream
        self._source = source
        self._lock = Lock()
        self._parsed: OrderedDict[int, _Intent | _Outcome] = OrderedDict()
        self._places: dict[str, list[tuple[int, int]]] = {}
        self._resumed_at_lines: list[int] = []
        self.is_torn = False
        self.has_ended = False
        self.stopped = ""
        self.size_bytes = 0
        self._check()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The deployments' prefixes that it speaks of, sorted."""
        return tuple(sorted(self._places))

    def entries(self, prefix: str) -> tuple[JournalEntry, ...]:
        """Give the last that is known of each key of one deployment; any thread may ask."""
        attempts: dict[tuple[int, int, str], JournalEntry] = {}
        for number, offset in self._places.get(prefix, ()):
            session = bisect_right(self._resumed_at_lines, number)
            match self._read_again(number, offset):
                case _Intent() as intent:
                    for one in intent.objects:
                        if one.key.startswith(prefix):
                            attempts[session, intent.batch, one.key] = _intended(one)
                case _Outcome() as outcome:
                    for said in outcome.outcomes:
                        if said.key.startswith(prefix):
                            place = session, outcome.batch, said.key
                            attempts[place] = _concluded(attempts[place], said)
        merged: dict[str, JournalEntry] = {}
        for entry in attempts.values():
            earlier = merged.get(entry.key)
            merged[entry.key] = merge_entries(earlier, entry) if earlier else entry
        return tuple(merged.values())

    def _check(self) -> None:
        """Read it through: every line must be a record, in an order that a run writes."""
        intended: dict[int, set[str]] = {}
        for number, offset, line in self._lines():
            record = self._record(line, number)
            if isinstance(record, _Header) is not (number == 1):
                raise self._wrong(number, "a header is the first line, and no other is")
            if self.has_ended and not isinstance(record, _Resumed):
                raise self._wrong(number, "something follows the end of the run")
            match record:
                case _Header():
                    self.header = _header(record)
                case _Intent() | _Outcome():
                    self._note(self._keys(record, number, intended), number, offset)
                case _End():
                    self.has_ended, self.stopped = True, record.stopped
                case _Resumed():
                    self.has_ended, self.stopped = False, ""
                    self._resumed_at_lines.append(number)
                    intended.clear()
        if not self.size_bytes:
            raise SettingsError(f"{self._source} is no journal: it has no header", _NOTHING_DONE)

    def _keys(
        self, record: _Intent | _Outcome, number: int, intended: dict[int, set[str]]
    ) -> list[str]:
        """Give the keys of a record; an outcome may speak of none but those still intended."""
        if isinstance(record, _Intent):
            keys = [one.key for one in record.objects]
            intended.setdefault(record.batch, set()).update(keys)
            return keys
        keys = [said.key for said in record.outcomes]
        if not set(keys) <= intended.get(record.batch, set()):
            raise self._wrong(number, "an outcome of a key that no intent names")
        intended[record.batch].difference_update(keys)
        return keys

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Give each whole line with its number and where it begins."""
        self._stream.seek(0)
        number = 0
        while line := self._stream.readline(LINE_LIMIT_BYTES):
            number += 1
            if not line.endswith(b"\n"):
                if self._stream.read(1):
                    raise self._wrong(number, "the line is longer than any of a journal")
                self.is_torn = True
                return
            yield number, self.size_bytes, line
            self.size_bytes += len(line)

    def _record(self, line: bytes, number: int) -> _Header | _Intent | _Outcome | _End | _Resumed:
        try:
            return _RECORD.validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._wrong(
                number, f"{where}: {first['msg']}" if where else first["msg"]
            ) from exc

    def _note(self, keys: list[str], number: int, offset: int) -> None:
        """Note in which deployments' lines this one is."""
        for prefix in dict.fromkeys(self._deployment_prefix(key, number) for key in keys):
            self._places.setdefault(prefix, []).append((number, offset))

    def _deployment_prefix(self, key: str, number: int) -> str:
        above = self.header.target.prefix
        name, slash, _ = key.removeprefix(above).partition("/")
        if not key.startswith(above) or not name or not slash:
            raise self._wrong(number, f"the key {key!r} is in no deployment of the target")
        return f"{above}{name}/"

    def _read_again(self, number: int, offset: int) -> _Intent | _Outcome:
        with self._lock:
            if number not in self._parsed:
                self._stream.seek(offset)
                record = self._record(self._stream.readline(), number)
                if not isinstance(record, _Intent | _Outcome):
                    raise self._wrong(number, "the file changed while it was read")
                self._parsed[number] = record
                while len(self._parsed) > LINES_KEPT:
                    self._parsed.popitem(last=False)
            self._parsed.move_to_end(number)
            return self._parsed[number]

    def _wrong(self, number: int, what: str) -> SettingsError:
        return SettingsError(f"{self._source} is no journal of ci3: line {number}: {what}", _HINT)


@contextmanager
def open_journal(path: str) -> Iterator[JournalFile]:
    """Open a journal to read it, while it is open.

    Raises SettingsError where there is none, where it is none, and while a run is writing it.
    """
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below, whatever reading it raises
    except OSError as exc:
        raise SettingsError(
            f"the journal {path} can't be read: {exc.strerror}",
            "Name the journal that the run has written.",
        ) from exc
    with stream:
        lock_journal(stream, path, fcntl.LOCK_SH)
        yield JournalFile(stream, path)


def lock_journal(stream: BinaryIO, path: str, how: int) -> None:
    """Hold a journal against another run, as long as it is open; where no locks are, do not."""
    try:
        fcntl.flock(stream.fileno(), how | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise SettingsError(
            f"the journal {path} is in use: another run is writing or reading it",
            "Wait until that run has ended.",
        ) from exc
    except OSError:
        return


def _header(record: _Header) -> JournalHeader:
    target = {name: getattr(record.target, name) for name in _Target.model_fields}
    return JournalHeader(
        ci3_version=record.ci3_version,
        run_id=record.run_id,
        plan_id=record.plan_id,
        started_at=record.started_at,
        target=Target(**target),
    )


def _intended(one: _IntendedObject) -> JournalEntry:
    return JournalEntry(
        key=one.key,
        etag=one.etag,
        size_bytes=one.size_bytes,
        modified_at=one.modified_at,
        version_id=one.version_id or "",
    )


def _concluded(entry: JournalEntry, said: _KeyOutcome) -> JournalEntry:
    marker = {said.marker_version_id} if said.marker_version_id else set()
    return JournalEntry(
        key=entry.key,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        modified_at=entry.modified_at,
        version_id=entry.version_id,
        outcome=said.outcome,
        marker_version_ids=frozenset(marker),
    )


def journal_schema() -> str:
    """Write the JSON Schema of a journal's line, as published in docs/journal.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a journal of ci3",
        **_RECORD.json_schema(mode="validation"),
    }
    return json.dumps(schema, indent=2) + "\n"
