"""A plan, an apply, and a plan that one job hands to another, as users write them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST, PULL_REQUEST_NUMBER
from tests.support.journals import read_outcomes, read_records
from tests.support.paths import ROOT
from tests.support.s3.seaweedfs import SeaweedFS, running_seaweedfs
from tests.system.container.image import needs_image
from tests.system.workflows.act import (
    WorkflowLog,
    make_repository,
    run_workflow,
    running_engine,
    stand_in,
    used_actions,
)

pytestmark = needs_image

RELEASES = [{f"v{number}/{file}": b"x" * number for file in "abc"} for number in (1, 2, 3)]
COMMITS = [{f"{one * 40}/index.html": one.encode()} for one in "cde"]
PUSH = {"ref": "refs/heads/main", "after": HEAD_SHA}


@dataclass(frozen=True, kw_only=True)
class World:
    """What stays up for all of these tests."""

    s3: SeaweedFS
    engine: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    with (
        running_seaweedfs() as s3,
        running_engine(tmp_path_factory.mktemp("engine")) as engine,
    ):
        s3.seed({"planned": RELEASES, "pushed": RELEASES, "my-site": COMMITS})
        yield World(s3=s3, engine=engine)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "storefront", ROOT / "action.yml")


def run_own(world, repository, github, event: tuple[str, object], bucket) -> WorkflowLog:
    log = run_workflow(
        repository,
        Path(__file__).with_name("workflow.yml"),
        *event,
        engine=world.engine,
        variables={"BUCKET": bucket, "S3_URL": world.s3.url, "API_URL": github.url},
    )
    assert (log.exit_code, log.results()) == (0, {"clean": "success"}), log.text
    return log


def test_pull_request_gets_the_plan_as_a_comment_and_the_next_step_the_outputs(world, repository):
    with FakeGitHub() as github:
        log = run_own(world, repository, github, ("pull_request", PULL_REQUEST), "planned")
        (comment,) = github.comments(PULL_REQUEST_NUMBER)

    assert "v2" in comment.body
    assert "v1" in comment.body
    seen = json.loads(log.printed("outputs "))
    assert seen["outcome"] == "planned"
    assert seen["deployments-to-delete"] == "2"
    assert seen["comment-url"].endswith(f"#issuecomment-{comment.comment_id}")
    assert seen.items() <= log.outputs("ci3").items()
    assert "v1" in log.summary("ci3")
    assert len(world.s3.content("planned")) == 9


def test_push_applies_and_the_next_step_gets_the_outputs(world, repository):
    with FakeGitHub() as github:
        log = run_own(world, repository, github, ("push", PUSH), "pushed")
        assert github.comments(PULL_REQUEST_NUMBER) == ()

    seen = json.loads(log.printed("outputs "))
    assert (seen["outcome"], seen["objects-deleted"]) == ("applied", "6")
    assert world.s3.content("pushed") == RELEASES[2]


def test_example_with_an_approval_hands_the_plan_from_one_job_to_the_other(world, tmp_path):
    """The example, with two differences.

    It keeps two deployments, because more take a second each; and `deployment: false` is removed,
    because act does not know it.
    """
    text = (ROOT / "examples/scheduled.yml").read_text(encoding="utf-8")
    assert text.count("keep-count: 10\n") == 1
    workflow = tmp_path / "scheduled.yml"
    text, count = re.subn(r"\n +deployment: false[^\n]*", "", text)
    assert count == 1
    workflow.write_text(text.replace("keep-count: 10\n", "keep-count: 2\n"), encoding="utf-8")
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()

    with FakeGitHub() as github:
        action = make_repository(tmp_path / "ci3", ROOT / "action.yml", api_url=github.url)
        log = run_workflow(
            make_repository(tmp_path / "storefront", ROOT / "action.yml"),
            workflow,
            "workflow_dispatch",
            engine=world.engine,
            env={"AWS_ENDPOINT_URL": world.s3.url, "ARTIFACTS": str(artifacts)},
            actions={
                used: action if used == "OWNER/ci3@v0" else stand_in(used)
                for used in used_actions(text)
            },
        )

    assert (log.exit_code, log.results()) == (0, {"plan": "success", "apply": "success"}), log.text
    assert world.s3.content("my-site") == COMMITS[1] | COMMITS[2]
    plan = json.loads((artifacts / "ci3-plan/plan.json").read_text())
    (journal,) = (artifacts / "ci3-journal").iterdir()
    assert read_records(journal)[0]["plan_id"] == plan["plan_id"]
    assert len(read_outcomes(read_records(journal))) == 1
