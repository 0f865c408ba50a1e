"""The examples in the docstrings of the journal: its lines, resolved outcomes and lost parts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.listing.pages import Page
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import open_journal
from ci3.engine.journal.recovery import resolve_unknown_outcomes
from ci3.engine.journal.s3_sink import _refuse_missing_parts
from ci3.errors import SettingsError
from tests.support.journals import (
    make_object,
    read_journal,
    read_records,
    resume_journal,
    start_journal,
)

if TYPE_CHECKING:
    from ci3.aws.bucket import BucketReader
    from ci3.core.journal.location import JournalLocation

DELETED = KeyOutcome(outcome=ObjectOutcome.DELETED)
DENIED = KeyOutcome(outcome=ObjectOutcome.DENIED, message="AccessDenied")
UNKNOWN = KeyOutcome(outcome=ObjectOutcome.UNKNOWN)
MODIFIED_AT = datetime(2026, 11, 1, 9, tzinfo=UTC)


def make_objects(*names: str) -> list[StoredObject]:
    return [
        make_object(
            f"app/old/{name}",
            etag=f'"{number}"',
            size_bytes=number + 2,
            modified_at=MODIFIED_AT,
            version_id="",
        )
        for number, name in enumerate(names, 1)
    ]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_lines_of_a_batch_with_a_denied_key() -> None:
    with start_journal() as journal:
        batch = journal.record_intent([("app/old/", make_objects("x", "y", "z"))])
        journal.record_outcome(batch, [DELETED, DENIED, DELETED])

    assert read_records("j.jsonl")[1:] == [
        json.loads(
            '{"record":"intent","batch":1,"times":["2026-11-01T09:00:00Z"],"parts":'
            '[{"prefix":"app/old/","objects":[["x","\\"1\\"",3,0],["y","\\"2\\"",4,0],'
            '["z","\\"3\\"",5,0]]}]}'
        ),
        json.loads(
            '{"record":"outcome","batch":1,"outcome":"deleted",'
            '"others":[[1,"denied","AccessDenied"]]}'
        ),
    ]


def test_resolved_outcome_replaces_the_unknown_outcome() -> None:
    with start_journal() as journal:
        batch = journal.record_intent([("app/old/", make_objects("0", "1", "2", "3"))])
        journal.record_outcome(batch, [DELETED, DENIED, DELETED, UNKNOWN])
    before = Path("j.jsonl").read_bytes()
    with resume_journal() as journal:
        journal.record_resolved(batch, [(3, KeyOutcome(outcome=ObjectOutcome.ABSENT))])
    after = Path("j.jsonl").read_bytes()

    def list_outcomes(content: bytes) -> list[str | None]:
        return [entry.outcome for entry in read_journal(content).read_entries("app/old/")]

    assert list_outcomes(before) == ["deleted", "denied", "deleted", "unknown"]
    assert list_outcomes(after) == ["deleted", "denied", "deleted", "absent"]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (None, "absent"),
        ({}, "failed"),
        ({"etag": '"2"'}, "changed"),
        ({"size_bytes": 4}, "changed"),
        ({"modified_at": datetime(2026, 11, 1, 10, tzinfo=UTC)}, "changed"),
    ],
)
def test_listing_resolves_an_unknown_outcome(
    change: dict[str, object] | None, outcome: str
) -> None:
    [recorded] = make_objects("x")
    with start_journal() as journal:
        journal.record_intent([("app/old/", [recorded])])

    def list_pages(_prefix: str) -> Iterator[Page]:
        fields = {name: getattr(recorded, name) for name in ("etag", "size_bytes", "modified_at")}
        listed = [] if change is None else [make_object("app/old/x", **(fields | change))]
        yield Page(columns=ObjectColumns.from_objects(listed), folders=(), is_last=True)

    reader = cast("BucketReader", SimpleNamespace(list_pages=list_pages))
    unresolved = read_journal(Path("j.jsonl").read_bytes())
    with resume_journal() as journal:
        resolve_unknown_outcomes(reader, unresolved, journal)

    with open_journal("j.jsonl") as journal_file:
        assert [entry.outcome for entry in journal_file.read_entries("app/old/")] == [outcome]


def test_missing_part_before_the_last_one_is_refused() -> None:
    location = cast("JournalLocation", SimpleNamespace(url="s3://b/j"))
    _refuse_missing_parts([1, 2], location)
    with pytest.raises(SettingsError):
        _refuse_missing_parts([1, 2, 4], location)
