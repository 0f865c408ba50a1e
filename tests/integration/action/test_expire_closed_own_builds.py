"""`expire-closed` in runs of a pull request with several builds, which the keep rules delete."""

import pytest

from tests.integration.action.conftest import days_ago
from tests.support.github.fake_runner import HEAD_SHA

SYNCHRONIZED = {
    "action": "synchronize",
    "number": 12,
    "pull_request": {"number": 12, "head": {"sha": HEAD_SHA, "ref": "topic"}},
}


@pytest.mark.parametrize("live_from", ["", "open-pull-requests"])
def test_older_builds_of_the_pull_request_of_the_run_are_deleted(bucket, github, clean, live_from):
    github.content.open_pull_request(12, HEAD_SHA, created_at=days_ago(90))
    for days, commit in enumerate(("d1b2c3d", "c1b2c3d", "b1b2c3d", "a1b2c3d"), start=10):
        bucket.deploy(f"pr-12-{commit}", days=days)

    run, deleted = clean(
        SYNCHRONIZED,
        {"GITHUB_REF": "refs/pull/12/merge"},
        match=r"pr-\d+-\w+",
        group_by=r"(pr-\d+)-.*",
        keep_count="2",
        live_from=live_from,
    )

    assert run.exit_code == 0, run.log
    assert deleted == {"pr-12-b1b2c3d", "pr-12-a1b2c3d"}
    assert "not read" not in run.log
