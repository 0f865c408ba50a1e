"""A pull request that changes the policy file: its comment shows the old policy against the new."""

from pathlib import Path

import pytest

from tests.support.action_reports import ALL, PUSH, comment_of
from tests.support.apps import MATCH, PATTERN, commit, deploy_app
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST_NUMBER

BASE_SHA = "c" * 40
CHANGE = {
    "number": PULL_REQUEST_NUMBER,
    "pull_request": {
        "number": PULL_REQUEST_NUMBER,
        "head": {"sha": HEAD_SHA},
        "base": {"sha": BASE_SHA},
    },
}
SAID = "This pull request changes the policy"


@pytest.fixture
def changed(github):
    """Set the base's policy and the pull request's."""

    def change(old, new, path=".github/ci3.yml"):
        if old is not None:
            github.content.files[BASE_SHA, path] = old.encode()
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(new, encoding="utf-8")
        return path

    return change


def test_comment_says_what_changes_hands_and_how_the_way_back_changes(act, github, changed):
    path = changed("keep-count: 4\n", "keep-count: 2\nprotect: site-1\n")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    for told in (comment_of(github), run.summary):
        assert f"**{SAID}.**" in told
        assert "Deleted by the new one only: `site-4`, `site-3`." in told
        assert "Kept by the new one only: `site-1`." in told
        assert "Before: 3 older deployments can still be rolled back to" in told
        assert "Now: 2 older deployments can still be rolled back to" in told


def test_narrower_match_counts_as_a_change(act, github, changed):
    path = changed("match: site-[1-5]\nkeep-count: 4\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert "Deleted by the new one only: `site-2`." in comment_of(github)


def test_change_that_moves_nothing_says_so_even_where_nothing_is_deleted(act, github, changed):
    path = changed("keep-count: 8\n", "keep-count: 9\n")

    act(event=CHANGE, policy_file=path)

    assert "Nothing changes hands." in comment_of(github)


def test_policy_by_which_all_versions_would_go_is_told(act, bucket, github, changed):
    bucket.enable_versioning()
    path = changed("keep-count: 4\n", "keep-count: 4\ndelete-versions: true\n")

    act(event=CHANGE, policy_file=path)

    assert "The new one deletes all versions, for good" in comment_of(github)


def test_policy_that_is_as_it_was_is_not_spoken_of(act, github, changed):
    path = changed("keep-count: 4\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert SAID not in comment_of(github)


@pytest.mark.parametrize(
    ("old", "told"),
    [
        (None, "The base branch has no such file to compare it with."),
        ("keep-cuont: 4\n", "Did you mean keep-count?"),
    ],
)
def test_old_policy_that_can_not_be_read_is_told(act, github, changed, old, told):
    path = changed(old, "keep-count: 4\n")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    assert SAID in comment_of(github)
    assert told in comment_of(github)


def test_old_policy_of_another_place_is_told(act, bucket, github, changed):
    path = changed("bucket: elsewhere\n", f"bucket: {bucket.name}\n")

    act(event=CHANGE, policy_file=path, environ={"INPUT_BUCKET": ""})

    assert "The old one has no such target." in comment_of(github)


def test_github_that_can_not_say_what_it_was_leaves_the_plan_standing(act, github, changed):
    path = changed("keep-count: 4\n", "keep-count: 2\n")
    github.fail_next("GET", "/contents/", 403, {"message": "Resource not accessible"})

    run = act(event=CHANGE, policy_file=path)

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert "The old one can't be compared with it" in comment_of(github)


def test_apply_deletes_by_the_new_policy_alone(act, bucket, changed):
    path = changed("keep-count: 1\n", "keep-count: 5\n")

    run = act(event=CHANGE, policy_file=path, mode="apply")

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1"}


def test_push_compares_nothing(act, github, changed):
    path = changed("keep-count: 1\n", "keep-count: 5\n")

    run = act(event=PUSH, policy_file=path)

    assert not [one for one in github.requests if "/contents/" in one.path]
    assert SAID not in run.summary


def test_line_ends_of_another_system_are_no_change(act, github, changed):
    path = changed("keep-count: 4\r\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert SAID not in comment_of(github)


def test_brake_that_is_taken_off_is_told(act, github, changed):
    path = changed("keep-count: 1\nmax-delete: 1\n", "keep-count: 1\n")

    act(event=CHANGE, policy_file=path)

    body = comment_of(github)
    assert "Deleted by the new one only: `site-5`, `site-4`" in body
    assert "The old one may not be applied: 5 deployments of 6 would be deleted" in body


def test_targets_of_a_pattern_are_compared_with_its_old_settings(act, bucket, github, changed):
    for app in ("blog", "shop"):
        deploy_app(bucket, app, count=4)
    lines = f"prefix: {PATTERN}\nmatch: '{MATCH}'\n"
    old = f"{lines}keep-count: 3\nlive-from: object:live/{{folder}}\n"
    path = changed(old, f"{lines}keep-count: 2\n")
    bucket.put("live/shop", body=commit("shop", 3).encode())
    bucket.put("live/blog", body=commit("blog", 3).encode())

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    for app in ("blog", "shop"):
        assert all(commit(app, number) in comment_of(github) for number in (2, 3))
    assert comment_of(github).count("Deleted by the new one only: ") == 2


def test_target_that_the_old_pattern_did_not_find_is_reported(act, bucket, github, changed):
    for app in ("blog", "shop"):
        deploy_app(bucket, app, count=4)
    lines = f"match: '{MATCH}'\nkeep-count: 2\n"
    path = changed(f"prefix: apps/s*/production/\n{lines}", f"prefix: {PATTERN}\n{lines}")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    assert comment_of(github).count("The old one has no such target.") == 1
