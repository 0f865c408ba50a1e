"""`mode: doctor`: log, summary, annotations and exit code."""

import pytest

from ci3.errors import ExitCode
from tests.support.action_reports import comment_of


def test_doctor_reports_in_log_and_summary_and_deletes_nothing(bucket, act):
    before = bucket.content()
    run = act(mode="doctor", keep_count="1")
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.DONE, "examined")
    assert "site-[0-9]+" in run.summary
    assert "site-[0-9]+" in run.log
    assert run.annotations("error") == []
    assert bucket.content() == before


def test_problem_is_annotated_and_fails_the_step(bucket, act):
    bucket.put("assets/logo.png", days=1)
    run = act(mode="doctor", live_from="object:live.txt")
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.REFUSED, "refused")
    topics = [message.partition(": ")[0] for message in run.annotations("error")]
    assert sorted(topics) == ["live", "mixed-names"]


def test_bucket_that_cannot_be_read_fails_the_step(bucket, act):
    run = act(mode="doctor", bucket="nowhere-at-all", environ={"INPUT_BUCKET": "nowhere-at-all"})
    assert (run.exit_code, run.outputs["outcome"]) == (ExitCode.ACCESS, "failed")
    assert "NoSuchBucket" in run.annotations("error")[0]


@pytest.mark.parametrize(
    "inputs",
    [
        {"keep_count": "0"},
        {"keep_cuont": "4"},
        {"policy_file": "gone.yml"},
        {"role_to_assume": "arn:aws:iam::123456789012:role/cleaner"},
    ],
)
def test_failed_doctor_does_not_change_the_comment_of_a_plan(act, github, inputs):
    act(keep_count="4", comment_id="plan")
    before = comment_of(github)
    run = act(mode="doctor", comment_id="plan", **inputs)
    assert run.exit_code == ExitCode.USAGE
    assert run.annotations("error")
    assert comment_of(github) == before
