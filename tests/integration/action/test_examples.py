"""The example workflows: each runs as it stands, on a bucket with three deployments too many."""

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
OF_ITS_OWN = ("restore", "doctor", "several-targets", "pull-request-closed", "closed-previews")
"""The examples that are no plan or apply of one bucket, by one job each, or delete previews."""

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
    row = r"^\| `(\w+)` \| \[(\S+?)\]\(\.\./examples/"
    shown = set(re.findall(row, PAGE.read_text("utf-8"), re.MULTILINE))
    assert {event for event, _ in shown} == EVENTS
    for event, name in shown:
        assert event in events(load(EXAMPLES / name))
    assert {name for _, name in shown} == {path.name for path in WORKFLOWS}


@each_workflow
def test_each_job_has_an_identity_and_only_the_permissions_that_it_uses(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        has_comments = bool(events(workflow) & COMMENTED_EVENTS) and not any(
            step.get("with", {}).get("mode") == "apply" for step in job["steps"]
        )
        assert job["permissions"]["id-token"] == "write"
        is_writing = {name for name, right in job["permissions"].items() if right == "write"}
        assert is_writing == {"id-token"} | ({"pull-requests"} if has_comments else set())
        sources = "".join(step.get("with", {}).get("live-from", "") for step in job["steps"])
        assert ("deployments" in job["permissions"]) == ("github-deployments" in sources)


@each_workflow
def test_example_says_which_folders_are_deployments(path):
    for inputs in uses(load(path), "OWNER/ci3@"):
        is_told_elsewhere = "plan-file" in inputs or inputs.get("mode") == "restore"
        is_in_its_policy = path.stem == "several-targets" and "  match: " in POLICY
        assert "match" in inputs or is_told_elsewhere or is_in_its_policy


@pytest.mark.parametrize(
    "path", [path for path in WORKFLOWS if path.stem not in OF_ITS_OWN], ids=lambda path: path.stem
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
    bucket.deploy(f"assets-{'9' * 40}", days=90)
    others = bucket.folders()
    start = "feature-login-" if path.stem == "branch-deleted" else ""
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
    (inputs,) = uses(load(EXAMPLES / "branch-deleted.yml"), "OWNER/ci3@")
    assert bool(re.fullmatch(inputs["match"], f"{folder}-{'9c41e07a' * 5}")) is is_deployment


def test_several_targets_are_planned_on_the_pull_request_and_applied_when_merged(
    act, bucket, github, tmp_path
):
    policy = yaml.safe_load(POLICY)
    (tmp_path / ".github").mkdir()
    text = POLICY.replace("my-site", bucket.name)
    (tmp_path / ".github/cleanup.yml").write_text(text, encoding="utf-8")
    kept = {one["prefix"]: one["keep-count"] for one in policy["targets"]}
    for prefix, count in kept.items():
        for number in range(count + 1):
            bucket.deploy(f"{prefix}/{number:040x}", days=2 + number)

    plan, apply = uses(load(EXAMPLES / "several-targets.yml"), "OWNER/ci3@")
    inputs = {name.replace("-", "_"): value for name, value in plan.items()}
    surroundings = {"INPUT_BUCKET": ""}
    planned = act(PULL_REQUEST, environ=surroundings, **inputs)
    assert planned.outputs["deployments-to-delete"] == "2", planned.log
    inputs = {name.replace("-", "_"): value for name, value in apply.items()}
    applied = act({}, environ=surroundings, **inputs)
    assert applied.outputs["deployments-deleted"] == "2", applied.log

    left = {key.rpartition("/")[0] for key in bucket.content()}
    assert {f"{prefix}/{count:040x}" for prefix, count in kept.items()} & left == set()
    assert sum(kept.values()) == sum("production/" in one or "staging/" in one for one in left)


def test_doctor_examines_and_changes_nothing(act, bucket, github):
    (inputs,) = uses(load(EXAMPLES / "doctor.yml"), "OWNER/ci3@")
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
    for number in range(int(inputs["keep_count"]) + TOO_MANY):
        bucket.deploy(f"{number:040x}", days=2 + number)
    before = bucket.content()
    run = act({}, **inputs)
    assert (run.outputs["outcome"], run.outputs["deployments-to-delete"]) == (outcome, "3")
    assert (bucket.content() == before) is (event == "pull_request")
