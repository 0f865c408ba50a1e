"""Previews of closed pull requests in a workflow: which are deleted, and which are kept."""

import pytest
import yaml

from tests.integration.action.conftest import PREVIEW_MATCH, days_ago
from tests.support.github.fake_runner import HEAD_SHA, MERGE_SHA
from tests.support.paths import ROOT

SITES = {f"site-{number}" for number in range(1, 7)}


@pytest.mark.parametrize("is_merged", [True, False])
def test_preview_of_a_closed_pull_request_is_deleted_and_nothing_else(
    bucket, close, clean, is_merged
):
    close(12, is_merged=is_merged)
    bucket.deploy("pr-12", days=20)
    bucket.deploy("pr-13", days=20)

    run, deleted = clean()

    assert run.exit_code == 0, run.log
    assert deleted == {"pr-12"}
    assert "robots.txt" in bucket.content()


def test_reopened_pull_request_keeps_its_preview(bucket, github, close, clean):
    close(12)
    github.content.reopen_pull_request(12)
    bucket.deploy("pr-12", days=20)
    assert clean()[1] == set()


def test_pull_request_that_was_closed_within_the_period_keeps_its_preview(bucket, close, clean):
    close(12, days=2)
    bucket.deploy("pr-12", days=20)
    assert clean()[1] == set()


def test_preview_updated_after_the_closing_is_kept_for_the_period(bucket, close, clean):
    close(12)
    close(13)
    for name, days in (("pr-12", 2), ("pr-13", 4)):
        bucket.deploy(name, days=20)
        bucket.put(f"{name}/index.html", days=days)
    assert clean()[1] == {"pr-13"}


def test_objects_older_than_the_pull_request_keep_the_folder(bucket, close, clean):
    close(12, created=30)
    bucket.deploy("pr-12", days=20)
    bucket.put("pr-12/older.txt", days=31)
    assert clean()[1] == set()


def test_build_numbers_bare_numbers_and_commits_are_no_previews(bucket, close, clean):
    for number in (12, 13):
        close(number, days=80)
    merged = f"{12:040x}"
    bucket.deploy("preview-13", days=20)  # build 13, of another pull request
    for name in ("12", merged, "pr-12-3", "build-12"):
        bucket.deploy(name, days=60)
    assert clean(match=".*", age_from="span")[1] == set()


def test_issue_and_unknown_number_keep_the_folder_and_warn(bucket, github, clean):
    github.content.open_pull_request(99, "0" * 40)
    bucket.deploy("pr-12", days=20)

    run, deleted = clean()

    assert deleted == set()
    assert any("expire-closed" in message for message in run.annotations("warning"))


def test_preview_of_a_pull_request_from_a_fork_is_deleted(bucket, close, clean):
    close(12, branch="main")  # the branch of the fork
    bucket.deploy("pr-12", days=20)
    bucket.deploy("site-7", days=1)
    assert clean()[1] == {"pr-12"}


def test_branch_that_is_named_like_a_preview_is_kept_by_its_live_source(
    bucket, github, close, clean
):
    close(12)
    close(13)
    github.content.branches["pr-12"] = "1" * 40
    for name in ("pr-12", "pr-13"):
        bucket.deploy(name, days=9)
    assert clean(live_from="branches")[1] == {"pr-13"}


def test_failure_to_read_pull_requests_keeps_only_the_previews(bucket, github, close, clean):
    close(12)
    bucket.deploy("pr-12", days=20)
    github.fail_next("GET", "pulls", 403, {"message": "no"})

    run, deleted = clean(keep_count="6", group_by="(site|pr).*")
    assert deleted == set()
    assert any("could not read" in message for message in run.annotations("warning"))
    github.fail_next("GET", "pulls", 403, {"message": "no"})
    run, deleted = clean(keep_count="4", group_by="(site|pr).*")

    assert run.exit_code == 0, run.log
    assert deleted == {"site-1", "site-2"}


def test_preview_whose_pull_request_is_unreadable_does_not_count_for_keep_count(
    bucket, github, close, clean
):
    close(12)
    for number in (1, 2, 3):
        bucket.deploy(f"app/rel-{number}", days=40 - number)
    bucket.deploy("app/pr-12", days=20)
    settings = {"prefix": "app", "match": r"rel-\d|pr-\d+", "keep_count": "3"}

    github.fail_next("GET", "pulls", 403, {"message": "no"})
    clean(**settings)

    names = {key.split("/")[1] for key in bucket.content() if key.startswith("app/")}
    assert names - {".ci3"} == {"rel-1", "rel-2", "rel-3", "pr-12"}


def test_300_closed_pull_requests_need_few_requests(bucket, github, close, clean):
    for number in range(1, 301):
        close(number)
        bucket.put(f"pr-{number}/index.html", days=20)

    run, deleted = clean()

    assert run.exit_code == 0, run.log
    assert deleted == {f"pr-{number}" for number in range(1, 301)}
    assert bucket.folders() - {".ci3"} == SITES
    lists = [request for request in github.requests if request.path.endswith("/pulls")]
    assert len(lists) == 3 * 3  # for the plan, before the deletion, at its end
    assert not [request for request in github.requests if "/pulls/" in request.path]


def test_open_pull_requests_of_a_live_source_are_not_read_again(bucket, github, close, clean):
    for number in (12, 13):
        github.content.open_pull_request(number, f"{number:040x}", created_at=days_ago(90))
    close(14)
    for name in ("pr-12-a1b2c3d", "pr-12-b1b2c3d", "pr-13", "pr-14"):
        bucket.deploy(name, days=20)

    assert clean(live_from="open-pull-requests")[1] == {"pr-14"}

    requests = [request for request in github.requests if "/pulls" in request.path]
    singles = {request.path.rpartition("/")[2] for request in requests if not request.query}
    assert singles == {"14"}
    assert {request.query["state"] for request in requests if request.query} == {"open"}


def test_group_of_a_closed_pull_request_is_deleted(bucket, close, clean):
    close(12)
    bucket.deploy("pr-12-a1b2c3d", days=20)
    bucket.deploy("pr-12-b1b2c3d", days=21)
    assert clean(group_by=r"(pr-\d+)-.*")[1] == {"pr-12-a1b2c3d", "pr-12-b1b2c3d"}


def test_last_production_deployment_is_kept_if_previews_are_newer(bucket, close, act):
    close(12)
    bucket.deploy("app/site-1", days=50)
    bucket.deploy("app/pr-12", days=20)

    run = act(
        {}, mode="apply", prefix="app", match=PREVIEW_MATCH, keep_count="1", expire_closed="3d"
    )

    assert run.exit_code == 0, run.log
    assert {key.split("/")[1] for key in bucket.content() if key.startswith("app/")} - {".ci3"} == {
        "site-1"
    }


@pytest.mark.parametrize(
    ("inputs", "environ"),
    [
        pytest.param({"protect": "pr-12"}, {}, id="protect"),
        pytest.param({"protect": "pr-*"}, {}, id="glob"),
        pytest.param({"live_from": "object:live.txt"}, {}, id="live"),
        pytest.param({}, {"GITHUB_REF": "refs/heads/pr/12"}, id="branch of this run"),
        pytest.param({}, {"GITHUB_REF": "refs/pull/12/merge"}, id="number of this run"),
        pytest.param({"max_delete": "0"}, {}, id="limit"),
    ],
)
def test_pins_and_limits_apply_to_expired_previews(bucket, close, clean, inputs, environ):
    close(12)
    bucket.deploy("pr-12", days=20)
    bucket.put("live.txt", body=b"pr-12")
    assert clean({}, environ, **inputs)[1] == set()


def test_commit_of_this_run_keeps_the_preview(bucket, close, clean):
    close(12)
    bucket.deploy(f"pr-12-{MERGE_SHA[:6]}1", days=20)
    bucket.deploy(f"pr-12-1{HEAD_SHA[:7]}", days=20)
    assert clean({}, {"GITHUB_SHA": f"{MERGE_SHA[:6]}1{'0' * 33}"})[1] == {f"pr-12-1{HEAD_SHA[:7]}"}


def test_unfinished_upload_keeps_an_incomplete_preview(bucket, close, clean):
    close(12)
    close(13)
    for name in ("pr-12", "pr-13"):
        bucket.deploy(name, days=20)
    for name in SITES:
        bucket.put(f"{name}/index.html", days=8)
    bucket.begin_upload("pr-12/index.html", days=0.1)
    run, deleted = clean(required_file="index.html")
    assert run.exit_code == 0, run.log
    assert deleted == {"pr-13"}


CLOSED = {
    "action": "closed",
    "number": 12,
    "pull_request": {"number": 12, "merged": False, "head": {"sha": HEAD_SHA, "ref": "topic"}},
}
CLOSED_RUN = {"GITHUB_REF": "refs/pull/12/merge"}


def test_event_that_closes_a_pull_request_deletes_its_preview_at_once(bucket, close, clean):
    close(12, days=0, is_merged=False)
    close(13, days=1)
    names = ("pr-12", f"pr-12-{HEAD_SHA[:6]}1", "pr-12-c1b2c3d", "pr-13", "pr-14")
    for name in names:
        bucket.put(f"{name}/index.html", days=0.001)

    run, deleted = clean(CLOSED, CLOSED_RUN, period="0d")

    assert run.exit_code == 0, run.log
    assert deleted == {*names} - {"pr-14"}


def test_event_that_closes_a_pull_request_keeps_other_deployments(bucket, close, clean):
    close(12, days=0)
    bucket.deploy(HEAD_SHA, days=20)  # in production, and deployed before the merge
    bucket.deploy("site-7", days=10)
    bucket.put("pr-12/index.html", days=0.001)
    for environ in (CLOSED_RUN, {"GITHUB_REF": "refs/heads/main"}):
        assert HEAD_SHA not in clean(CLOSED, environ, period="0d", keep_count="1")[1]
    assert "pr-12" not in bucket.folders()


def test_event_that_closes_a_pull_request_keeps_its_preview_without_the_setting(
    bucket, close, clean
):
    close(12, days=0)
    bucket.put("pr-12/index.html", days=90)
    assert "pr-12" not in clean(CLOSED, CLOSED_RUN, period="", keep_count="1")[1]


def test_event_of_an_open_pull_request_keeps_its_preview(bucket, close, clean):
    close(12)  # closed by now
    bucket.put("pr-12/index.html", days=20)
    assert clean({**CLOSED, "action": "synchronize"}, CLOSED_RUN, period="0d")[1] == set()


def test_reopened_pull_request_of_a_repeated_event_keeps_its_preview(bucket, github, close, clean):
    close(12)
    github.content.reopen_pull_request(12)
    bucket.put("pr-12/index.html", days=20)
    assert clean(CLOSED, CLOSED_RUN, period="0d")[1] == set()


def test_commit_that_a_merge_creates_stays_pinned(bucket, close, clean):
    close(12, days=0)
    bucket.deploy(MERGE_SHA, days=90)
    bucket.put("pr-12/index.html", days=0.001)
    event = {**CLOSED, "pull_request": {**CLOSED["pull_request"], "merged": True}}

    run, deleted = clean(event, {"GITHUB_REF": "refs/heads/main"}, period="0d", keep_count="6")

    assert run.exit_code == 0, run.log
    assert deleted == {"pr-12"}


@pytest.mark.parametrize("example", ["pull-request-closed", "closed-previews"])
def test_example_deletes_the_previews_of_closed_pull_requests(bucket, close, act, example):
    is_closing = example == "pull-request-closed"
    expected = {"pr-12-a1b2c3d", "pr-12-b1b2c3d", "pr-13"} if is_closing else {"pr-13"}
    workflow = yaml.safe_load((ROOT / f"examples/{example}.yml").read_text(encoding="utf-8"))
    [job] = workflow["jobs"].values()
    inputs = {
        name.replace("-", "_"): str(value) for name, value in job["steps"][-1]["with"].items()
    }
    close(12, days=0.01)
    close(13)
    for name in ("pr-12-a1b2c3d", "pr-12-b1b2c3d"):
        bucket.deploy(name, days=0.02)
    for name in ("pr-13", "pr-14", "pr-15-a1b2c3d"):
        bucket.deploy(name, days=20)
    before = bucket.folders()

    run = act(CLOSED, environ=CLOSED_RUN, **inputs) if is_closing else act({}, **inputs)

    assert run.exit_code == 0, run.log
    assert before - bucket.folders() == expected
    assert job["permissions"]["pull-requests"] == "read"
