"""The checks and reasons of previews with `expire-closed`, and what must be listed in full."""

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.decision import ReasonCode
from ci3.core.retention.closed_previews import PullRequestReading, check_preview
from ci3.core.retention.decide import RetentionPolicy
from ci3.core.retention.evidence import find_required_evidence
from tests.support.builders import NOW, deployment, marker_only_deployment
from tests.unit.core.retention.test_closed_previews import (
    PERIOD,
    REPOSITORY,
    evaluate_all,
    pull_request,
    reading,
)


def test_incomplete_preview_of_an_open_pull_request_is_in_progress():
    preview, release = marker_only_deployment("pr-12", 5), deployment("main", 10)
    pull_requests = reading(_12=pull_request(None))
    evaluations = evaluate_all(preview, release, keep_count=1, pull_requests=pull_requests)
    codes = [reason.code for reason in evaluations[0].decision.reasons]
    assert ReasonCode.IN_PROGRESS in codes


def test_pin_is_the_only_reason_of_a_preview_whose_pull_request_is_unknown():
    [evaluation] = evaluate_all(
        deployment("pr-12", 20),
        keep_count=1,
        pins=pin_protected(["pr-12"]),
        pull_requests=PullRequestReading(missing=frozenset({12})),
    )
    codes = [reason.code for reason in evaluation.decision.reasons]
    assert ReasonCode.PROTECTED in codes
    assert ReasonCode.EXPIRE_CLOSED not in codes


@pytest.mark.parametrize(("closed_days", "has_check"), [(10, False), (1, True), (None, True)])
def test_only_a_preview_that_is_not_expired_has_a_check(closed_days, has_check):
    [evaluation] = evaluate_all(
        deployment("pr-12", 20), pull_requests=reading(_12=pull_request(closed_days))
    )
    codes = [check.code for check in evaluation.checks]
    assert codes.count(ReasonCode.EXPIRE_CLOSED) == has_check
    messages = [
        check.message for check in evaluation.checks if check.code is ReasonCode.EXPIRE_CLOSED
    ]
    assert all(message.startswith(f"{REPOSITORY}#12 ") for message in messages)


@pytest.mark.parametrize(("closed_days", "depends"), [(10, False), (90, True)])
def test_only_a_preview_uploaded_long_after_the_closing_depends_on_older_objects(
    closed_days, depends
):
    pull_requests = reading(_12=pull_request(closed_days))
    check = check_preview(deployment("pr-12", 20), pull_requests, PERIOD, NOW)
    assert check.depends_on_oldest is depends


def test_preview_that_an_older_object_could_make_expired_is_required_in_full():
    evaluations = evaluate_all(
        deployment("pr-12", 20), deployment("pr-13", 21), deployment("release", 40),
        keep_count=2,
        pull_requests=reading(_12=pull_request(90), _13=pull_request(None)),
    )  # fmt: skip
    required = find_required_evidence(evaluations, RetentionPolicy(keep_count=2))
    assert {deployment.name for deployment in required} == {"release", "pr-12"}


def test_calendar_rule_explains_why_a_deployment_does_not_count():
    evaluations = evaluate_all(
        deployment("pr-12", 20), deployment("main", 21), deployment("pr-13", 22),
        keep_daily=5, keep_count=1, pins=pin_protected(["main", "pr-13"]),
        pull_requests=reading(_12=pull_request(), _13=pull_request(None)),
    )  # fmt: skip
    messages = {
        evaluation.deployment.name: check.message
        for evaluation in evaluations
        for check in evaluation.checks
        if check.code is ReasonCode.KEEP_DAILY
    }
    assert messages["pr-12"].startswith(f"{REPOSITORY}#12 was closed")
    assert messages["main"] == messages["pr-13"] == "protected, so not counted"


def test_only_a_preview_that_is_known_to_be_open_counts():
    previews = [deployment(f"pr-{number}", 20) for number in (12, 13, 14)]
    evaluations = evaluate_all(
        *previews, pull_requests=reading(_12=pull_request(), _13=pull_request(None))
    )
    counted = {evaluation.deployment.name: evaluation.is_counted for evaluation in evaluations}
    assert counted == {"pr-12": False, "pr-13": True, "pr-14": False}


def test_keep_rules_are_no_reason_of_an_expired_preview():
    [evaluation] = evaluate_all(deployment("pr-12", 20), keep_count=5)
    assert [check.code for check in evaluation.keeping_checks] == [ReasonCode.KEEP_COUNT]
    [reason] = evaluation.decision.reasons
    assert reason.code is ReasonCode.EXPIRE_CLOSED
    assert reason.message.startswith(f"{REPOSITORY}#12 was closed")
