"""The example workflows: each runs unchanged on a bucket with three deployments to delete."""

import re

import pytest
import yaml

from tests.support.github.fake_runner import PULL_REQUEST
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
WORKFLOWS = sorted(EXAMPLES.glob("*.yml"))
EVENTS = {
    "delete",
    "issue_comment",
    "merge_group",
    "pull_request",
    "push",
    "schedule",
    "workflow_dispatch",
    "workflow_run",
}
COMMENTED_EVENTS = {"issue_comment", "merge_group", "pull_request", "workflow_run"}
PAGE = EXAMPLES.parent / "docs/workflows.md"
POLICY = re.search(
    "<!-- policy: several-targets -->\n```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL
)[1]
SPECIAL_EXAMPLES = {
    "restore",
    "doctor",
    "several-targets",
    "pull-request-closed",
    "closed-previews",
}
"""Examples with separate tests: other modes, several targets, and previews."""

EXPRESSIONS = {"${{ inputs.mode }}": "apply", "${{ inputs.keep-count }}": "10"}
EXCESS = 3

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return workflow | {"on": workflow[True]}  # in YAML 1.1, `on` is true


def list_events(workflow):
    trigger = workflow["on"]
    return {trigger} if isinstance(trigger, str) else set(trigger)


def find_step_inputs(workflow, action):
    """Return the inputs of each step that uses an action, in order."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["with"] for step in steps if step.get("uses", "").startswith(action)]


def test_table_names_an_example_for_each_event():
    row = r"^\| `(\w+)` \| \[(\S+?)\]\(\.\./examples/"
    rows = set(re.findall(row, PAGE.read_text("utf-8"), re.MULTILINE))
    assert {event for event, _ in rows} == EVENTS
    for event, name in rows:
        assert event in list_events(load(EXAMPLES / name))
    assert {name for _, name in rows} == {path.name for path in WORKFLOWS}


@each_workflow
def test_each_job_has_only_the_permissions_that_it_uses(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        has_comments = bool(list_events(workflow) & COMMENTED_EVENTS) and not any(
            step.get("with", {}).get("mode") == "apply" for step in job["steps"]
        )
        assert job["permissions"]["id-token"] == "write"
        write_permissions = {
            name for name, access in job["permissions"].items() if access == "write"
        }
        assert write_permissions == {"id-token"} | ({"pull-requests"} if has_comments else set())
        sources = "".join(step.get("with", {}).get("live-from", "") for step in job["steps"])
        assert ("deployments" in job["permissions"]) == ("github-deployments" in sources)


@each_workflow
def test_example_sets_match(path):
    for inputs in find_step_inputs(load(path), "OWNER/ci3@"):
        is_not_required = "plan-file" in inputs or inputs.get("mode") == "restore"
        is_in_policy = path.stem == "several-targets" and "  match: " in POLICY
        assert "match" in inputs or is_not_required or is_in_policy


@pytest.mark.parametrize(
    "path",
    [path for path in WORKFLOWS if path.stem not in SPECIAL_EXAMPLES],
    ids=lambda path: path.stem,
)
def test_example_runs_and_deletes_the_oldest_deployments_if_it_applies(
    path, act, bucket, github, tmp_path
):
    workflow = load(path)
    steps = [
        {name: EXPRESSIONS.get(str(value), str(value)) for name, value in inputs.items()}
        for inputs in find_step_inputs(workflow, "OWNER/ci3@")
    ]
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/cleanup.yml").write_text("keep-count: 4\n")
    kept = int(steps[0].get("keep-count", 4))
    bucket.deploy(f"assets-{'9' * 40}", days=90)
    other_folders = bucket.folders()
    start = "feature-login-" if path.stem == "branch-deleted" else ""
    names = [f"{start}{number:x}".ljust(len(start) + 40, "0") for number in range(kept + EXCESS)]
    for days, name in enumerate(names, start=2):
        bucket.deploy(name, days=days)
    github.content.deploy("production", names[0], "success")

    for inputs in steps:
        event = PULL_REQUEST if "pull_request" in list_events(workflow) else {}
        run = act(event, **{name.replace("-", "_"): value for name, value in inputs.items()})
        is_apply = inputs.get("mode") == "apply"
        assert run.outputs["outcome"] == ("applied" if is_apply else "planned"), run.log
        assert run.outputs["deployments-to-delete"] == str(EXCESS)

    deleted = set(names[kept:]) if is_apply else set()
    assert bucket.folders() - {".ci3"} == other_folders | set(names) - deleted


@pytest.mark.parametrize(
    ("folder", "is_deployment"),
    [
        ("feature-login", True),
        ("fix-2-columns", True),
        ("assets", False),
        ("feature", False),
        ("uploads-feature-login", False),
    ],
)
def test_example_of_deleted_branches_matches_only_previews(folder, is_deployment):
    (inputs,) = find_step_inputs(load(EXAMPLES / "branch-deleted.yml"), "OWNER/ci3@")
    assert bool(re.fullmatch(inputs["match"], f"{folder}-{'9c41e07a' * 5}")) is is_deployment


def test_several_targets_are_planned_on_the_pull_request_and_applied_when_merged(
    act, bucket, github, tmp_path
):
    policy = yaml.safe_load(POLICY)
    (tmp_path / ".github").mkdir()
    text = POLICY.replace("my-site", bucket.name)
    (tmp_path / ".github/cleanup.yml").write_text(text, encoding="utf-8")
    kept = {target["prefix"]: target["keep-count"] for target in policy["targets"]}
    for prefix, count in kept.items():
        for number in range(count + 1):
            bucket.deploy(f"{prefix}/{number:040x}", days=2 + number)

    plan, apply = find_step_inputs(load(EXAMPLES / "several-targets.yml"), "OWNER/ci3@")
    inputs = {name.replace("-", "_"): value for name, value in plan.items()}
    environ = {"INPUT_BUCKET": ""}
    planned = act(PULL_REQUEST, environ=environ, **inputs)
    assert planned.outputs["deployments-to-delete"] == "2", planned.log
    inputs = {name.replace("-", "_"): value for name, value in apply.items()}
    applied = act({}, environ=environ, **inputs)
    assert applied.outputs["deployments-deleted"] == "2", applied.log

    remaining = {key.rpartition("/")[0] for key in bucket.content()}
    assert {f"{prefix}/{count:040x}" for prefix, count in kept.items()} & remaining == set()
    assert sum(kept.values()) == sum(
        "production/" in folder or "staging/" in folder for folder in remaining
    )


def test_doctor_examines_and_changes_nothing(act, bucket, github):
    (inputs,) = find_step_inputs(load(EXAMPLES / "doctor.yml"), "OWNER/ci3@")
    name = "b" * 40
    bucket.deploy(name, days=2)
    github.content.deploy("production", name, "success")
    before = bucket.content()
    run = act({}, **{name.replace("-", "_"): str(value) for name, value in inputs.items()})
    assert (run.exit_code, run.outputs["outcome"]) == (0, "examined"), run.log
    assert bucket.content() == before


@pytest.mark.parametrize(("event", "outcome"), [("pull_request", "planned"), ("push", "applied")])
def test_workflow_of_the_readme_plans_for_pull_requests_and_applies_after_a_push(
    act, bucket, event, outcome
):
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    workflow = yaml.safe_load(re.search("```yaml\n(.*?)```", readme, re.DOTALL)[1])
    inputs = {
        name.replace("-", "_"): str(value)
        for name, value in workflow["jobs"]["cleanup"]["steps"][-1]["with"].items()
    }
    assert inputs["mode"] == "${{ github.event_name == 'push' && 'apply' || 'plan' }}"
    inputs["mode"] = "apply" if event == "push" else "plan"
    for number in range(int(inputs["keep_count"]) + EXCESS):
        bucket.deploy(f"{number:040x}", days=2 + number)
    before = bucket.content()
    run = act({}, **inputs)
    assert (run.outputs["outcome"], run.outputs["deployments-to-delete"]) == (outcome, "3")
    assert (bucket.content() == before) is (event == "pull_request")
