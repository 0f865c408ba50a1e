"""What a deletion rests on is listed in full; a report that lies or is old deletes nothing more."""

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
TIMES = ("oldest_at", "newest_at", "first_object_at", "is_complete", "object_count", "size_bytes")


def as_reported(one, **changes):
    """Make a deployment that only a report tells of."""
    return replace(one, is_fully_listed=False, is_from_report=True, fingerprint="", **changes)


def listed(case):
    """The same situation, as a full listing shows it."""
    whole = tuple(
        replace(one, is_fully_listed=True, fingerprint="f" * 64) for one in case.deployments
    )
    return replace(case, deployments=whole)


def judged_by(case):
    return lambda some: evaluate(some, case.policy, case.pins, case.now, case.minimum)


class Bucket:
    """What is really there; notes what is listed in full, and fails for `unreadable`."""

    def __init__(self, case, unreadable=()):
        self.there = {one.name: one for one in case.deployments}
        self.unreadable = unreadable
        self.listed = set()

    def list_whole(self, some, names):
        assert names
        assert not names & self.listed
        self.listed |= names
        others = [one for one in some.deployments if one.name not in names]
        found = [self.there[name] for name in names if name not in self.unreadable]
        holes = [
            UnlistedFolder(name=name, reason="denied") for name in names if name in self.unreadable
        ]
        return replace(some, deployments=(*others, *found), unlisted=(*some.unlisted, *holes))


def doomed(judgements):
    return {one.deployment.name for one in judgements if one.is_delete}


def doomed_by_report(case, reported, bucket):
    found, judgements = evaluate_with_full_listings(
        Inventory(deployments=reported),
        case.policy,
        judged_by(case),
        bucket.list_whole,
        NO_STARTED_DELETIONS,
    )
    names = {one.name for one in found.deployments}
    assert {one.deployment.name for one in judgements} == names
    assert all(one.deployment.is_fully_listed for one in judgements if one.is_delete)
    assert all(one.decision.reasons for one in judgements)
    return doomed(judgements)


def lie(case, random):
    """Tell of a situation by a report that lacks some, and has any times and sizes of others."""
    last_at = case.now
    made = []
    for one in case.deployments:
        other = make_deployment(random.choice, one.name, last_at, STEP, range(18))
        match random.choice(("as it is", "anything", "anything", "lacking")):
            case "as it is":
                made.append(as_reported(one) if one.oldest_at else one)
            case "anything" if other.oldest_at:
                made.append(as_reported(one, **{name: getattr(other, name) for name in TIMES}))
            case _:
                made.append(one)
    return tuple(made)


@given(situations(), SEEDS)
def test_plan_by_a_report_that_lies_dooms_nothing_that_a_full_listing_does_not(case, random):
    case = listed(case)
    unreadable = {one.name for one in case.deployments if random.random() < 0.1}
    gone = doomed_by_report(case, lie(case, random), Bucket(case, unreadable))
    assert gone <= case.doomed()


@given(situations())
def test_plan_by_a_true_report_is_the_plan_by_a_full_listing(case):
    case = listed(case)
    reported = tuple(as_reported(one) if one.oldest_at else one for one in case.deployments)
    assert doomed_by_report(case, reported, Bucket(case)) == case.doomed()


@given(situations(), SEEDS)
def test_nothing_goes_on_account_of_what_only_a_report_tells(case, random):
    """Also before anything was listed, and whatever the listings left out."""
    case = listed(case)
    there = Inventory(deployments=lie(case, random))
    judged = judged_by(case)
    gone = {
        one for one in drop_unverified_deletes(there, judged(there), judged, {}) if one.is_delete
    }
    assert not any(one.deployment.is_from_report for one in gone)
    assert {one.deployment.name for one in gone} <= case.doomed()


RULES = RetentionPolicy(keep_count=2)


def judged_by_rules(some):
    return evaluate(some, RULES, pin_protected(["p*"]), NOW, 1)


def test_what_goes_and_what_it_goes_for_is_listed_and_nothing_else():
    there = [deployment(f"d{days}", days) for days in range(1, 6)]
    there += [deployment(f"p{days}", days) for days in (7, 8)]
    rested_on = find_required_evidence(judged_by_rules(inventory(*map(as_reported, there))), RULES)
    assert {one.name for one in rested_on} == {"d1", "d2", "d3", "d4", "d5"}


@pytest.mark.parametrize("protect", [(), ("main-*",)])
@pytest.mark.parametrize("newest", ["main-2222222", "main-a1b2c3d"])
def test_newest_build_of_a_branch_that_is_only_reported_is_listed_before_an_older_one_goes(
    newest, protect
):
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
    expected = {older.name, newest} if older.name in doomed(evaluations) else set()

    required = find_required_evidence(evaluations, RetentionPolicy(keep_count=1))

    assert {each.name for each in required} == expected
    assert bool(expected) is not protect


def partly(deployment):
    """Return a deployment of which only the first objects are listed."""
    return replace(deployment, is_fully_listed=False, fingerprint="")


@pytest.mark.parametrize(
    ("rules", "known_by", "required"),
    [
        pytest.param({}, as_reported, {"d1", "d2", "d3", "d4"}, id="report"),
        pytest.param({}, partly, {"d3", "d4"}, id="first objects"),
        pytest.param({"keep_within": Duration.parse("1h")}, partly, {"d2", "d3", "d4"},
                     id="keep-within"),
        pytest.param({"keep_daily": 1}, partly, {"d1", "d2", "d3", "d4"}, id="daily"),
        pytest.param({"keep_weekly": 1}, partly, {"d1", "d2", "d3", "d4"}, id="weekly"),
        pytest.param({"keep_monthly": 1}, partly, {"d1", "d2", "d3", "d4"}, id="monthly"),
    ],
)  # fmt: skip
def test_required_evidence_depends_on_what_the_rules_compare(rules, known_by, required):
    """Of `d1` to `d4`, the two newest are kept and the two others are to be deleted."""
    policy = RetentionPolicy(keep_count=2, **rules)
    known = inventory(*(known_by(deployment(f"d{days}", days)) for days in (1, 2, 3, 4)))
    evaluations = evaluate(known, policy, (), NOW, 1)
    assert doomed(evaluations) == {"d3", "d4"}
    assert {one.name for one in find_required_evidence(evaluations, policy)} == required


@pytest.mark.parametrize(("rules", "known_by"), [({}, as_reported), ({"keep_daily": 1}, partly)])
def test_protected_deployment_is_no_evidence(rules, known_by):
    policy = RetentionPolicy(keep_count=2, **rules)
    names = ("d1", "d2", "d3", "d4", "p5")
    known = inventory(*(known_by(deployment(name, days)) for days, name in enumerate(names, 1)))
    evaluations = evaluate(known, policy, pin_protected(["p*"]), NOW, 1)
    assert doomed(evaluations) == {"d3", "d4"}

    required = find_required_evidence(evaluations, policy)

    assert {each.name for each in required} == {"d1", "d2", "d3", "d4"}


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
    begun, known = {}, []
    states = {"d1": "listed", "d2": state_of_d2, "d3": state_of_d3}
    for days, (name, state) in enumerate(states.items(), start=1):
        found = deployment(name, days)
        match state:
            case "reported only":
                found = as_reported(found)
            case "half deleted":
                begun[name] = "0" * 64
            case "started, unchanged":
                begun[name] = found.fingerprint
        known.append(found)
    there = inventory(*known)
    judged = drop_unverified_deletes(there, judged_by_rules(there), judged_by_rules, begun)
    assert doomed(judged) == ({"d3"} if is_deleted else set())


def test_reason_of_a_new_keep_rule_counts_as_one_of_rank():
    """A rule that is added needs no entry anywhere: `expiring` stands for its code here."""
    deployments = [as_reported(deployment(f"d{days}", days)) for days in range(1, 6)]
    evaluations = judged_by_rules(inventory(*deployments))
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


def test_nothing_is_listed_where_nothing_goes():
    there = inventory(as_reported(deployment("d1", 1)), as_reported(deployment("d2", 2)))
    assert find_required_evidence(judged_by_rules(there), RULES) == ()


def test_deployment_that_goes_by_a_report_alone_is_kept():
    there = inventory(*(as_reported(deployment(f"d{days}", days)) for days in (1, 2, 3)))
    judged = drop_unverified_deletes(there, judged_by_rules(there), judged_by_rules, {})
    [reason] = judged[2].decision.reasons
    assert reason.code is ReasonCode.AMBIGUOUS_AGE
    assert_messages(__file__, [("deleted by a report alone", reason)])


@pytest.mark.parametrize(("fingerprint_before", "deleted"), [("0" * 64, set()), (None, {"d3"})])
def test_half_deleted_deployment_supersedes_nothing(fingerprint_before, deleted):
    """Of the two newer ones that let `d3` go, one is half deleted: its fingerprint has changed."""
    there = inventory(*(deployment(f"d{days}", days) for days in (1, 2, 3)))
    half_deleted = there.deployments[1]
    begun = {half_deleted.name: fingerprint_before or half_deleted.fingerprint}
    judged = drop_unverified_deletes(there, judged_by_rules(there), judged_by_rules, begun)
    assert doomed(judged) == deleted


def test_half_deleted_deployment_may_be_deleted_itself():
    there = inventory(*(deployment(f"d{days}", days) for days in (1, 2, 3)))
    begun = {"d3": "0" * 64}
    judged = drop_unverified_deletes(there, judged_by_rules(there), judged_by_rules, begun)
    assert doomed(judged) == {"d3"}


def test_reported_and_half_deleted_deployments_supersede_nothing():
    reported, half_deleted, old = (deployment(f"d{days}", days) for days in (1, 2, 3))
    there = inventory(as_reported(reported), half_deleted, deployment("d0", 0), old)
    begun = {half_deleted.name: "0" * 64}
    judged = drop_unverified_deletes(there, judged_by_rules(there), judged_by_rules, begun)
    assert old.name not in doomed(judged)


def test_of_those_that_stay_only_one_whose_deletion_has_begun_is_listed_in_full():
    there = inventory(*(deployment(f"d{days}", days) for days in (1, 2)))
    unlisted, other = (replace(found, is_fully_listed=False) for found in there.deployments)
    listed_names = set()

    def list_whole(some, names):
        listed_names.update(names)
        return there

    evaluate_with_full_listings(
        replace(there, deployments=(unlisted, other)),
        RULES,
        judged_by_rules,
        list_whole,
        {unlisted.name: "0" * 64},
    )
    assert listed_names == {unlisted.name}
