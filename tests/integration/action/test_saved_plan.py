"""A plan that one step saves and another step applies after an approval."""

from pathlib import Path

import pytest

from tests.support.action_reports import ALL, PUSH, comment_of, headline, row_counts


@pytest.fixture
def planned(act):
    """A step that saves a plan to delete `site-1` and `site-2`."""
    return act(keep_count="4", plan_file="plan.json")


def test_report_shows_how_to_apply_the_saved_plan(act, planned, github, assert_screen):
    how_to_apply = planned.summary.split("\n\n")[-2]
    assert_screen(how_to_apply)
    assert how_to_apply in comment_of(github)


def test_plan_of_one_step_is_applied_by_the_next(act, bucket, planned, github):
    run = act(mode="apply", plan_file="plan.json")

    assert run.exit_code == 0, run.log
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["plan-id"] == planned.outputs["plan-id"]
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert headline(comment_of(github)) == headline(run.summary)


def test_stale_plan_deletes_nothing_and_shows_each_change(
    act, bucket, planned, github, assert_screen
):
    bucket.put("site-2/more", days=41)

    run = act(mode="apply", plan_file="plan.json")

    assert (run.exit_code, run.outputs["outcome"]) == (5, "stale-plan")
    assert run.outputs["deployments-deleted"] == "0"
    assert bucket.folders() == ALL
    [error] = run.annotations("error")
    assert_screen(error)
    assert headline(comment_of(github)) == headline(run.summary)
    for text in (run.summary, comment_of(github)):
        assert "| `site-2` | **changed**<br>" in text
        assert "| `site-1` | as planned<br>" in text
        assert row_counts(text) == [2, 4]
    assert not list(Path().glob("*.jsonl"))


def test_unchanged_deployments_are_deleted_if_changed_ones_are_skipped(
    act, bucket, planned, github
):
    bucket.put("site-2/more", days=41)

    run = act(mode="apply", plan_file="plan.json", skip_changed="true")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "applied")
    assert bucket.folders() == ALL - {"site-1"}
    assert run.outputs["deployments-deleted"] == "1"
    assert "| `site-2` | skipped<br>" in run.summary


def test_apply_with_a_missing_plan_file_deletes_nothing(act, bucket):
    run = act(mode="apply", plan_file="gone.json", keep_count="1")

    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    assert bucket.folders() == ALL
    assert "gone.json" in run.log


def test_commit_of_the_applying_run_is_kept_although_the_plan_deletes_it(act, bucket, planned):
    bucket.deploy("deadbeef", days=99)
    saved = act(event=PUSH, keep_count="4", match=".*", plan_file="other.json")
    assert saved.outputs["deployments-to-delete"] == "3"

    event = {"after": "deadbeef" + "0" * 32}
    run = act(event=event, mode="apply", plan_file="other.json", environ={"GITHUB_SHA": ""})

    assert run.exit_code == 5
    assert "deadbeef" in bucket.folders()


@pytest.mark.parametrize("value", ["maybe", "2", "tru"])
def test_flag_that_is_neither_true_nor_false_is_refused(act, bucket, planned, value):
    run = act(mode="apply", plan_file="plan.json", skip_changed=value)

    assert run.exit_code == 2
    (error,) = run.annotations("error")
    assert value in error
    assert "skip-changed" in error
    assert bucket.folders() == ALL
