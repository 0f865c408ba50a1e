"""Failures of the action: wrong settings, and errors of GitHub, S3 and the runner."""

from pathlib import Path

import pytest

from tests.support.action_reports import (
    ALL,
    APPLY,
    PUSH,
    comment_of,
    headline,
    row_counts,
    without_tables,
)
from tests.support.github.fake_github import TOKEN, FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER


@pytest.mark.parametrize(
    "inputs",
    [{"max_delete": "1"}, {"max_delete": "10%"}, {"protect": "site-1\nsite-11"}],
    ids=["max-delete", "max-delete in percent", "protect"],
)
@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_refused_plan_deletes_nothing_and_is_shown_with_its_reason(
    *, act, bucket, github, mode, inputs, assert_screen
):
    run = act(keep_count="1", mode=mode, **inputs)

    assert run.exit_code == 4
    assert run.outputs["outcome"] == "refused"
    assert bucket.folders() == ALL
    (error,) = run.annotations("error")
    assert_screen(error)
    assert headline(comment_of(github)) == headline(run.summary)
    (name,) = inputs
    for text in (run.summary, comment_of(github)):
        assert name.replace("_", "-") in without_tables(text)
        assert len(row_counts(text)) == 2
        assert APPLY not in text
    assert not list(Path().glob("*.jsonl"))


def test_fork_whose_token_cannot_comment_has_only_a_notice(act, bucket, assert_screen):
    with FakeGitHub(may_write=False) as github:
        run = act(api_url=github.url, keep_count="4")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    (notice,) = run.annotations("notice")
    assert_screen(notice)
    assert run.annotations("warning") == run.annotations("error") == []
    assert row_counts(run.summary) == [2, 4]


@pytest.mark.parametrize(
    ("mode", "exit_code", "kind"), [("plan", 6, "error"), ("apply", 0, "warning")]
)
@pytest.mark.parametrize("keep_count", ["4", "6"])
def test_github_failure_is_an_error_of_a_plan_and_a_warning_of_an_apply(
    *, act, github, keep_count, mode, exit_code, kind
):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})
    run = act(keep_count=keep_count, mode=mode)

    assert run.exit_code == exit_code
    assert run.outputs["outcome"] in ("planned", "applied", "nothing-to-delete")
    (message,) = run.annotations("error") + run.annotations("warning")
    assert [message] == run.annotations(kind)
    assert "404" in message
    assert "6 Bytes" in run.summary or run.outputs["outcome"] == "nothing-to-delete"


def test_exit_code_of_a_refusal_precedes_that_of_a_failed_comment(act, github):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})

    assert act(keep_count="1", max_delete="1").exit_code == 4


def test_misspelt_input_is_refused_with_the_nearest_name(act, bucket, github):
    run = act(mode="apply", keep_cuont="3")

    assert (run.exit_code, run.outputs) == (2, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "keep-cuont" in error
    assert "keep-count" in error
    assert "keep-count" in run.summary
    assert bucket.folders() == ALL
    assert github.comments(PULL_REQUEST_NUMBER) == ()


@pytest.mark.parametrize(
    ("inputs", "value"),
    [
        ({"keep_count": "0"}, "keep-count"),
        ({"mode": "aply"}, " apply"),
        ({"bucket": ""}, "bucket"),
        ({"policy_file": "gone.yml"}, "gone.yml"),
        ({"plan_file": "gone/plan.json"}, "gone/plan.json"),
        ({"journal_file": "gone/journal.jsonl"}, "gone/journal.jsonl"),
        ({"github_token": "two words"}, "github-token"),
        ({"github_api_url": "https://me:hidden@ghes.test"}, "github-api-url"),
    ],
)
def test_wrong_setting_is_refused_before_anything_is_deleted(act, bucket, inputs, value):
    environ = {f"INPUT_{name.replace('_', '-').upper()}": text for name, text in inputs.items()}
    run = act(environ=environ, **{"keep_count": "4", "mode": "apply"} | inputs)

    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    (error,) = run.annotations("error")
    assert value in error
    assert ".." not in error
    assert "hidden" not in run.log
    assert bucket.folders() == ALL


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_token_is_masked_first_and_never_shown(act, github, mode):
    github.fail_next("GET", "comments", 422, {"message": f"no {TOKEN}"})
    run = act(keep_count="4", mode=mode)

    mask, _, log = run.log.partition("\n")
    assert mask == f"::add-mask::{TOKEN}"
    assert TOKEN not in f"{log}{run.errors}{run.summary}{run.outputs}"


@pytest.mark.parametrize("event", [None, PUSH])
def test_missing_token_is_a_notice_if_there_is_a_pull_request(act, github, event):
    run = act(event=event, keep_count="4", environ={"INPUT_GITHUB-TOKEN": ""})

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert ["token" in message for message in run.annotations("notice")] == [True] * (event is None)
    assert "add-mask" not in run.log
    assert github.requests == ()


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
@pytest.mark.parametrize("path", ["", "{tmp}", "{tmp}/gone/file"])
def test_missing_runner_file_does_not_prevent_the_report_of_a_deletion(
    *, act, bucket, github, tmp_path, name, path
):
    run = act(keep_count="4", mode="apply", environ={name: path.format(tmp=tmp_path)})

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert headline(comment_of(github)) in run.log
    assert run.errors == ""
    assert run.annotations("error") == []
    assert len(run.annotations("warning")) == bool(path)


def test_wrong_bucket_is_an_access_error_that_names_it(act):
    run = act(environ={"INPUT_BUCKET": "not-there"})

    assert (run.exit_code, run.outputs) == (6, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "s3://not-there/" in error
    assert "NoSuchBucket" in run.summary
