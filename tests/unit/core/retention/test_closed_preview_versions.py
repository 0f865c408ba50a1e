"""`expire-closed` with `delete-versions`: every version must be as old as the objects."""

from dataclasses import replace

import pytest

from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import VersionSummary
from ci3.core.retention.closed_previews import (
    NO_PULL_REQUESTS,
    PullRequest,
    PullRequestReading,
    check_preview,
    keep_by_versions,
    select_closed_previews,
)
from ci3.core.units import Duration
from tests.support.builders import NOW, days_ago, deployment

PERIOD = Duration.parse("3d")


def read_pull_request() -> PullRequestReading:
    """Return a pull request that was created 100 days ago and closed 10 days ago."""
    state = PullRequest(created_at=days_ago(100), closed_at=days_ago(10), is_merged=True)
    return PullRequestReading(repository="acme/storefront", pull_requests={12: state})


def expire(preview: Deployment) -> Decision:
    reason = Reason(code=ReasonCode.EXPIRE_CLOSED, message="closed 10 days ago")
    return Decision(deployment=preview, action=Action.DELETE, reasons=(reason,), group="")


def with_versions(oldest_days: float | None, newest_days: float | None) -> Deployment:
    """Return a preview of objects that are 20 days old, with versions of these ages."""
    versions = VersionSummary(
        count=3,
        size_bytes=3000,
        fingerprint="f",
        oldest_at=None if oldest_days is None else days_ago(oldest_days),
        newest_at=None if newest_days is None else days_ago(newest_days),
    )
    return replace(deployment("pr-12", 20), versions=versions)


@pytest.mark.parametrize(
    ("oldest_days", "newest_days", "is_deleted"),
    [(30, 4, True), (101, 4, False), (30, 2, False), (None, None, False)],
    ids=["within the pull request", "older than it", "within the period", "no version"],
)
def test_preview_is_kept_if_its_versions_are_not_expired(oldest_days, newest_days, is_deleted):
    decision = expire(with_versions(oldest_days, newest_days))
    [checked] = keep_by_versions([decision], read_pull_request(), PERIOD, NOW)
    if is_deleted:
        assert checked == decision
        return
    assert checked.action is Action.KEEP
    assert checked.deployment == deployment("pr-12", 20)
    assert [reason.code for reason in checked.reasons] == [ReasonCode.EXPIRE_CLOSED]


def test_reason_names_the_versions():
    decisions = [expire(with_versions(*days)) for days in ((30, 2), (None, None))]
    checked = keep_by_versions(decisions, read_pull_request(), PERIOD, NOW)
    messages = [decision.reasons[0].message for decision in checked]
    assert messages[0].startswith("noncurrent versions: uploaded 2 days ago")
    assert messages[1] == "noncurrent versions: none is listed"


@pytest.mark.parametrize("period", [PERIOD, None])
def test_other_decisions_do_not_depend_on_versions(period):
    superseded = Reason(code=ReasonCode.SUPERSEDED, message="superseded")
    decisions = (
        replace(expire(with_versions(101, 2)), reasons=(superseded,)),
        expire(deployment("pr-12", 20)),
    )
    assert keep_by_versions(decisions, read_pull_request(), period, NOW) == decisions


def test_without_a_period_no_decision_changes():
    decisions = (expire(with_versions(101, 2)),)
    assert keep_by_versions(decisions, NO_PULL_REQUESTS, None, NOW) == decisions


def test_closed_previews_are_the_deployments_that_the_rule_deletes():
    expired = expire(deployment("pr-12", 20))
    kept = replace(expire(deployment("pr-13", 20)), action=Action.KEEP)
    [previews] = select_closed_previews([expired, kept])
    assert previews.deployments == [expired.deployment]
    assert previews.numbers == {12}


@pytest.mark.parametrize("missing", ["oldest_at", "newest_at"])
def test_preview_without_a_time_is_not_checked(missing):
    preview = replace(deployment("pr-12", 20), **{missing: None})
    assert check_preview(preview, read_pull_request(), PERIOD, NOW) is None
