"""What the action does where something is wrong: settings, GitHub, S3, the runner."""

from pathlib import Path

import pytest

from tests.support.action_reports import ALL, PUSH, comment_of, row_counts
from tests.support.github.fake_github import TOKEN, FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"max_delete": "1"}, "max-delete allows 1"),
        ({"max_delete": "10%"}, "max-delete allows 10%"),
        ({"protect": "site-1\nsite-11"}, "protect names site-11"),
    ],
)
@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_refused_plan_deletes_nothing_and_is_shown_with_its_reason(
    *, act, bucket, github, mode, inputs, told
):
    run = act(keep_count="1", mode=mode, **inputs)

    assert run.exit_code == 4
    assert run.outputs["outcome"] == "refused"
    assert bucket.folders() == ALL
    assert [told in message for message in run.annotations("error")] == [True]
    for text in (run.summary, comment_of(github)):
        assert "Can't be applied:" in text
        assert len(row_counts(text)) == 2
        assert "To apply" not in text
    assert not list(Path().glob("*.jsonl"))


def test_fork_whose_token_cannot_comment_is_told_in_a_notice_alone(act, bucket):
    with FakeGitHub(may_write=False) as github:
        run = act(api_url=github.url, keep_count="4")

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    (notice,) = run.annotations("notice")
    assert "Resource not accessible by integration" in notice
    assert "permissions: pull-requests: write" in notice
    assert run.annotations("warning") == run.annotations("error") == []
    assert "2 of 6 deployments" in run.summary


@pytest.mark.parametrize(
    ("mode", "exit_code", "kind"), [("plan", 6, "error"), ("apply", 0, "warning")]
)
@pytest.mark.parametrize("keep_count", ["4", "6"])
def test_github_that_fails_is_an_error_of_a_plan_and_else_a_warning(
    *, act, github, keep_count, mode, exit_code, kind
):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})
    run = act(keep_count=keep_count, mode=mode)

    assert run.exit_code == exit_code
    assert run.outputs["outcome"] in ("planned", "applied", "nothing-to-delete")
    told = run.annotations("error") + run.annotations("warning")
    assert told == run.annotations(kind)
    assert ["404" in message for message in told] == [True]
    assert "6 deployments" in run.summary or "2 deployments deleted" in run.summary


def test_refusal_goes_before_a_comment_that_failed(act, github):
    github.fail_next("GET", "comments", 404, {"message": "Not Found"})

    assert act(keep_count="1", max_delete="1").exit_code == 4


def test_misspelt_input_is_refused_with_the_nearest_name(act, bucket, github):
    run = act(mode="apply", keep_cuont="3")

    assert (run.exit_code, run.outputs) == (2, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "keep-cuont" in error
    assert "Did you mean keep-count?" in error
    assert "keep-count" in run.summary
    assert bucket.folders() == ALL
    assert github.comments(PULL_REQUEST_NUMBER) == ()


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"keep_count": "0"}, "at least 1"),
        ({"mode": "aply"}, "Did you mean apply?"),
        ({"bucket": ""}, "bucket is not set"),
        ({"policy_file": "gone.yml"}, "gone.yml"),
        ({"plan_file": "gone/plan.json"}, "gone/plan.json"),
        ({"journal_file": "gone/journal.jsonl"}, "gone/journal.jsonl"),
        ({"github_token": "two words"}, "github-token"),
        ({"github_api_url": "https://me:hidden@ghes.test"}, "github-api-url"),
    ],
)
def test_setting_that_is_wrong_is_refused_before_anything_is_deleted(act, bucket, inputs, told):
    environ = {f"INPUT_{name.replace('_', '-').upper()}": text for name, text in inputs.items()}
    run = act(environ=environ, **{"keep_count": "4", "mode": "apply"} | inputs)

    assert (run.exit_code, run.outputs["outcome"]) == (2, "failed")
    (error,) = run.annotations("error")
    assert told in error
    assert ".." not in error
    assert "hidden" not in run.log
    assert bucket.folders() == ALL


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_token_is_masked_first_and_shown_nowhere(act, github, mode):
    github.fail_next("GET", "comments", 422, {"message": f"no {TOKEN}"})
    run = act(keep_count="4", mode=mode)

    mask, _, log = run.log.partition("\n")
    assert mask == f"::add-mask::{TOKEN}"
    assert TOKEN not in f"{log}{run.errors}{run.summary}{run.outputs}"


@pytest.mark.parametrize("event", [None, PUSH])
def test_missing_token_is_noticed_where_there_is_a_pull_request(act, github, event):
    run = act(event=event, keep_count="4", environ={"INPUT_GITHUB-TOKEN": ""})

    assert (run.exit_code, run.outputs["outcome"]) == (0, "planned")
    assert ["token" in message for message in run.annotations("notice")] == [True] * (event is None)
    assert "add-mask" not in run.log
    assert github.requests == ()


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
@pytest.mark.parametrize("path", ["", "{tmp}", "{tmp}/gone/file"])
def test_file_that_the_runner_lost_does_not_undo_the_report_of_a_deletion(
    *, act, bucket, tmp_path, name, path
):
    run = act(keep_count="4", mode="apply", environ={name: path.format(tmp=tmp_path)})

    assert run.exit_code == 0
    assert bucket.folders() == ALL - {"site-1", "site-2"}
    assert "2 deployments deleted" in run.log
    assert run.errors == ""
    assert run.annotations("error") == []
    assert len(run.annotations("warning")) == bool(path)


def test_wrong_bucket_is_an_access_error_that_names_it(act):
    run = act(environ={"INPUT_BUCKET": "not-there"})

    assert (run.exit_code, run.outputs) == (6, {"outcome": "failed"})
    (error,) = run.annotations("error")
    assert "s3://not-there/" in error
    assert "NoSuchBucket" in run.summary
