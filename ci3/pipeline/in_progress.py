"""Read into which deployments something may still be uploaded."""

from collections.abc import Collection, Iterable
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.core.model.decision import Decision, Reason
from ci3.core.model.deployment import Deployment
from ci3.core.retention.evaluation import Evaluation
from ci3.core.retention.in_progress import RecentUploads, select_recent
from ci3.errors import describe_error


def keep_uploading_deployments(
    bucket: BucketReader,
    prefix: str,
    evaluations: tuple[Evaluation, ...],
    now: datetime,
    started_deletions: Collection[str] = (),
) -> tuple[Evaluation, ...]:
    """Keep incomplete deployments into which something may still be uploaded.

    The uploads are listed only if an incomplete deployment would be deleted. No other decision
    depends on it: an incomplete deployment takes no place and supersedes nothing. Those named in
    `started_deletions` are incomplete because the run that is resumed has begun to delete them, so
    that their age says nothing.
    """
    to_delete = (evaluation.deployment for evaluation in evaluations if evaluation.is_delete)
    reasons = _find_reasons(bucket, prefix, to_delete, now, started_deletions)
    return tuple(
        evaluation.with_reason(reasons[evaluation.deployment.name])
        if evaluation.deployment.name in reasons
        else evaluation
        for evaluation in evaluations
    )


def find_uploading(
    bucket: BucketReader, prefix: str, decisions: Iterable[Decision], now: datetime
) -> dict[str, str]:
    """Return the incomplete deployments that are uploading right before their deletion.

    Names are mapped to the reason. No request is sent if all are complete. The plan has kept what
    was too young, so that only uploads are looked at.
    """
    deployments = {decision.deployment.name: decision.deployment for decision in decisions}
    reasons = _find_reasons(bucket, prefix, deployments.values(), now, deployments)
    return {name: reason.message for name, reason in reasons.items()}


def _find_reasons(
    bucket: BucketReader,
    prefix: str,
    deployments: Iterable[Deployment],
    now: datetime,
    may_be_young: Collection[str],
) -> dict[str, Reason]:
    """Return why incomplete deployments among these must be kept, by name."""
    incomplete = [deployment for deployment in deployments if not deployment.is_complete]
    if not incomplete:
        return {}
    uploads = _list_recent_uploads(bucket, prefix, now)
    reasons = {
        deployment.name: uploads.find_reason(
            deployment, now, may_be_young=deployment.name in may_be_young
        )
        for deployment in incomplete
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _list_recent_uploads(bucket: BucketReader, prefix: str, now: datetime) -> RecentUploads:
    """List the uploads under a prefix; any error means that they are not known."""
    try:
        uploads = [upload for page in bucket.list_uploads(prefix) for upload in page]
    except Exception as exc:  # noqa: BLE001 - what is not known must be kept
        return RecentUploads(problem=describe_error(exc))
    return select_recent(uploads, now, may_be_incomplete=bool(bucket.endpoint_url))
