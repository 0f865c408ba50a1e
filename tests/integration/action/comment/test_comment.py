"""The comment of a pull request: found again, edited by every run, and always current."""

import json
from pathlib import Path

import pytest

from ci3.github.markers import make_marker
from tests.support.action_reports import (
    APPLY,
    comment_of,
    headline,
    row_counts,
    without_tables,
)
from tests.support.github.cut_events import SLICE
from tests.support.github.fake_github import WORKFLOW_LOGIN
from tests.support.github.fake_runner import HEAD_SHA, MERGE_SHA, PULL_REQUEST_NUMBER

RESTORE = "`mode: restore`"
PUSH_TO_BRANCH = {"after": HEAD_SHA, "ref": "refs/heads/try"}


def list_paths(github, method):
    return [request.path for request in github.requests if request.method == method]


def test_comment_is_found_among_250_others(act, github):
    for number in range(250):
        github.add_comment(PULL_REQUEST_NUMBER, f"comment {number}", "octocat")
    act(keep_count="4")
    run = act(keep_count="4", mode="apply")

    (body,) = [
        comment.body
        for comment in github.comments(PULL_REQUEST_NUMBER)
        if comment.author == WORKFLOW_LOGIN
    ]
    assert headline(body) == headline(run.summary)
    assert len(github.comments(PULL_REQUEST_NUMBER)) == 251


def test_apply_edits_the_comment_to_show_the_deletion_and_how_to_restore(act, bucket, github):
    bucket.enable_versioning()
    act(keep_count="4")
    assert APPLY in comment_of(github)

    run = act(keep_count="4", mode="apply")

    body = comment_of(github)
    assert headline(body) == headline(run.summary)
    assert APPLY not in body
    assert f"`ci3 restore {run.outputs['journal-file']}`" in body
    assert RESTORE in body


def test_restore_edits_the_comment_of_the_deletion(act, bucket, github):
    bucket.enable_versioning()
    journal = act(keep_count="4", mode="apply").outputs["journal-file"]

    run = act(mode="restore", journal_file=journal)

    assert run.exit_code == 0
    body = comment_of(github)
    assert headline(body) == headline(run.summary)
    assert RESTORE not in body


def test_permanent_deletion_mentions_no_restore(act, github, assert_screen):
    run = act(keep_count="4", mode="apply")

    for text in (comment_of(github), run.summary):
        assert "ci3 restore" not in text
        assert RESTORE not in text
    assert_screen(without_tables(run.summary))


@pytest.mark.parametrize(
    "inputs",
    [
        {"keep_count": "0"},
        {"keep_cuont": "4"},
        {"plan_file": "gone/plan.json"},
        {"policy_file": "gone.yml"},
    ],
    ids=" ".join,
)
def test_failed_run_corrects_the_comment_of_the_plan(act, github, inputs, assert_screen):
    act(keep_count="4")
    run = act(**{"keep_count": "4"} | inputs)

    assert run.exit_code == 2
    body = comment_of(github)
    assert "https://github.test/acme/storefront/actions/runs/42" in body
    assert_screen(without_tables(body), "comment")
    assert_screen(run.summary, "summary")


def test_failed_run_edits_only_the_comment_of_its_bucket_and_id(act, github):
    act(keep_count="4")
    act(keep_count="4", comment_id="another")
    failed = act(keep_count="0", comment_id="another")

    bodies = [comment.body for comment in github.comments(PULL_REQUEST_NUMBER)]
    has_failed = [headline(body) == headline(failed.summary) for body in bodies]
    assert has_failed == [False, True]


def test_two_steps_with_different_matches_have_separate_comments(act, bucket, github):
    bucket.enable_versioning()
    first, second = {"match": "site-[0-4]"}, {"match": "site-[5-9]"}
    for match in (first, second, first):
        act(keep_count="1", **match)
    assert len(github.comments(PULL_REQUEST_NUMBER)) == 2

    journal = act(keep_count="1", mode="apply", **first).outputs["journal-file"]
    failed = act(keep_count="0", **second)
    restored = act(mode="restore", journal_file=journal)

    headlines = [headline(comment.body) for comment in github.comments(PULL_REQUEST_NUMBER)]
    assert headlines == [headline(restored.summary), headline(failed.summary)]


def test_match_of_a_policy_file_finds_its_comment_after_a_failure(act, bucket, github):
    Path("policy.yml").write_text("match: site-.*\n", encoding="utf-8")
    act(policy_file="policy.yml")
    failed = act(policy_file="policy.yml", keep_count="0")

    assert headline(comment_of(github)) == headline(failed.summary)


@pytest.mark.parametrize("policy", ["changes", "always"])
@pytest.mark.parametrize("inputs", [{"keep_count": "0"}, {"plan_file": "gone/plan.json"}])
def test_failed_run_creates_no_comment(act, github, policy, inputs):
    act(comment=policy, **inputs)

    assert github.comments(PULL_REQUEST_NUMBER) == ()


def test_failed_run_with_comment_never_sends_no_request(act, github):
    act(keep_count="0", comment="never")

    assert github.requests == ()


def test_refused_run_replaces_the_comment_of_an_applyable_plan(act, github):
    act(keep_count="4")
    run = act(keep_count="4", max_delete="1")

    assert headline(comment_of(github)) == headline(run.summary)
    assert APPLY not in comment_of(github)


def test_push_to_the_branch_of_a_pull_request_comments_on_it(act, github):
    github.content.open_pull_request(12, HEAD_SHA)

    run = act(event=PUSH_TO_BRANCH, keep_count="4")

    assert run.exit_code == 0
    (comment,) = github.comments(12)
    assert headline(comment.body) == headline(run.summary)
    assert run.outputs["comment-url"].endswith(f"/pull/12#issuecomment-{comment.comment_id}")


@pytest.mark.parametrize("state", ["closed", None])
def test_push_without_an_open_pull_request_creates_no_comment(act, github, state):
    if state:
        github.content.open_pull_request(12, HEAD_SHA, state=state)

    run = act(event=PUSH_TO_BRANCH, keep_count="4")

    assert (run.exit_code, run.outputs["comment-url"]) == (0, "")
    assert github.comments(12) == ()
    assert list_paths(github, "POST") == []


def test_push_with_a_token_that_cannot_list_pull_requests_is_no_failure(act, github):
    denial = {"message": "Resource not accessible by integration"}
    github.fail_next("GET", "/pulls", 403, denial)

    run = act(event=PUSH_TO_BRANCH, keep_count="4")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert denial["message"] in run.log
    assert run.annotations("notice") == run.annotations("warning") == []


def test_merge_queue_comments_on_the_pull_request_of_its_branch(act, github):
    event = json.loads(SLICE.read_text(encoding="utf-8"))["events"]["merge_group checks_requested"]

    run = act(event=event, keep_count="4")

    assert run.exit_code == 0
    assert len(github.comments(104)) == 1


def test_comment_is_not_created_twice_after_a_lost_response(act, github):
    github.lose_next_answer("POST", "comments")

    run = act(keep_count="4")

    assert run.exit_code == 0
    assert run.outputs["comment-url"].endswith("#issuecomment-1001")
    assert len(github.comments(PULL_REQUEST_NUMBER)) == 1


def test_github_failure_is_an_exit_code_and_the_summary_has_the_plan(act, github):
    github.fail_next("POST", "comments", 502, "<html>Bad Gateway</html>")

    run = act(keep_count="4")

    assert (run.exit_code, run.outputs["outcome"]) == (6, "planned")
    assert row_counts(run.summary) == [2, 4]
    assert ["502" in message for message in run.annotations("error")] == [True]


def test_commits_are_linked_and_described_in_comment_and_summary(act, bucket, github):
    bucket.deploy("f1c0ffee", days=90)
    bucket.deploy("web-51deb0a7", days=91)
    bucket.deploy("deadbeef", days=92)
    title = "Fix the header"
    direct_commit, merged_commit = "f1c0ffee" + "0" * 32, "51deb0a7" + "0" * 32
    github.content.commit(direct_commit, f"{title}\n\nAt last.", "Ann")
    github.content.commit(
        merged_commit, "<b>@team</b> closes #77, GH-3 | `x`", "@mallory", is_on_side=True
    )

    run = act(keep_count="4", match=".*")

    commit_url = "https://github.test/acme/storefront/commit"
    for report_text in (comment_of(github), run.summary):
        assert row_counts(report_text) == [5, 4]
        assert f"| [`f1c0ffee`]({commit_url}/{direct_commit})<br>{title} · Ann" in report_text
        assert f"| [`web-51deb0a7`]({commit_url}/{merged_commit})<br>&lt;b&gt;" in report_text
        assert "| `deadbeef` |" in report_text
        assert "@<!-- -->team" in report_text
        for unescaped in ("@team", "#77", "GH-3", "@mallory", "<b>"):
            assert unescaped not in report_text


def test_failure_to_read_commits_only_omits_their_links(act, bucket, github):
    bucket.deploy("f1c0ffee", days=90)
    github.fail_next("GET", "/commits$", 500)

    run = act(keep_count="4", match=".*")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert run.annotations("warning") == []
    assert "| `f1c0ffee` |" in comment_of(github)


def test_two_events_of_one_pull_request_share_its_comment(act, github):
    github.content.open_pull_request(PULL_REQUEST_NUMBER, HEAD_SHA)
    act(keep_count="4")
    run = act(event=PUSH_TO_BRANCH, keep_count="6")

    assert headline(comment_of(github)) == headline(run.summary)


def test_comment_begins_with_its_marker_and_the_verdict_in_words(
    act, bucket, github, assert_screen
):
    run = act(keep_count="4")

    first, second, *_ = comment_of(github).split("\n")
    assert first == make_marker(f"s3://{bucket.name}/")
    assert second.startswith("### ")
    assert headline(second) == headline(run.summary)
    assert_screen(second)


def test_head_of_a_pushed_branch_is_a_pin(act, bucket):
    bucket.deploy(HEAD_SHA[:7], days=99)

    settings = {"keep_count": "1", "match": r"site-\d|[0-9a-f]{7}", "mode": "apply"}
    act(event=PUSH_TO_BRANCH, environ={"GITHUB_SHA": MERGE_SHA}, **settings)

    assert bucket.folders() == {"site-6", HEAD_SHA[:7]}
