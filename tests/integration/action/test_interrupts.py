"""An interrupt of a step before and after it deletes or restores: what the step reports."""

import pytest

from tests.support.action_reports import ALL, comment_of


@pytest.fixture
def interrupt_call(monkeypatch):
    """Return a function that replaces another one, named by its path, by an interrupt."""

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    return lambda path: monkeypatch.setattr(path, interrupt)


def test_interrupt_before_the_first_deletion_is_no_access_error(
    act, bucket, interrupt_call, assert_screen
):
    interrupt_call("ci3.pipeline.target_run.approve_plan")
    run = act(keep_count="4", mode="apply")
    assert bucket.folders() == ALL
    assert (run.exit_code, run.outputs["outcome"]) == (130, "failed")
    [error] = run.annotations("error")
    assert_screen(error)


def test_interrupt_while_the_log_shows_the_result_leaves_summary_and_comment(
    act, bucket, github, interrupt_call
):
    interrupt_call("ci3.action.main.show_results")
    run = act(keep_count="4", mode="apply")
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert "6 objects" in run.summary
    assert "6 objects" in comment_of(github)


def test_interrupt_while_the_comment_is_written_leaves_the_report_of_a_restore(
    act, bucket, interrupt_call, assert_screen
):
    bucket.enable_versioning()
    journal = act(keep_count="4", mode="apply").outputs["journal-file"]
    interrupt_call("ci3.action.reporter.Poster")
    run = act(mode="restore", journal_file=journal)
    assert bucket.folders() == ALL
    assert (run.exit_code, run.outputs["outcome"]) == (0, "restored")
    assert not run.annotations("error")
    [warning] = run.annotations("warning")
    assert_screen(warning)
