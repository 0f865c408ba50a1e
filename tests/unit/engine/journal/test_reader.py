"""Reading a journal that a run wrote, and refusing any other content."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci3
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.journal.entry import JournalEntry
from ci3.core.model.objects import StoredVersion
from ci3.core.model.policy import Origin, PolicyEntry
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import open_journal
from ci3.engine.journal.records import journal_schema
from ci3.errors import SettingsError
from tests.support.builders import NOW, days_ago
from tests.support.golden import assert_messages
from tests.support.journals import (
    DELETED,
    FAILED,
    TARGET,
    approved_deployments,
    make_object,
    read_entries,
    read_journal,
    read_records,
    resume_journal,
    start_journal,
    write_journal,
)
from tests.support.messages import words_in

SPECIAL_KEYS = (
    "app/old/é 😀",
    "app/old/a\x01\n\r\u2028b",
    "app/old/'\"\\",
    "app/old/\ufffd",
    "app/old/",
)
UNKNOWN = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message="no answer")


def test_reading_returns_what_was_written():
    a, b, c = (
        make_object("app/old/a"),
        make_object("app/old/b", version_id=""),
        make_object("app/other/c"),
    )
    content = write_journal(([a, b], [DELETED, FAILED]), ([c], None), stopped="a reason")
    journal = read_journal(content)
    assert (journal.has_ended, journal.stop_reason, journal.is_truncated) == (
        True,
        "a reason",
        False,
    )
    assert journal.prefixes == ("app/old/", "app/other/")
    assert journal.last_batch == 2
    entries = read_entries(journal)
    assert entries[a.key] == JournalEntry(
        key=a.key,
        etag='"e"',
        size_bytes=7,
        modified_at=days_ago(9),
        version_id="v1",
        outcome=ObjectOutcome.DELETED,
        marker_version_ids=frozenset({"m1"}),
    )
    assert (entries[b.key].version_id, entries[b.key].outcome) == ("", ObjectOutcome.FAILED)
    assert entries[c.key].outcome is None


def test_header_names_the_approved_deployments_and_the_policy():
    policy = {
        "keep-count": PolicyEntry(value=3, origin=Origin.INPUT),
        "protect": PolicyEntry(value=("a", "b-*"), origin=Origin.POLICY_FILE),
    }
    header = read_journal(write_journal(policy=policy)).header
    assert (header.run_id, header.plan_id) == ("run-1", "p")
    assert (header.started_at, header.target, header.policy) == (NOW, TARGET, policy)
    for approved in approved_deployments("old", "other"):
        recorded = header.deployments[approved.prefix]
        assert (recorded.name, recorded.fingerprint) == (approved.name, approved.fingerprint)
        assert (recorded.object_count, recorded.size_bytes) == (
            approved.object_count,
            approved.size_bytes,
        )
    assert len(header.deployments) == 2


@pytest.mark.parametrize("key", SPECIAL_KEYS)
def test_key_with_special_characters_is_written_on_one_line(key):
    content = write_journal(([make_object(key)], [DELETED]))
    assert len(content.splitlines()) == len(content.decode().splitlines()) == 4
    assert list(read_entries(read_journal(content))) == [key]


def test_each_object_has_its_own_outcome():
    """The most common outcome is written once; only the others are listed by position."""
    outcomes = [DELETED, FAILED, DELETED, UNKNOWN, FAILED, DELETED]
    objects = [
        make_object(f"app/{'old' if number < 3 else 'other'}/{number}") for number in range(6)
    ]
    content = write_journal((objects, outcomes))
    entries = read_entries(read_journal(content))
    assert [entries[item.key].outcome for item in objects] == [
        outcome.outcome for outcome in outcomes
    ]
    markers = [entries[item.key].marker_version_ids for item in objects]
    assert markers == [{outcome.marker_version_id} - {""} for outcome in outcomes]
    assert content.count(b'"deleted"') == 1


@settings(deadline=None, max_examples=50)  # each record is flushed to the disk
@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from([f"app/d{n}/k{m}" for n in range(3) for m in range(3)]),
                     min_size=1, max_size=5, unique=True),
            st.booleans(),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_entries_are_read_by_deployment(batches):
    """Each batch may hold keys of several deployments."""
    path = Path("many.jsonl")
    path.unlink(missing_ok=True)
    recorded_batches = [
        ([make_object(key) for key in keys], [DELETED] * len(keys) if is_answered else None)
        for keys, is_answered in batches
    ]
    journal = read_journal(
        write_journal(*recorded_batches, path=str(path), names=("d0", "d1", "d2"))
    )
    expected: dict[str, bool] = {}
    for keys, is_answered in batches:
        for key in keys:
            expected[key] = expected.get(key, False) or is_answered
    actual = {
        entry.key: entry.outcome is ObjectOutcome.DELETED
        for entry in read_entries(journal).values()
    }
    assert actual == expected
    for prefix in ("app/d0/", "app/d1/", "app/d2/", "app/d3/"):
        entries = journal.read_entries(prefix)
        assert all(entry.key.startswith(prefix) for entry in entries)
        assert (prefix in journal.prefixes) is bool(entries)


def test_number_of_lines_in_memory_is_limited():
    batches = [([make_object(f"app/d{n}/a")], [DELETED]) for n in range(20)]
    content = write_journal(*batches, names=[f"d{n}" for n in range(20)])
    journal = read_journal(content, cached_lines=2)
    assert len(read_entries(journal)) == 20
    assert len(journal._parsed) == 2


# The size of a journal.


def test_journal_of_a_million_keys_stays_under_a_hundred_megabytes():
    """Measured on one batch of keys as bundlers name them, with ETags as S3 creates them."""
    folder = "3f2a91bc" * 5
    objects = [
        make_object(
            f"app/{folder}/assets/chunk-{number:08x}.js",
            etag=f'"{number:032x}"',
            size_bytes=100_000 + number,
            modified_at=days_ago(9 + number // 100),
            version_id="",
        )
        for number in range(1000)
    ]
    deleted = KeyOutcome(outcome=ObjectOutcome.DELETED)
    content = write_journal((objects, [deleted] * 1000), names=[folder])
    assert len(content) - len(write_journal(path="empty.jsonl", names=[folder])) < 100 * len(
        objects
    )


# Versions that are permanently deleted.


def make_version(key: str, version_id: str, *, is_marker: bool = False) -> StoredVersion:
    return StoredVersion(
        key=key,
        version_id=version_id,
        is_latest=False,
        is_delete_marker=is_marker,
        etag="" if is_marker else '"e"',
        size_bytes=0 if is_marker else 7,
        modified_at=days_ago(9),
    )


def test_batch_may_contain_several_versions_of_a_key():
    key = "app/old/a"
    versions = [
        make_version(key, "m", is_marker=True),
        make_version(key, "v2"),
        make_version(key, "v1"),
    ]
    with start_journal() as journal:
        batch = journal.record_version_intent([("app/old/", versions)])
        deleted = KeyOutcome(outcome=ObjectOutcome.DELETED)
        journal.record_outcome(batch, [deleted, FAILED, deleted])
        journal.record_end("")
    entries = read_journal(Path("j.jsonl").read_bytes()).read_entries("app/old/")
    assert [
        (entry.version_id, entry.is_delete_marker, str(entry.outcome)) for entry in entries
    ] == [
        ("m", True, "deleted"),
        ("v2", False, "failed"),
        ("v1", False, "deleted"),
    ]
    assert all(entry.is_permanent for entry in entries)


# The schema, and lines that do not match it.


def test_each_line_matches_the_published_schema():
    root = Path(ci3.__file__).parents[1]
    schema = json.loads((root / "docs/journal.schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads(journal_schema())
    a, b = make_object("app/old/a", version_id=""), make_object("app/old/b")
    policy = {"keep-count": PolicyEntry(value=3, origin=Origin.INPUT)}
    write_journal(([a, b], [DELETED, FAILED]), ([a], None), policy=policy)
    with resume_journal() as journal:
        journal.record_resolved(2, [(0, FAILED)])
        journal.record_version_intent(
            [("app/old/", [make_version("app/old/a", "m", is_marker=True)])]
        )
    lines = read_records("j.jsonl")
    for line in lines:
        jsonschema.validate(line, schema)
    kinds = {line["record"] for line in lines}
    assert kinds == {"header", "intent", "outcome", "resolved", "resumed", "end"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"record": "another"}, schema)


def make_changed_journal(line: int, **changes) -> bytes:
    """Return a journal with changed fields in one line."""
    Path("j.jsonl").unlink(missing_ok=True)
    lines = write_journal(
        ([make_object("app/old/a"), make_object("app/old/b")], [DELETED, FAILED])
    ).splitlines()
    record = json.loads(lines[line - 1]) | changes
    lines[line - 1] = json.dumps(record).encode()
    return b"\n".join(lines) + b"\n"


def make_intent(*row, prefix: str = "app/old/", **fields) -> dict:
    """Return the changed fields of an intent with one object."""
    return {"parts": [{"prefix": prefix, "objects": [row or ("a", "", 1, 0)]} | fields]}


def make_deployments(**changes) -> dict:
    """Return the changed deployments of a header; changes apply to the second one."""
    deployment = {"name": "old", "fingerprint": "f", "object_count": 1, "size_bytes": 1}
    return {"deployments": [deployment, {"name": "other"} | deployment | changes]}


CONTRADICTIONS = [
    (1, make_deployments()),
    (2, make_intent("a", "", 1, 9)),
    (2, make_intent("a", None, 1, 0, "m")),
    (2, make_intent() | {"by_version": True}),
    (2, make_intent(prefix="app/third/")),
    (2, make_intent(prefix="old/")),
    (3, {"others": [[2, "failed", ""]]}),
    (3, {"markers": ["m1"]}),
    (3, {"batch": 2}),
]


def catch_error(line, changes):
    with pytest.raises(SettingsError) as caught:
        read_journal(make_changed_journal(line, **changes))
    assert str(line) in words_in(caught.value.message)
    return caught.value


@pytest.mark.parametrize(("line", "changes"), CONTRADICTIONS)
def test_line_that_contradicts_itself_or_another_is_refused(line, changes):
    catch_error(line, changes)


@pytest.mark.parametrize(
    ("line", "changes", "path"),
    [
        (1, {"format": "ci3-journal/3"}, "header.format"),
        (1, {"more": 1}, "header.more"),
        (1, {"record": "end"}, ""),
        (1, {"started_at": "2026-11-23T12:00:00"}, "header.started_at"),
        (1, {"policy": {"keep-count": {"value": 1}}}, "header.policy.keep-count.from"),
        (1, make_deployments(name="a/b"), "header.deployments.1.name"),
        (1, make_deployments(name="third", object_count=-1), "header.deployments.1.object_count"),
        (2, {"record": "another"}, ""),
        (2, {"batch": "1"}, "intent.batch"),
        (2, {"batch": 0}, "intent.batch"),
        (2, {"parts": []}, "intent.parts"),
        (2, make_intent(more=1), "intent.parts.0.more"),
        (2, make_intent("a", "", -1, 0), "intent.parts.0.objects.0"),
        (2, make_intent("a", "", 1), "intent.parts.0.objects.0"),
        (2, make_intent("a", "", 1, 0, ""), "intent.parts.0.objects.0"),
        (2, make_intent(prefix="app/old"), "intent.parts.0.prefix"),
        (3, {"outcome": "vanished"}, "outcome.outcome"),
        (3, {"others": [[-1, "failed", ""]]}, "outcome.others.0.0"),
    ],
)
def test_invalid_field_is_refused_with_its_line_and_path(line, changes, path):
    assert path in catch_error(line, changes).message


@pytest.mark.parametrize(
    "case",
    [
        "twice",
        "after the end",
        "header later",
        "in the middle",
        "outcome twice",
        "batch again",
        "batch missing",
    ],
)
def test_lines_in_an_order_that_no_run_writes_are_refused(case):
    header, intent, outcome, end = write_journal(
        ([make_object("app/old/a")], [DELETED])
    ).splitlines(keepends=True)
    lines = {
        "twice": [header, header],
        "after the end": [header, intent, end, outcome],
        "header later": [intent, header],
        "in the middle": [header, intent[:-20] + b"\n", outcome, end],
        "outcome twice": [header, intent, outcome, outcome],
        "batch again": [header, intent, intent],
        "batch missing": [header, intent.replace(b'"batch":1', b'"batch":2'), end],
    }[case]
    with pytest.raises(SettingsError, match=r"\b[1234]\b"):
        read_journal(b"".join(lines))


@pytest.mark.parametrize("content", [b"", b'{"record":"header"', b"\x00" * 10])
def test_journal_without_a_header_is_refused(content):
    with pytest.raises(SettingsError) as caught:
        read_journal(content)
    assert caught.value.__cause__ is None


def test_line_over_the_limit_is_refused_and_not_treated_as_truncated():
    content = write_journal()
    with pytest.raises(SettingsError, match=r"\b1\b"):
        read_journal(content, line_limit_bytes=100)


def test_missing_journal_and_folder_are_refused_with_the_path():
    Path("folder").mkdir()
    for path in ("nowhere.jsonl", "folder"):
        with pytest.raises(SettingsError, match=re.escape(path)), open_journal(path):
            pass


def test_messages_are_the_golden_ones():
    contradictions = [
        (f"{line} {changes}", catch_error(line, changes)) for line, changes in CONTRADICTIONS
    ]
    with pytest.raises(SettingsError) as no_header:
        read_journal(b"")
    content = make_changed_journal(1)
    with pytest.raises(SettingsError) as long_line:
        read_journal(content, line_limit_bytes=100)
    other_errors = [("no header", no_header.value), ("long line", long_line.value)]
    assert_messages(__file__, contradictions + other_errors)
