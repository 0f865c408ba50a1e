"""What is known about pull requests: which are open, and what nothing that was read means."""

import pytest

from ci3.core.retention.closed_previews import (
    ClosedPreviews,
    PullRequest,
    PullRequestReading,
    check_preview,
    find_expiry_warnings,
)
from ci3.core.units import Duration
from tests.support.builders import NOW, days_ago, deployment


@pytest.mark.parametrize(("number", "is_open"), [(12, True), (13, True), (14, False), (15, False)])
def test_pull_request_is_open_by_its_state_or_by_a_live_source(number: int, *, is_open: bool):
    reading = PullRequestReading(
        open_numbers=frozenset({12}),
        pull_requests={
            13: PullRequest(created_at=days_ago(9), closed_at=None, is_merged=False),
            14: PullRequest(created_at=days_ago(9), closed_at=days_ago(5), is_merged=True),
        },
    )
    assert reading.is_open(number) is is_open


def test_without_a_reading_a_preview_is_kept_and_nothing_is_reported():
    reading = PullRequestReading()
    check = check_preview(deployment("pr-12", 20), reading, Duration.parse("3d"), NOW)
    assert check is not None
    assert (check.is_expired, check.is_known) == (False, False)
    assert check.message == "#12 was not read"
    assert find_expiry_warnings(reading) == ()


def test_closed_previews_are_read_from_github_and_not_too_often():
    previews = ClosedPreviews(deployments=())
    assert (previews.is_on_github, previews.has_rate_limit) == (True, True)
