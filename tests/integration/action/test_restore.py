"""`mode: restore`: a step that restores what another step deleted."""

import pytest

from tests.support.action_reports import ALL


@pytest.fixture
def applied_journal(act, bucket):
    """The journal of a step that deleted `site-1` and `site-2` from a versioned bucket."""
    bucket.enable_versioning()
    run = act(keep_count="4", mode="apply")
    assert (run.exit_code, bucket.folders()) == (0, ALL - {"site-1", "site-2"})
    return run.outputs["journal-file"]


def test_restore_restores_what_the_run_of_the_journal_deleted(act, bucket, applied_journal):
    before = bucket.content()

    run = act(mode="restore", journal_file=applied_journal)

    assert run.exit_code == 0, run.log
    assert bucket.folders() == ALL
    assert bucket.content().items() >= before.items()
    assert run.outputs["objects-restored"] == "6"
    assert "6 objects" in run.summary
    assert f"`s3://{bucket.name}/`" in run.summary


def test_second_restore_changes_nothing(act, bucket, applied_journal):
    act(mode="restore", journal_file=applied_journal)

    run = act(mode="restore", journal_file=applied_journal)

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
def test_restore_with_wrong_inputs_changes_nothing(
    act, bucket, applied_journal, inputs, assert_screen
):
    folders_before = bucket.folders()
    formatted_inputs = {name: text.format(journal=applied_journal) for name, text in inputs.items()}

    run = act(mode="restore", **formatted_inputs)

    assert run.exit_code == 2
    (error,) = run.annotations("error")
    assert_screen(error)
    assert bucket.folders() == folders_before


def test_journal_of_another_bucket_is_refused(act, bucket, applied_journal):
    run = act(mode="restore", journal_file=applied_journal, environ={"INPUT_BUCKET": "elsewhere"})

    assert run.exit_code == 2
    assert "'elsewhere'" in run.log
    assert bucket.name in run.log
