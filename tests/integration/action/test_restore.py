"""`mode: restore`: a step that brings back what another step deleted."""

import pytest

from tests.support.action_reports import ALL


@pytest.fixture
def applied(act, bucket):
    """A step that has deleted `site-1` and `site-2` from a bucket that keeps versions."""
    bucket.enable_versioning()
    run = act(keep_count="4", mode="apply")
    assert (run.exit_code, bucket.folders()) == (0, ALL - {"site-1", "site-2"})
    return run.outputs["journal-file"]


def test_restore_brings_back_what_the_journals_run_deleted(act, bucket, applied):
    before = bucket.content()

    run = act(mode="restore", journal_file=applied)

    assert run.exit_code == 0, run.log
    assert bucket.folders() == ALL
    assert bucket.content().items() >= before.items()
    assert run.outputs["objects-restored"] == "6"
    assert "6 objects" in run.summary
    assert f"`s3://{bucket.name}/`" in run.summary


def test_second_restore_finds_all_as_it_was(act, bucket, applied):
    act(mode="restore", journal_file=applied)

    run = act(mode="restore", journal_file=applied)

    assert (run.exit_code, run.outputs["objects-restored"]) == (0, "0")
    assert bucket.folders() == ALL


def test_restore_of_a_bucket_without_versions_is_refused_with_the_reason(act, bucket):
    journal = act(keep_count="4", mode="apply").outputs["journal-file"]

    run = act(mode="restore", journal_file=journal)

    assert run.exit_code == 4
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert run.outputs["objects-restored"] == "0"


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"journal_file": "nowhere.jsonl"},
        {"journal_file": "{journal}", "prefix": "other"},
        {"journal_file": "{journal}", "keep_cuont": "1"},
    ],
    ids=" ".join,
)
def test_restore_that_is_asked_for_wrongly_changes_nothing(
    act, bucket, applied, inputs, assert_screen
):
    left = bucket.folders()
    named = {name: text.format(journal=applied) for name, text in inputs.items()}

    run = act(mode="restore", **named)

    assert run.exit_code == 2
    (error,) = run.annotations("error")
    assert_screen(error)
    assert bucket.folders() == left


def test_journal_of_another_bucket_is_refused(act, bucket, applied):
    run = act(mode="restore", journal_file=applied, environ={"INPUT_BUCKET": "elsewhere"})

    assert run.exit_code == 2
    assert "'elsewhere'" in run.log
    assert bucket.name in run.log
