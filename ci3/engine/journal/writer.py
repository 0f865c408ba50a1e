"""Write the journal: each batch is recorded before its request, and its outcomes after it."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.constants import JOURNAL_FORMAT
from ci3.core.formatting import format_timestamp
from ci3.core.journal.header import JournalHeader
from ci3.core.journal.location import RunState, is_s3_url
from ci3.core.lifecycle.rule import ManagedRule
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.model.policy import encode_policy
from ci3.engine.journal.file_sink import LineSink, create_journal_file
from ci3.errors import RefusedError

if TYPE_CHECKING:
    from ci3.engine.journal.reader import OpenJournal

# Compact JSON.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Journal:
    r"""Writes JSON Lines: a header, then for each batch its intent and its outcome.

    Lines by `record`: `header` (the run, its target, policy, and the approved deployments), `rules`
    and `rules-outcome` (lifecycle rules, and whether they were written), `intent` (the objects of a
    batch by deployment), `outcome` (the most common outcome of the batch once, others by position
    in the intent), `resolved` (outcomes that a listing showed later), `resumed`, and `end` (with
    `stopped`, the reason for an early end); see docs/journal.schema.json.

    For example, a batch of which one key was denied:

        {"record":"intent","batch":1,"times":["2026-11-01T09:00:00Z"],"parts":[{"prefix":
         "app/old/","objects":[["x","\"1\"",3,0],["y","\"2\"",4,0],["z","\"3\"",5,0]]}]}
        {"record":"outcome","batch":1,"outcome":"deleted","others":[[1,"denied","AccessDenied"]]}
    """

    def __init__(self, path: str, sink: LineSink | None = None, *, last_batch: int = 0) -> None:
        """Create the file unless a `sink` is given; raises SettingsError if that fails."""
        self.path = path
        self._lines: LineSink = sink or create_journal_file(path)
        self.run_id = ""
        self.sharing_problem = ""
        """Why a second run could write this journal unnoticed; empty if none could."""
        self.has_intent = False
        """True once this run has recorded an intent, so that something may have been deleted."""
        self._last_batch = last_batch
        self._started_prefixes: set[str] = set()
        self._lock = Lock()

    @classmethod
    def resume(cls, opened: "OpenJournal", *, ci3_version: str, resumed_at: datetime) -> Self:
        """Continue a run's journal, and record that.

        A last line that a crash cut off is removed. Raises SettingsError where the journal was
        written to since it was read, and RefusedError, before any line is written, where a second
        run could do the same at the same time unnoticed.
        """
        journal_file = opened.journal_file
        if problem := opened.sink.find_sharing_problem():
            raise _sharing_error(journal_file.source, problem)
        opened.sink.truncate(journal_file.size_bytes, read_bytes=journal_file.read_bytes)
        journal = cls(journal_file.source, opened.sink, last_batch=journal_file.last_batch)
        journal.run_id = journal_file.header.run_id
        journal._started_prefixes.update(journal_file.prefixes)
        resumed_text = format_timestamp(resumed_at)
        journal._write_record(
            {"record": "resumed", "ci3_version": ci3_version, "resumed_at": resumed_text}
        )
        opened.sink.record_state(RunState.RESUMED)
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()

    def write_header(self, header: JournalHeader) -> None:
        """Write the header: run, plan, target, policy and the approved deployments.

        Neither this run nor a resumed one may delete more than these deployments as approved.
        """
        self.run_id = header.run_id
        self._write_record(
            {
                "record": "header",
                "format": JOURNAL_FORMAT,
                "ci3_version": header.ci3_version,
                "run_id": header.run_id,
                "plan_id": header.plan_id,
                "started_at": format_timestamp(header.started_at),
                "target": header.target.encode(),
                "policy": encode_policy(header.policy),
                "deployments": [
                    {
                        "name": deployment.name,
                        "fingerprint": deployment.fingerprint,
                        "object_count": deployment.object_count,
                        "size_bytes": deployment.size_bytes,
                    }
                    for deployment in header.deployments.values()
                ],
            }
        )
        self.sharing_problem = self._lines.find_sharing_problem()

    def record_intent(self, parts: Iterable[tuple[str, Sequence[StoredObject]]]) -> int:
        """Record which objects the next request is to delete, by prefix; return the batch number.

        It is on disk when this returns.
        """
        times: dict[datetime, int] = {}
        time_index = times.setdefault
        rows = [
            {
                "prefix": prefix,
                "objects": [
                    (key[start:], etag, size_bytes, time_index(modified_at, len(times)), version_id)
                    if version_id
                    else (key[start:], etag, size_bytes, time_index(modified_at, len(times)))
                    for key, etag, size_bytes, modified_at, version_id in objects
                ],
            }
            for prefix, objects in parts
            for start in [len(prefix)]
        ]
        return self._record_batch({}, times, rows)

    def record_version_intent(self, parts: Iterable[tuple[str, Sequence[StoredVersion]]]) -> int:
        """Record which versions the next request is to delete permanently; see `record_intent`.

        Delete markers may be among them. Versions of one key must be ordered newest first.
        """
        times: dict[datetime, int] = {}
        time_index = times.setdefault
        rows = [
            {
                "prefix": prefix,
                "objects": [
                    (
                        version.key[len(prefix) :],
                        None if version.is_delete_marker else version.etag,
                        version.size_bytes,
                        time_index(version.modified_at, len(times)),
                        version.version_id,
                    )
                    for version in versions
                ],
            }
            for prefix, versions in parts
        ]
        return self._record_batch({"by_version": True}, times, rows)

    def record_outcome(self, batch: int, outcomes: Sequence[KeyOutcome]) -> None:
        """Record the outcome of each object of a batch, in the order of its intent."""
        pairs = [(outcome.outcome, outcome.message) for outcome in outcomes]
        most_common = pairs[0]
        if pairs.count(most_common) < len(pairs):
            most_common, _ = Counter(pairs).most_common(1)[0]
        outcome, message = most_common
        record: dict[str, object] = {"record": "outcome", "batch": batch, "outcome": outcome}
        if message:
            record["message"] = message
        if others := [
            (position, *pair) for position, pair in enumerate(pairs) if pair != most_common
        ]:
            record["others"] = others
        markers = [outcome.marker_version_id or None for outcome in outcomes]
        if any(markers):
            record["markers"] = markers
        # Not synced: if it is lost in a crash, a listing resolves the outcomes of the intent.
        self._write_record(record, is_urgent=False)

    def record_resolved(self, batch: int, outcomes: Sequence[tuple[int, KeyOutcome]]) -> None:
        """Record outcomes that a listing showed of objects whose outcome was unknown.

        They are given with their position in the batch's intent.
        """
        rows = [(position, outcome.outcome, outcome.message) for position, outcome in outcomes]
        self._write_record({"record": "resolved", "batch": batch, "objects": rows})

    def record_rules_intent(
        self, before: bytes, transition_minimum: str, rules: Iterable[ManagedRule]
    ) -> None:
        """Record the lifecycle rules to be written next, and the configuration before."""
        self.has_intent = True
        self._write_record(
            {
                "record": "rules",
                "before": before.decode("utf-8"),
                "transition_minimum": transition_minimum,
                "rules": [
                    {**asdict(rule), "expires_at": format_timestamp(rule.expires_at)}
                    for rule in rules
                ],
            }
        )

    def record_rules_outcome(self, outcome: str, message: str) -> None:
        """Record whether the rules were written."""
        self._write_record({"record": "rules-outcome", "outcome": outcome, "message": message})

    def record_end(self, stopped: str, deleted_prefixes: Collection[str] = ()) -> None:
        """Record the end of the run, and the reason if it ended early.

        `deleted_prefixes` are the deployments of which nothing is left. If these are all that the
        run has begun to delete, a stored journal is marked as finished.
        """
        self._write_record({"record": "end", "stopped": stopped})
        if self._started_prefixes.issubset(deleted_prefixes):
            self._lines.record_state(RunState.FINISHED)

    def _record_batch(
        self,
        kind: Mapping[str, bool],
        times: Iterable[datetime],
        parts: Sequence[Mapping[str, object]],
    ) -> int:
        record = {**kind, "times": [format_timestamp(time) for time in times], "parts": parts}
        # Locked, so that numbers are in order in the file.
        self.has_intent = True
        with self._lock:
            batch = self._last_batch + 1
            self._started_prefixes.update(str(part["prefix"]) for part in parts)
            self._write_record({"record": "intent", "batch": batch, **record})
            self._last_batch = batch
        return batch

    def _write_record(self, record: Mapping[str, object], *, is_urgent: bool = True) -> None:
        self._lines.append_line(_encode(record).encode("ascii") + b"\n", should_sync=is_urgent)


def _sharing_error(source: str, problem: str) -> RefusedError:
    if is_s3_url(source):
        copy = (
            f"download its parts (`aws s3 cp --recursive {source} parts/`, with your "
            "--endpoint-url), join them (`cat parts/*.jsonl > journal.jsonl`), and resume with "
            "journal.jsonl"
        )
    else:
        copy = "copy it to a disk that supports locks, and resume with the copy"
    return RefusedError(
        f"the journal {source} cannot be continued: {problem}, so a second run could continue it "
        "at the same time",
        "Nothing was deleted. Make sure that no other run is active. Then run without resume: a "
        f"new plan deletes what remains. Or resume with a local copy: {copy}.",
    )
