"""A journal as it is read: strictly, line by line, and one deployment at a time.

The file is read through once, to check it and to note where each deployment stands in it; what
is in memory later is one deployment's, though a journal may hold a million keys.
"""

import fcntl
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO, assert_never

from pydantic import ValidationError

from ci3.core.journal.entry import JournalEntry, RulesOutcome, merge_entries
from ci3.core.journal.header import ApprovedDeployment, JournalHeader
from ci3.core.lifecycle.rule import ExpiryRule
from ci3.core.model.deployment import Target
from ci3.core.model.policy import PolicyEntry
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.file_sink import Lines, lock_journal, reopen_file
from ci3.engine.journal.records import (
    RECORD,
    BatchRecord,
    EndRecord,
    HeaderRecord,
    IntentRecord,
    OutcomeRecord,
    Record,
    ResumedRecord,
    Row,
    RulesOutcomeRecord,
    RulesRecord,
    SettledRecord,
    TargetRecord,
)
from ci3.errors import SettingsError

LINE_LIMIT_BYTES = 64 * 1024 * 1024
"""A line of 1,000 keys of 1,024 bytes, each byte escaped in JSON, is a tenth of this."""
LINES_KEPT = 24
"""Lines kept as parsed: those of one deployment stand near those of the next."""

_HINT = "Take the journal as it was written, and the version of ci3 that wrote it."
_NOTHING_DONE = (
    "A journal begins with its header, before anything is deleted: that run deleted nothing."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One object in one batch, by its position there, and what became of it."""

    batch: int
    position: int
    entry: JournalEntry


@dataclass(slots=True, kw_only=True)
class _Batch:
    """How many objects a batch has, and where the lines stand that speak of it."""

    object_count: int
    lines: list[tuple[int, int]]
    open_count: int
    is_answered: bool = False
    is_of_this_session: bool = True


@dataclass(slots=True, kw_only=True)
class _Became:
    """What became of the objects of a batch, the same of all but some; None where it is open."""

    commonest: ObjectOutcome | None = None
    others: dict[int, ObjectOutcome] = field(default_factory=dict)
    markers: Sequence[str | None] = ()


class JournalFile:
    """A journal that was checked from its first to its last line.

    A last line without its line break was cut off by a crash, before whatever it speaks of was
    done or answered: it is left out, and `is_torn` says so. `size_bytes` is the size without it,
    `read_bytes` the size with it, `last_batch` the highest number of a batch.
    """

    header: JournalHeader

    def __init__(self, stream: BinaryIO, source: str) -> None:
        """Read a journal that `source` names in errors; raises SettingsError for what is none."""
        self.source = source
        self.is_torn = False
        self.has_ended = False
        self.stopped = ""
        self.size_bytes = 0
        self.read_bytes = 0
        self.last_batch = 0
        self._stream = stream
        self._lock = Lock()
        self._parsed: OrderedDict[int, BatchRecord] = OrderedDict()
        self._batches: dict[int, _Batch] = {}
        self._places: dict[str, list[int]] = {}
        self.rules: dict[str, ExpiryRule] = {}
        self.rules_outcome: RulesOutcome | None = None
        self._check()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The deployments' prefixes that its batches are of, in their order."""
        return tuple(self._places)

    @property
    def open_prefixes(self) -> tuple[str, ...]:
        """Those of batches with objects of which it is not known what became of them."""
        return tuple(
            prefix
            for prefix, batches in self._places.items()
            if any(self._batches[batch].open_count for batch in batches)
        )

    def entries(self, prefix: str) -> tuple[JournalEntry, ...]:
        """Give the last that is known of each object of one deployment; any thread may ask.

        What was to be deleted for good has an entry for each version, anything else one for each
        key.
        """
        merged: dict[tuple[str, str], JournalEntry] = {}
        for attempt in self.attempts(prefix):
            entry = attempt.entry
            name = entry.key, entry.version_id if entry.is_final else ""
            earlier = merged.get(name)
            merged[name] = merge_entries(earlier, entry) if earlier else entry
        return tuple(merged.values())

    def attempts(self, prefix: str) -> Iterator[Attempt]:
        """Give each object of each batch of one deployment, in the order of the batches."""
        for batch in self._places.get(prefix, ()):
            lines = self._batches[batch].lines
            intent, *said = [self._read_again(number, offset) for number, offset in lines]
            if isinstance(intent, IntentRecord):
                became = _what_became(said)
                for position, row in _rows(intent, prefix):
                    entry = _entry(intent, prefix, position, row, became)
                    yield Attempt(batch=batch, position=position, entry=entry)

    def _check(self) -> None:
        """Read it through: every line must be a record, in an order that a run writes."""
        for number, offset, line in self._lines():
            record = self._record(line, number)
            if isinstance(record, HeaderRecord) is not (number == 1):
                raise self._wrong(number, "a header is the first line, and no other is")
            if self.has_ended and not isinstance(record, ResumedRecord):
                raise self._wrong(number, "something follows the end of the run")
            self._note(record, number, offset)
        if not self.size_bytes:
            raise SettingsError(f"{self.source} is no journal: it has no header", _NOTHING_DONE)

    def _note(self, record: Record, number: int, offset: int) -> None:
        match record:
            case HeaderRecord():
                self.header = _header(record)
            case IntentRecord():
                self._note_intent(record, number, offset)
            case OutcomeRecord() | SettledRecord():
                self._note_answer(record, number, offset)
            case RulesRecord():
                self._note_rules(record, number)
            case RulesOutcomeRecord():
                if not self.rules or self.rules_outcome is not None:
                    raise self._wrong(number, "it speaks of rules that no line names")
                self.rules_outcome = record.outcome
            case EndRecord():
                self.has_ended, self.stopped = True, record.stopped
            case ResumedRecord():
                self.has_ended, self.stopped = False, ""
                for batch in self._batches.values():
                    batch.is_of_this_session = False
            case _:
                assert_never(record)

    def _note_rules(self, record: RulesRecord, number: int) -> None:
        for one in record.rules:
            if one.prefix not in self.header.deployments or one.prefix in self.rules:
                raise self._wrong(number, f"{one.prefix!r} is no deployment that was approved")
            self.rules[one.prefix] = ExpiryRule(
                prefix=one.prefix,
                days=one.days,
                noncurrent_days=one.noncurrent_days,
                expires_at=one.expires_at,
            )

    def _note_intent(self, intent: IntentRecord, number: int, offset: int) -> None:
        if intent.batch <= self.last_batch:
            raise self._wrong(number, "a batch is numbered as if it came before the last one")
        if intent.batch != self.last_batch + 1:
            missing = f"batch {intent.batch} follows batch {self.last_batch}"
            raise self._wrong(number, f"{missing}: lines before this one are missing")
        for part in intent.parts:
            if part.prefix not in self.header.deployments:
                raise self._wrong(number, f"{part.prefix!r} is no deployment that was approved")
        self.last_batch = intent.batch
        lines = [(number, offset)]
        count = intent.object_count
        self._batches[intent.batch] = _Batch(object_count=count, lines=lines, open_count=count)
        for prefix in dict.fromkeys(part.prefix for part in intent.parts):
            self._places.setdefault(prefix, []).append(intent.batch)

    def _note_answer(self, said: OutcomeRecord | SettledRecord, number: int, offset: int) -> None:
        """Note a line about a batch; it may speak of no objects but those of its intent."""
        batch = self._batches.get(said.batch)
        if batch is None:
            raise self._wrong(number, "it speaks of a batch that no intent names")
        if isinstance(said, OutcomeRecord):
            if batch.is_answered or not batch.is_of_this_session:
                raise self._wrong(number, "an outcome comes once, in the session of its intent")
            if said.markers and len(said.markers) != batch.object_count:
                raise self._wrong(number, "there are not as many markers as objects")
            batch.is_answered = True
        rows = said.others if isinstance(said, OutcomeRecord) else said.objects
        batch.open_count = _count_open(batch, said)
        if any(position >= batch.object_count for position, _, _ in rows):
            raise self._wrong(number, "it speaks of an object that its intent does not name")
        batch.lines.append((number, offset))

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Give each whole line with its number and where it begins."""
        self._stream.seek(0)
        number = 0
        while line := self._stream.readline(LINE_LIMIT_BYTES):
            number += 1
            self.read_bytes += len(line)
            if not line.endswith(b"\n"):
                if self._stream.read(1):
                    raise self._wrong(number, "the line is longer than any of a journal")
                self.is_torn = True
                return
            yield number, self.size_bytes, line
            self.size_bytes += len(line)

    def _record(self, line: bytes, number: int) -> Record:
        try:
            return RECORD.validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise self._wrong(
                number, f"{where}: {first['msg']}" if where else first["msg"]
            ) from exc

    def _read_again(self, number: int, offset: int) -> BatchRecord:
        with self._lock:
            if number not in self._parsed:
                self._stream.seek(offset)
                record = self._record(self._stream.readline(), number)
                if not isinstance(record, BatchRecord):
                    raise self._wrong(number, "the file changed while it was read")
                self._parsed[number] = record
                while len(self._parsed) > LINES_KEPT:
                    self._parsed.popitem(last=False)
            self._parsed.move_to_end(number)
            return self._parsed[number]

    def _wrong(self, number: int, what: str) -> SettingsError:
        return SettingsError(f"{self.source} is no journal of ci3: line {number}: {what}", _HINT)


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


def _header(record: HeaderRecord) -> JournalHeader:
    target = {name: getattr(record.target, name) for name in TargetRecord.model_fields}
    approved = [
        ApprovedDeployment(
            name=one.name,
            prefix=f"{record.target.prefix}{one.name}/",
            fingerprint=one.fingerprint,
            object_count=one.object_count,
            size_bytes=one.size_bytes,
        )
        for one in record.deployments
    ]
    return JournalHeader(
        ci3_version=record.ci3_version,
        run_id=record.run_id,
        plan_id=record.plan_id,
        started_at=record.started_at,
        target=Target(**target),
        policy={
            name: PolicyEntry(
                value=tuple(entry.value) if isinstance(entry.value, list) else entry.value,
                origin=entry.origin,
            )
            for name, entry in record.policy.items()
        },
        deployments={one.prefix: one for one in approved},
    )


def _count_open(batch: _Batch, said: OutcomeRecord | SettledRecord) -> int:
    """Count the objects of a batch of which it is not known what became of them."""
    if isinstance(said, SettledRecord):
        return max(0, batch.open_count - len(said.objects))
    unknown = sum(outcome is ObjectOutcome.UNKNOWN for _, outcome, _ in said.others)
    if said.outcome is ObjectOutcome.UNKNOWN:
        return batch.object_count - len(said.others) + unknown
    return unknown


def _rows(intent: IntentRecord, prefix: str) -> Iterator[tuple[int, Row]]:
    """Give the objects of one deployment with their position in the batch."""
    start = 0
    for part in intent.parts:
        if part.prefix == prefix:
            yield from enumerate(part.objects, start)
        start += len(part.objects)


def _what_became(said: Iterable[BatchRecord]) -> _Became:
    """Read the lines about a batch, the later before the earlier."""
    became = _Became()
    for one in said:
        if isinstance(one, OutcomeRecord):
            became.commonest = one.outcome
            became.markers = one.markers
            became.others |= {position: outcome for position, outcome, _ in one.others}
        elif isinstance(one, SettledRecord):
            became.others |= {position: outcome for position, outcome, _ in one.objects}
    return became


def _entry(
    intent: IntentRecord, prefix: str, position: int, row: Row, became: _Became
) -> JournalEntry:
    rest, etag, size_bytes, time, *version_id = row
    marker = became.markers[position] if became.markers else None
    return JournalEntry(
        key=prefix + rest,
        etag=etag or "",
        size_bytes=size_bytes,
        modified_at=intent.times[time],
        version_id=version_id[0] if version_id else "",
        outcome=became.others.get(position, became.commonest),
        marker_version_ids=frozenset((marker,)) if marker else frozenset(),
        is_final=intent.by_version,
        is_marker=etag is None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJournal:
    """A journal that can be gone on with, and is held against other runs until it is closed."""

    written: JournalFile
    lines: Lines


@contextmanager
def reopen_journal(path: str) -> Iterator[OpenJournal]:
    """Open a run's journal to go on with it; nothing is written by this.

    Raises SettingsError where it is no journal, is in use, or can't be written.
    """
    lines = reopen_file(path)
    try:
        with Path(path).open("rb") as stream:
            yield OpenJournal(written=JournalFile(stream, path), lines=lines)
    finally:
        lines.close()
