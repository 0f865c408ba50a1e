"""The jobs of a matrix that share a plan: what each says, and where."""

import pytest

from tests.action.reports import ALL, comment_of, read_journal, row_counts
from tests.github.fake_runner import NUMBER


@pytest.fixture
def planned(act):
    """A job that saves its plan: it dooms `site-1`, `site-2` and `site-3`."""
    return act(keep_count="3", plan_file="plan.json")


def apply(act, shard, **inputs):
    return act(mode="apply", plan_file="plan.json", shard=shard, **inputs)


def test_each_job_deletes_and_tells_its_part_and_all_of_them_the_plan(act, bucket, planned):
    runs = [apply(act, f"{number}/2") for number in (1, 2)]

    assert bucket.folders() == ALL - {"site-1", "site-2", "site-3"}
    for number, (run, due) in enumerate(zip(runs, ("2", "1"), strict=True), start=1):
        assert run.exit_code == 0, run.log
        outputs = run.outputs
        assert (outputs["outcome"], outputs["plan-id"]) == ("applied", planned.outputs["plan-id"])
        assert (outputs["deployments-found"], outputs["deployments-kept"]) == ("6", "3")
        assert outputs["deployments-to-delete"] == outputs["deployments-deleted"] == due
        assert f"{number}of2.jsonl" in outputs["journal-file"]
        assert read_journal(outputs["journal-file"])[0]["shard"] == f"{number}/2"
        assert f"by shard {number}/2: " in run.summary
        assert row_counts(run.summary) == [int(due), 3]
        assert run.annotations("error") == []
    assert "other shards" in runs[0].summary


def test_summary_of_a_shard_tells_what_it_leaves_to_the_others(act, bucket, planned):
    run = apply(act, "2/2")

    told = "### 1 deployment deleted by shard 2/2: 3 objects, 3 Bytes; 2 deployments left to other"
    assert told in run.summary
    assert "1 deployment of the plan in shard 2/2, 3 Bytes" in run.summary
    assert "○" in run.summary
    assert "site-1" not in run.summary
    assert "not deleted" not in run.summary


def test_job_with_an_empty_shard_passes(act, bucket, planned):
    run = apply(act, "7/8")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert run.outputs["deployments-to-delete"] == "0"
    assert run.outputs["journal-file"] == ""
    assert bucket.folders() == ALL
    assert "### Nothing to delete by shard 7/8" in run.summary


def test_jobs_of_a_matrix_leave_the_one_comment_alone(act, planned, github):
    before = comment_of(github)
    apply(act, "1/2")
    apply(act, "9/8")
    assert comment_of(github) == before


def test_comments_of_shards_that_are_told_apart_are_written(act, planned, github):
    for number in (1, 2):
        apply(act, f"{number}/2", comment_id=f"shard {number}")
    told = [one.body for one in github.comments(NUMBER) if "by shard" in one.body]
    assert len(told) == 2


def test_stale_plan_shows_in_every_shard_what_of_all_has_changed(act, bucket, planned):
    bucket.put("site-2/more", days=41)

    for number in (1, 2, 3):
        run = apply(act, f"{number}/3")
        assert (run.exit_code, run.outputs["outcome"]) == (5, "stale-plan")
        assert "### The plan is stale: 1 of 3 deployments" in run.summary
        assert "| `site-2` | **changed** |" in run.summary
        assert row_counts(run.summary) == [3, 3]
        assert run.outputs["deployments-deleted"] == "0"
    assert bucket.folders() == ALL


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_shard_of_no_saved_plan_is_refused(act, bucket, mode):
    run = act(mode=mode, keep_count="3", shard="1/2")
    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    assert "shard cuts a plan that is saved, and there is none" in run.log
    assert bucket.folders() == ALL
