"""Two targets with the same folder, each with its own `match` and rules."""

import json
from pathlib import Path

import pytest

from tests.support.action_reports import cell_text, comment_of

PREVIEWS, BUILDS = "pr-[0-9]+-.*", "build-[0-9]+"


@pytest.fixture
def shared_bucket(bucket):
    """Three previews and three builds next to the deployments of the bucket."""
    for number in (1, 2, 3):
        bucket.deploy(f"pr-{number}-x", days=4 - number)
        bucket.deploy(f"build-{number}", days=4 - number)
    return bucket


def write_policy(bucket, *matches: str) -> None:
    lines = [f"  - match: '{match}'\n    keep-count: {n}\n" for n, match in enumerate(matches, 1)]
    text = f"defaults:\n  bucket: {bucket.name}\ntargets:\n{''.join(lines)}"
    Path("policy.yml").write_text(text, encoding="utf-8")


def act_on_targets(act, **inputs):
    return act(policy_file="policy.yml", environ={"INPUT_BUCKET": ""}, **inputs)


def test_each_target_decides_about_its_own_deployments(act, shared_bucket):
    before = shared_bucket.folders()
    write_policy(shared_bucket, PREVIEWS, BUILDS)

    run = act_on_targets(act, mode="apply")

    assert run.exit_code == 0
    assert before - shared_bucket.folders() == {"pr-1-x", "pr-2-x", "build-1"}
    targets = json.loads(run.outputs["targets"])
    assert [target["deployments-deleted"] for target in targets] == [2, 1]


def test_report_names_the_match_of_each_target(act, shared_bucket, github):
    write_policy(shared_bucket, PREVIEWS, BUILDS)

    run = act_on_targets(act)

    for text in (run.summary, comment_of(github)):
        for match in (PREVIEWS, BUILDS):
            assert f"s3://{shared_bucket.name}/ match: {match}" in cell_text(text)


@pytest.mark.parametrize("mode", ["plan", "apply"])
@pytest.mark.parametrize(
    "matches",
    [(PREVIEWS, ".*-x"), (BUILDS, "build-.*"), (".*", BUILDS), ("[a-z]+-2.*", "pr-[0-9]-x")],
)
def test_deployment_that_both_match_refuses(act, shared_bucket, mode, matches):
    before = shared_bucket.content()
    write_policy(shared_bucket, *matches)

    run = act_on_targets(act, mode=mode)

    assert run.exit_code == 4
    assert run.outputs["outcome"] == "refused"
    assert len(run.annotations("error")) == 2
    assert shared_bucket.content() == before


def test_deployment_that_both_match_since_the_plan_refuses(act, shared_bucket):
    write_policy(shared_bucket, PREVIEWS, BUILDS + ".*")
    assert act_on_targets(act, plan_file="plan.json").exit_code == 0
    write_policy(shared_bucket, "(pr|build)-.*x", BUILDS + ".*")
    shared_bucket.deploy("build-4-x", days=0.1)
    before = shared_bucket.content()

    run = act_on_targets(act, mode="apply", plan_file="plan.json")

    assert run.exit_code == 4
    assert shared_bucket.content() == before
