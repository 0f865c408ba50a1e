"""The composite action in a workflow: it reports and deletes what the container does."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST, PULL_REQUEST_NUMBER
from tests.support.paths import ROOT
from tests.support.s3.seaweedfs import SeaweedFS, running_seaweedfs
from tests.support.wheels import make_wheels
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
PUSH = {"ref": "refs/heads/main", "after": HEAD_SHA}
ACTIONS = ("./", "./python")
PYTHON_ACTION = (ROOT / "python/action.yml").read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Servers for all tests, and the environment in which pip finds the dependencies."""

    s3: SeaweedFS
    engine: dict[str, str]
    pip: dict[str, str]
    lock: str


@pytest.fixture(scope="module")
def setup(tmp_path_factory) -> Iterator[Setup]:
    wheels = tmp_path_factory.mktemp("wheels")
    lock = make_wheels(wheels)
    pip = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    engine_folder = tmp_path_factory.mktemp("engine")
    with running_seaweedfs() as s3, running_engine(engine_folder) as engine:
        s3.seed({"planned": RELEASES, "pushed-1": RELEASES, "pushed-2": RELEASES})
        yield Setup(s3=s3, engine=engine, pip=pip, lock=lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The log of a workflow, with the outputs that a later step read, and the comments."""

    log: WorkflowLog
    outputs: dict[str, str]
    comments: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The job's summary, without what differs from run to run."""
        return normalize(self.log.summary("ci3"))


def run(
    setup: Setup,
    folder: Path,
    action: str,
    event: tuple[str, object],
    bucket: str,
    *,
    has_python: bool = True,
) -> Run:
    """Run the tests' workflow in a repository that has both actions, with one of them.

    With `has_python=False`, the first step of the composite action finds no Python.
    """
    repository = make_repository(folder, ROOT / "action.yml")
    for name in ("ci3", "python"):
        shutil.copytree(
            ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "entrypoint.py", repository)
    (repository / "requirements.lock").write_text(setup.lock)
    if not has_python:
        (repository / "python/find_python.sh").write_text('echo path= >> "$GITHUB_OUTPUT"\n')
    text = Path(__file__).with_name("workflow.yml").read_text()
    assert text.count("uses: ./ ") == 1
    workflow = folder.with_suffix(".yml")
    workflow.write_text(text.replace("uses: ./ ", f"uses: {action} "))
    with FakeGitHub() as github:
        log = run_workflow(
            repository,
            workflow,
            *event,
            engine=setup.engine,
            programs=Path(sys.executable).parent,
            env=setup.pip,
            actions={used: stand_in(used) for used in used_actions(PYTHON_ACTION)},
            variables={"BUCKET": bucket, "S3_URL": setup.s3.url, "API_URL": github.url},
        )
        comments = tuple(
            normalize(comment.body) for comment in github.comments(PULL_REQUEST_NUMBER)
        )
    assert (log.exit_code, log.results()) == (0, {"clean": "success"}), log.text
    outputs = json.loads(log.printed("outputs "))
    return Run(log=log, outputs=outputs, comments=comments)


def test_plan_of_a_pull_request_equals_that_of_the_container(setup, tmp_path):
    container, python = (
        run(setup, tmp_path / f"run-{number}", action, ("pull_request", PULL_REQUEST), "planned")
        for number, action in enumerate(ACTIONS)
    )
    assert "Installed ci3's dependencies" in python.log.text
    assert python.outputs["outcome"] == "planned"
    assert python.outputs == container.outputs
    assert python.summary == container.summary != ""
    assert python.comments == container.comments != ()
    assert len(setup.s3.content("planned")) == 9


def test_apply_of_a_push_deletes_what_the_container_deletes(setup, tmp_path):
    container, python = (
        run(
            setup,
            tmp_path / f"run-{number}",
            action,
            ("push", PUSH),
            f"pushed-{number + 1}",
            has_python=False,
        )
        for number, action in enumerate(ACTIONS)
    )
    assert (python.outputs["outcome"], python.outputs["objects-deleted"]) == ("applied", "6")
    assert "actions/setup-python" in python.log.text
    own = ("plan-id", "journal-file")
    assert without(python.outputs, own) == without(container.outputs, own)
    assert python.summary == container.summary
    for bucket in ("pushed-1", "pushed-2"):
        assert setup.s3.content(bucket) == RELEASES[2]


def normalize(text: str) -> str:
    """Return a report without times and the bucket's number, and with a sorted policy.

    act passes inputs in random order, in which the policy shows them.
    """
    text = re.sub("```diff\n.*?```", "TIMELINE", text, flags=re.DOTALL)
    text = re.sub(r"\b(\d+|an?)(&nbsp;| )(second|minute)s?(&nbsp;| )ago\b|\bnow\b", "AGE", text)
    text = re.sub(r"\d\d:\d\d(:\d\d)?|\d{8}T\d{6}Z-[0-9a-f]{8}|Plan `[0-9a-f]+`", "TIME", text)
    text = re.sub(
        r"(?<=\*\*Policy:\*\* ).*", lambda match: "; ".join(sorted(match[0].split("; "))), text
    )
    return re.sub(r"pushed-\d", "pushed", text)


def without(outputs: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in outputs.items() if name not in names}
