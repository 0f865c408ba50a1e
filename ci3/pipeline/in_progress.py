"""Read into which deployments something may still be uploaded."""

from collections.abc import Iterable
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.core.model.decision import Decision
from ci3.core.retention.evaluation import Evaluation
from ci3.core.retention.in_progress import (
    RecentUploads,
    keep_uploading,
    needs_uploads,
    select_recent,
)
from ci3.errors import describe_error


def keep_uploading_deployments(
    bucket: BucketReader, prefix: str, evaluations: tuple[Evaluation, ...], now: datetime
) -> tuple[Evaluation, ...]:
    """Keep incomplete deployments into which something may still be uploaded.

    The uploads are listed only if an incomplete deployment would be deleted.
    """
    if not needs_uploads(evaluations):
        return evaluations
    return keep_uploading(evaluations, _list_recent_uploads(bucket, prefix, now), now)


def find_uploading(
    bucket: BucketReader, prefix: str, decisions: Iterable[Decision], now: datetime
) -> dict[str, str]:
    """Return the incomplete deployments that are uploading right before their deletion.

    Names are mapped to the reason. No request is sent if all are complete.
    """
    incomplete = [
        decision.deployment for decision in decisions if not decision.deployment.is_complete
    ]
    if not incomplete:
        return {}
    uploads = _list_recent_uploads(bucket, prefix, now)
    reasons = {deployment.name: uploads.find_reason(deployment, now) for deployment in incomplete}
    return {name: reason.message for name, reason in reasons.items() if reason is not None}


def _list_recent_uploads(bucket: BucketReader, prefix: str, now: datetime) -> RecentUploads:
    """List the uploads under a prefix; any error means that they are not known."""
    try:
        uploads = [upload for page in bucket.list_uploads(prefix) for upload in page]
    except Exception as exc:  # noqa: BLE001 - what is not known must be kept
        return RecentUploads(problem=describe_error(exc))
    return select_recent(uploads, now)
