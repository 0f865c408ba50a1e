"""What a crash leaves of a journal, and how it is gone on with."""

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


def test_last_line_torn_at_any_byte_is_left_out_and_said():
    a, b = make_object("app/old/é"), make_object("app/old/b")
    content = write_journal(([a, b], [DELETED, FAILED]), stopped=None)
    whole = content[: content[:-1].rindex(b"\n") + 1]
    for size in range(len(whole) + 1, len(content)):
        journal = read_journal(content[:size])
        assert journal.is_truncated
        assert not journal.has_ended
        assert journal.size_bytes == len(whole)
        assert [one.outcome for one in read_entries(journal).values()] == [None, None]
    assert not read_journal(whole).is_truncated
    assert read_entries(read_journal(content))[a.key].outcome is ObjectOutcome.DELETED


def test_torn_intent_was_never_sent_and_names_nothing():
    content = write_journal(([make_object("app/old/a")], None), stopped=None)
    journal = read_journal(content[:-1])
    assert journal.is_truncated
    assert journal.prefixes == ()


def test_journal_cut_anywhere_is_torn_or_shorter_or_has_no_header():
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


# What a journal says twice of a key.


def test_batches_of_a_resumed_run_are_numbered_on():
    """So that an outcome is of one batch only, in whatever session."""
    a, b = make_object("app/old/a"), make_object("app/old/b")
    write_journal(([a], None), stopped=None)
    with resume_journal() as journal:
        assert journal.record_intent([("app/old/", [b])]) == 2
        journal.record_outcome(2, [DELETED])
        journal.record_end("")
    found = read_entries(read_journal(Path("j.jsonl").read_bytes()))
    assert (found[a.key].outcome, found[b.key].outcome) == (None, ObjectOutcome.DELETED)


def test_key_that_was_sent_before_a_crash_and_failed_after_it_is_still_unknown():
    a = make_object("app/old/a")
    write_journal(([a], None), stopped=None)
    with resume_journal() as journal:
        journal.record_outcome(journal.record_intent([("app/old/", [a])]), [FAILED])
    assert read_entries(read_journal(Path("j.jsonl").read_bytes()))[a.key].outcome is None


def test_what_a_crash_left_open_is_settled_by_what_a_listing_showed():
    a, b = make_object("app/old/a"), make_object("app/other/b")
    write_journal(([a, b], None), stopped=None)
    absent = KeyOutcome(outcome=ObjectOutcome.ABSENT, message="a-message")
    with resume_journal() as journal:
        journal.record_resolved(1, [(1, absent)])
    found = read_entries(read_journal(Path("j.jsonl").read_bytes()))
    assert (found[a.key].outcome, found[b.key].outcome) == (None, ObjectOutcome.ABSENT)


def test_outcome_of_what_was_intended_before_the_run_was_resumed_is_refused():
    write_journal(([make_object("app/old/a")], None), stopped=None)
    with resume_journal() as journal:
        journal.record_outcome(1, [DELETED])
    with pytest.raises(SettingsError, match=r"\b4\b"):
        read_journal(Path("j.jsonl").read_bytes())


def test_key_that_is_sent_again_keeps_its_first_version_and_all_its_markers():
    a = make_object("app/old/a")
    unknown = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, marker_version_id="m0")
    again = make_object("app/old/a", version_id="")
    content = write_journal(([a], [unknown]), ([again], [DELETED]))
    (one,) = read_journal(content).read_entries("app/old/")
    assert (one.version_id, one.outcome) == ("v1", ObjectOutcome.DELETED)
    assert one.marker_version_ids == {"m0", "m1"}


# Going on with a journal.


def test_resumed_journal_loses_its_torn_line_and_nothing_else():
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
        assert [one["record"] for one in lines] == ["resumed", "end"]
        assert read_journal(after).has_ended


@pytest.mark.parametrize("content", [None, b"", b"{}\n"])
def test_what_is_no_journal_is_not_gone_on_with(content):
    if content is not None:
        Path("j.jsonl").write_bytes(content)
    with pytest.raises(SettingsError), resume_journal():
        pass
    assert content is None or Path("j.jsonl").read_bytes() == content


def test_journal_in_use_is_neither_gone_on_with_nor_read():
    with start_journal() as journal:
        with pytest.raises(SettingsError, match=r"j\.jsonl"), resume_journal():
            pass
        with pytest.raises(SettingsError, match=r"j\.jsonl"), open_journal("j.jsonl"):
            pass
        journal.record_end("")
    with open_journal("j.jsonl") as read_again:
        assert read_again.has_ended


def test_journal_is_never_overwritten():
    before = write_journal()
    with pytest.raises(SettingsError, match=r"j\.jsonl"):
        Journal("j.jsonl")
    assert Path("j.jsonl").read_bytes() == before
