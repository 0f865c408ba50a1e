"""Which incomplete deployments may still be uploading, by their objects and unfinished uploads."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ci3.core.model.decision import Reason, ReasonCode
from ci3.core.model.objects import UnfinishedUpload
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.in_progress import RecentUploads, has_recent_object, select_recent
from ci3.errors import DeniedError
from ci3.pipeline.in_progress import keep_uploading_deployments
from tests.support.builders import (
    NOW,
    deployment,
    empty_deployment,
    inventory,
    marker_only_deployment,
)
from tests.support.messages import numbers_in

SECOND = timedelta(seconds=1)
OBJECT_LIMIT = timedelta(hours=1, minutes=15)
UPLOAD_LIMIT = timedelta(hours=24, minutes=15)
DAY = timedelta(days=1)


def upload(key, age):
    return UnfinishedUpload(key=key, upload_id="u", started_at=NOW - age)


class UploadListing:
    """A bucket that only lists unfinished uploads."""

    def __init__(self, *uploads, error=None, endpoint_url=""):
        self.uploads, self.error, self.endpoint_url = uploads, error, endpoint_url
        self.request_count = 0

    def list_uploads(self, _prefix):
        self.request_count += 1
        if self.error:
            raise self.error
        return [self.uploads]


def keep_uploading(evaluations, bucket, **options):
    return keep_uploading_deployments(bucket, "", evaluations, NOW, **options)


def evaluate_all(*deployments):
    return evaluate(inventory(*deployments), RetentionPolicy(keep_count=1), (), NOW, 1)


SUPERSEDED = evaluate_all(deployment("new", 1), marker_only_deployment("slow", 2))


def list_codes(evaluations):
    return {
        evaluation.deployment.name: [reason.code for reason in evaluation.decision.reasons]
        for evaluation in evaluations
    }


@pytest.mark.parametrize(
    ("age", "is_recent"),
    [
        (-DAY, True),
        (timedelta(0), True),
        (OBJECT_LIMIT - SECOND, True),
        (OBJECT_LIMIT, False),
        (DAY, False),
    ],
)
def test_object_is_recent_for_75_minutes(age, is_recent):
    assert has_recent_object(deployment("d", 9, age / DAY), NOW) is is_recent


def test_folder_without_objects_has_no_recent_object():
    assert has_recent_object(empty_deployment("e"), NOW) is False


@pytest.mark.parametrize(
    ("age", "is_recent"),
    [
        (-DAY, True),
        (timedelta(0), True),
        (UPLOAD_LIMIT - SECOND, True),
        (UPLOAD_LIMIT, False),
        (9 * DAY, False),
    ],
)
def test_upload_is_recent_for_a_day_and_15_minutes(age, is_recent):
    video_upload = upload("slow/video.mp4", age)

    recent = select_recent([video_upload, upload("slow/old.mp4", 9 * DAY)], NOW)

    assert recent == RecentUploads(uploads=[video_upload] if is_recent else [], problem="")


@pytest.mark.parametrize(
    ("uploads", "expected"),
    [
        (RecentUploads(), None),
        (RecentUploads(uploads=[upload("slow/a", DAY)]), ReasonCode.IN_PROGRESS),
        (RecentUploads(uploads=[upload("slow/a", -DAY)]), ReasonCode.IN_PROGRESS),
        (RecentUploads(uploads=[upload("slow-2/a", DAY)]), None),
        (RecentUploads(uploads=[upload("new/slow/a", DAY)]), None),
        (
            RecentUploads(uploads=[upload("new/a", DAY), upload("slow/a", DAY)]),
            ReasonCode.IN_PROGRESS,
        ),
        (RecentUploads(problem="denied"), ReasonCode.IN_PROGRESS),
    ],
    ids=[
        "none",
        "in the deployment",
        "in the future",
        "longer name",
        "in another deployment",
        "several",
        "unreadable",
    ],
)
def test_upload_into_the_deployment_or_an_unreadable_list_is_a_reason(uploads, expected):
    reason = uploads.find_reason(marker_only_deployment("slow", 2), NOW)

    assert (reason and reason.code) == expected


def test_reason_for_an_unreadable_list_has_the_problem():
    reason = RecentUploads(problem="denied").find_reason(marker_only_deployment("slow", 2), NOW)

    assert "denied" in reason.message


def test_age_of_the_latest_upload_is_shown_and_never_negative():
    slow = marker_only_deployment("slow", 2)
    several = RecentUploads(uploads=[upload("slow/a", 5 * DAY), upload("slow/b", 3 * DAY)])
    future = RecentUploads(uploads=[upload("slow/a", -DAY)])
    just_started = RecentUploads(uploads=[upload("slow/a", timedelta(0))])
    half_a_day_old = RecentUploads(uploads=[upload("slow/a", DAY / 2)])

    assert numbers_in(several.find_reason(slow, NOW).message) == [3]
    assert numbers_in(half_a_day_old.find_reason(slow, NOW).message) == [12]
    assert future.find_reason(slow, NOW) == just_started.find_reason(slow, NOW)


@pytest.mark.parametrize(
    ("deployments", "request_count"),
    [
        ((deployment("new", 1), marker_only_deployment("slow", 2)), 1),
        ((marker_only_deployment("slow", 1), deployment("old", 2)), 0),
        ((deployment("new", 1), deployment("old", 2)), 0),
        ((deployment("new", 1), deployment("old", 2), marker_only_deployment("slow", 3)), 1),
        ((), 0),
    ],
    ids=["incomplete to delete", "incomplete kept", "complete to delete", "both", "nothing"],
)
def test_uploads_are_listed_only_if_an_incomplete_deployment_would_be_deleted(
    deployments, request_count
):
    bucket = UploadListing()

    keep_uploading(evaluate_all(*deployments), bucket)

    assert bucket.request_count == request_count


def test_uploads_keep_only_an_incomplete_deployment_that_would_be_deleted():
    evaluations = evaluate_all(
        marker_only_deployment("newest", 0.5),
        deployment("new", 1),
        marker_only_deployment("slow", 2),
        marker_only_deployment("idle", 3),
        deployment("old", 4),
    )
    names = [evaluation.deployment.name for evaluation in evaluations]
    uploads = [upload(f"{name}/a", DAY) for name in names if name != "idle"]

    kept = keep_uploading(evaluations, UploadListing(*uploads))

    changed = {"slow": [ReasonCode.IN_PROGRESS]}
    assert list_codes(kept) == list_codes(evaluations) | changed
    assert list_codes(kept)["idle"] == list_codes(kept)["old"] == [ReasonCode.SUPERSEDED]


def test_unreadable_uploads_keep_every_incomplete_deployment():
    kept = keep_uploading(SUPERSEDED, UploadListing(error=DeniedError("denied", "")))

    assert list_codes(kept) == {"new": [ReasonCode.KEEP_COUNT], "slow": [ReasonCode.IN_PROGRESS]}


def test_age_keeps_no_deployment_whose_deletion_a_resumed_run_has_started():
    young = evaluate_all(deployment("new", 0.2), marker_only_deployment("slow", 0.5))
    bucket = UploadListing(endpoint_url="https://minio.example.org")

    assert list_codes(keep_uploading(young, bucket))["slow"] == [ReasonCode.IN_PROGRESS]
    started = keep_uploading(young, bucket, started_deletions={"slow"})
    assert list_codes(started)["slow"] == [ReasonCode.SUPERSEDED]
    uploading = UploadListing(upload("slow/a", DAY), endpoint_url=bucket.endpoint_url)
    kept = keep_uploading(young, uploading, started_deletions={"slow"})
    assert list_codes(kept)["slow"] == [ReasonCode.IN_PROGRESS]


def test_added_reason_keeps_the_deployment_and_does_not_change_the_other_checks():
    _, before = SUPERSEDED
    reason = Reason(code=ReasonCode.LIVE, message="a message")

    after = before.with_reason(reason)

    assert after.checks[:-1] == before.checks
    assert after.decision.reasons == (reason,)
    assert after == replace(before, checks=after.checks)
