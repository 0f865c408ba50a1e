"""Whether an incomplete deployment may still be uploading, by its objects and uploads."""

from datetime import timedelta

import pytest

from ci3.core.formatting import format_age
from ci3.core.model.decision import ReasonCode
from ci3.core.model.objects import UnfinishedUpload
from ci3.core.retention.in_progress import MAX_UPLOAD_AGE, has_recent_object, select_recent
from tests.support.builders import NOW, deployment, empty_deployment

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("age", "is_recent"),
    [(HOUR, True), (HOUR + timedelta(minutes=14), True), (HOUR + timedelta(minutes=15), False)],
)
def test_object_is_recent_for_an_hour_and_the_difference_of_the_clocks(
    age: timedelta, is_recent: bool
) -> None:
    assert has_recent_object(deployment("slow", age / DAY), NOW) is is_recent


@pytest.mark.parametrize(
    ("age", "is_aws", "is_kept"),
    [
        (2 * HOUR, True, False),
        (2 * HOUR, False, True),
        (MAX_UPLOAD_AGE - timedelta(seconds=1), False, True),
        (MAX_UPLOAD_AGE, False, False),
        (-HOUR, False, True),
    ],
)
def test_incomplete_deployment_without_a_listed_upload_is_kept_for_a_day_outside_aws(
    age: timedelta, is_aws: bool, is_kept: bool
) -> None:
    uploads = select_recent((), NOW, may_be_incomplete=not is_aws)
    reason = uploads.find_reason(deployment("slow", age / DAY), NOW)
    assert (reason is not None) is is_kept
    assert reason is None or reason.code is ReasonCode.IN_PROGRESS


def test_upload_with_an_ambiguous_key_keeps_both_deployments() -> None:
    upload = UnfinishedUpload(
        key="v1 2/app.js", upload_id="u", started_at=NOW - HOUR, other_keys=("v1+2/app.js",)
    )
    uploads = select_recent((upload,), NOW)
    for name, is_kept in (("v1 2", True), ("v1+2", True), ("v1", False)):
        assert (uploads.find_reason(deployment(name, 2), NOW) is not None) is is_kept


def test_folder_without_objects_and_uploads_is_not_uploading() -> None:
    uploads = select_recent((), NOW, may_be_incomplete=True)
    assert uploads.find_reason(empty_deployment("empty"), NOW) is None


@pytest.mark.parametrize("age", [-HOUR, HOUR, 5 * HOUR])
def test_reason_without_a_listed_upload_has_the_age_of_the_newest_object(age: timedelta) -> None:
    uploads = select_recent((), NOW, may_be_incomplete=True)
    reason = uploads.find_reason(deployment("slow", age / DAY), NOW)
    assert reason is not None
    assert format_age(max(age, timedelta(0))) in reason.message
