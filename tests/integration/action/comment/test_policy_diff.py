"""A pull request that changes the policy file: its comment compares the two policies."""

import re
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


def cut_policy_change(markdown):
    """Return the part of a report with one target between its title and its timeline."""
    _, _, *paragraphs = re.split("```diff|<details", markdown)[0].strip().split("\n\n")
    return "\n\n".join(paragraphs)


@pytest.fixture
def change_policy(github):
    """Return a function that writes the policies of the base and of the pull request."""

    def change(old, new, path=".github/ci3.yml"):
        if old is not None:
            github.content.files[BASE_SHA, path] = old.encode()
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(new, encoding="utf-8")
        return path

    return change


def test_comment_shows_changed_decisions_and_rollback_targets(
    act, github, change_policy, assert_screen
):
    path = change_policy("keep-count: 4\n", "keep-count: 2\nprotect: site-1\n")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    assert cut_policy_change(comment_of(github)) == cut_policy_change(run.summary)
    assert_screen(cut_policy_change(run.summary))


def test_narrower_match_counts_as_a_change(act, github, change_policy, assert_screen):
    path = change_policy("match: site-[1-5]\nkeep-count: 4\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert_screen(cut_policy_change(comment_of(github)))


def test_change_without_effect_is_reported_even_if_nothing_is_deleted(
    act, github, change_policy, assert_screen
):
    path = change_policy("keep-count: 8\n", "keep-count: 9\n")

    act(event=CHANGE, policy_file=path)

    assert_screen(cut_policy_change(comment_of(github)))


def test_policy_that_deletes_all_versions_is_reported(
    act, bucket, github, change_policy, assert_screen
):
    bucket.enable_versioning()
    path = change_policy("keep-count: 4\n", "keep-count: 4\ndelete-versions: true\n")

    act(event=CHANGE, policy_file=path)

    assert_screen(cut_policy_change(comment_of(github)))


def test_unchanged_policy_is_not_mentioned(act, github, change_policy):
    path = change_policy("keep-count: 4\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert cut_policy_change(comment_of(github)) == ""


@pytest.mark.parametrize("old", [None, "keep-cuont: 4\n"], ids=["missing", "unknown key"])
def test_unreadable_old_policy_is_reported(act, github, change_policy, old, assert_screen):
    path = change_policy(old, "keep-count: 4\n")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    assert_screen(cut_policy_change(comment_of(github)))


def test_old_policy_of_another_target_is_reported(
    act, bucket, github, change_policy, assert_screen
):
    path = change_policy("bucket: elsewhere\n", f"bucket: {bucket.name}\n")

    act(event=CHANGE, policy_file=path, environ={"INPUT_BUCKET": ""})

    assert_screen(cut_policy_change(comment_of(github)))


def test_plan_succeeds_if_the_old_policy_cannot_be_fetched(
    act, github, change_policy, assert_screen
):
    path = change_policy("keep-count: 4\n", "keep-count: 2\n")
    github.fail_next("GET", "/contents/", 403, {"message": "Resource not accessible"})

    run = act(event=CHANGE, policy_file=path)

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert_screen(cut_policy_change(comment_of(github)))


def test_apply_uses_only_the_new_policy(act, bucket, change_policy):
    path = change_policy("keep-count: 1\n", "keep-count: 5\n")

    run = act(event=CHANGE, policy_file=path, mode="apply")

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1"}


def test_push_compares_no_policies(act, github, change_policy):
    path = change_policy("keep-count: 1\n", "keep-count: 5\n")

    run = act(event=PUSH, policy_file=path)

    assert not [request for request in github.requests if "/contents/" in request.path]
    assert cut_policy_change(run.summary) == ""


def test_other_line_endings_are_no_change(act, github, change_policy):
    path = change_policy("keep-count: 4\r\n", "keep-count: 4\n")

    act(event=CHANGE, policy_file=path)

    assert cut_policy_change(comment_of(github)) == ""


def test_removed_limit_is_reported(act, github, change_policy, assert_screen):
    path = change_policy("keep-count: 1\nmax-delete: 1\n", "keep-count: 1\n")

    act(event=CHANGE, policy_file=path)

    assert_screen(cut_policy_change(comment_of(github)))


def test_targets_of_a_pattern_are_compared_with_its_old_settings(
    act, bucket, github, change_policy
):
    for app in ("blog", "shop"):
        deploy_app(bucket, app, count=4)
    lines = f"prefix: {PATTERN}\nmatch: '{MATCH}'\n"
    old = f"{lines}keep-count: 3\nlive-from: object:live/{{folder}}\n"
    path = change_policy(old, f"{lines}keep-count: 2\n")
    bucket.put("live/shop", body=commit("shop", 3).encode())
    bucket.put("live/blog", body=commit("blog", 3).encode())

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    for app in ("blog", "shop"):
        names = ", ".join(f"`{commit(app, number)}`" for number in (2, 3))
        assert re.search(rf"/{app}/production/`\.\*\*\n\n- [\w ]+: {names}\.\n", comment_of(github))


def test_target_that_the_old_pattern_did_not_find_is_reported(act, bucket, github, change_policy):
    for app in ("blog", "shop"):
        deploy_app(bucket, app, count=4)
    lines = f"match: '{MATCH}'\nkeep-count: 2\n"
    path = change_policy(f"prefix: apps/s*/production/\n{lines}", f"prefix: {PATTERN}\n{lines}")

    run = act(event=CHANGE, policy_file=path)

    assert run.exit_code == 0
    old_plans = re.findall(r"/(\w+)/production/`\.\*\*(\n\n- | \w)", comment_of(github))
    assert [(app, mark.startswith("\n")) for app, mark in old_plans] == [
        ("blog", False),
        ("shop", True),
    ]
