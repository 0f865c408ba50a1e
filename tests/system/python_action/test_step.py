"""The step has the container's reports, files, refusals and signal handling."""

import re
import signal
import subprocess
import sys
import threading

import pytest

from ci3.errors import ExitCode
from tests.support.action_reports import ENTRYPOINT, comment_of, read_journal
from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import FakeStep
from tests.support.journals import read_outcomes
from tests.system.python_action.conftest import PythonStep


@pytest.fixture
def bucket(bucket):
    for number in range(1, 5):
        bucket.deploy(f"v{number}", days=10 - number)
    return bucket


def make_inputs(bucket, **inputs: str) -> dict[str, str]:
    return {
        "bucket": bucket.name,
        "endpoint-url": bucket.endpoint_url,
        "keep-count": "2",
        **{name.replace("_", "-"): value for name, value in inputs.items()},
    }


def run_as_container(step: PythonStep, inputs, github: FakeGitHub, tmp_path):
    """Run the entry point as the image does: with a variable for each input."""
    files = FakeStep(tmp_path / "container")
    completed = subprocess.run(
        [sys.executable, ENTRYPOINT],
        env=step.environ | files.environ(inputs, github.url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return completed, files


def without_times(text: str) -> str:
    return re.sub(r"\d\d:\d\d:\d\d|\b\d+(\.\d+)? s\b|\d{8}T\d{6}Z-[0-9a-f]{8}", "TIME", text)


def test_plan_equals_the_plan_of_the_container(step, bucket, github, tmp_path):
    inputs = make_inputs(bucket, match=r"v\d+", protect="v3\nx*")
    with FakeGitHub() as container_github:
        completed, files = run_as_container(step, inputs, container_github, tmp_path)
        expected_comment = comment_of(container_github)
    result = step.run(inputs, github.url)

    assert (result.exit_code, completed.returncode) == (0, 0), result.errors
    assert result.outputs["outcome"] == "planned"
    assert result.outputs == files.outputs
    assert result.summary == files.summary
    assert result.log == completed.stdout
    assert comment_of(github) == expected_comment


def test_apply_deletes_the_deployments_of_a_saved_plan_and_writes_to_the_workspace(
    step, bucket, github, tmp_path
):
    planned = step.run(make_inputs(bucket, plan_file="plan.json"), github.url)
    applied = step.run(make_inputs(bucket, plan_file="plan.json", mode="apply"), github.url)

    assert (planned.exit_code, applied.exit_code) == (0, 0), applied.errors
    assert planned.outputs["plan-file"] == "plan.json"
    assert applied.outputs["outcome"] == "applied"
    assert bucket.folders() == {"v3", "v4"}
    journal = read_journal(tmp_path / applied.outputs["journal-file"])
    assert journal[0]["plan_id"] == planned.outputs["plan-id"]


@pytest.mark.parametrize("name", ["dry-run", "keep-cuont"])
def test_unknown_input_is_refused(step, bucket, github, name):
    result = step.run(make_inputs(bucket, mode="apply", **{name: "true"}), github.url)
    assert result.exit_code == ExitCode.USAGE
    assert name in result.read_error()
    assert len(bucket.folders()) == 4


@pytest.mark.parametrize("first_signal", [signal.SIGINT, signal.SIGTERM])
def test_cancelled_apply_reports_what_was_deleted(step, bucket, proxy, first_signal, tmp_path):
    is_deleting, may_continue = threading.Event(), threading.Event()
    proxy.call_before(
        "POST", "delete", lambda: (is_deleting.set(), may_continue.wait(timeout=60)), nth=None
    )
    inputs = make_inputs(bucket, mode="apply", endpoint_url=proxy.url, journal_file="j.jsonl")
    process = step.start(inputs)
    assert is_deleting.wait(timeout=60)
    process.send_signal(first_signal)
    process.send_signal(signal.SIGTERM)
    may_continue.set()
    result = step.finish(process)

    assert result.errors == ""
    assert (result.exit_code, result.outputs["outcome"]) == (ExitCode.PARTIAL, "partial")
    deleted = [outcome["outcome"] for outcome in read_outcomes(read_journal(tmp_path / "j.jsonl"))]
    assert str(len(deleted)) == result.outputs["objects-deleted"]
    assert set(deleted) == {"deleted"}
