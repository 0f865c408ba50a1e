"""What holds of `expire-closed` for every inventory, policy, pin and state of pull requests."""

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
    """A situation with previews, and what GitHub says about their pull requests."""

    case: Situation
    pull_requests: PullRequestReading

    def evaluations(self, **changes):
        case = replace(self.case, **changes)
        return evaluate(
            Inventory(deployments=case.deployments),
            case.policy,
            case.pins,
            case.now,
            case.minimum,
            pull_requests=self.pull_requests,
        )

    def deleted(self, **changes):
        return {item.deployment.name for item in self.evaluations(**changes) if item.is_delete}

    def without_rule(self):
        return replace(self.case.policy, expire_closed=None)


@st.composite
def worlds(draw):
    case = draw(situations())
    deployments = {item.name: item for item in case.deployments}
    for one in case.deployments:
        name = draw(st.sampled_from((one.name, *PREVIEW_NAMES)))
        if name not in deployments:
            del deployments[one.name]
            deployments[name] = replace(one, name=name, prefix=f"{name}/")
    states = {}
    for number in draw(st.sets(st.integers(1, 3))):
        created_at = case.now - timedelta(hours=draw(st.integers(0, 20_000)))
        closed = draw(st.none() | st.integers(-10, 10_000))
        states[number] = PullRequest(
            created_at=created_at,
            closed_at=None if closed is None else case.now - timedelta(hours=closed),
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
    policy = world.without_rule()
    case = replace(world.case, policy=policy)
    assert [item.decision for item in world.evaluations(policy=policy)] == list(case.decisions())


@settings(max_examples=400)
@given(worlds())
def test_nothing_else_is_deleted_than_without_the_setting(world):
    more = world.deleted() - world.deleted(policy=world.without_rule())
    assert all(parse_pull_request(name) in world.pull_requests.pull_requests for name in more)


@settings(max_examples=400)
@given(worlds())
def test_expired_preview_has_positive_evidence_and_nothing_that_holds_it(world):
    period = world.case.policy.expire_closed.length
    for item in world.evaluations():
        if not item.decision.is_expired:
            continue
        one, codes = item.deployment, {check.code for check in item.keeping_checks}
        state = world.pull_requests.pull_requests[parse_pull_request(one.name)]
        assert state.closed_at is not None
        assert world.case.now - max(state.closed_at, one.newest_at) >= period
        assert one.oldest_at > state.created_at
        assert not codes & {ReasonCode.PROTECTED, ReasonCode.LIVE, ReasonCode.CURRENT_COMMIT,
                            ReasonCode.IN_PROGRESS, ReasonCode.NO_OBJECTS}  # fmt: skip


@given(worlds())
def test_pin_is_never_deleted(world):
    for pin in PINS:
        pins = (*world.case.pins, pin)
        resolved = replace(world.case, pins=pins).resolve(pins)
        assert not any(pin.matches(name) for pin in resolved for name in world.deleted(pins=pins))


@settings(max_examples=400)
@given(worlds())
def test_less_knowledge_never_deletes_more(world):
    before = world.deleted()
    for number in world.pull_requests.pull_requests:
        known = {
            other: state
            for other, state in world.pull_requests.pull_requests.items()
            if other != number
        }
        fewer = replace(world, pull_requests=replace(world.pull_requests, pull_requests=known))
        assert fewer.deleted() <= before


@settings(max_examples=400)
@given(worlds(), st.sampled_from(PREVIEW_NAMES))
def test_adding_a_pin_never_deletes_more(world, name):
    added = (*PINS, live_pin(name), *pin_protected([name]), *pin_run([Reference(pull_request=1)]))
    before = world.deleted()
    for pin in added:
        assert world.deleted(pins=(*world.case.pins, pin)) <= before


@settings(max_examples=400)
@given(worlds(), st.integers(0, 3), st.sampled_from(DURATIONS))
def test_adding_a_keep_rule_never_deletes_more(world, count, within):
    policy, before = world.case.policy, world.deleted()
    changes = {
        "keep_count": policy.keep_count + count,
        "keep_within": max(policy.keep_within, within, key=lambda item: item.length)
        if policy.keep_within
        else within,
        "keep_daily": policy.keep_daily + count,
        "keep_weekly": policy.keep_weekly + count,
        "keep_monthly": policy.keep_monthly + count,
    }
    for name, value in changes.items():
        assert world.deleted(policy=replace(policy, **{name: value})) <= before


@settings(max_examples=400)
@given(worlds())
def test_count_rules_hold_without_expired_previews(world):
    evaluations = world.evaluations()
    needed = max(world.case.policy.keep_count, world.case.minimum)
    for item in evaluations:
        if item.is_superseded:
            staying = [
                other
                for other in evaluations
                if other.is_keep
                and other.group == item.group
                and other.deployment.is_complete
                and not is_protected(other.deployment, world.case.pins)
            ]
            assert len(staying) >= needed


@given(worlds())
def test_what_expires_is_listed_in_full_first(world):
    evaluations = world.evaluations()
    required = find_required_evidence(evaluations, world.case.policy)
    assert all(item.deployment in required for item in evaluations if item.is_expired)


@given(worlds())
def test_preview_that_only_a_report_describes_is_kept(world):
    reported = tuple(
        replace(one, is_fully_listed=False, is_from_report=True, fingerprint="")
        for one in world.case.deployments
    )
    inventory = Inventory(deployments=reported)
    evaluations = world.evaluations(deployments=reported)

    verified = drop_unverified_deletes(
        inventory, evaluations, lambda left: world.evaluations(deployments=left.deployments), {}
    )

    assert not any(item.is_delete for item in verified)
