"""The rules give what a second, slow reading of them gives, on thousands of random inventories."""

from collections import Counter
from random import Random

from hypothesis import example, given, settings

from ci3.core.model.decision import Action, ReasonCode
from ci3.core.retention.decide import AgeFrom, RetentionPolicy
from tests.support.builders import NOW
from tests.unit.core.retention.reference import Verdict, obvious_verdicts
from tests.unit.core.retention.strategies import Situation, make_situation, situations

CASE_COUNT = 6000
FROM_ELSEWHERE = (
    ReasonCode.PARTLY_DELETED,  # the journals of unfinished runs
    ReasonCode.NOT_APPROVED,  # a resumption's
    ReasonCode.NO_ROOM_FOR_RULE,  # these are of lifecycle rules
    ReasonCode.BY_RULE,
    ReasonCode.NOT_BY_RULE,
    ReasonCode.EXPIRING,
    ReasonCode.EXPIRE_CLOSED,  # the state of pull requests
)


def real_verdicts(case):
    return [
        Verdict(
            decision.deployment.name,
            decision.group,
            decision.action,
            [reason.code for reason in decision.reasons],
        )
        for decision in case.decisions()
    ]


def expected_verdicts(case):
    return obvious_verdicts(case.deployments, case.policy, case.pins, case.now, case.minimum)


def seeded_case(seed):
    return make_situation(Random(seed).choice)  # noqa: S311 - no secret


def shown(case, seed):
    """Put a case in a few lines: hours before the clock, what was expected, and what came."""
    lines = [f"seed {seed}, minimum {case.minimum}, {case.policy}"]
    by_name = {one.name: one for one in case.deployments}
    expected = {verdict.name: verdict for verdict in expected_verdicts(case)}
    for came in real_verdicts(case):
        one = by_name[came.name]
        times = [at and (case.now - at).total_seconds() / 3600 for at in times_of(one)]
        flags = f"complete={one.is_complete:d} whole={one.is_fully_listed:d}"
        wanted = expected[came.name]
        lines.append(f"{words(came)} {times} {flags}")
        lines += [] if wanted == came else [f"    expected {words(wanted)}"]
    return "\n".join(lines)


def times_of(one):
    return one.oldest_at, one.first_at, one.newest_at


def words(verdict):
    return f"{verdict.name} [{verdict.group}] {verdict.action}: {' '.join(verdict.codes)}"


def test_decisions_are_those_of_the_obvious_reading_in_six_thousand_random_cases():
    differing = [
        seed
        for seed in range(CASE_COUNT)
        if real_verdicts(seeded_case(seed)) != expected_verdicts(seeded_case(seed))
    ]

    shortest = min(differing, key=lambda seed: len(seeded_case(seed).deployments), default=None)
    assert not differing, f"{len(differing)} differ: {shown(seeded_case(shortest), shortest)}"


def test_random_cases_bring_every_reason_often_under_every_kind_of_age():
    seen = Counter()
    for seed in range(CASE_COUNT):
        case = seeded_case(seed)
        for verdict in expected_verdicts(case):
            seen.update((case.policy.age_from, code) for code in verdict.codes)
            seen[verdict.action] += 1

    decided = [code for code in ReasonCode if code not in FROM_ELSEWHERE]
    rare = [
        (age, code)
        for age in AgeFrom
        for code in decided
        if seen[age, code] < 40
        and (age is AgeFrom.NAME or code is not ReasonCode.INCOMPARABLE_NAME)
    ]
    assert rare == []
    assert seen[Action.DELETE] > 5000
    assert seen[Action.KEEP] > 5000


@settings(max_examples=400)
@given(situations())
@example(
    Situation(deployments=(), policy=RetentionPolicy(keep_count=1), pins=(), now=NOW, minimum=1)
)
def test_decisions_are_those_of_the_obvious_reading(case):
    assert real_verdicts(case) == expected_verdicts(case)
