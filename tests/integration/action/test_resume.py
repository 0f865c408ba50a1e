"""A step that resumes the run of a killed step."""

import pytest

from ci3.errors import begin_sentence
from tests.support.action_reports import comment_of, without_tables
from tests.support.crash import crash, small_batches
from tests.support.journals import read_records


@pytest.fixture
def crashed_journal(bucket, proxy, monkeypatch):
    """The journal of a run that deletes all but `site-6`, killed in its third batch of two."""
    monkeypatch.setattr(bucket, "endpoint_url", proxy.url)
    small_batches(monkeypatch)
    crash(bucket, proxy, 3)
    return "j.jsonl"


def test_step_resumes_the_run_of_a_journal_and_reports_it(
    act, bucket, crashed_journal, github, assert_screen
):
    run = act(mode="apply", resume=crashed_journal)

    assert run.exit_code == 0, run.log
    assert bucket.folders() == {"site-6"}
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["objects-deleted"] == "11"
    assert run.outputs["journal-file"] == crashed_journal
    assert read_records(crashed_journal)[-1] == {"record": "end", "stopped": ""}
    (warning,) = run.annotations("warning")
    assert_screen(warning)
    assert begin_sentence(warning) in run.summary
    assert begin_sentence(warning) in comment_of(github)
    assert "`j.jsonl`" in run.summary


def test_second_resume_reports_nothing_to_delete_and_succeeds(
    act, bucket, crashed_journal, assert_screen
):
    act(mode="apply", resume=crashed_journal)
    second_run = act(mode="apply", resume=crashed_journal)
    assert (second_run.exit_code, second_run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert_screen(without_tables(second_run.summary))


@pytest.mark.parametrize(
    "inputs",
    [
        {"mode": "plan"},
        {"bucket": "other"},
        {"journal_file": "k.jsonl"},
        {"resume": "nowhere.jsonl"},
    ],
    ids=" ".join,
)
def test_resume_with_wrong_inputs_deletes_nothing(
    act, bucket, crashed_journal, inputs, assert_screen
):
    before = bucket.keys()
    environ = {f"INPUT_{name.replace('_', '-').upper()}": text for name, text in inputs.items()}
    run = act(environ=environ, **{"mode": "apply", "resume": crashed_journal} | inputs)
    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    (error,) = run.annotations("error")
    assert_screen(error)
    assert bucket.keys() == before
