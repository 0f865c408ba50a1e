"""Records what the action writes: log, outputs, step summary and pull request comments."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import HEAD_SHA, PULL_REQUEST_NUMBER
from tools import sample_buckets
from tools.sample_buckets import DEMO, MIXED, PLAIN
from tools.stage import MISSING, Stage

RULES = {"bucket": DEMO, "keep-count": "4", "protect": "release-*"}
PUSH = {"after": HEAD_SHA, "ref": "refs/heads/main"}


class Workflow:
    """A pull request's workflow that records the comments after each step."""

    def __init__(self, stage: Stage, github: FakeGitHub) -> None:
        self.stage = stage
        self.github = github

    def run(
        self, name: str, inputs: dict[str, str], *, event: object = None, **settings: str
    ) -> dict[str, str]:
        """Run a step and record the comments after it; return the step's outputs."""
        given_inputs = {key.replace("_", "-"): value for key, value in settings.items()}
        outputs = self.stage.run_action(name, self.github, {**inputs, **given_inputs}, event=event)
        comments = "".join(
            f"{comment.body}\n" for comment in self.github.comments(PULL_REQUEST_NUMBER)
        )
        self.stage.save(f"{name}.comments.md", comments)
        return outputs


@contextmanager
def _open_workflow(stage: Stage) -> Iterator[Workflow]:
    sample_buckets.fill(stage)
    with FakeGitHub() as github:
        github.content.commit("3ad97e1" + "0" * 33, "Fix the header\n\nAt last.", "Ann")
        github.content.commit("b64c210" + "0" * 33, "<b>@team</b> closes #77 | `x`", "@mallory")
        yield Workflow(stage, github)


def record_action(stage: Stage) -> None:
    """Record a plan, its apply and its restore."""
    with _open_workflow(stage) as workflow:
        workflow.run("plan", RULES, plan_file="plan.json")
        workflow.run("plan-refused", RULES, max_delete="2")
        applied = workflow.run("apply", RULES, mode="apply", plan_file="plan.json")
        journal = applied.get("journal-file", MISSING)
        stage.save_file(journal, "journal.jsonl")
        workflow.run("apply-nothing", RULES, mode="apply")
        workflow.run("restore", {}, mode="restore", journal_file=journal)
        stage.put(DEMO, "3ad97e1/late.js", days=0.01)
        workflow.run("apply-stale", RULES, mode="apply", plan_file="plan.json")
        workflow.run("push", RULES, event=PUSH)


def record_other_modes(stage: Stage) -> None:
    """Record other modes and engines of the action."""
    with _open_workflow(stage) as workflow:
        workflow.run("doctor", {"bucket": MIXED, "mode": "doctor"})
        workflow.run("mixed", {"bucket": MIXED, "keep-count": "2", "live-from": "object:live"})
        workflow.run("lifecycle", {**RULES, "mode": "apply", "engine": "lifecycle"})
        workflow.run("final", {"bucket": PLAIN, "mode": "apply"})
        workflow.run("versions", {"bucket": MIXED, "mode": "apply", "delete-versions": "true"})
        workflow.run("targets", {"policy-file": "targets.yml"})
        deployments = "github-deployments:production"
        workflow.github.content.deploy("production", "71ae5d0" + "0" * 33, "success")
        workflow.run("live", {**RULES, "live-from": deployments})


def record_failures(stage: Stage) -> None:
    """Record the action on wrong input, a refusal and failures."""
    with _open_workflow(stage) as workflow:
        workflow.run("planned", RULES)
        workflow.run("bad-value", RULES, keep_count="0")
        workflow.run("bad-name", RULES, keep_cuont="3")
        workflow.run("bad-mode", RULES, mode="aply")
        workflow.run("no-bucket", {})
        workflow.run("missing-bucket", {"bucket": "missing-site"})
        workflow.run("refused", RULES, mode="apply", protect="release-2.5")
        workflow.run("bad-policy", RULES, policy_file="unknown-key.yml")
        stage.proxy.refuse(["3ad97e1/index.html"], "AccessDenied", message="Access Denied")
        workflow.run("partial", RULES, mode="apply")
        workflow.github.fail_next("GET", "comments", 404, {"message": "Not Found"})
        workflow.run("no-comments", RULES)
        workflow.run("no-token", RULES, github_token="")
