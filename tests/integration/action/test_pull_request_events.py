"""Events with incomplete data of their pull request: comments and triggered workflows."""

import pytest

from tests.support.action_reports import headline
from tests.support.github.fake_github import REPOSITORY
from tests.support.github.fake_runner import HEAD_SHA, MERGE_SHA

MAIN = {"GITHUB_REF": "refs/heads/main"}
"""Both events run on the default branch."""

COMMENT = {"issue": {"number": 12, "pull_request": {}}, "comment": {"body": "/cleanup-plan"}}
FORK = "octocat/storefront"
FORK_RUN = {
    "repository": {"id": 1, "full_name": REPOSITORY},
    "workflow_run": {
        "event": "pull_request",
        "head_sha": HEAD_SHA,
        "head_branch": "main",
        "head_repository": {"id": 2, "full_name": FORK},
        "pull_requests": [],
    },
}
EVENTS = {"issue_comment": COMMENT, "workflow_run": FORK_RUN}
NAMES = ["web-3", "web-2", "pr-12", HEAD_SHA, f"pr-12-{'c' * 40}", MERGE_SHA, "web-1"]
"""From newest to oldest."""

each_event = pytest.mark.parametrize("event", EVENTS)


@pytest.fixture
def run_event(act, bucket):
    """Return a function that runs a step for an event on a bucket with the deployments NAMES."""
    for days, name in enumerate(NAMES, start=2):
        bucket.deploy(f"builds/{name}", days=days)

    def run(event, **inputs):
        environ = {**MAIN, "GITHUB_EVENT_NAME": event}
        return act(EVENTS[event], environ=environ, prefix="builds/", keep_count="1", **inputs)

    return run


def list_folders(bucket):
    names = {key.split("/")[1] for key in bucket.content() if key.startswith("builds/")}
    return names - {".ci3"}


@each_event
def test_deployments_of_the_pull_request_are_kept(run_event, bucket, github, event):
    github.content.open_pull_request(12, HEAD_SHA, head=FORK, branch="main")

    run = run_event(event, mode="apply")

    assert run.exit_code == 0, run.log
    assert list_folders(bucket) == {"web-3", "pr-12", HEAD_SHA, MERGE_SHA}


@each_event
def test_plan_is_a_comment_on_the_pull_request(run_event, github, event):
    github.content.open_pull_request(11, HEAD_SHA, branch="main")
    github.content.open_pull_request(12, HEAD_SHA, head=FORK, branch="main")

    run = run_event(event)

    assert github.comments(11) == ()
    (comment,) = github.comments(12)
    assert headline(comment.body) == headline(run.summary)


@each_event
@pytest.mark.parametrize("inputs", [{"mode": "apply"}, {}, {"mode": "apply", "github_token": ""}])
def test_nothing_is_deleted_when_the_pull_request_cannot_be_read(
    *, run_event, bucket, github, event, inputs
):
    for _ in range(3):
        github.fail_next(
            "GET", "/pulls", 403, {"message": "Resource not accessible by integration"}
        )
    before = bucket.content()

    run = run_event(event, **inputs)

    assert run.exit_code == (2 if "github_token" in inputs else 6)
    assert run.outputs["outcome"] == "failed"
    assert bucket.content() == before


def test_run_of_a_fork_keeps_no_pull_request_of_another_fork(run_event, bucket, github):
    github.content.open_pull_request(12, HEAD_SHA, head="mallory/storefront")

    run = run_event("workflow_run", mode="apply")

    assert run.exit_code == 0, run.log
    assert list_folders(bucket) == {"web-3", HEAD_SHA, MERGE_SHA}
    assert github.comments(12) == ()


def test_run_of_a_fork_does_not_comment_on_a_pull_request_with_a_newer_head(run_event, github):
    github.content.open_pull_request(12, "d" * 40, head=FORK, contains=(HEAD_SHA,))

    assert run_event("workflow_run").exit_code == 0
    assert github.comments(12) == ()


def test_doctor_needs_no_pull_request(run_event, github):
    run = run_event("issue_comment", mode="doctor")

    assert run.outputs["outcome"] == "examined", run.log
    assert [request.path for request in github.requests if "pulls" in request.path] == []
