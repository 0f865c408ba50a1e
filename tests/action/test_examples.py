"""The example workflows: each runs as it stands, on a bucket with three deployments too many."""

import re
from pathlib import Path

import pytest
import yaml

from tests.github.fake_runner import PULL_REQUEST

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKFLOWS = sorted(EXAMPLES.glob("*.yml"))
EVENTS = {
    "delete",
    "deployment_status",
    "merge_group",
    "pull_request",
    "push",
    "schedule",
    "workflow_dispatch",
}
EXPRESSIONS = {"${{ inputs.mode }}": "apply", "${{ inputs.keep-count }}": "10"}
TOO_MANY = 3

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow | {"on": workflow[True]}  # YAML 1.1 takes `on` for a truth value


def events(workflow):
    named = workflow["on"]
    return {named} if isinstance(named, str) else set(named)


def uses(workflow, action):
    """The inputs of each step that uses an action, in order."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["with"] for step in steps if step.get("uses", "").startswith(action)]


def test_there_is_an_example_for_each_event_and_the_table_names_it():
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    shown = {
        (event, name)
        for event, name in re.findall(r"^\| `(\w+)` \| \[(\S+?)\]", table, re.MULTILINE)
    }
    assert {event for event, _ in shown} == EVENTS
    for event, name in shown:
        assert event in events(load(EXAMPLES / name))
    assert {name for _, name in shown} == {path.name for path in WORKFLOWS}


@each_workflow
def test_example_grants_nothing_to_all_jobs_and_to_each_an_identity_and_no_more_than_it_uses(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    has_comments = bool(events(workflow) & {"pull_request", "merge_group"})
    for job in workflow["jobs"].values():
        assert job["permissions"]["id-token"] == "write"
        is_writing = {name for name, right in job["permissions"].items() if right == "write"}
        assert is_writing == {"id-token"} | ({"pull-requests"} if has_comments else set())
        sources = "".join(step.get("with", {}).get("live-from", "") for step in job["steps"])
        assert ("deployments" in job["permissions"]) == ("github-deployments" in sources)


@each_workflow
def test_example_says_which_folders_are_deployments(path):
    for inputs in uses(load(path), "OWNER/ci3@"):
        assert "match" in inputs or "plan-file" in inputs or inputs["mode"] == "restore"


@pytest.mark.parametrize(
    "path", [path for path in WORKFLOWS if path.stem != "restore"], ids=lambda path: path.stem
)
def test_example_runs_and_deletes_what_is_too_many_if_it_applies(
    path, act, bucket, github, tmp_path
):
    workflow = load(path)
    steps = [
        {name: EXPRESSIONS.get(str(value), str(value)) for name, value in inputs.items()}
        for inputs in uses(workflow, "OWNER/ci3@")
    ]
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/cleanup.yml").write_text("keep-count: 4\n")
    kept = int(steps[0].get("keep-count", 4))
    others = bucket.folders()
    start = "my-branch-" if path.stem == "branch-deleted" else ""
    names = [f"{start}{number:x}".ljust(len(start) + 40, "0") for number in range(kept + TOO_MANY)]
    for days, name in enumerate(names, start=2):
        bucket.deploy(name, days=days)
    github.content.deploy("production", names[0], "success")

    for inputs in steps:
        event = PULL_REQUEST if "pull_request" in events(workflow) else {}
        run = act(event, **{name.replace("-", "_"): value for name, value in inputs.items()})
        is_apply = inputs.get("mode") == "apply"
        assert run.outputs["outcome"] == ("applied" if is_apply else "planned"), run.log
        assert run.outputs["deployments-to-delete"] == str(TOO_MANY)

    gone = set(names[kept:]) if is_apply else set()
    assert bucket.folders() - {".ci3"} == others | set(names) - gone
