"""Complete runs in the image, with a real S3 server, a fake GitHub and the runner's files."""

import json
from collections.abc import Iterator

import pytest

from tests.support.action_reports import headline
from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST_NUMBER, FakeStep, parse_commands
from tests.support.journals import read_outcomes, read_records
from tests.support.s3.seaweedfs import SeaweedFS, running_seaweedfs
from tests.system.container.image import needs_image, run_action, run_command

pytestmark = needs_image

RELEASES = [{f"v{number}/{file}": b"x" * number for file in "abc"} for number in (1, 2, 3)]
RUNNER = "/github/file_commands"
WORKSPACE = "/github/workspace"
NO_WRITABLE_TMP = "--read-only-tmpfs=false"
"""Only the runner's folders are writable: /tmp is not."""


@pytest.fixture(scope="module")
def seaweedfs() -> Iterator[SeaweedFS]:
    with running_seaweedfs() as server:
        server.seed({"applied": RELEASES, "planned": RELEASES})
        yield server


def test_step_applies_an_earlier_plan_and_writes_only_to_the_runners_folders(seaweedfs, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def run_step(mode: str, github: FakeGitHub):
        step = FakeStep(tmp_path / mode)
        inputs = {
            "bucket": "applied",
            "endpoint-url": seaweedfs.url,
            "keep-count": "1",
            "mode": mode,
            "plan-file": "plan.json",
        }
        completed = run_action(
            step.environ(inputs, github.url, process_folder=RUNNER) | seaweedfs.environ(),
            mounts={step.folder: RUNNER, workspace: WORKSPACE},
            options=[NO_WRITABLE_TMP],
        )
        assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout
        return step, completed

    with FakeGitHub() as github:
        plan_step, _ = run_step("plan", github)
        assert len(seaweedfs.content("applied")) == 9
        apply_step, completed = run_step("apply", github)
        comments = github.comments(PULL_REQUEST_NUMBER)

    assert plan_step.outputs["outcome"] == "planned"
    assert seaweedfs.content("applied") == RELEASES[2]
    assert apply_step.outputs["outcome"] == "applied"
    assert apply_step.outputs["objects-deleted"] == "6"
    assert [headline(comment.body) for comment in comments] == [headline(apply_step.summary)]
    assert {name for name, _ in parse_commands(completed.stdout)} == {
        "add-mask",
        "group",
        "endgroup",
    }
    plan = json.loads((workspace / "plan.json").read_text())
    journal = read_records(workspace / apply_step.outputs["journal-file"])
    assert journal[0]["plan_id"] == plan["plan_id"] == apply_step.outputs["plan-id"]
    assert len(read_outcomes(journal)) == 6


def test_command_in_the_container_shows_a_plan_and_changes_nothing(seaweedfs):
    options = ("--bucket", "planned", "--endpoint-url", seaweedfs.url, "--keep-count", "1")
    completed = run_command("plan-cleanup", *options, "--output", "json", env=seaweedfs.environ())

    assert completed.returncode == 0, completed.stderr
    decisions = {
        item["name"]: item["decision"] for item in json.loads(completed.stdout)["deployments"]
    }
    assert decisions == {"v3": "keep", "v2": "delete", "v1": "delete"}
    assert len(seaweedfs.content("planned")) == 9
