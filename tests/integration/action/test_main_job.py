"""The action plans and applies, and reports it in outputs, summary and one comment."""

import json
from pathlib import Path

import pytest

from tests.support.action_reports import (
    ALL,
    APPLY,
    ENTRYPOINT,
    comment_of,
    headline,
    read_journal,
    row_counts,
)
from tests.support.github.fake_runner import HEAD_SHA, MERGE_SHA, PULL_REQUEST_NUMBER
from tests.support.journals import read_outcomes


def test_plan_on_a_pull_request_comments_reports_and_deletes_nothing(act, bucket, github):
    run = act(keep_count="4")

    assert run.exit_code == 0
    assert bucket.folders() == ALL
    assert run.outputs["outcome"] == "planned"
    assert run.outputs["deployments-found"] == "6"
    assert run.outputs["deployments-kept"] == "4"
    assert run.outputs["deployments-to-delete"] == "2"
    assert run.outputs["deployments-deleted"] == "0"
    assert run.outputs["objects-deleted"] == "0"
    assert run.outputs["journal-file"] == ""
    assert run.outputs["plan-file"] == ""
    assert len(run.outputs["plan-id"]) == 64
    assert run.outputs["comment-url"].endswith(f"/pull/{PULL_REQUEST_NUMBER}#issuecomment-1001")
    assert headline(comment_of(github)) == headline(run.summary)
    for text in (run.summary, comment_of(github)):
        assert APPLY in text
        assert "https://github.test/acme/storefront/actions/runs/42" in text
        assert row_counts(text) == [2, 4]
    assert not list(Path().glob("*.jsonl"))
    assert run.errors == ""


def test_run_sets_each_output_of_action_yml(act):
    declared = set()
    lines = (ENTRYPOINT.parent / "action.yml").read_text().partition("\noutputs:\n")[2]
    for line in lines.partition("\nruns:")[0].splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            declared.add(line.strip().removesuffix(":"))

    assert declared
    assert act(mode="apply").outputs.keys() == declared


def test_second_run_edits_the_comment_of_the_first(act, bucket, github):
    first = act(keep_count="4")
    bucket.deploy("site-7", days=-1)
    second = act(keep_count="4")

    assert first.outputs["comment-url"] == second.outputs["comment-url"]
    assert headline(comment_of(github)) == headline(second.summary) != headline(first.summary)


def test_comment_for_changes_is_not_created_by_a_plan_without_deletions(act, github):
    run = act(keep_count="6")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert run.outputs["comment-url"] == ""
    assert github.comments(PULL_REQUEST_NUMBER) == ()
    assert row_counts(run.summary) == [1]


def test_existing_comment_for_changes_is_updated(act, github):
    act(keep_count="4")
    run = act(keep_count="6")

    assert headline(comment_of(github)) == headline(run.summary)


def test_comment_never_sends_no_request(act, github):
    run = act(keep_count="4", comment="never")

    assert run.exit_code == 0
    assert github.requests == ()


def test_comment_always_is_created_without_deletions(act, github):
    run = act(keep_count="6", comment="always")

    assert headline(comment_of(github)) == headline(run.summary)


def test_two_comment_ids_have_separate_comments(act, github):
    act(keep_count="4")
    act(keep_count="4", comment_id="another")
    act(keep_count="4", comment_id="another")

    assert len(github.comments(PULL_REQUEST_NUMBER)) == 2


@pytest.mark.parametrize(
    "event", [{}, {"schedule": "0 3 * * *"}, {"deployment": {"sha": HEAD_SHA}}]
)
def test_run_without_a_pull_request_sends_no_request_to_github(act, github, event):
    run = act(event=event, keep_count="4")

    assert (run.exit_code, run.outputs["comment-url"]) == (0, "")
    assert github.requests == ()


def test_apply_deletes_only_what_the_plan_deletes_and_reports_it(
    act, bucket, github, assert_screen
):
    run = act(keep_count="4", mode="apply")

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert "robots.txt" in bucket.keys()  # noqa: SIM118 - not a mapping
    assert run.outputs["outcome"] == "applied"
    assert run.outputs["deployments-deleted"] == "2"
    assert run.outputs["objects-deleted"] == "6"
    assert run.outputs["bytes-deleted"] == "6"
    journal = read_journal(run.outputs["journal-file"])
    assert journal[0]["plan_id"] == run.outputs["plan-id"]
    assert len(read_outcomes(journal)) == 6
    assert headline(comment_of(github)) == headline(run.summary)
    assert headline(run.summary) in run.log
    assert_screen(headline(run.summary))


def test_apply_with_nothing_to_delete_creates_no_journal(act):
    run = act(keep_count="6", mode="apply")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "nothing-to-delete")
    assert not list(Path().glob("*.jsonl"))


@pytest.mark.parametrize("sha", [MERGE_SHA, HEAD_SHA])
def test_commit_of_the_run_and_head_of_its_pull_request_are_kept(act, bucket, sha):
    names = {sha, f"build-{sha[:7]}"}
    for name in names:
        bucket.deploy(name, days=300)
    act(keep_count="1", mode="apply")

    assert bucket.folders() == {"site-6", *names}


def test_empty_input_counts_as_not_given(act):
    assert act(keep_count=" ", protect="", policy_file="").outputs["deployments-kept"] == "5"


def test_input_overrides_the_policy_file(act):
    Path("policy.yml").write_text("keep-count: 2\nprotect: [site-1]\n")

    assert act(policy_file="policy.yml").outputs["deployments-kept"] == "3"
    assert act(policy_file="policy.yml", keep_count="3").outputs["deployments-kept"] == "4"


def test_plan_file_is_written_and_named(act):
    run = act(keep_count="4", plan_file="plan.json")

    assert run.outputs["plan-file"] == "plan.json"
    plan = json.loads(Path("plan.json").read_text())
    assert plan["plan_id"] == run.outputs["plan-id"]
    assert plan["policy"] == {"keep-count": {"value": 4, "from": "input"}}
