"""Concurrency groups of the examples: which runs wait for others, and which cancel others."""

import re
from dataclasses import dataclass
from itertools import product

import pytest
import yaml

from tests.support.paths import ROOT

WORKFLOWS = sorted((ROOT / "examples").glob("*.yml"))
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job of an example, with the concurrency of its workflow and of the job."""

    name: str
    concurrency: tuple[dict, ...]
    modes: frozenset[str]
    has_approval: bool

    @property
    def groups(self) -> list[str]:
        return [concurrency["group"] for concurrency in self.concurrency]

    @property
    def can_restore(self) -> bool:
        return "restore" in self.modes

    @property
    def can_delete(self) -> bool:
        return any(mode == "apply" or EXPRESSION.search(mode) for mode in self.modes)


def read_jobs(path) -> list[Job]:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Job(
            name=f"{path.stem}.{name}",
            concurrency=tuple(
                node["concurrency"] for node in (workflow, job) if "concurrency" in node
            ),
            modes=frozenset(
                step.get("with", {}).get("mode", "plan")
                for step in job["steps"]
                if step.get("uses", "").startswith("OWNER/ci3@")
            ),
            has_approval="environment" in job,
        )
        for name, job in workflow["jobs"].items()
    ]


JOBS = [job for path in WORKFLOWS for job in read_jobs(path)]


def can_be_equal(first: str, second: str) -> bool:
    """Return True if two groups can have the same name, which GitHub compares without case.

    Of a name with expressions, only the text before the first expression is known.
    """
    heads = [EXPRESSION.split(group)[0].casefold() for group in (first, second)]
    if not any(EXPRESSION.search(group) for group in (first, second)):
        return heads[0] == heads[1]
    return heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])


def share_group(first: Job, second: Job) -> bool:
    return any(can_be_equal(*pair) for pair in product(first.groups, second.groups))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("cleanup", "Cleanup", True),
        ("cleanup", "cleanup-restore", False),
        ("cleanup-${{ github.ref }}", "cleanup-restore", True),
        ("cleanup-${{ a }}", "cleanup-${{ b }}", True),
        ("${{ inputs.group }}", "cleanup", True),
        ("plan-${{ a }}", "cleanup-${{ a }}", False),
    ],
)
def test_groups_that_can_be_equal(first, second, expected):
    assert can_be_equal(first, second) is expected
    assert can_be_equal(second, first) is expected


def test_examples_have_a_restore_applies_and_approvals():
    assert [job.name for job in JOBS if job.can_restore] == ["restore.restore"]
    assert {job.name for job in JOBS if job.can_delete} >= {
        "after-deploy.deploy",
        "dispatched.clean",
        "scheduled.apply",
    }
    assert "scheduled.apply" in [job.name for job in JOBS if job.has_approval]


def test_restore_shares_no_group_with_an_apply_or_an_approval():
    restores = [job for job in JOBS if job.can_restore]
    blocking = [job for job in JOBS if not job.can_restore and (job.can_delete or job.has_approval)]
    shared = [(a.name, b.name) for a in restores for b in blocking if share_group(a, b)]
    assert shared == []


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_job_that_deletes_or_restores_has_a_group_and_is_never_cancelled(job):
    assert job.groups
    if job.can_delete or job.can_restore:
        assert not any(concurrency.get("cancel-in-progress") for concurrency in job.concurrency)


@pytest.mark.parametrize(
    "job",
    [job for job in JOBS if job.has_approval and job.can_delete],
    ids=lambda job: job.name,
)
def test_job_with_an_approval_blocks_no_other_purpose(job):
    """An approval may take days: no other job may share the group, not even its plan."""
    blocked = [
        second.name for second in JOBS if second.name != job.name and share_group(job, second)
    ]
    assert blocked == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_group_has_one_purpose(path):
    """No two examples share a group: a run of one would cancel a waiting run of the other."""
    jobs = read_jobs(path)
    names = {job.name for job in jobs}
    other_jobs = [job for job in JOBS if job.name not in names]
    assert [(a.name, b.name) for a in jobs for b in other_jobs if share_group(a, b)] == []


@pytest.mark.parametrize("job", [job for job in JOBS if job.has_approval], ids=lambda job: job.name)
def test_approval_creates_a_deployment_record_only_if_the_job_deploys(job):
    workflow = yaml.safe_load((ROOT / f"examples/{job.name.split('.')[0]}.yml").read_text("utf-8"))
    environment = workflow["jobs"][job.name.split(".")[1]]["environment"]
    if job.modes:
        assert environment["deployment"] is False
    else:
        assert environment == "production"
