"""The composite action in a workflow: its reports and deletions equal the container's."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import PULL_REQUEST, PULL_REQUEST_NUMBER
from tests.support.paths import ROOT
from tests.support.wheels import make_wheels
from tests.system.container.image import needs_image
from tests.system.workflows.act import (
    WorkflowLog,
    find_stand_in,
    find_used_actions,
    make_repository,
)
from tests.system.workflows.clean_workflow import (
    PUSH,
    RELEASES,
    WORKFLOW,
    Servers,
    run_clean_workflow,
    running_servers,
)

pytestmark = needs_image

ACTIONS = ("./", "./python")
PYTHON_ACTION = (ROOT / "python/action.yml").read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The servers for all tests, and the environment in which pip finds the dependencies."""

    servers: Servers
    pip: dict[str, str]
    lock: str


@pytest.fixture(scope="module")
def setup(tmp_path_factory) -> Iterator[Setup]:
    wheels = tmp_path_factory.mktemp("wheels")
    lock = make_wheels(wheels)
    pip = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    buckets = dict.fromkeys(("planned", "pushed-1", "pushed-2"), RELEASES)
    with running_servers(tmp_path_factory, buckets) as servers:
        yield Setup(servers=servers, pip=pip, lock=lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The log of a workflow, with the outputs that a later step read, and the comments."""

    log: WorkflowLog
    outputs: dict[str, str]
    comments: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The job's summary, without values that differ between runs."""
        return normalize(self.log.read_summary("ci3"))


def run_action(
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
    text = WORKFLOW.read_text()
    assert text.count("uses: ./ ") == 1
    workflow = folder.with_suffix(".yml")
    workflow.write_text(text.replace("uses: ./ ", f"uses: {action} "))
    with FakeGitHub() as github:
        log = run_clean_workflow(
            setup.servers,
            repository,
            github,
            event,
            bucket,
            workflow=workflow,
            programs=Path(sys.executable).parent,
            env=setup.pip,
            actions={name: find_stand_in(name) for name in find_used_actions(PYTHON_ACTION)},
        )
        comments = tuple(
            normalize(comment.body) for comment in github.comments(PULL_REQUEST_NUMBER)
        )
    outputs = json.loads(log.find_printed_text("outputs "))
    return Run(log=log, outputs=outputs, comments=comments)


def test_plan_of_a_pull_request_equals_the_plan_of_the_container(setup, tmp_path):
    container, python = (
        run_action(
            setup, tmp_path / f"run-{number}", action, ("pull_request", PULL_REQUEST), "planned"
        )
        for number, action in enumerate(ACTIONS)
    )
    assert "Installed ci3's dependencies" in python.log.text
    assert python.outputs["outcome"] == "planned"
    assert python.outputs == container.outputs
    assert python.summary == container.summary != ""
    assert python.comments == container.comments != ()
    assert len(setup.servers.s3.content("planned")) == 9


def test_apply_of_a_push_deletes_what_the_container_deletes(setup, tmp_path):
    container, python = (
        run_action(
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
    names = ("plan-id", "journal-file")
    assert remove_outputs(python.outputs, names) == remove_outputs(container.outputs, names)
    assert python.summary == container.summary
    for bucket in ("pushed-1", "pushed-2"):
        assert setup.servers.s3.content(bucket) == RELEASES[2]


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


def remove_outputs(outputs: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in outputs.items() if name not in names}
