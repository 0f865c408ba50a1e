"""Workflows as users write them: plans, applies, a plan for a later job, closed previews."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.github.fake_github import REPOSITORY, FakeGitHub
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST, PULL_REQUEST_NUMBER
from tests.support.journals import read_outcomes, read_records
from tests.support.paths import ROOT
from tests.system.container.image import needs_image
from tests.system.workflows.act import (
    WorkflowLog,
    find_stand_in,
    find_used_actions,
    make_repository,
    run_workflow,
)
from tests.system.workflows.clean_workflow import (
    PUSH,
    RELEASES,
    Servers,
    run_clean_workflow,
    running_servers,
)

pytestmark = needs_image

COMMIT_NAMES = [digit * 40 for digit in "cde"]
COMMITS = [{f"{name}/index.html": name.encode()} for name in COMMIT_NAMES]
HEAD_OF_PREVIEWS = "c1b2c3d" + "0" * 33
PREVIEWS = [
    {f"pr-{number}-{commit}/index.html": commit.encode() for number in (12, 13)}
    for commit in ("a1b2c3d", "b1b2c3d", HEAD_OF_PREVIEWS)
]
KEPT = {"docs/index.html": b"docs", "pr-14-a1b2c3d/index.html": b"no such number"}
"""Folders that no workflow deletes: one that `match` excludes, and one without a pull request."""
UNSUPPORTED_BY_ACT = re.compile(r"\n +(deployment: false|queue: max)\b[^\n]*")
"""Workflow keys that GitHub supports and act refuses."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    buckets = {
        "planned": RELEASES,
        "pushed": RELEASES,
        "my-site": COMMITS,
        "my-previews": COMMITS,
        "closed": [KEPT, *PREVIEWS],
        "swept": [KEPT, *PREVIEWS],
    }
    with running_servers(tmp_path_factory, buckets) as servers:
        yield servers


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "storefront", ROOT / "action.yml")


def test_pull_request_gets_the_plan_as_a_comment_and_the_next_step_the_outputs(servers, repository):
    with FakeGitHub() as github:
        log = run_clean_workflow(
            servers, repository, github, ("pull_request", PULL_REQUEST), "planned"
        )
        (comment,) = github.comments(PULL_REQUEST_NUMBER)

    assert "v2" in comment.body
    assert "v1" in comment.body
    outputs = json.loads(log.find_printed_text("outputs "))
    assert outputs["outcome"] == "planned"
    assert outputs["deployments-to-delete"] == "2"
    assert outputs["comment-url"].endswith(f"#issuecomment-{comment.comment_id}")
    assert outputs.items() <= log.read_outputs("ci3").items()
    assert "v1" in log.read_summary("ci3")
    assert len(servers.s3.content("planned")) == 9


def test_push_applies_and_the_next_step_gets_the_outputs(servers, repository):
    with FakeGitHub() as github:
        log = run_clean_workflow(servers, repository, github, ("push", PUSH), "pushed")
        assert github.comments(PULL_REQUEST_NUMBER) == ()

    outputs = json.loads(log.find_printed_text("outputs "))
    assert (outputs["outcome"], outputs["objects-deleted"]) == ("applied", "6")
    assert servers.s3.content("pushed") == RELEASES[2]


@dataclass(frozen=True, kw_only=True)
class Example:
    """An example workflow that act runs with the action of this tree and without a network."""

    name: str
    servers: Servers
    folder: Path

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def run(
        self,
        github: FakeGitHub,
        event_name: str,
        event: object = None,
        *,
        values: Mapping[str, str],
        files: Mapping[str, str] = MappingProxyType({}),
    ) -> WorkflowLog:
        """Run the workflow in a repository with `files`; `values` are replaced in its text."""
        text = (ROOT / f"examples/{self.name}").read_text(encoding="utf-8")
        for old, new in values.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        workflow = self.folder / self.name
        workflow.write_text(UNSUPPORTED_BY_ACT.sub("", text), encoding="utf-8")
        self.artifacts.mkdir()
        action = make_repository(self.folder / "ci3", ROOT / "action.yml", api_url=github.url)
        return run_workflow(
            make_repository(self.folder / "storefront", ROOT / "action.yml", files=files),
            workflow,
            event_name,
            event,
            engine=self.servers.engine,
            env={"AWS_ENDPOINT_URL": self.servers.s3.url, "ARTIFACTS": str(self.artifacts)},
            actions={
                name: action if name == "OWNER/ci3@v0" else find_stand_in(name)
                for name in find_used_actions(text)
                if "checkout@" not in name  # act copies the repository itself
            },
        )


def make_event(
    number: int, commit: str, repository: str = REPOSITORY, **fields: object
) -> dict[str, object]:
    """Return the event of a pull request with this commit as its head, in this repository."""
    head = {"sha": commit, "ref": "topic", "repo": {"full_name": repository}}
    pull_request = {"number": number, "merged": False, "head": head}
    return {**fields, "number": number, "pull_request": pull_request}


def test_example_for_pull_requests_comments_with_its_policy(servers, tmp_path):
    example = Example(name="pull-request.yml", servers=servers, folder=tmp_path)
    with FakeGitHub() as github:
        log = example.run(
            github,
            "pull_request",
            make_event(PULL_REQUEST_NUMBER, HEAD_SHA),
            values={"bucket: my-site\n": "bucket: my-previews\n"},
            files={".github/cleanup.yml": "keep-count: 2\n"},
        )
        comments = github.comments(PULL_REQUEST_NUMBER)

    assert (log.exit_code, log.read_results()) == (0, {"plan": "success"}), log.text
    (comment,) = comments
    assert COMMIT_NAMES[0][:7] in comment.body
    assert servers.s3.content("my-previews") == COMMITS[0] | COMMITS[1] | COMMITS[2]


def test_example_on_a_schedule_applies_the_plan_of_its_first_job(servers, tmp_path):
    """The example keeps two deployments instead of ten: each one takes a second to create."""
    example = Example(name="scheduled.yml", servers=servers, folder=tmp_path)
    with FakeGitHub() as github:
        log = example.run(github, "schedule", values={"keep-count: 10\n": "keep-count: 2\n"})

    assert (log.exit_code, log.read_results()) == (0, {"plan": "success", "apply": "success"}), (
        log.text
    )
    assert servers.s3.content("my-site") == COMMITS[1] | COMMITS[2]
    plan = json.loads((example.artifacts / "ci3-plan/plan.json").read_text())
    (journal,) = (example.artifacts / "ci3-journal").iterdir()
    assert read_records(journal)[0]["plan_id"] == plan["plan_id"]
    assert len(read_outcomes(read_records(journal))) == 1


def close_pull_request(github: FakeGitHub, head: str = REPOSITORY) -> None:
    """Close #12, whose branch is in the repository `head`, and leave #13 open."""
    now = datetime.now(UTC)
    for number in (12, 13):
        github.content.open_pull_request(
            number, HEAD_OF_PREVIEWS, head=head, created_at=now - timedelta(days=9)
        )
    github.content.close_pull_request(12, now)


def test_example_for_closed_pull_requests_deletes_their_previews(servers, tmp_path):
    """#13 is open: it keeps its two newest previews."""
    example = Example(name="pull-request-closed.yml", servers=servers, folder=tmp_path)
    with FakeGitHub() as github:
        close_pull_request(github)
        log = example.run(
            github,
            "pull_request",
            make_event(12, HEAD_OF_PREVIEWS, action="closed"),
            values={"bucket: my-previews\n": "bucket: closed\n"},
        )
        assert github.comments(12) == ()

    assert (log.exit_code, log.read_results()) == (0, {"clean": "success"}), log.text
    assert servers.s3.content("closed") == KEPT | select_other_numbers(
        PREVIEWS[1] | PREVIEWS[2], 12
    )


def test_example_for_closed_previews_deletes_previews_of_forks_on_a_schedule(servers, tmp_path):
    """The example has a period of three days; the test's server cannot store older objects."""
    example = Example(name="closed-previews.yml", servers=servers, folder=tmp_path)
    values = {
        "bucket: my-previews\n": "bucket: swept\n",
        "expire-closed: 3d\n": "expire-closed: 0d\n",
    }
    with FakeGitHub() as github:
        close_pull_request(github, head="fork/storefront")
        log = example.run(github, "schedule", values=values)

    assert (log.exit_code, log.read_results()) == (0, {"clean": "success"}), log.text
    assert servers.s3.content("swept") == KEPT | select_other_numbers(PREVIEWS[1] | PREVIEWS[2], 12)


def select_other_numbers(previews: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """Return the objects of the previews of all other pull requests."""
    return {key: body for key, body in previews.items() if not key.startswith(f"pr-{number}-")}


@pytest.mark.parametrize(
    ("name", "action"), [("pull-request.yml", "opened"), ("pull-request-closed.yml", "closed")]
)
def test_example_skips_pull_requests_of_forks(servers, tmp_path, name, action):
    example = Example(name=name, servers=servers, folder=tmp_path)
    with FakeGitHub() as github:
        event = make_event(12, HEAD_OF_PREVIEWS, "fork/storefront", action=action)
        log = example.run(github, "pull_request", event, values={})
        assert github.requests == ()

    assert (log.exit_code, log.read_results()) == (0, {}), log.text
