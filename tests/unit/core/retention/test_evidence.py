"""What a deletion depends on is listed in full; a wrong or old report deletes nothing more."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.live.pins import Pin, pin_protected
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Inventory, UnlistedFolder
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.evidence import (
    NO_STARTED_DELETIONS,
    drop_unverified_deletes,
    evaluate_with_full_listings,
    find_required_evidence,
)
from ci3.core.units import Duration
from tests.support.builders import NOW, deployment, inventory
from tests.support.golden import assert_messages
from tests.unit.core.retention.strategies import make_deployment, situations

STEP = timedelta(days=1)
SEEDS = st.randoms(use_true_random=False)
REPORTED_FIELDS = (
    "oldest_at",
    "newest_at",
    "first_object_at",
    "is_complete",
    "object_count",
    "size_bytes",
)


def as_reported(deployment, **changes):
    """Return a deployment that is known only from a report."""
    return replace(
        deployment, is_fully_listed=False, is_from_report=True, fingerprint="", **changes
    )


def as_fully_listed(case):
    """Return a situation in which all deployments are listed in full."""
    deployments = tuple(
        replace(deployment, is_fully_listed=True, fingerprint="f" * 64)
        for deployment in case.deployments
    )
    return replace(case, deployments=deployments)


def make_evaluate(case):
    """Return a function that evaluates an inventory by the rules of a situation."""
    return lambda inventory: evaluate(inventory, case.policy, case.pins, case.now, case.minimum)


class Bucket:
    """The actual deployments; records which are listed in full, and fails for `unreadable`."""

    def __init__(self, case, unreadable=()):
        self.deployments = {deployment.name: deployment for deployment in case.deployments}
        self.unreadable = unreadable
        self.listed_names = set()

    def list_in_full(self, inventory, names):
        assert names
        assert not names & self.listed_names
        self.listed_names |= names
        not_listed = [
            deployment for deployment in inventory.deployments if deployment.name not in names
        ]
        listed = [self.deployments[name] for name in names if name not in self.unreadable]
        unlisted = [
            UnlistedFolder(name=name, reason="denied") for name in names if name in self.unreadable
        ]
        return replace(
            inventory,
            deployments=(*not_listed, *listed),
            unlisted=(*inventory.unlisted, *unlisted),
        )


def find_deleted(evaluations):
    """Return the names of the deployments to delete."""
    return {evaluation.deployment.name for evaluation in evaluations if evaluation.is_delete}


def find_deleted_with_report(case, reported, bucket):
    """Return the names of the deployments to delete, after those required were listed in full."""
    inventory, evaluations = evaluate_with_full_listings(
        Inventory(deployments=reported),
        case.policy,
        make_evaluate(case),
        bucket.list_in_full,
        NO_STARTED_DELETIONS,
    )
    names = {deployment.name for deployment in inventory.deployments}
    assert {evaluation.deployment.name for evaluation in evaluations} == names
    assert all(
        evaluation.deployment.is_fully_listed for evaluation in evaluations if evaluation.is_delete
    )
    assert all(evaluation.decision.reasons for evaluation in evaluations)
    return find_deleted(evaluations)


def make_wrong_report(case, random):
    """Return deployments of which some are reported correctly, some wrongly, and some not."""
    last_at = case.now
    deployments = []
    for actual in case.deployments:
        wrong = make_deployment(random.choice, actual.name, last_at, STEP, range(18))
        match random.choice(("correct", "wrong", "wrong", "not reported")):
            case "correct":
                deployments.append(as_reported(actual) if actual.oldest_at else actual)
            case "wrong" if wrong.oldest_at:
                wrong_values = {name: getattr(wrong, name) for name in REPORTED_FIELDS}
                deployments.append(as_reported(actual, **wrong_values))
            case _:
                deployments.append(actual)
    return tuple(deployments)


@given(situations(), SEEDS)
def test_plan_with_a_wrong_report_deletes_nothing_that_a_full_listing_keeps(case, random):
    case = as_fully_listed(case)
    unreadable = {deployment.name for deployment in case.deployments if random.random() < 0.1}
    reported = make_wrong_report(case, random)

    deleted = find_deleted_with_report(case, reported, Bucket(case, unreadable))

    assert deleted <= case.find_deleted()


@given(situations())
def test_plan_with_a_correct_report_is_that_of_a_full_listing(case):
    case = as_fully_listed(case)
    reported = tuple(
        as_reported(deployment) if deployment.oldest_at else deployment
        for deployment in case.deployments
    )
    assert find_deleted_with_report(case, reported, Bucket(case)) == case.find_deleted()


@given(situations(), SEEDS)
def test_deployment_that_is_known_only_from_a_report_causes_no_deletion(case, random):
    """This also holds before anything was listed in full, and without some listings."""
    case = as_fully_listed(case)
    reported = Inventory(deployments=make_wrong_report(case, random))
    evaluate_inventory = make_evaluate(case)

    evaluations = drop_unverified_deletes(
        reported, evaluate_inventory(reported), evaluate_inventory, {}
    )

    deleted = [evaluation.deployment for evaluation in evaluations if evaluation.is_delete]
    assert not any(deployment.is_from_report for deployment in deleted)
    assert {deployment.name for deployment in deleted} <= case.find_deleted()


RULES = RetentionPolicy(keep_count=2)


def evaluate_by_rules(inventory):
    return evaluate(inventory, RULES, pin_protected(["p*"]), NOW, 1)


def drop_unverified(inventory, started_deletions):
    return drop_unverified_deletes(
        inventory, evaluate_by_rules(inventory), evaluate_by_rules, started_deletions
    )


def test_required_evidence_is_what_is_deleted_and_what_supersedes_it():
    deployments = [deployment(f"d{days}", days) for days in range(1, 6)]
    deployments += [deployment(f"p{days}", days) for days in (7, 8)]
    reported = inventory(*map(as_reported, deployments))
    required = find_required_evidence(evaluate_by_rules(reported), RULES)
    assert {deployment.name for deployment in required} == {"d1", "d2", "d3", "d4", "d5"}


@pytest.mark.parametrize("protect", [(), ("main-*",)])
@pytest.mark.parametrize("newest", ["main-2222222", "main-a1b2c3d"])
def test_reported_newest_build_of_a_branch_is_required_to_delete_an_older_build(newest, protect):
    pin = Pin(code=ReasonCode.LIVE, reference=Reference(commits=("a1b2c3d",), branches=("main",)))
    older = deployment("main-1111111", 9)
    reported = as_reported(deployment(newest, 5))
    evaluations = evaluate(
        inventory(deployment("new", 1), reported, older),
        RetentionPolicy(keep_count=1),
        (*pin_protected([f"{newest}*"] if protect else []), pin),
        NOW,
        1,
    )
    expected = {older.name, newest} if older.name in find_deleted(evaluations) else set()

    required = find_required_evidence(evaluations, RetentionPolicy(keep_count=1))

    assert {deployment.name for deployment in required} == expected
    assert bool(expected) is not bool(protect)


def as_partly_listed(deployment):
    """Return a deployment of which only the first objects are listed."""
    return replace(deployment, is_fully_listed=False, fingerprint="")


@pytest.mark.parametrize(
    ("rules", "as_known", "required"),
    [
        pytest.param({}, as_reported, {"d1", "d2", "d3", "d4"}, id="report"),
        pytest.param({}, as_partly_listed, {"d3", "d4"}, id="first objects"),
        pytest.param({"keep_within": Duration.parse("1h")}, as_partly_listed, {"d2", "d3", "d4"},
                     id="keep-within"),
        pytest.param({"keep_daily": 1}, as_partly_listed, {"d1", "d2", "d3", "d4"}, id="daily"),
        pytest.param({"keep_weekly": 1}, as_partly_listed, {"d1", "d2", "d3", "d4"}, id="weekly"),
        pytest.param({"keep_monthly": 1}, as_partly_listed, {"d1", "d2", "d3", "d4"}, id="monthly"),
    ],
)  # fmt: skip
def test_required_evidence_depends_on_what_the_rules_compare(rules, as_known, required):
    """Of `d1` to `d4`, the two newest are kept, and the two oldest are deleted."""
    policy = RetentionPolicy(keep_count=2, **rules)
    known = inventory(*(as_known(deployment(f"d{days}", days)) for days in (1, 2, 3, 4)))
    evaluations = evaluate(known, policy, (), NOW, 1)
    assert find_deleted(evaluations) == {"d3", "d4"}

    evidence = find_required_evidence(evaluations, policy)

    assert {deployment.name for deployment in evidence} == required


@pytest.mark.parametrize(
    ("rules", "as_known"), [({}, as_reported), ({"keep_daily": 1}, as_partly_listed)]
)
def test_protected_deployment_is_not_required_evidence(rules, as_known):
    policy = RetentionPolicy(keep_count=2, **rules)
    names = ("d1", "d2", "d3", "d4", "p5")
    known = inventory(*(as_known(deployment(name, days)) for days, name in enumerate(names, 1)))
    evaluations = evaluate(known, policy, pin_protected(["p*"]), NOW, 1)
    assert find_deleted(evaluations) == {"d3", "d4"}

    required = find_required_evidence(evaluations, policy)

    assert {deployment.name for deployment in required} == {"d1", "d2", "d3", "d4"}


@pytest.mark.parametrize(
    ("state_of_d2", "state_of_d3", "is_deleted"),
    [
        ("listed", "listed", True),
        ("reported only", "listed", False),
        ("half deleted", "listed", False),
        ("started, unchanged", "listed", True),
        ("listed", "half deleted", True),
        ("listed", "reported only", False),
    ],
)
def test_uncertain_deployment_causes_no_deletion(state_of_d2, state_of_d3, is_deleted):
    """The table of `drop_unverified_deletes`: two deployments are kept, `d3` is the third."""
    started, deployments = {}, []
    states = {"d1": "listed", "d2": state_of_d2, "d3": state_of_d3}
    for days, (name, state) in enumerate(states.items(), start=1):
        known = deployment(name, days)
        match state:
            case "reported only":
                known = as_reported(known)
            case "half deleted":
                started[name] = "0" * 64
            case "started, unchanged":
                started[name] = known.fingerprint
        deployments.append(known)

    verified = drop_unverified(inventory(*deployments), started)

    assert find_deleted(verified) == ({"d3"} if is_deleted else set())


def test_reason_of_a_new_keep_rule_counts_as_a_reason_of_rank():
    """A new rule needs no entry in a list; here, `expiring` is used as its code."""
    deployments = [as_reported(deployment(f"d{days}", days)) for days in range(1, 6)]
    evaluations = evaluate_by_rules(inventory(*deployments))
    by_new_rule = [
        replace(
            evaluation,
            checks=tuple(
                replace(check, code=ReasonCode.EXPIRING) if check.is_matched else check
                for check in evaluation.checks
            ),
        )
        for evaluation in evaluations
    ]
    assert any(evaluation.is_keep for evaluation in by_new_rule)
    required = find_required_evidence(by_new_rule, RULES)
    assert required == find_required_evidence(evaluations, RULES)
    assert len(required) > sum(evaluation.is_delete for evaluation in evaluations)


def test_no_evidence_is_required_if_nothing_is_deleted():
    reported = inventory(as_reported(deployment("d1", 1)), as_reported(deployment("d2", 2)))
    assert find_required_evidence(evaluate_by_rules(reported), RULES) == ()


def test_deployment_that_only_a_report_would_delete_is_kept():
    reported = inventory(*(as_reported(deployment(f"d{days}", days)) for days in (1, 2, 3)))
    verified = drop_unverified(reported, {})
    [reason] = verified[2].decision.reasons
    assert reason.code is ReasonCode.AMBIGUOUS_AGE
    assert_messages(__file__, [("deleted by a report alone", reason)])


@pytest.mark.parametrize(("fingerprint_before", "deleted"), [("0" * 64, set()), (None, {"d3"})])
def test_half_deleted_deployment_supersedes_nothing(fingerprint_before, deleted):
    """Of the two newer deployments, one is half deleted if its fingerprint has changed."""
    deployments = inventory(*(deployment(f"d{days}", days) for days in (1, 2, 3)))
    half_deleted = deployments.deployments[1]
    started = {half_deleted.name: fingerprint_before or half_deleted.fingerprint}
    assert find_deleted(drop_unverified(deployments, started)) == deleted


def test_half_deleted_deployment_can_be_deleted():
    deployments = inventory(*(deployment(f"d{days}", days) for days in (1, 2, 3)))
    assert find_deleted(drop_unverified(deployments, {"d3": "0" * 64})) == {"d3"}


def test_reported_and_half_deleted_deployments_supersede_nothing():
    reported, half_deleted, old = (deployment(f"d{days}", days) for days in (1, 2, 3))
    deployments = inventory(as_reported(reported), half_deleted, deployment("d0", 0), old)
    started = {half_deleted.name: "0" * 64}
    assert old.name not in find_deleted(drop_unverified(deployments, started))


def test_kept_deployment_is_listed_in_full_only_if_its_deletion_was_started():
    full_inventory = inventory(*(deployment(f"d{days}", days) for days in (1, 2)))
    started, not_started = (
        replace(deployment, is_fully_listed=False) for deployment in full_inventory.deployments
    )
    listed_names = set()

    def list_in_full(_inventory, names):
        listed_names.update(names)
        return full_inventory

    evaluate_with_full_listings(
        replace(full_inventory, deployments=(started, not_started)),
        RULES,
        evaluate_by_rules,
        list_in_full,
        {started.name: "0" * 64},
    )
    assert listed_names == {started.name}
