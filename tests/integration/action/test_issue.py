"""The issue of runs without a pull request: create, edit, close; no failure fails the run."""

import re

import pytest

from tests.support.action_reports import (
    ALL,
    PUSH,
    headline,
    row_counts,
    target_titles,
    text_outside_code,
    without_tables,
)
from tests.support.github.fake_github import WORKFLOW_LOGIN
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST_NUMBER, parse_commands

SCHEDULE = {"schedule": "17 4 * * 1"}
NOT_ALLOWED = {"message": "Resource not accessible by integration"}
RATE_LIMIT = ({"message": "You have exceeded a secondary rate limit."}, {"retry-after": "3600"})


@pytest.fixture
def run_scheduled(act):
    """Return a function that runs a step of a scheduled run with an issue."""

    def run(*, issue="changes", event=SCHEDULE, environ=None, **inputs):
        name = {"GITHUB_EVENT_NAME": "push" if "after" in event else "schedule"}
        return act(event=event, environ=name | (environ or {}), issue=issue, **inputs)

    return run


def list_issues(github):
    return tuple(github.issues.by_number.values())


def find_issue(github):
    (issue,) = list_issues(github)
    return issue


def list_write_paths(github):
    return [request.path for request in github.requests if request.method != "GET"]


def test_issue_is_created_with_the_bucket_in_its_title(
    run_scheduled, bucket, github, assert_screen
):
    run = run_scheduled(keep_count="4")

    issue = find_issue(github)
    assert (run.exit_code, issue.state) == (0, "open")
    assert run.outputs["issue-url"].endswith(f"/issues/{issue.number}")
    assert run.outputs["comment-url"] == ""
    assert headline(issue.body) == headline(run.summary)
    assert row_counts(issue.body) == [2, 4]
    assert_screen(issue.title, "title")
    assert_screen(without_tables(issue.body), "body")


def test_later_run_edits_the_issue(run_scheduled, github):
    run_scheduled(keep_count="4")
    run = run_scheduled(keep_count="3")

    assert headline(find_issue(github).body) == headline(run.summary)


def test_apply_closes_the_issue_with_what_it_did(run_scheduled, bucket, github):
    run_scheduled(keep_count="4")
    run = run_scheduled(keep_count="4", mode="apply")

    issue = find_issue(github)
    assert (run.outputs["outcome"], issue.state) == ("applied", "closed")
    assert headline(issue.body) == headline(run.summary)
    assert bucket.folders() == ALL - {"site-1", "site-2"}


def test_plan_with_nothing_to_delete_closes_the_issue(run_scheduled, github):
    run_scheduled(keep_count="4")
    run = run_scheduled(keep_count="6")

    issue = find_issue(github)
    assert (run.outputs["outcome"], issue.state) == ("nothing-to-delete", "closed")
    assert headline(issue.body) == headline(run.summary)


def test_next_plan_opens_a_closed_issue_again(run_scheduled, github):
    run_scheduled(keep_count="4")
    run_scheduled(keep_count="4", mode="apply")
    run = run_scheduled(keep_count="3")

    issue = find_issue(github)
    assert issue.state == "open"
    assert headline(issue.body) == headline(run.summary)


def test_user_who_closes_the_issue_is_respected_until_the_plan_changes(run_scheduled, github):
    run_scheduled(keep_count="4")
    github.issues.close(find_issue(github).number)
    run = run_scheduled(keep_count="4")
    assert (find_issue(github).state, run.outputs["issue-url"]) == ("closed", "")

    run_scheduled(keep_count="3")

    assert find_issue(github).state == "open"


def test_new_refusal_opens_an_issue_that_a_user_has_closed(run_scheduled, github):
    run_scheduled(keep_count="4")
    github.issues.close(find_issue(github).number)
    run_scheduled(keep_count="4", max_delete="1")

    assert find_issue(github).state == "open"


@pytest.mark.parametrize("inputs", [{"keep_count": "6"}, {"keep_count": "4", "mode": "apply"}])
def test_no_issue_is_created_if_nothing_remains_to_delete(run_scheduled, github, inputs):
    run = run_scheduled(**inputs)

    assert (run.exit_code, list_issues(github), list_write_paths(github)) == (0, (), [])


@pytest.mark.parametrize("inputs", [{"keep_count": "6"}, {"keep_count": "4", "mode": "apply"}])
def test_issue_always_stays_open_if_nothing_remains_to_delete(run_scheduled, github, inputs):
    run = run_scheduled(issue="always", **inputs)

    assert find_issue(github).state == "open"
    assert headline(find_issue(github).body) == headline(run.summary)


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_refused_plan_opens_an_issue(run_scheduled, bucket, github, mode):
    run = run_scheduled(keep_count="4", max_delete="1", mode=mode)

    assert (run.outputs["outcome"], find_issue(github).state) == ("refused", "open")
    assert bucket.folders() == ALL


def test_match_that_finds_nothing_opens_an_issue(run_scheduled, github):
    run = run_scheduled(match="elsewhere-.*")

    assert run.outputs["outcome"] == "nothing-to-delete"
    assert find_issue(github).state == "open"


@pytest.mark.parametrize("wrong_inputs", [{"keep_count": "0"}, {"plan_file": "gone/plan.json"}])
def test_failed_run_updates_an_open_issue_and_creates_none(run_scheduled, github, wrong_inputs):
    run_scheduled(**wrong_inputs)
    assert list_issues(github) == ()

    run_scheduled(keep_count="4")
    run = run_scheduled(**{"keep_count": "4"} | wrong_inputs)

    assert run.exit_code == 2
    assert headline(find_issue(github).body) == headline(run.summary)
    assert find_issue(github).state == "open"


def test_restore_updates_an_open_issue(run_scheduled, bucket, github):
    bucket.enable_versioning()
    journal = run_scheduled(issue="always", keep_count="4", mode="apply").outputs["journal-file"]
    run = run_scheduled(mode="restore", journal_file=journal)

    assert run.exit_code == 0
    assert headline(find_issue(github).body) == headline(run.summary)


def test_each_bucket_and_prefix_has_a_separate_issue(run_scheduled, bucket, local_s3, github):
    second_bucket = local_s3.new_bucket()
    for number in range(3):
        bucket.deploy(f"app/site-{number}", days=9 - number)
    for number in range(5):
        second_bucket.deploy(f"site-{number}", days=9 - number)
    for keep_count in ("1", "2"):
        settings = {"keep_count": keep_count, "match": "site-.*"}
        run_scheduled(**settings)
        run_scheduled(**settings, prefix="app")
        run_scheduled(**settings, environ=second_bucket.inputs())

    assert [issue.title for issue in list_issues(github)] == [
        f"Cleanup of s3://{bucket.name}/",
        f"Cleanup of s3://{bucket.name}/app/",
        f"Cleanup of s3://{second_bucket.name}/",
    ]
    counts = [row_counts(issue.body)[0] for issue in list_issues(github)]
    assert counts == [4, 1, 3]


def test_targets_of_one_policy_file_share_an_issue(run_scheduled, bucket, github, tmp_path):
    for app in ("blog", "shop"):
        for number in range(3):
            bucket.deploy(f"{app}/site-{number}", days=9 - number)
    path = tmp_path / "cleanup.yml"
    targets = "".join(f"- {{bucket: {bucket.name}, prefix: {app}}}\n" for app in ("blog", "shop"))
    path.write_text(f"defaults: {{keep-count: 1, issue: changes}}\ntargets:\n{targets}")
    for keep_count in ("1", "2"):
        run_scheduled(
            issue="", policy_file=str(path), keep_count=keep_count, environ={"INPUT_BUCKET": ""}
        )

    assert len(target_titles(find_issue(github).body)) == 2
    assert find_issue(github).title == f"Cleanup of {path}"


def test_hostile_names_mention_nobody(run_scheduled, bucket, github):
    names = ["@team", "@octocat fixes #77", "GH-3", "a@b.c", "acme/other#5", "`@team`", "<b>@team"]
    for name in names:
        bucket.deploy(f"@team #1/{name}", days=500)
    bucket.deploy("@team #1/new", days=1)
    github.content.commit(HEAD_SHA, "closes #78, thanks @mallory")
    bucket.deploy(f"@team #1/{HEAD_SHA}", days=400)
    run = run_scheduled(keep_count="1", match=".*", prefix="@team #1")

    assert run.exit_code == 0
    issue = find_issue(github)
    assert not re.search("[@#]", issue.title)
    assert row_counts(issue.body)[0] == len(names) + 1
    text = text_outside_code(issue.body)
    assert "mallory" in text
    assert not re.search(r"@\w|#\d|\bGH-\d", text)
    assert {name for name, _ in parse_commands(run.log)} == {"add-mask", "group", "endgroup"}


def test_1500_deployments_fit_the_issue(run_scheduled, github, many_folders_url):
    run = run_scheduled(environ={"INPUT_ENDPOINT-URL": many_folders_url, "INPUT_KEEP-COUNT": "100"})

    assert run.exit_code == 0
    body = find_issue(github).body
    assert len(body.encode()) <= 65_000
    delete_count, *_ = row_counts(body)
    assert 100 < delete_count < 1400
    assert f" {1400 - delete_count:,} " in body


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize("problem", ["permission", "disabled", "down", "rate limit", "token"])
def test_issue_that_cannot_be_written_is_a_warning(run_scheduled, bucket, github, mode, problem):
    match problem:
        case "permission":
            github.issues.can_write = False
        case "disabled":
            github.issues.is_enabled = False
        case "down":
            github.fail_next("POST", "/issues$", 502, "<html>Bad Gateway</html>")
        case "rate limit":
            github.fail_next("GET", "/issues$", 403, *RATE_LIMIT)
        case "token":
            github.fail_next("GET", "/issues$", 401, {"message": "Bad credentials"})
    run = run_scheduled(issue="always", keep_count="4", mode=mode)

    assert run.exit_code == 0
    assert run.outputs["outcome"] == {"plan": "planned", "apply": "applied"}[mode]
    assert (bucket.folders() == ALL) is (mode == "plan")
    assert len(run.annotations("warning")) == 1
    assert run.annotations("error") == []
    assert list_issues(github) == ()
    assert run.outputs["issue-url"] == ""


def test_warnings_are_the_golden_ones(run_scheduled, act, github, assert_screen):
    github.issues.can_write = False
    assert_screen("\n".join(run_scheduled(keep_count="4").annotations("warning")), "permission")
    github.issues.can_write, github.issues.is_enabled = True, False
    assert_screen("\n".join(run_scheduled(keep_count="4").annotations("warning")), "disabled")
    run = run_scheduled(keep_count="4", environ={"INPUT_GITHUB-TOKEN": ""})
    assert_screen("\n".join(run.annotations("warning")), "no token")
    github.fail_next("GET", "/pulls", 403, NOT_ALLOWED)
    run = run_scheduled(keep_count="4", event=PUSH)
    assert_screen("\n".join(run.annotations("warning")), "pull request unknown")


def test_token_of_a_fork_or_dependabot_changes_neither_plan_nor_exit_code(
    run_scheduled, github, monkeypatch
):
    monkeypatch.setattr(github, "_may_write", False)
    run = run_scheduled(keep_count="4", event=PUSH)

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert len(run.annotations("warning")) == 1


@pytest.mark.parametrize("comment", ["changes", "never"])
def test_pull_request_never_has_an_issue(act, github, comment):
    run = act(issue="always", comment=comment, keep_count="4")

    assert run.exit_code == 0
    assert list_issues(github) == ()
    assert len(github.comments(PULL_REQUEST_NUMBER)) == (comment == "changes")


def test_push_to_the_branch_of_a_pull_request_has_no_issue(run_scheduled, github):
    github.content.open_pull_request(12, HEAD_SHA)
    run_scheduled(event={"after": HEAD_SHA, "ref": "refs/heads/try"}, keep_count="4")

    assert list_issues(github) == ()
    assert len(github.comments(12)) == 1


def test_push_without_a_pull_request_has_an_issue(run_scheduled, github):
    run_scheduled(event=PUSH, keep_count="4")

    assert find_issue(github).state == "open"


@pytest.mark.parametrize("answer", [(403, NOT_ALLOWED), (403, *RATE_LIMIT)], ids=str)
def test_push_whose_pull_request_is_unknown_has_no_issue(run_scheduled, github, answer):
    github.fail_next("GET", "/pulls", *answer)
    run = run_scheduled(event=PUSH, keep_count="4")

    assert (run.exit_code, list_issues(github)) == (0, ())
    assert len(run.annotations("warning")) == 1


def test_issue_is_found_among_250_other_open_issues(run_scheduled, github):
    for number in range(250):
        github.issues.add(f"issue {number}", WORKFLOW_LOGIN)
    for keep_count in ("4", "3"):
        run = run_scheduled(keep_count=keep_count)

    assert len(list_issues(github)) == 251
    assert headline(list_issues(github)[-1].body) == headline(run.summary)


def test_issue_of_another_author_with_the_same_marker_is_not_touched(run_scheduled, github):
    run_scheduled(keep_count="4")
    copied = find_issue(github).body
    github.issues.by_number.clear()
    github.issues.add(copied, "mallory")
    run_scheduled(keep_count="3")
    run_scheduled(keep_count="6")

    mallory, own = list_issues(github)
    assert (mallory.body, mallory.state) == (copied, "open")
    assert (own.author, own.state) == (WORKFLOW_LOGIN, "closed")


def test_without_the_setting_no_issue_is_searched_for(act, github):
    run = act(event=SCHEDULE, environ={"GITHUB_EVENT_NAME": "schedule"}, keep_count="4")

    assert run.exit_code == 0
    assert [request for request in github.requests if request.path.endswith("/issues")] == []


@pytest.mark.parametrize("keep_count", ["4", "0"])
def test_doctor_does_not_change_the_issue(run_scheduled, github, keep_count):
    run_scheduled(keep_count="4")
    before = find_issue(github)
    run_scheduled(mode="doctor", keep_count=keep_count)

    assert find_issue(github) == before


def test_issue_stays_open_while_pull_requests_cannot_be_read(run_scheduled, bucket, github, close):
    close(12)
    bucket.deploy("pr-12", days=20)
    inputs = {"match": r"site-\d|pr-\d+", "keep_count": "9", "expire_closed": "3d"}
    run_scheduled(**inputs)
    github.fail_next("GET", "/pulls", 403, NOT_ALLOWED)

    run = run_scheduled(**inputs)

    assert run.outputs["outcome"] == "nothing-to-delete"
    assert find_issue(github).state == "open"
    assert "could not read" in find_issue(github).body


@pytest.mark.parametrize("settings", ["", ", comment-id: site", ", prefix: app, match: 'site-.*'"])
def test_run_that_fails_updates_the_issue_of_a_policy_file(
    run_scheduled, bucket, github, tmp_path, settings
):
    bucket.deploy("app/site-1", days=2)
    path = tmp_path / "cleanup.yml"
    path.write_text(f"{{bucket: {bucket.name}, issue: always{settings}}}\n")
    unset = dict.fromkeys(("INPUT_BUCKET", "INPUT_PREFIX", "INPUT_MATCH", "INPUT_COMMENT-ID"), "")
    inputs = {"issue": "", "policy_file": str(path), "environ": unset}
    run_scheduled(**inputs)
    run = run_scheduled(keep_count="x", **inputs)

    assert run.exit_code == 2
    assert headline(find_issue(github).body) == headline(run.summary)


def test_comment_of_a_policy_file_is_updated_by_a_run_that_fails_unless_it_is_never(
    act, bucket, github, tmp_path
):
    path = tmp_path / "cleanup.yml"
    inputs = {"policy_file": str(path), "environ": {"INPUT_BUCKET": "", "INPUT_COMMENT": ""}}

    def fail(comment):
        path.write_text(f"{{bucket: {bucket.name}, comment: {comment}}}\n")
        act(keep_count="4", **inputs)
        run = act(keep_count=comment, **inputs)
        (posted,) = github.comments(PULL_REQUEST_NUMBER)
        return headline(posted.body) == headline(run.summary)

    assert [fail(comment) for comment in ("changes", "never")] == [True, False]


@pytest.mark.parametrize("repeated", ["policy_file", "comment_id", ""])
def test_saved_plan_of_targets_finds_their_issue_or_has_one_that_names_the_first(
    run_scheduled, bucket, github, tmp_path, repeated
):
    for name in ("blog/site-1", "blog/site-2", "shop/site-1"):
        bucket.deploy(name, days=9 - int(name[-1]))
    path = tmp_path / "cleanup.yml"
    targets = "".join(f"- {{bucket: {bucket.name}, prefix: {app}}}\n" for app in ("blog", "shop"))
    path.write_text(f"defaults: {{keep-count: 1}}\ntargets:\n{targets}")
    comment_id = "" if repeated != "comment_id" else "site"
    inputs = {"plan_file": str(tmp_path / "plan.json"), "environ": {"INPUT_BUCKET": ""}}
    run_scheduled(policy_file=str(path), comment_id=comment_id, **inputs)
    inputs |= (
        {"policy_file": str(path)} if repeated == "policy_file" else {"comment_id": comment_id}
    )

    run = run_scheduled(mode="apply", issue="changes" if repeated else "always", **inputs)

    assert run.outputs["outcome"] == "applied"
    planned, *others = list_issues(github)
    assert planned.state == ("closed" if repeated else "open")
    titles = [] if repeated else [f"Cleanup of s3://{bucket.name}/blog/"]
    assert [issue.title for issue in others] == titles
