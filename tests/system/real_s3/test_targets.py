"""A policy file with three targets against a real S3 server."""

import json
from pathlib import Path

from tests.system.real_s3.conftest import RELEASES

POLICY = """\
defaults:
  keep-count: 1
targets:
  - bucket: targets
    match: v[0-9]
  - bucket: environments
    prefix: staging
  - bucket: environments
    prefix: production
    keep-count: 2
"""


def add_prefix(prefix, content):
    return {f"{prefix}/{key}": body for key, body in content.items()}


def test_three_targets_are_planned_and_cleaned_in_one_run(ci3, seaweedfs):
    Path("policy.yml").write_text(POLICY, encoding="utf-8")

    plan_code, out, _ = ci3("plan-cleanup", "--policy-file", "policy.yml", "--output", "json")
    plans = json.loads(out)["plans"]
    totals = [plan["totals"]["delete"] for plan in plans]
    before = seaweedfs.content("targets"), seaweedfs.content("environments")
    assert (plan_code, totals) == (0, [2, 2, 1])
    assert [len(content) for content in before] == [9, 18]

    apply_code, out, err = ci3(
        "cleanup", "--policy-file", "policy.yml", "--auto-approve", "--output", "json"
    )
    numbers = json.loads(out)
    assert apply_code == 0, err
    assert numbers["outcome"] == "applied"
    assert (numbers["deployments-deleted"], numbers["objects-deleted"]) == (5, 15)
    assert [target["deployments-deleted"] for target in numbers["targets"]] == [2, 2, 1]
    assert seaweedfs.content("targets") == RELEASES[2]
    assert seaweedfs.content("environments") == {
        **add_prefix("staging", RELEASES[2]),
        **add_prefix("production", RELEASES[2]),
        **add_prefix("production", RELEASES[1]),
    }
    assert len(numbers["journal-file"].splitlines()) == 3
    assert all(Path(path).is_file() for path in numbers["journal-file"].splitlines())
