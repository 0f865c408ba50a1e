"""The journal as it is written, read again, torn by a crash, and gone on with."""

import io
import json
import os
import resource
import signal
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ci3
from ci3.aws.bucket import KeyOutcome
from ci3.core.model import ObjectOutcome, StoredObject, Target, Versioning
from ci3.core.undo import JournalEntry
from ci3.engine.journal import Journal
from ci3.engine.journal_file import JournalFile, journal_schema, open_journal
from ci3.errors import JournalError, SettingsError
from tests.builders import NOW, days_ago

TARGET = Target(
    bucket="my-site",
    region="eu-central-1",
    prefix="app/",
    endpoint_url="",
    versioning=Versioning.ENABLED,
)
HOSTILE = (
    "app/old/é 😀",
    "app/old/a\x01\n\r\u2028b",
    "app/old/'\"\\",
    "app/old/\ufffd",
    "app/old/",
)
DELETED = KeyOutcome(outcome=ObjectOutcome.DELETED, marker_version_id="m1")
FAILED = KeyOutcome(outcome=ObjectOutcome.FAILED, message="AccessDenied")


def stored(key: str, **changes) -> StoredObject:
    fields = {"etag": '"e"', "size_bytes": 7, "modified_at": days_ago(9), "version_id": "v1"}
    return StoredObject(key=key, **(fields | changes))


def begun(path: str = "j.jsonl", target: Target = TARGET) -> Journal:
    journal = Journal(path)
    journal.begin(ci3_version="1", run_id="run-1", plan_id="p", started_at=NOW, target=target)
    return journal


def written(*batches, path: str = "j.jsonl", stopped: str | None = "") -> bytes:
    """Write a journal of batches, each as its objects and outcomes or None; gives its bytes."""
    with begun(path) as journal:
        for number, (objects, outcomes) in enumerate(batches, 1):
            journal.intend(number, objects)
            if outcomes is not None:
                journal.conclude(number, outcomes)
        if stopped is not None:
            journal.end(stopped)
    return Path(path).read_bytes()


def read(content: bytes) -> JournalFile:
    return JournalFile(io.BytesIO(content), "j.jsonl")


def entries(journal: JournalFile) -> dict[str, JournalEntry]:
    return {one.key: one for prefix in journal.prefixes for one in journal.entries(prefix)}


def test_what_was_written_is_read_again():
    a, b, c = stored("app/old/a"), stored("app/old/b", version_id=""), stored("app/other/c")
    content = written(([a, b], {a.key: DELETED, b.key: FAILED}), ([c], None), stopped="a reason")
    journal = read(content)
    assert journal.header.run_id == "run-1"
    assert (journal.header.started_at, journal.header.target) == (NOW, TARGET)
    assert (journal.has_ended, journal.stopped, journal.is_torn) == (True, "a reason", False)
    assert journal.prefixes == ("app/old/", "app/other/")
    found = entries(journal)
    assert found[a.key] == JournalEntry(
        key=a.key,
        etag='"e"',
        size_bytes=7,
        modified_at=days_ago(9),
        version_id="v1",
        outcome=ObjectOutcome.DELETED,
        marker_version_ids=frozenset({"m1"}),
    )
    assert (found[b.key].version_id, found[b.key].outcome) == ("", ObjectOutcome.FAILED)
    assert found[c.key].outcome is None


@pytest.mark.parametrize("key", HOSTILE)
def test_hostile_key_comes_back_as_it_is_on_one_line(key):
    content = written(([stored(key)], {key: DELETED}))
    assert len(content.splitlines()) == len(content.decode().splitlines()) == 4
    assert list(entries(read(content))) == [key]


def test_each_line_fits_the_published_schema():
    root = Path(ci3.__file__).parents[1]
    schema = json.loads((root / "docs/journal.schema.json").read_text(encoding="utf-8"))
    assert schema == json.loads(journal_schema())
    a = stored("app/old/a", version_id="")
    written(([a], {a.key: DELETED}))
    Journal.resume("j.jsonl", TARGET, ci3_version="1", resumed_at=NOW)._lines.close()
    for line in Path("j.jsonl").read_text(encoding="utf-8").splitlines():
        jsonschema.validate(json.loads(line), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"record": "another"}, schema)


# What is refused.


def change(line: int, **changes) -> bytes:
    """A journal of which one line has other keys."""
    a = stored("app/old/a")
    lines = written(([a], {a.key: DELETED})).splitlines()
    record = json.loads(lines[line - 1]) | changes
    lines[line - 1] = json.dumps(record).encode()
    return b"\n".join(lines) + b"\n"


def outcome(**changes) -> dict:
    one = {"key": "app/old/a", "outcome": "deleted", "marker_version_id": "m1", "message": ""}
    return {"outcomes": [one | changes]}


def intended(**changes) -> dict:
    one = {"key": "app/old/a", "etag": "", "size_bytes": 1, "modified_at": "2026-11-01T00:00:00Z"}
    return {"objects": [one | {"version_id": None} | changes]}


@pytest.mark.parametrize(
    ("line", "changes", "told"),
    [
        (1, {"format": "ci3-journal/2"}, "line 1: header.format"),
        (1, {"more": 1}, "line 1: header.more"),
        (1, {"record": "end"}, "line 1"),
        (1, {"started_at": "2026-11-23T12:00:00"}, "line 1: header.started_at"),
        (2, {"record": "another"}, "line 2"),
        (2, {"batch": "1"}, "line 2: intent.batch"),
        (2, intended(more=1), "line 2: intent.objects.0.more"),
        (2, intended(size_bytes=-1), "line 2: intent.objects.0.size_bytes"),
        (2, intended(key="app/a"), "line 2: the key 'app/a' is in no deployment"),
        (2, intended(key="app//a"), "line 2: the key 'app//a' is in no deployment"),
        (2, intended(key="other/old/a"), "line 2: the key 'other/old/a' is in no deployment"),
        (3, outcome(outcome="vanished"), "line 3: outcome.outcomes.0.outcome"),
        (3, outcome(key="app/old/b"), "line 3: an outcome of a key that no intent names"),
        (3, {"batch": 2}, "line 3: an outcome of a key that no intent names"),
    ],
)
def test_what_a_run_does_not_write_is_refused_with_its_line(line, changes, told):
    with pytest.raises(SettingsError, match="is no journal of ci3") as caught:
        read(change(line, **changes))
    assert told in caught.value.message


@pytest.mark.parametrize("moved", ["twice", "after the end", "header later", "in the middle"])
def test_lines_in_an_order_that_no_run_writes_are_refused(moved):
    a = stored("app/old/a")
    header, intent, said, end = written(([a], {a.key: DELETED})).splitlines(keepends=True)
    lines = {
        "twice": [header, header],
        "after the end": [header, intent, end, said],
        "header later": [intent, header],
        "in the middle": [header, intent[:-20] + b"\n", said, end],
    }[moved]
    with pytest.raises(SettingsError, match=r"line [1234]"):
        read(b"".join(lines))


@pytest.mark.parametrize("content", [b"", b'{"record":"header"', b"\x00" * 10])
def test_journal_without_a_header_deleted_nothing(content):
    with pytest.raises(SettingsError) as caught:
        read(content)
    assert "it has no header" in caught.value.message
    assert "that run deleted nothing" in caught.value.hint


def test_line_longer_than_any_is_not_taken_for_a_torn_one(monkeypatch):
    content = written()
    monkeypatch.setattr("ci3.engine.journal_file.LINE_LIMIT_BYTES", 100)
    with pytest.raises(SettingsError, match="line 1: the line is longer"):
        read(content)


def test_missing_journal_and_a_folder_are_told():
    Path("folder").mkdir()
    for path in ("nowhere.jsonl", "folder"):
        told = f"the journal {path} can't be read"
        with pytest.raises(SettingsError, match=told), open_journal(path):
            pass


# What a crash leaves.


def test_last_line_torn_at_any_byte_is_left_out_and_said():
    a, b = stored("app/old/é"), stored("app/old/b")
    content = written(([a, b], {a.key: DELETED, b.key: FAILED}), stopped=None)
    whole = content[: content[:-1].rindex(b"\n") + 1]
    for size in range(len(whole) + 1, len(content)):
        journal = read(content[:size])
        assert journal.is_torn
        assert not journal.has_ended
        assert journal.size_bytes == len(whole)
        assert [one.outcome for one in entries(journal).values()] == [None, None]
    assert not read(whole).is_torn
    assert entries(read(content))[a.key].outcome is ObjectOutcome.DELETED


def test_torn_intent_was_never_sent_and_names_nothing():
    content = written(([stored("app/old/a")], None), stopped=None)
    journal = read(content[:-1])
    assert journal.is_torn
    assert journal.prefixes == ()


def test_journal_cut_anywhere_is_torn_or_shorter_or_has_no_header():
    a, b = stored("app/old/a"), stored("app/other/b")
    content = written(([a], {a.key: DELETED}), ([b], {b.key: DELETED}))
    header_bytes = content.index(b"\n") + 1
    for size in range(len(content)):
        if size < header_bytes:
            with pytest.raises(SettingsError, match="no header"):
                read(content[:size])
        else:
            journal = read(content[:size])
            assert journal.is_torn is not content[:size].endswith(b"\n")
            assert content[: journal.size_bytes].endswith(b"\n")


# What a journal says twice of a key.


def test_outcome_belongs_to_the_batch_of_its_own_session():
    """A resumed run counts its batches anew, and its first one is another."""
    a, b = stored("app/old/a"), stored("app/old/b")
    written(([a], None), stopped=None)
    with Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW) as journal:
        journal.intend(1, [b])
        journal.conclude(1, {b.key: DELETED})
        journal.end("")
    found = entries(read(Path("j.jsonl").read_bytes()))
    assert (found[a.key].outcome, found[b.key].outcome) == (None, ObjectOutcome.DELETED)


def test_key_that_was_sent_before_a_crash_and_failed_after_it_is_still_unknown():
    a = stored("app/old/a")
    written(([a], None), stopped=None)
    with Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW) as journal:
        journal.intend(1, [a])
        journal.conclude(1, {a.key: FAILED})
    assert entries(read(Path("j.jsonl").read_bytes()))[a.key].outcome is None


def test_outcome_of_what_was_intended_before_the_run_was_resumed_is_refused():
    a = stored("app/old/a")
    written(([a], None), stopped=None)
    with Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW) as journal:
        journal.conclude(1, {a.key: DELETED})
    with pytest.raises(SettingsError, match="line 4: an outcome of a key that no intent names"):
        read(Path("j.jsonl").read_bytes())


def test_key_that_is_sent_again_keeps_its_first_version_and_all_its_markers():
    a = stored("app/old/a")
    unknown = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, marker_version_id="m0")
    again = stored("app/old/a", version_id="")
    content = written(([a], {a.key: unknown}), ([again], {a.key: DELETED}))
    (one,) = read(content).entries("app/old/")
    assert (one.version_id, one.outcome) == ("v1", ObjectOutcome.DELETED)
    assert one.marker_version_ids == {"m0", "m1"}


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
def test_each_key_is_found_under_its_deployment_however_batches_share_them(batches):
    """Read by deployment, with few lines kept, it says what reading it whole would say."""
    path = Path("many.jsonl")
    path.unlink(missing_ok=True)
    made = [
        ([stored(key) for key in keys], dict.fromkeys(keys, DELETED) if is_answered else None)
        for keys, is_answered in batches
    ]
    journal = read(written(*made, path=str(path)))
    expected: dict[str, bool] = {}
    for keys, is_answered in batches:
        for key in keys:
            expected[key] = expected.get(key, False) or is_answered
    found = {one.key: one.outcome is ObjectOutcome.DELETED for one in entries(journal).values()}
    assert found == expected
    for prefix in journal.prefixes:
        assert all(one.key.startswith(prefix) for one in journal.entries(prefix))


def test_few_lines_are_in_memory_however_long_the_journal_is(monkeypatch):
    monkeypatch.setattr("ci3.engine.journal_file.LINES_KEPT", 2)
    batches = [([stored(f"app/d{n}/a")], {f"app/d{n}/a": DELETED}) for n in range(20)]
    journal = read(written(*batches))
    assert len(entries(journal)) == 20
    assert len(journal._parsed) == 2


# Going on with a journal.


def test_resumed_journal_loses_its_torn_line_and_nothing_else():
    a = stored("app/old/a")
    content = written(([a], {a.key: DELETED}), stopped=None)
    for size in range(content.index(b"\n") + 1, len(content) + 1):
        Path("j.jsonl").write_bytes(content[:size])
        with Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW) as journal:
            journal.end("")
        after = Path("j.jsonl").read_bytes()
        kept = content[: content[:size].rindex(b"\n") + 1]
        assert after.startswith(kept)
        records = [json.loads(line)["record"] for line in after[len(kept) :].splitlines()]
        assert records == ["resumed", "end"]
        assert read(after).has_ended


@pytest.mark.parametrize(
    "other", [{"bucket": "b"}, {"prefix": "web/"}, {"endpoint_url": "http://127.0.0.1:1"}]
)
def test_journal_of_another_target_is_not_gone_on_with(other):
    before = written()
    fields = {name: getattr(TARGET, name) for name in TARGET.__dataclass_fields__}
    with pytest.raises(SettingsError, match="is of s3://my-site/app/ at AWS"):
        Journal.resume("j.jsonl", Target(**(fields | other)), ci3_version="2", resumed_at=NOW)
    assert Path("j.jsonl").read_bytes() == before


@pytest.mark.parametrize("content", [None, b"", b"{}\n"])
def test_what_is_no_journal_is_not_gone_on_with(content):
    if content is not None:
        Path("j.jsonl").write_bytes(content)
    with pytest.raises(SettingsError):
        Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW)
    assert content is None or Path("j.jsonl").read_bytes() == content


def test_journal_in_use_is_neither_gone_on_with_nor_read():
    with begun() as journal:
        with pytest.raises(SettingsError, match="is in use"):
            Journal.resume("j.jsonl", TARGET, ci3_version="2", resumed_at=NOW)
        with pytest.raises(SettingsError, match="is in use"), open_journal("j.jsonl"):
            pass
        journal.end("")
    with open_journal("j.jsonl") as read_again:
        assert read_again.has_ended


def test_journal_is_never_overwritten():
    before = written()
    with pytest.raises(SettingsError, match="is there already"):
        Journal("j.jsonl")
    assert Path("j.jsonl").read_bytes() == before


# The disk.


def test_each_record_is_on_the_disk_when_it_is_written(monkeypatch):
    a = stored("app/old/a")
    synced: list[int] = []

    def sync(file: int) -> None:
        synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(os, "fsync", sync)
    sizes = []
    with begun() as journal:
        sizes.append(Path("j.jsonl").stat().st_size)
        journal.intend(1, [a])
        sizes.append(Path("j.jsonl").stat().st_size)
        journal.conclude(1, {a.key: DELETED})
        sizes.append(Path("j.jsonl").stat().st_size)
    assert synced == sizes


@pytest.mark.parametrize("room", [0, 1, 50])
def test_line_that_does_not_fit_leaves_nothing_behind_and_shorter_ones_may_follow(room):
    a = stored("app/old/a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with begun() as journal:
            journal.intend(1, [a])
            size = Path("j.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
            with pytest.raises(JournalError, match=r"j.jsonl can't be written"):
                journal.intend(2, [stored(f"app/old/{number}") for number in range(9)])
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            journal.conclude(1, {a.key: DELETED})
            journal.end("the disk was full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    journal = read(Path("j.jsonl").read_bytes())
    assert journal.stopped == "the disk was full"
    assert [one.outcome for one in entries(journal).values()] == [ObjectOutcome.DELETED]


def test_nothing_follows_a_line_that_could_not_be_taken_back():
    with begun() as journal:
        before = Path("j.jsonl").read_bytes()
        journal._lines._file.close()
        journal._lines._file = _Broken("j.jsonl")
        with pytest.raises(JournalError, match="No space left"):
            journal.intend(1, [stored("app/old/a")])
        with pytest.raises(JournalError, match="an earlier line broke off"):
            journal.end("")
    after = Path("j.jsonl").read_bytes()
    assert after != before
    assert read(after).is_torn


class _Broken(io.FileIO):
    """A file on a disk that takes a part of a line, and then nothing, not even less."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "r+")
        self.seek(0, io.SEEK_END)
        self._has_room = True

    def write(self, line) -> int:
        if not self._has_room:
            raise OSError(28, "No space left on device")
        self._has_room = False
        return super().write(line[:10])

    def truncate(self, size=None):  # noqa: ARG002 - as FileIO has it
        raise OSError(5, "Input/output error")
