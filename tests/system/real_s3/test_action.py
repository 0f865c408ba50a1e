"""The action as a process in a runner's environment, on a real S3 server and a fake GitHub."""

import os
import subprocess
import sys

from tests.support.action_reports import headline
from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER, FakeStep, parse_commands
from tests.support.journals import read_outcomes, read_records
from tests.support.paths import ROOT
from tests.system.real_s3.conftest import RELEASES

ENTRYPOINT = ROOT / "entrypoint.py"


def run_action(seaweedfs, github, folder, **inputs):
    step = FakeStep(folder)
    named_inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
    environ = step.environ(named_inputs | {"endpoint-url": seaweedfs.url}, github.url)
    completed = subprocess.run(
        [sys.executable, ENTRYPOINT],
        env=os.environ | seaweedfs.environ() | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return step, completed


def test_plan_then_apply_deletes_reports_and_updates_one_comment(seaweedfs, tmp_path):
    with FakeGitHub() as github:
        plan_step, plan = run_action(
            seaweedfs, github, tmp_path / "plan", bucket="releases", keep_count="1"
        )
        assert (plan.returncode, plan.stderr) == (0, ""), plan.stdout
        assert plan_step.outputs["outcome"] == "planned"
        assert len(seaweedfs.content("releases")) == 9
        (comment,) = github.comments(PULL_REQUEST_NUMBER)
        assert headline(comment.body) == headline(plan_step.summary)

        apply_step, apply = run_action(
            seaweedfs, github, tmp_path / "apply", bucket="releases", keep_count="1", mode="apply"
        )
        (comment,) = github.comments(PULL_REQUEST_NUMBER)

    assert (apply.returncode, apply.stderr) == (0, ""), apply.stdout
    assert seaweedfs.content("releases") == RELEASES[2]
    assert apply_step.outputs["plan-id"] == plan_step.outputs["plan-id"]
    assert apply_step.outputs["outcome"] == "applied"
    assert apply_step.outputs["deployments-deleted"] == "2"
    assert apply_step.outputs["objects-deleted"] == "6"
    assert apply_step.outputs["bytes-deleted"] == "9"
    assert apply_step.outputs["comment-url"].endswith(f"#issuecomment-{comment.comment_id}")
    assert len(read_outcomes(read_records(apply_step.outputs["journal-file"]))) == 6
    assert headline(comment.body) == headline(apply_step.summary)
    assert headline(apply_step.summary) in apply.stdout
    assert {name for name, _ in parse_commands(apply.stdout)} == {"add-mask", "group", "endgroup"}
