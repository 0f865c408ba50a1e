"""Read a journal: strictly, line by line, and one deployment at a time.

The file is read once to validate it and to index where each deployment's lines are. Later only one
deployment is in memory, since a journal may contain a million keys.
"""

import fcntl
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO, assert_never

from pydantic import ValidationError

from ci3.core.journal.entry import JournalEntry, ObjectAttempt, RulesOutcome, merge_entries
from ci3.core.journal.header import JournalHeader
from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.file_sink import (
    LineSink,
    lock_journal,
    open_journal_stream,
    reopen_journal_file,
)
from ci3.engine.journal.records import (
    RECORD_ADAPTER,
    BatchRecord,
    EndRecord,
    HeaderRecord,
    IntentRecord,
    OutcomeRecord,
    Record,
    ResolvedRecord,
    ResumedRecord,
    Row,
    RulesOutcomeRecord,
    RulesRecord,
)
from ci3.errors import SettingsError

LINE_LIMIT_BYTES = 64 * 1024 * 1024
"""A line of 1,000 keys of 1,024 bytes, each byte escaped in JSON, is a tenth of this."""
CACHED_LINES = 24
"""Parsed lines in the cache: those of consecutive deployments are close together."""

_HINT = "Use the unmodified journal, and the version of ci3 that wrote it."
_NOTHING_DELETED = "A run writes the header before it deletes anything. That run deleted nothing."


@dataclass(slots=True, kw_only=True)
class _Batch:
    """Number of objects of a batch, and the (number, offset) of its lines."""

    object_count: int
    lines: list[tuple[int, int]]
    unresolved_count: int
    has_outcome: bool = False
    is_current_session: bool = True


@dataclass(slots=True, kw_only=True)
class _BatchOutcomes:
    """Outcomes of a batch: the most common one, and the others by position.

    `most_common` is None where there is no outcome yet.
    """

    most_common: ObjectOutcome | None = None
    others: dict[int, ObjectOutcome] = field(default_factory=dict)
    markers: Sequence[str | None] = ()


class JournalFile:
    """A journal that was validated from its first to its last line.

    A last line without a line break was cut off by a crash, before its request was sent or its
    outcome used: it is ignored, and `is_truncated` is set. `size_bytes` is the size without it,
    `read_bytes` the size with it, `last_batch` the highest batch number.
    """

    header: JournalHeader

    def __init__(
        self,
        stream: BinaryIO,
        source: str,
        *,
        cached_lines: int = CACHED_LINES,
        line_limit_bytes: int = LINE_LIMIT_BYTES,
    ) -> None:
        """Read and validate a journal; `source` names it in errors; raises SettingsError."""
        self.source = source
        self.is_truncated = False
        self.has_ended = False
        self.stop_reason = ""
        self.size_bytes = 0
        self.read_bytes = 0
        self.last_batch = 0
        self._stream = stream
        self._cached_lines = cached_lines
        self._line_limit_bytes = line_limit_bytes
        self._lock = Lock()
        self._parsed: OrderedDict[int, BatchRecord] = OrderedDict()
        self._batches: dict[int, _Batch] = {}
        self._batches_by_prefix: dict[str, list[int]] = {}
        self.rules: dict[str, ManagedRule] = {}
        self.rules_outcome: RulesOutcome | None = None
        self._validate()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Prefixes of the deployments that have batches, in the order of the journal."""
        return tuple(self._batches_by_prefix)

    @property
    def unresolved_prefixes(self) -> tuple[str, ...]:
        """Prefixes of deployments that have objects without a known outcome."""
        return tuple(
            prefix
            for prefix, batches in self._batches_by_prefix.items()
            if any(self._batches[batch].unresolved_count for batch in batches)
        )

    def read_entries(self, prefix: str) -> tuple[JournalEntry, ...]:
        """Return the latest known state of each object of a deployment; thread-safe.

        Permanent deletions have one entry per version, all others one per key.
        """
        merged: dict[tuple[str, str], JournalEntry] = {}
        for attempt in self.read_attempts(prefix):
            entry = attempt.entry
            name = entry.key, entry.version_id if entry.is_permanent else ""
            earlier = merged.get(name)
            merged[name] = merge_entries(earlier, entry) if earlier else entry
        return tuple(merged.values())

    def read_attempts(self, prefix: str) -> Iterator[ObjectAttempt]:
        """Iterate over the objects of each batch of a deployment, in the order of the batches."""
        for batch in self._batches_by_prefix.get(prefix, ()):
            lines = self._batches[batch].lines
            intent, *records = [self._read_record(number, offset) for number, offset in lines]
            if isinstance(intent, IntentRecord):
                outcomes = _merge_outcomes(records)
                for position, row in intent.iterate_rows(prefix):
                    entry = _make_entry(intent, prefix, position, row, outcomes)
                    yield ObjectAttempt(batch=batch, position=position, entry=entry)

    def _validate(self) -> None:
        for number, offset, line in self._iterate_lines():
            record = self._parse_record(line, number)
            if isinstance(record, HeaderRecord) is not (number == 1):
                raise self._error(number, "the header must be the first line, and no other")
            if self.has_ended and not isinstance(record, ResumedRecord):
                raise self._error(number, "there is a line after the end of the run")
            self._index_record(record, number, offset)
        if not self.size_bytes:
            raise SettingsError(
                f"{self.source} is not a journal: it has no header", _NOTHING_DELETED
            )

    def _index_record(self, record: Record, number: int, offset: int) -> None:
        match record:
            case HeaderRecord():
                self.header = record.to_header()
            case IntentRecord():
                self._index_intent(record, number, offset)
            case OutcomeRecord() | ResolvedRecord():
                self._index_outcome(record, number, offset)
            case RulesRecord():
                self._index_rules(record, number)
            case RulesOutcomeRecord():
                if not self.rules or self.rules_outcome is not None:
                    raise self._error(number, "it has no lifecycle rules in the journal")
                self.rules_outcome = record.outcome
            case EndRecord():
                self.has_ended, self.stop_reason = True, record.stopped
            case ResumedRecord():
                self.has_ended, self.stop_reason = False, ""
                for batch in self._batches.values():
                    batch.is_current_session = False
            case _:
                assert_never(record)

    def _index_rules(self, record: RulesRecord, number: int) -> None:
        for rule in record.rules:
            if rule.prefix not in self.header.deployments or rule.prefix in self.rules:
                problem = f"{rule.prefix!r} has two rules, or is not an approved deployment"
                raise self._error(number, problem)
            self.rules[rule.prefix] = ManagedRule(**rule.model_dump())

    def _index_intent(self, intent: IntentRecord, number: int, offset: int) -> None:
        if intent.batch <= self.last_batch:
            raise self._error(number, "the number of the batch is not higher than the one before")
        if intent.batch != self.last_batch + 1:
            gap = f"batch {intent.batch} follows batch {self.last_batch}"
            raise self._error(number, f"{gap}: lines are missing before this one")
        for part in intent.parts:
            if part.prefix not in self.header.deployments:
                raise self._error(number, f"{part.prefix!r} is not an approved deployment")
        self.last_batch = intent.batch
        count = intent.object_count
        self._batches[intent.batch] = _Batch(
            object_count=count, lines=[(number, offset)], unresolved_count=count
        )
        for prefix in dict.fromkeys(part.prefix for part in intent.parts):
            self._batches_by_prefix.setdefault(prefix, []).append(intent.batch)

    def _index_outcome(
        self, record: OutcomeRecord | ResolvedRecord, number: int, offset: int
    ) -> None:
        """Index a line about a batch; it must name only objects of the batch's intent."""
        batch = self._batches.get(record.batch)
        if batch is None:
            raise self._error(number, "there is no intent for its batch")
        if isinstance(record, OutcomeRecord):
            if batch.has_outcome or not batch.is_current_session:
                raise self._error(
                    number, "its batch already has an outcome, or is from an earlier session"
                )
            if record.markers and len(record.markers) != batch.object_count:
                raise self._error(number, "the numbers of markers and objects differ")
            batch.has_outcome = True
        batch.unresolved_count = _count_unresolved(batch, record)
        if any(position >= batch.object_count for position, _, _ in record.rows):
            raise self._error(number, "it names an object that is not in its intent")
        batch.lines.append((number, offset))

    def _iterate_lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Iterate over complete lines as (number, offset, line)."""
        self._stream.seek(0)
        number = 0
        while line := self._stream.readline(self._line_limit_bytes):
            number += 1
            self.read_bytes += len(line)
            if not line.endswith(b"\n"):
                if self._stream.read(1):
                    raise self._error(number, "the line is too long")
                self.is_truncated = True
                return
            yield number, self.size_bytes, line
            self.size_bytes += len(line)

    def _parse_record(self, line: bytes, number: int) -> Record:
        try:
            return RECORD_ADAPTER.validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            field_path = ".".join(str(part) for part in first["loc"])
            raise self._error(
                number, f"{field_path}: {first['msg']}" if field_path else first["msg"]
            ) from exc

    def _read_record(self, number: int, offset: int) -> BatchRecord:
        with self._lock:
            if number not in self._parsed:
                self._stream.seek(offset)
                record = self._parse_record(self._stream.readline(), number)
                if not isinstance(record, BatchRecord):
                    raise self._error(number, "the file changed while it was read")
                self._parsed[number] = record
                while len(self._parsed) > self._cached_lines:
                    self._parsed.popitem(last=False)
            self._parsed.move_to_end(number)
            return self._parsed[number]

    def _error(self, number: int, problem: str) -> SettingsError:
        return SettingsError(
            f"{self.source} is not a valid ci3 journal: line {number}: {problem}", _HINT
        )


@contextmanager
def open_journal(path: str) -> Iterator[JournalFile]:
    """Open a journal for reading, locked against writers.

    Raises SettingsError where it does not exist, is not a journal, or a run is writing it.
    """
    with open_journal_stream(path) as stream:
        lock_journal(stream, path, fcntl.LOCK_SH)
        yield JournalFile(stream, path)


def _count_unresolved(batch: _Batch, record: OutcomeRecord | ResolvedRecord) -> int:
    if isinstance(record, ResolvedRecord):
        return max(0, batch.unresolved_count - len(record.objects))
    unknown = sum(outcome is ObjectOutcome.UNKNOWN for _, outcome, _ in record.others)
    if record.outcome is ObjectOutcome.UNKNOWN:
        return batch.object_count - len(record.others) + unknown
    return unknown


def _merge_outcomes(records: Iterable[BatchRecord]) -> _BatchOutcomes:
    """Merge the lines about a batch; later lines win.

    For example, a batch of four objects:

    | line | 0 | 1 | 2 | 3 |
    |---|---|---|---|---|
    | `outcome` deleted, others 1 denied, 3 unknown | deleted | denied | deleted | unknown |
    | `resolved` 3 absent | deleted | denied | deleted | absent |
    """
    outcomes = _BatchOutcomes()
    for record in records:
        if isinstance(record, OutcomeRecord):
            outcomes.most_common = record.outcome
            outcomes.markers = record.markers
        if not isinstance(record, IntentRecord):
            outcomes.others |= {position: outcome for position, outcome, _ in record.rows}
    return outcomes


def _make_entry(
    intent: IntentRecord, prefix: str, position: int, row: Row, outcomes: _BatchOutcomes
) -> JournalEntry:
    key_suffix, etag, size_bytes, time_index, *version_id = row
    marker = outcomes.markers[position] if outcomes.markers else None
    return JournalEntry(
        key=prefix + key_suffix,
        etag=etag or "",
        size_bytes=size_bytes,
        modified_at=intent.times[time_index],
        version_id=version_id[0] if version_id else "",
        outcome=outcomes.others.get(position, outcomes.most_common),
        marker_version_ids=frozenset((marker,)) if marker else frozenset(),
        is_permanent=intent.by_version,
        is_delete_marker=etag is None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJournal:
    """A journal that can be continued, locked against other runs until it is closed."""

    journal_file: JournalFile
    sink: LineSink


@contextmanager
def reopen_journal(path: str) -> Iterator[OpenJournal]:
    """Open a run's journal to continue it; this writes nothing.

    Raises SettingsError where it is not a journal, is in use, or can't be written.
    """
    with closing(reopen_journal_file(path)) as sink, Path(path).open("rb") as stream:
        yield OpenJournal(journal_file=JournalFile(stream, path), sink=sink)
