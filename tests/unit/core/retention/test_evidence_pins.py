"""Which deployments must be listed if several rules and pins keep them, and their reasons."""

from dataclasses import replace

import pytest

from ci3.core.live.pins import Pin
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.evidence import drop_unverified_deletes, find_required_evidence
from tests.support.builders import NOW, deployment, inventory, live_pin

POLICY = RetentionPolicy(keep_count=1)
BRANCH_PIN = Pin(
    code=ReasonCode.LIVE, reference=Reference(commits=("a1b2c3d",), branches=("main",))
)


def as_reported(deployment):
    """Return a deployment that is known only from an inventory report."""
    return replace(deployment, is_fully_listed=False, is_from_report=True, fingerprint="")


def as_partly_listed(deployment):
    """Return a deployment of which only the first objects are listed."""
    return replace(deployment, is_fully_listed=False, fingerprint="")


def find_required(pins, *deployments):
    """Return the names of the deployments to delete, and of those that must be listed in full."""
    evaluations = evaluate(inventory(*deployments), POLICY, pins, NOW, 1)
    to_delete = {evaluation.deployment.name for evaluation in evaluations if evaluation.is_delete}
    required = find_required_evidence(evaluations, POLICY)
    return to_delete, {deployment.name for deployment in required}


def test_reported_deployment_that_is_live_and_kept_by_rank_is_listed():
    newest, old = as_reported(deployment("newest", 1)), deployment("old", 2)

    assert find_required([live_pin("newest")], newest, old) == ({"old"}, {"old", "newest"})


@pytest.mark.parametrize(
    ("as_known", "required"),
    [
        (as_reported, {"main-1111111", "main-2222222"}),
        (as_partly_listed, {"main-1111111"}),
    ],
)
@pytest.mark.parametrize("other_pins", [(), (live_pin("main-2222222"),)])
def test_newest_build_of_a_branch_is_listed_if_it_is_reported_regardless_of_other_pins(
    as_known, required, other_pins
):
    newest_build = as_known(deployment("main-2222222", 5))
    old_build, newest = deployment("main-1111111", 9), deployment("newest", 1)

    assert find_required([*other_pins, BRANCH_PIN], newest, newest_build, old_build) == (
        {"main-1111111"},
        required,
    )


def test_reported_deployment_that_a_rule_keeps_gets_no_other_reason():
    known = inventory(as_reported(deployment("newest", 1)), deployment("old", 2))

    def evaluate_inventory(inventory):
        return evaluate(inventory, POLICY, (), NOW, 1)

    newest, old = drop_unverified_deletes(known, evaluate_inventory(known), evaluate_inventory, {})

    assert [reason.code for reason in newest.decision.reasons] == [ReasonCode.KEEP_COUNT]
    assert old.is_keep
