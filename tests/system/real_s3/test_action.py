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


def act(seaweedfs, github, folder, **inputs):
    step = FakeStep(folder)
    named = {name.replace("_", "-"): value for name, value in inputs.items()}
    environ = step.environ(named | {"endpoint-url": seaweedfs.url}, github.url)
    run = subprocess.run(
        [sys.executable, ENTRYPOINT],
        env=os.environ | seaweedfs.environ() | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return step, run


def test_plan_then_apply_delete_report_and_keep_one_comment_up_to_date(seaweedfs, tmp_path):
    with FakeGitHub() as github:
        planned, plan = act(seaweedfs, github, tmp_path / "plan", bucket="releases", keep_count="1")
        assert (plan.returncode, plan.stderr) == (0, ""), plan.stdout
        assert planned.outputs["outcome"] == "planned"
        assert len(seaweedfs.content("releases")) == 9
        (comment,) = github.comments(PULL_REQUEST_NUMBER)
        assert headline(comment.body) == headline(planned.summary)

        applied, run = act(
            seaweedfs, github, tmp_path / "apply", bucket="releases", keep_count="1", mode="apply"
        )
        (comment,) = github.comments(PULL_REQUEST_NUMBER)

    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert seaweedfs.content("releases") == RELEASES[2]
    assert applied.outputs["plan-id"] == planned.outputs["plan-id"]
    assert applied.outputs["outcome"] == "applied"
    assert applied.outputs["deployments-deleted"] == "2"
    assert applied.outputs["objects-deleted"] == "6"
    assert applied.outputs["bytes-deleted"] == "9"
    assert applied.outputs["comment-url"].endswith(f"#issuecomment-{comment.comment_id}")
    assert len(read_outcomes(read_records(applied.outputs["journal-file"]))) == 6
    assert headline(comment.body) == headline(applied.summary)
    assert headline(applied.summary) in run.stdout
    assert {name for name, _ in parse_commands(run.stdout)} == {"add-mask", "group", "endgroup"}
