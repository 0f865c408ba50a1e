"""Properties of `expire-closed` for every inventory, policy, pin and pull request state."""

from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ci3.core.live.pins import pin_protected, pin_run
from ci3.core.live.preview_names import parse_pull_request
from ci3.core.live.references import Reference
from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Inventory
from ci3.core.retention.closed_previews import PullRequest, PullRequestReading
from ci3.core.retention.decide import evaluate
from ci3.core.retention.evidence import drop_unverified_deletes, find_required_evidence
from tests.support.builders import live_pin
from tests.unit.core.retention.reference import is_protected
from tests.unit.core.retention.strategies import DURATIONS, PINS, Situation, situations

PREVIEW_NAMES = ("pr-1", "pr-2", "pull-1-1a11111", "preview-3", "pr-1-2b22222")


@dataclass(frozen=True, kw_only=True)
class World:
    """A situation with previews, and the state of their pull requests on GitHub."""

    case: Situation
    pull_requests: PullRequestReading

    def evaluate(self, **changes):
        case = replace(self.case, **changes)
        return evaluate(
            Inventory(deployments=case.deployments),
            case.policy,
            case.pins,
            case.now,
            case.minimum,
            pull_requests=self.pull_requests,
        )

    def find_deleted(self, **changes):
        evaluations = self.evaluate(**changes)
        return {evaluation.deployment.name for evaluation in evaluations if evaluation.is_delete}

    def make_policy_without_rule(self):
        return replace(self.case.policy, expire_closed=None)


@st.composite
def worlds(draw):
    case = draw(situations())
    deployments = {deployment.name: deployment for deployment in case.deployments}
    for deployment in case.deployments:
        name = draw(st.sampled_from((deployment.name, *PREVIEW_NAMES)))
        if name not in deployments:
            del deployments[deployment.name]
            deployments[name] = replace(deployment, name=name, prefix=f"{name}/")
    states = {}
    for number in draw(st.sets(st.integers(1, 3))):
        created_at = case.now - timedelta(hours=draw(st.integers(0, 20_000)))
        closed_hours = draw(st.none() | st.integers(-10, 10_000))
        states[number] = PullRequest(
            created_at=created_at,
            closed_at=None if closed_hours is None else case.now - timedelta(hours=closed_hours),
            is_merged=False,
        )
    policy = replace(case.policy, expire_closed=draw(st.sampled_from(DURATIONS)))
    return World(
        case=replace(case, deployments=tuple(deployments.values()), policy=policy),
        pull_requests=PullRequestReading(
            pull_requests=states, missing=frozenset(draw(st.sets(st.integers(1, 3), max_size=1)))
        ),
    )


@given(worlds())
def test_without_the_setting_pull_requests_change_nothing(world):
    policy = world.make_policy_without_rule()
    case = replace(world.case, policy=policy)
    decisions = [evaluation.decision for evaluation in world.evaluate(policy=policy)]
    assert decisions == list(case.decide())


@settings(max_examples=400)
@given(worlds())
def test_setting_adds_only_deletions_of_previews_with_a_known_pull_request(world):
    deleted_without_rule = world.find_deleted(policy=world.make_policy_without_rule())
    added = world.find_deleted() - deleted_without_rule
    assert all(parse_pull_request(name) in world.pull_requests.pull_requests for name in added)


@settings(max_examples=400)
@given(worlds())
def test_expired_preview_was_closed_for_the_period_and_nothing_else_keeps_it(world):
    period = world.case.policy.expire_closed.length
    for evaluation in world.evaluate():
        if not evaluation.decision.is_expired:
            continue
        deployment = evaluation.deployment
        codes = {check.code for check in evaluation.keeping_checks}
        pull_request = world.pull_requests.pull_requests[parse_pull_request(deployment.name)]
        assert pull_request.closed_at is not None
        assert world.case.now - max(pull_request.closed_at, deployment.newest_at) >= period
        assert deployment.oldest_at > pull_request.created_at
        assert not codes & {ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT,
                            ReasonCode.IN_PROGRESS, ReasonCode.NO_OBJECTS}  # fmt: skip


@given(worlds())
def test_pin_is_never_deleted(world):
    for pin in PINS:
        pins = (*world.case.pins, pin)
        resolved = replace(world.case, pins=pins).resolve(pins)
        assert not any(
            pin.matches(name) for pin in resolved for name in world.find_deleted(pins=pins)
        )


@settings(max_examples=400)
@given(worlds())
def test_unknown_pull_request_never_deletes_more(world):
    before = world.find_deleted()
    for number in world.pull_requests.pull_requests:
        known = {
            known_number: pull_request
            for known_number, pull_request in world.pull_requests.pull_requests.items()
            if known_number != number
        }
        fewer = replace(world, pull_requests=replace(world.pull_requests, pull_requests=known))
        assert fewer.find_deleted() <= before


@settings(max_examples=400)
@given(worlds(), st.sampled_from(PREVIEW_NAMES))
def test_adding_a_pin_never_deletes_more(world, name):
    added = (*PINS, live_pin(name), *pin_protected([name]), *pin_run([Reference(pull_request=1)]))
    before = world.find_deleted()
    for pin in added:
        assert world.find_deleted(pins=(*world.case.pins, pin)) <= before


@settings(max_examples=400)
@given(worlds(), st.integers(0, 3), st.sampled_from(DURATIONS))
def test_adding_a_keep_rule_never_deletes_more(world, count, within):
    policy, before = world.case.policy, world.find_deleted()
    changes = {
        "keep_count": policy.keep_count + count,
        "keep_within": max(policy.keep_within, within, key=lambda duration: duration.length)
        if policy.keep_within
        else within,
        "keep_daily": policy.keep_daily + count,
        "keep_weekly": policy.keep_weekly + count,
        "keep_monthly": policy.keep_monthly + count,
    }
    for name, value in changes.items():
        assert world.find_deleted(policy=replace(policy, **{name: value})) <= before


@settings(max_examples=400)
@given(worlds())
def test_count_rules_hold_without_expired_previews(world):
    evaluations = world.evaluate()
    needed_count = max(world.case.policy.keep_count, world.case.minimum)
    for evaluation in evaluations:
        if evaluation.is_superseded:
            kept = [
                member
                for member in evaluations
                if member.is_keep
                and member.group == evaluation.group
                and member.deployment.is_complete
                and not is_protected(member.deployment, world.case.pins)
            ]
            assert len(kept) >= needed_count


@given(worlds())
def test_expired_preview_must_be_listed_in_full(world):
    evaluations = world.evaluate()
    required = find_required_evidence(evaluations, world.case.policy)
    assert all(
        evaluation.deployment in required for evaluation in evaluations if evaluation.is_expired
    )


@given(worlds())
def test_preview_that_is_known_only_from_a_report_is_kept(world):
    reported = tuple(
        replace(deployment, is_fully_listed=False, is_from_report=True, fingerprint="")
        for deployment in world.case.deployments
    )
    inventory = Inventory(deployments=reported)
    evaluations = world.evaluate(deployments=reported)

    verified = drop_unverified_deletes(
        inventory,
        evaluations,
        lambda remaining: world.evaluate(deployments=remaining.deployments),
        {},
    )

    assert not any(evaluation.is_delete for evaluation in verified)
