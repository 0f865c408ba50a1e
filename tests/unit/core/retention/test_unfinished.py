"""A partly deleted deployment is not counted and never causes the deletion of another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.explain import explain
from ci3.core.retention.unfinished import (
    PartialDeletion,
    UnfinishedRun,
    find_partial_deletions,
)
from tests.support.builders import NOW, days_ago, deployment, empty_deployment
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in
from tests.unit.core.retention.strategies import Situation, situations

RUN = UnfinishedRun(
    run_id="run-1",
    first_written_at=days_ago(3),
    last_written_at=days_ago(2),
    approved={"old": "as approved"},
    started=frozenset({"old"}),
)
UNREADABLE = replace(RUN, approved=None, started=None)
INTENTS_UNKNOWN = replace(RUN, started=None)
NOT_STARTED = replace(RUN, started=frozenset())
REMAINDER, KEPT = [False], [True]
MINUTE = 1 / 24 / 60
REDEPLOYED = 2 - 16 * MINUTE
TOO_SOON = 2 - 14 * MINUTE


def find_must_keep(deployment: Deployment, *runs: UnfinishedRun) -> list[bool]:
    """Return whether the deployment must be kept; empty if it counts as usual."""
    partial_deletions = find_partial_deletions([deployment], runs, NOW)
    return [partial_deletion.must_keep for partial_deletion in partial_deletions.values()]


@pytest.mark.parametrize(
    ("run", "oldest", "newest", "expected"),
    [
        (RUN, 20, 10, REMAINDER),
        (RUN, 20, 3, KEPT),  # uploaded in the same second
        (RUN, 20, 2.5, KEPT),
        (RUN, 20, 1, KEPT),
        (RUN, 2.5, 1, KEPT),
        (RUN, TOO_SOON, 1, KEPT),
        (RUN, REDEPLOYED, 1, []),
        (NOT_STARTED, 20, 10, []),
        (INTENTS_UNKNOWN, 20, 10, KEPT),
        (INTENTS_UNKNOWN, 20, 1, KEPT),
        (INTENTS_UNKNOWN, REDEPLOYED, 1, []),
        (UNREADABLE, 20, 10, KEPT),
        (UNREADABLE, 20, 1, KEPT),
        (UNREADABLE, 2.5, 1, KEPT),
        (UNREADABLE, TOO_SOON, 1, KEPT),
        (UNREADABLE, REDEPLOYED, 1, []),
    ],
)
def test_changed_deployment_is_evaluated_by_the_times_of_its_objects(
    run: UnfinishedRun, oldest: float, newest: float, expected: list[bool]
) -> None:
    assert find_must_keep(deployment("old", oldest, newest), run) == expected


def test_deployment_that_is_as_approved_is_counted() -> None:
    untouched = replace(deployment("old", 20), fingerprint="as approved")
    assert find_must_keep(untouched, RUN) == find_must_keep(untouched, INTENTS_UNKNOWN) == []


def test_deployment_that_no_run_approved_is_counted_unless_an_approval_is_unknown() -> None:
    not_approved = deployment("other", 20)
    assert find_must_keep(not_approved, RUN, INTENTS_UNKNOWN) == []
    assert find_must_keep(not_approved, RUN, UNREADABLE) == KEPT


def test_deployment_without_objects_is_never_a_remainder() -> None:
    assert find_must_keep(empty_deployment("old"), RUN, UNREADABLE) == []


@pytest.mark.parametrize("runs", [(RUN, UNREADABLE), (UNREADABLE, RUN)])
def test_deployment_is_kept_if_any_of_the_runs_requires_it(runs: tuple[UnfinishedRun, ...]) -> None:
    assert find_must_keep(deployment("old", 20), *runs) == KEPT


def test_second_run_that_approved_the_remainder_does_not_make_it_complete() -> None:
    remainder = deployment("old", 20)
    second = replace(RUN, run_id="run-2", approved={"old": remainder.fingerprint})
    assert find_must_keep(remainder, second, RUN) == REMAINDER


def decide_with(partial_deletions, *deployments, **policy):
    evaluations = evaluate(
        Inventory(deployments=deployments),
        RetentionPolicy(**policy),
        (),
        NOW,
        1,
        partial_deletions=partial_deletions,
    )
    return {evaluation.deployment.name: evaluation for evaluation in evaluations}


def test_remainder_is_not_counted_and_has_the_reason() -> None:
    deployments = [deployment("new", 1), deployment("old", 20), deployment("older", 30)]
    partial_deletions = find_partial_deletions(deployments, [RUN], NOW)
    evaluations = decide_with(partial_deletions, *deployments, keep_count=2)

    assert not evaluations["older"].is_delete
    reasons = {reason.code: reason.message for reason in evaluations["old"].decision.reasons}
    message = reasons[ReasonCode.PARTLY_DELETED]
    assert numbers_in(message) == [2]
    assert "run-1" in message

    deletion = decide_with(partial_deletions, *deployments, keep_count=1)["old"].decision
    assert deletion.is_delete
    assert [reason.code for reason in deletion.reasons] == [
        ReasonCode.SUPERSEDED,
        ReasonCode.PARTLY_DELETED,
    ]


def test_deployment_with_a_later_upload_is_kept_until_the_run_is_known() -> None:
    deployments = [deployment("new", 1), deployment("old", 20)]
    partial_deletions = find_partial_deletions(deployments, [UNREADABLE], NOW)
    kept = decide_with(partial_deletions, *deployments, keep_count=1)["old"]

    assert not kept.is_delete
    assert kept.keeping_checks[-1].code is ReasonCode.PARTLY_DELETED
    assert_messages(__file__, [("kept", explain(kept, None).outlook)])


def evaluate_case(
    case: Situation, partial_deletions: dict[str, PartialDeletion]
) -> dict[str, bool]:
    evaluations = evaluate(
        Inventory(deployments=case.deployments),
        case.policy,
        case.pins,
        case.now,
        case.minimum,
        partial_deletions=partial_deletions,
    )
    return {evaluation.deployment.name: evaluation.is_delete for evaluation in evaluations}


@given(situations(), st.integers(0, 3**18 - 1))
def test_unfinished_runs_never_cause_the_deletion_of_another_deployment(case, number) -> None:
    """Only a remainder may be deleted that was kept without the data about unfinished runs."""
    partial_deletions = {}
    for case_deployment in case.deployments:
        number, kind = divmod(number, 3)
        if kind:
            partial_deletions[case_deployment.name] = PartialDeletion(
                message="m", must_keep=kind == 1
            )

    before, after = evaluate_case(case, {}), evaluate_case(case, partial_deletions)

    newly_deleted = {name for name in before if after[name] and not before[name]}
    assert newly_deleted <= {
        name for name, partial in partial_deletions.items() if not partial.must_keep
    }
    incomplete = replace(
        case,
        deployments=tuple(
            replace(
                deployment,
                is_complete=deployment.is_complete and deployment.name not in partial_deletions,
            )
            for deployment in case.deployments
        ),
    )
    as_incomplete = evaluate_case(incomplete, {})
    for name, partial in partial_deletions.items():
        assert after[name] is (as_incomplete[name] and not partial.must_keep)


def test_upload_is_later_than_a_run_only_if_more_than_15_minutes_are_between() -> None:
    run = replace(RUN, last_written_at=days_ago(2))
    earlier_run = replace(run, last_written_at=days_ago(2) - timedelta(seconds=1))
    redeployed = deployment("old", 2 - 15 * MINUTE)
    assert find_must_keep(redeployed, run) == KEPT
    assert find_must_keep(redeployed, earlier_run) == []


def test_remainder_is_kept_if_the_approved_or_started_deployments_are_unknown() -> None:
    remainder = deployment("old", 20)

    assert find_must_keep(remainder, RUN) == REMAINDER
    assert find_must_keep(remainder, replace(RUN, approved=None)) == KEPT
    assert find_must_keep(remainder, replace(RUN, started=None)) == KEPT


def test_run_of_which_only_the_times_are_known_may_have_started_any_deletion() -> None:
    run = UnfinishedRun(run_id="run-1", first_written_at=days_ago(3), last_written_at=days_ago(2))

    assert find_must_keep(deployment("any", 20), run) == KEPT
