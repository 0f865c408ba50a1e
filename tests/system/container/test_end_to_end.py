"""A whole run in the image: a real S3 server and a fake GitHub on loopback, the runner's files."""

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
NOTHING_ELSE_TO_WRITE_TO = "--read-only-tmpfs=false"
"""Not even /tmp: whatever is written outside the runner's folders fails."""


@pytest.fixture(scope="module")
def seaweedfs() -> Iterator[SeaweedFS]:
    with running_seaweedfs() as server:
        server.seed({"applied": RELEASES, "planned": RELEASES})
        yield server


def test_step_applies_the_plan_of_another_and_writes_in_the_runners_folders_alone(
    seaweedfs, tmp_path
):
    workspace = tmp_path / "workspace"
    workspace.mkdir()

    def step_of(mode: str, github: FakeGitHub):
        step = FakeStep(tmp_path / mode)
        inputs = {
            "bucket": "applied",
            "endpoint-url": seaweedfs.url,
            "keep-count": "1",
            "mode": mode,
            "plan-file": "plan.json",
        }
        run = run_action(
            step.environ(inputs, github.url, seen_at=RUNNER) | seaweedfs.environ(),
            mounts={step.folder: RUNNER, workspace: WORKSPACE},
            options=[NOTHING_ELSE_TO_WRITE_TO],
        )
        assert (run.returncode, run.stderr) == (0, ""), run.stdout
        return step, run

    with FakeGitHub() as github:
        planned, _ = step_of("plan", github)
        assert len(seaweedfs.content("applied")) == 9
        step, run = step_of("apply", github)
        comments = github.comments(PULL_REQUEST_NUMBER)

    assert planned.outputs["outcome"] == "planned"
    assert seaweedfs.content("applied") == RELEASES[2]
    assert step.outputs["outcome"] == "applied"
    assert step.outputs["objects-deleted"] == "6"
    assert [headline(comment.body) for comment in comments] == [headline(step.summary)]
    assert {name for name, _ in parse_commands(run.stdout)} == {"add-mask", "group", "endgroup"}
    plan = json.loads((workspace / "plan.json").read_text())
    journal = read_records(workspace / step.outputs["journal-file"])
    assert journal[0]["plan_id"] == plan["plan_id"] == step.outputs["plan-id"]
    assert len(read_outcomes(journal)) == 6


def test_command_in_the_container_shows_a_plan_and_changes_nothing(seaweedfs):
    options = ("--bucket", "planned", "--endpoint-url", seaweedfs.url, "--keep-count", "1")
    run = run_command("plan-cleanup", *options, "--output", "json", env=seaweedfs.environ())

    assert run.returncode == 0, run.stderr
    decisions = {item["name"]: item["decision"] for item in json.loads(run.stdout)["deployments"]}
    assert decisions == {"v3": "keep", "v2": "delete", "v1": "delete"}
    assert len(seaweedfs.content("planned")) == 9
