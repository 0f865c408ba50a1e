"""The journal: what is about to be deleted, on disk before the request, and what became of it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.constants import JOURNAL_FORMAT
from ci3.core.formatting import timestamp
from ci3.core.journal.header import JournalHeader
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.engine.journal.file_sink import Lines, create_file

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule import ExpiryRule
    from ci3.engine.journal.reader import OpenJournal

# The shortest JSON that a program writes and a person still reads.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Journal:
    """Writes JSON Lines: a header, then for each batch its intent and its outcome.

    Lines, told apart by `record`: `header` (the run, its target, policy, and the deployments that
    were approved), `rules` and `rules-outcome` (lifecycle rules, and what became of them),
    `intent` (a batch's objects, deployment by deployment), `outcome` (what became of a batch: the
    commonest outcome once, the others by their position in the intent), `settled` (what a listing
    showed later of objects that were left open), `resumed`, `end` (`stopped`); see
    docs/journal.schema.json.
    """

    def __init__(self, path: str, lines: Lines | None = None, *, last_batch: int = 0) -> None:
        """Make the file; raises SettingsError when it is there already or can't be made."""
        self.path = path
        self._lines: Lines = lines or create_file(path)
        self.run_id = ""
        self._last_batch = last_batch
        self._lock = Lock()

    @classmethod
    def resume(cls, opened: "OpenJournal", *, ci3_version: str, resumed_at: datetime) -> Self:
        """Go on with a run's journal, and write that down.

        A last line that a crash cut off is taken away. Raises SettingsError where anything has
        been written since the journal was read.
        """
        written = opened.written
        opened.lines.cut(written.size_bytes, read_bytes=written.read_bytes)
        journal = cls(written.source, opened.lines, last_batch=written.last_batch)
        journal.run_id = written.header.run_id
        moment = timestamp(resumed_at)
        journal._add({"record": "resumed", "ci3_version": ci3_version, "resumed_at": moment})
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

    def begin(self, header: JournalHeader) -> None:
        """Write the header: which run this is, of which plan, on which bucket, and the most of it.

        No more than its deployments, as they were approved, may be deleted by this run, or when it
        is resumed.
        """
        self.run_id, target = header.run_id, header.target
        self._add(
            {
                "record": "header",
                "format": JOURNAL_FORMAT,
                "ci3_version": header.ci3_version,
                "run_id": header.run_id,
                "plan_id": header.plan_id,
                "started_at": timestamp(header.started_at),
                "target": {
                    "bucket": target.bucket,
                    "region": target.region,
                    "prefix": target.prefix,
                    "endpoint_url": target.endpoint_url,
                    "versioning": target.versioning,
                },
                "policy": {
                    name: {"value": entry.value, "from": entry.origin}
                    for name, entry in header.policy.items()
                },
                "deployments": [
                    {
                        "name": one.name,
                        "fingerprint": one.fingerprint,
                        "object_count": one.object_count,
                        "size_bytes": one.size_bytes,
                    }
                    for one in header.deployments.values()
                ],
            }
        )

    def intend(self, parts: Iterable[tuple[str, Sequence[StoredObject]]]) -> int:
        """Write down what the next request is to delete, by deployment prefix; number the batch.

        It is on disk when this returns.
        """
        times: dict[datetime, int] = {}
        place = times.setdefault
        rows = [
            {
                "prefix": prefix,
                "objects": [
                    (key[start:], etag, size_bytes, place(modified_at, len(times)), version_id)
                    if version_id
                    else (key[start:], etag, size_bytes, place(modified_at, len(times)))
                    for key, etag, size_bytes, modified_at, version_id in objects
                ],
            }
            for prefix, objects in parts
            for start in [len(prefix)]
        ]
        return self._intend({"times": [timestamp(one) for one in times], "parts": rows})

    def intend_versions(self, parts: Iterable[tuple[str, Sequence[StoredVersion]]]) -> int:
        """Write down which versions the next request is to delete for good, as `intend` does.

        A delete marker may be among them. Versions of one key stand newest first.
        """
        times: dict[datetime, int] = {}
        place = times.setdefault
        rows = [
            {
                "prefix": prefix,
                "objects": [
                    (
                        one.key[len(prefix) :],
                        None if one.is_marker else one.etag,
                        one.size_bytes,
                        place(one.modified_at, len(times)),
                        one.version_id,
                    )
                    for one in versions
                ],
            }
            for prefix, versions in parts
        ]
        record = {"by_version": True, "times": [timestamp(one) for one in times], "parts": rows}
        return self._intend(record)

    def conclude(self, batch: int, outcomes: Sequence[KeyOutcome]) -> None:
        """Write down what became of each object of a batch, in the order of its intent."""
        said = [(one.outcome, one.message) for one in outcomes]
        commonest = said[0]
        if said.count(commonest) < len(said):
            commonest, _ = Counter(said).most_common(1)[0]
        outcome, message = commonest
        record: dict[str, object] = {"record": "outcome", "batch": batch, "outcome": outcome}
        if message:
            record["message"] = message
        if others := [(at, *one) for at, one in enumerate(said) if one != commonest]:
            record["others"] = others
        markers = [one.marker_version_id or None for one in outcomes]
        if any(markers):
            record["markers"] = markers
        # Where it is lost with the machine, a listing settles what the intent leaves open.
        self._add(record, is_urgent=False)

    def settle(self, batch: int, outcomes: Sequence[tuple[int, KeyOutcome]]) -> None:
        """Write down what a listing showed of objects that an earlier part of the run left open.

        They are named by their position in the batch's intent.
        """
        rows = [(at, one.outcome, one.message) for at, one in outcomes]
        self._add({"record": "settled", "batch": batch, "objects": rows})

    def intend_rules(
        self, before: bytes, transition_minimum: str, rules: Iterable["ExpiryRule"]
    ) -> None:
        """Write down which lifecycle rules the next request is to write, and what stood there."""
        rows = [
            {
                "prefix": one.prefix,
                "days": one.days,
                "noncurrent_days": one.noncurrent_days,
                "expires_at": timestamp(one.expires_at),
            }
            for one in rules
        ]
        self._add(
            {
                "record": "rules",
                "before": before.decode("utf-8"),
                "transition_minimum": transition_minimum,
                "rules": rows,
            }
        )

    def conclude_rules(self, outcome: str, message: str) -> None:
        """Write down what became of the rules."""
        self._add({"record": "rules-outcome", "outcome": outcome, "message": message})

    def end(self, stopped: str) -> None:
        """Write that the run ended, and why early if it did."""
        self._add({"record": "end", "stopped": stopped})

    def _intend(self, record: Mapping[str, object]) -> int:
        # Numbers stand in the file in their order, though threads take turns.
        with self._lock:
            batch = self._last_batch + 1
            self._add({"record": "intent", "batch": batch, **record})
            self._last_batch = batch
        return batch

    def _add(self, record: Mapping[str, object], *, is_urgent: bool = True) -> None:
        self._lines.add(_encode(record).encode("ascii") + b"\n", is_urgent=is_urgent)
