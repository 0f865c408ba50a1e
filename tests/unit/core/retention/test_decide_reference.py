"""ci3 decides like a second, slow implementation, for thousands of random inventories."""

from collections import Counter
from random import Random

from hypothesis import example, given, settings

from ci3.core.model.decision import Action, ReasonCode
from ci3.core.retention.decide import AgeFrom, RetentionPolicy
from tests.support.builders import NOW
from tests.unit.core.retention.reference import Verdict, compute_verdicts
from tests.unit.core.retention.strategies import Situation, make_situation, situations

CASE_COUNT = 6000
NOT_IN_RANDOM_CASES = (  # and the input that each of them requires
    ReasonCode.PARTLY_DELETED,  # the journals of unfinished runs
    ReasonCode.NOT_APPROVED,  # a resumed run
    ReasonCode.NO_ROOM_FOR_RULE,  # lifecycle rules, as the next three
    ReasonCode.BY_RULE,
    ReasonCode.NOT_BY_RULE,
    ReasonCode.EXPIRING,
    ReasonCode.EXPIRE_CLOSED,  # the state of pull requests
)


def list_actual(case):
    return [
        Verdict(
            decision.deployment.name,
            decision.group,
            decision.action,
            [reason.code for reason in decision.reasons],
        )
        for decision in case.decide()
    ]


def list_expected(case):
    return compute_verdicts(case.deployments, case.policy, case.pins, case.now, case.minimum)


def make_case(seed):
    return make_situation(Random(seed).choice)  # noqa: S311 - no secret


def format_case(case, seed):
    """Format a case for the test report; times are in hours before the case's clock."""
    lines = [f"seed {seed}, minimum {case.minimum}, {case.policy}"]
    deployments = {deployment.name: deployment for deployment in case.deployments}
    expected_verdicts = {verdict.name: verdict for verdict in list_expected(case)}
    for actual in list_actual(case):
        deployment = deployments[actual.name]
        times = [at and (case.now - at).total_seconds() / 3600 for at in list_times(deployment)]
        flags = f"complete={deployment.is_complete:d} fully_listed={deployment.is_fully_listed:d}"
        expected = expected_verdicts[actual.name]
        lines.append(f"{format_verdict(actual)} {times} {flags}")
        if expected != actual:
            lines.append(f"    expected {format_verdict(expected)}")
    return "\n".join(lines)


def list_times(deployment):
    return deployment.oldest_at, deployment.first_object_at, deployment.newest_at


def format_verdict(verdict):
    return f"{verdict.name} [{verdict.group}] {verdict.action}: {' '.join(verdict.codes)}"


def test_decisions_are_those_of_the_second_implementation_in_thousands_of_cases():
    differing = [
        seed
        for seed in range(CASE_COUNT)
        if list_actual(make_case(seed)) != list_expected(make_case(seed))
    ]

    shortest = min(differing, key=lambda seed: len(make_case(seed).deployments), default=None)
    assert not differing, f"{len(differing)} differ: {format_case(make_case(shortest), shortest)}"


def test_random_cases_have_every_reason_often_with_every_age_setting():
    counts = Counter()
    for seed in range(CASE_COUNT):
        case = make_case(seed)
        for verdict in list_expected(case):
            counts.update((case.policy.age_from, code) for code in verdict.codes)
            counts[verdict.action] += 1

    expected_codes = [code for code in ReasonCode if code not in NOT_IN_RANDOM_CASES]
    rare = [
        (age, code)
        for age in AgeFrom
        for code in expected_codes
        if counts[age, code] < 40
        and (age is AgeFrom.NAME or code is not ReasonCode.INCOMPARABLE_NAME)
    ]
    assert rare == []
    assert counts[Action.DELETE] > 5000
    assert counts[Action.KEEP] > 5000


@settings(max_examples=400)
@given(situations())
@example(
    Situation(deployments=(), policy=RetentionPolicy(keep_count=1), pins=(), now=NOW, minimum=1)
)
def test_decisions_are_those_of_the_second_implementation(case):
    assert list_actual(case) == list_expected(case)
