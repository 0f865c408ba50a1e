"""Reading and resuming a journal after a crash."""

from pathlib import Path

import pytest

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.reader import open_journal
from ci3.engine.journal.writer import Journal
from ci3.errors import SettingsError
from tests.support.journals import (
    DELETED,
    FAILED,
    make_object,
    read_entries,
    read_journal,
    read_records,
    resume_journal,
    start_journal,
    write_journal,
)


def test_truncated_last_line_is_ignored_and_reported():
    a, b = make_object("app/old/é"), make_object("app/old/b")
    content = write_journal(([a, b], [DELETED, FAILED]), stopped=None)
    complete_lines = content[: content[:-1].rindex(b"\n") + 1]
    for size in range(len(complete_lines) + 1, len(content)):
        journal = read_journal(content[:size])
        assert journal.is_truncated
        assert not journal.has_ended
        assert journal.size_bytes == len(complete_lines)
        assert [entry.outcome for entry in read_entries(journal).values()] == [None, None]
    assert not read_journal(complete_lines).is_truncated
    assert read_entries(read_journal(content))[a.key].outcome is ObjectOutcome.DELETED


def test_truncated_intent_is_ignored():
    content = write_journal(([make_object("app/old/a")], None), stopped=None)
    journal = read_journal(content[:-1])
    assert journal.is_truncated
    assert journal.prefixes == ()


def test_journal_cut_at_any_byte_is_readable_if_its_header_is_complete():
    a, b = make_object("app/old/a"), make_object("app/other/b")
    content = write_journal(([a], [DELETED]), ([b], [DELETED]))
    header_bytes = content.index(b"\n") + 1
    for size in range(len(content)):
        if size < header_bytes:
            with pytest.raises(SettingsError) as caught:
                read_journal(content[:size])
            assert caught.value.__cause__ is None
        else:
            journal = read_journal(content[:size])
            assert journal.is_truncated is not content[:size].endswith(b"\n")
            assert content[: journal.size_bytes].endswith(b"\n")


# Keys with several records.


def test_resumed_run_continues_the_batch_numbers():
    """Batch numbers are unique across resumed runs, so each outcome has one batch."""
    a, b = make_object("app/old/a"), make_object("app/old/b")
    write_journal(([a], None), stopped=None)
    with resume_journal() as journal:
        assert journal.record_intent([("app/old/", [b])]) == 2
        journal.record_outcome(2, [DELETED])
        journal.record_end("")
    entries = read_entries(read_journal(Path("j.jsonl").read_bytes()))
    assert (entries[a.key].outcome, entries[b.key].outcome) == (None, ObjectOutcome.DELETED)


def test_key_sent_before_a_crash_that_failed_after_it_is_still_unknown():
    a = make_object("app/old/a")
    write_journal(([a], None), stopped=None)
    with resume_journal() as journal:
        journal.record_outcome(journal.record_intent([("app/old/", [a])]), [FAILED])
    assert read_entries(read_journal(Path("j.jsonl").read_bytes()))[a.key].outcome is None


def test_resolved_outcome_of_an_interrupted_batch_is_read():
    a, b = make_object("app/old/a"), make_object("app/other/b")
    write_journal(([a, b], None), stopped=None)
    absent = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="a-message")
    with resume_journal() as journal:
        journal.record_resolved(1, [(1, absent)])
    entries = read_entries(read_journal(Path("j.jsonl").read_bytes()))
    assert (entries[a.key].outcome, entries[b.key].outcome) == (None, ObjectOutcome.ABSENT)


def test_outcome_of_a_batch_from_before_the_resume_is_refused():
    write_journal(([make_object("app/old/a")], None), stopped=None)
    with resume_journal() as journal:
        journal.record_outcome(1, [DELETED])
    with pytest.raises(SettingsError, match=r"\b4\b"):
        read_journal(Path("j.jsonl").read_bytes())


def test_retried_key_keeps_its_first_version_and_all_its_markers():
    a = make_object("app/old/a")
    unknown = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, marker_version_id="m0")
    retried = make_object("app/old/a", version_id="")
    content = write_journal(([a], [unknown]), ([retried], [DELETED]))
    (entry,) = read_journal(content).read_entries("app/old/")
    assert (entry.version_id, entry.outcome) == ("v1", ObjectOutcome.DELETED)
    assert entry.marker_version_ids == {"m0", "m1"}


# Resuming a journal.


def test_resume_removes_a_truncated_line_only():
    a = make_object("app/old/a")
    content = write_journal(([a], [DELETED]), stopped=None)
    for size in range(content.index(b"\n") + 1, len(content) + 1):
        Path("j.jsonl").write_bytes(content[:size])
        with resume_journal() as journal:
            journal.record_end("")
        after = Path("j.jsonl").read_bytes()
        kept = content[: content[:size].rindex(b"\n") + 1]
        assert after.startswith(kept)
        lines = read_records("j.jsonl")[len(kept.splitlines()) :]
        assert [line["record"] for line in lines] == ["resumed", "end"]
        assert read_journal(after).has_ended


@pytest.mark.parametrize("content", [None, b"", b"{}\n"])
def test_file_that_is_not_a_journal_is_not_resumed(content):
    if content is not None:
        Path("j.jsonl").write_bytes(content)
    with pytest.raises(SettingsError), resume_journal():
        pass
    assert content is None or Path("j.jsonl").read_bytes() == content


def test_journal_in_use_is_neither_resumed_nor_read():
    with start_journal() as journal:
        with pytest.raises(SettingsError, match=r"j\.jsonl"), resume_journal():
            pass
        with pytest.raises(SettingsError, match=r"j\.jsonl"), open_journal("j.jsonl"):
            pass
        journal.record_end("")
    with open_journal("j.jsonl") as ended_journal:
        assert ended_journal.has_ended


def test_journal_is_never_overwritten():
    before = write_journal()
    with pytest.raises(SettingsError, match=r"j\.jsonl"):
        Journal("j.jsonl")
    assert Path("j.jsonl").read_bytes() == before
