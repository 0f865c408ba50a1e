"""Cleanup jobs with `environment:` create deployment records: what these hide is kept."""

import pytest

from tests.support.github.fake_runner import RUN_ID, WORKFLOW

ROLLBACK, TODAY, LAST_WEEK = "1" * 40, "2" * 40, "3" * 40
OLDER_COMMITS = [letter * 40 for letter in "cdef"]
"""Deployed before the rollback's commit, and not live."""

ROLLBACK_STATES = {
    "rollback is a success": ["success"],
    "rollback is inactive": ["success", "inactive"],
    "rollback has no earlier status": ["inactive"],
}


@pytest.fixture
def bucket(bucket):
    """Deployments after a rollback: the live one is older than the two newest."""
    bucket.deploy(TODAY, days=1)
    bucket.deploy(LAST_WEEK, days=2)
    bucket.deploy(ROLLBACK, days=30)
    for days, name in enumerate(OLDER_COMMITS, start=31):
        bucket.deploy(name, days=days)
    return bucket


def clean(act, **inputs):
    settings = {"match": "[0-9a-f]{40}", "keep_count": "1"}
    return act({}, mode="apply", live_from="github-deployments:production", **settings, **inputs)


def record_history(content, rollback_states):
    """Add the records of deployments, of a rollback, and of two cleanups after it."""
    for number, commit in enumerate([*reversed(OLDER_COMMITS), LAST_WEEK, ROLLBACK]):
        states = rollback_states if commit == ROLLBACK else ["success", "inactive"]
        url = content.run(100 + number, "deploy.yml")
        content.deploy("production", commit, *states, log_url=url)
    content.deploy("production", LAST_WEEK, "success", log_url=content.run(7, WORKFLOW))
    content.deploy("production", TODAY, "in_progress", log_url=content.log_url(RUN_ID))


def list_commit_folders(bucket):
    return {name for name in bucket.folders() if len(name) == len(ROLLBACK)}


@pytest.mark.parametrize("can_read_runs", [True, False], ids=["actions: read", "no permission"])
@pytest.mark.parametrize("states", ROLLBACK_STATES.values(), ids=ROLLBACK_STATES)
def test_deployment_that_records_of_cleanups_hide_is_kept(
    act, bucket, github, states, *, can_read_runs
):
    github.content.can_read_runs = can_read_runs
    record_history(github.content, states)

    run = clean(act)

    assert run.outputs["outcome"] == "applied", run.log
    assert list_commit_folders(bucket) == {TODAY, LAST_WEEK, ROLLBACK}


def test_deployment_record_after_the_last_cleanup_keeps_no_additional_deployment(
    act, bucket, github
):
    record_history(github.content, ["success"])
    url = github.content.run(200, "deploy.yml")
    github.content.deploy("production", LAST_WEEK, "success", log_url=url)
    github.content.deploy(
        "production", TODAY, "in_progress", log_url=github.content.log_url(RUN_ID)
    )

    run = clean(act)

    assert run.outputs["outcome"] == "applied", run.log
    assert list_commit_folders(bucket) == {TODAY, LAST_WEEK}


def test_record_without_a_log_keeps_the_deployment_before_it(act, bucket, github):
    for commit in (OLDER_COMMITS[1], ROLLBACK, TODAY):
        github.content.deploy("production", commit, "success", log_url=None)

    run = clean(act)

    assert run.outputs["outcome"] == "applied", run.log
    assert list_commit_folders(bucket) == {TODAY, ROLLBACK}


def test_older_record_that_cannot_be_read_refuses(act, bucket, github):
    record_history(github.content, ["success"])
    before = bucket.content()
    number = len(github.content.deployments) - 2
    github.fail_next("GET", f"deployments/{number}/statuses", 404, {"message": "Not Found"})

    run = clean(act)

    assert run.outputs["outcome"] == "refused", run.log
    assert bucket.content() == before


def test_hidden_deployment_that_does_not_exist_neither_warns_nor_replaces_the_live_one(
    act, bucket, github
):
    missing = "9" * 40
    github.content.deploy("production", missing, "success", log_url=github.content.run(1, "d.yml"))
    github.content.deploy("production", TODAY, "success", log_url=github.content.log_url(RUN_ID))
    run = clean(act)
    assert run.outputs["outcome"] == "applied", run.log
    assert not [text for text in run.annotations("warning") if missing[:7] in text]

    bucket.deploy(LAST_WEEK, days=3)
    github.content.deployments.clear()
    url = github.content.run(1, "d.yml")
    github.content.deploy("production", LAST_WEEK, "success", log_url=url)
    github.content.deploy("production", missing, "success", log_url=github.content.log_url(RUN_ID))
    before = bucket.content()
    run = clean(act)
    assert run.outputs["outcome"] == "refused", run.log
    assert bucket.content() == before


def test_recheck_finds_hidden_deployments_without_more_requests_for_runs(act, bucket, github):
    record_history(github.content, ["success"])

    clean(act)

    paths = [request.path for request in github.requests]
    assert sum("/actions/runs/" in path for path in paths) == len(
        {path for path in paths if "/actions/runs/" in path}
    )
    # The plan, the approval and the last reading list the records; the search is done once.
    assert sum(path.endswith("/deployments") for path in paths) == 3
    rollback = len(OLDER_COMMITS) + 2
    assert sum(path.endswith(f"/deployments/{rollback}/statuses") for path in paths) == 1
