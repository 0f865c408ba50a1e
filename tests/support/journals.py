"""Journals for tests: short builders, and readers of the JSON that do not use ci3's reader."""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.inventory.summary import summarize_folder
from ci3.core.journal.entry import JournalEntry
from ci3.core.journal.header import JournalHeader, approved_by_prefix
from ci3.core.model.deployment import Deployment, Target, Versioning
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import JournalFile, reopen_journal
from ci3.engine.journal.writer import Journal
from tests.support.builders import NOW, days_ago

TARGET = Target(
    bucket="my-site",
    region="eu-central-1",
    prefix="app/",
    endpoint_url="",
    versioning=Versioning.ENABLED,
)
DELETED = KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id="m1")
FAILED = KeyOutcome(outcome=ObjectOutcome.FAILED, message="AccessDenied")


def make_object(key: str, **changes: Any) -> StoredObject:
    fields = {"etag": '"e"', "size_bytes": 7, "modified_at": days_ago(9), "version_id": "v1"}
    return StoredObject(key=key, **(fields | changes))


def approved_deployments(*names: str) -> tuple[Deployment, ...]:
    """Return the approved deployments of a plan, each with one object."""
    return tuple(
        summarize_folder(name, f"app/{name}/", (make_object(f"app/{name}/a"),)) for name in names
    )


def start_journal(
    path: str = "j.jsonl", names: Iterable[str] = ("old", "other"), **header: Any
) -> Journal:
    journal = Journal(path)
    fields = {
        "ci3_version": "1",
        "run_id": "run-1",
        "plan_id": "p",
        "started_at": NOW,
        "target": TARGET,
        "policy": {},
        "deployments": approved_by_prefix(approved_deployments(*names)),
    }
    journal.write_header(JournalHeader(**(fields | header)))
    return journal


def group_by_deployment(objects: Iterable[StoredObject]) -> list[tuple[str, list[StoredObject]]]:
    """Group consecutive objects by deployment, as a batch does."""
    groups: list[tuple[str, list[StoredObject]]] = []
    for stored_object in objects:
        prefix = "/".join(stored_object.key.split("/")[:2]) + "/"
        if not groups or groups[-1][0] != prefix:
            groups.append((prefix, []))
        groups[-1][1].append(stored_object)
    return groups


def write_journal(
    *batches: Any, path: str = "j.jsonl", stopped: str | None = "", **begin: Any
) -> bytes:
    """Write a journal of batches of (objects, outcomes or None); return its bytes."""
    with start_journal(path, **begin) as journal:
        for objects, outcomes in batches:
            number = journal.record_intent(group_by_deployment(objects))
            if outcomes is not None:
                journal.record_outcome(number, outcomes)
        if stopped is not None:
            journal.record_end(stopped)
    return Path(path).read_bytes()


@contextmanager
def resume_journal(path: str = "j.jsonl") -> Iterator[Journal]:
    with (
        reopen_journal(path) as opened,
        Journal.resume(opened, ci3_version="2", resumed_at=NOW) as journal,
    ):
        yield journal


def read_journal(content: bytes, **limits: int) -> JournalFile:
    return JournalFile(io.BytesIO(content), "j.jsonl", **limits)


def read_entries(journal: JournalFile) -> dict[str, JournalEntry]:
    return {
        entry.key: entry for prefix in journal.prefixes for entry in journal.read_entries(prefix)
    }


def read_intents(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects of the intents in order, each with its batch number."""
    return [
        {
            "batch": record["batch"],
            "key": part["prefix"] + row[0],
            "version_id": row[4] if len(row) > 4 else None,
        }
        for record in records
        if record["record"] == "intent"
        for part in record["parts"]
        for row in part["objects"]
    ]


def read_outcomes(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects with their outcomes and delete markers."""
    records = list(records)
    rows = []
    for record in records:
        if record["record"] == "outcome":
            other_outcomes = {row[0]: row[1] for row in record.get("others", ())}
            batch = [row for row in read_intents(records) if row["batch"] == record["batch"]]
            markers = record.get("markers") or [None] * len(batch)
            rows += [
                row
                | {
                    "outcome": other_outcomes.get(index, record["outcome"]),
                    "marker": markers[index],
                }
                for index, row in enumerate(batch)
            ]
    return rows


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """Return the records of a journal, one per line."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
