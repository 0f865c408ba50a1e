"""Incomplete deployments that may still be uploading, which are kept whatever the rules say.

The times are those of S3, and `now` is the runner's. S3 accepts requests of clocks that differ by
up to 15 minutes, so that both limits are longer by as much. A time in the future is recent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ci3.core.formatting import format_age
from ci3.core.model.decision import Reason, ReasonCode
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import UnfinishedUpload

MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=15)
"""By how much S3's clock and the runner's may differ.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)
"""
MAX_OBJECT_AGE: Final = timedelta(hours=1) + MAX_CLOCK_DIFFERENCE
"""An incomplete deployment with a younger object may still be uploading."""
MAX_UPLOAD_AGE: Final = timedelta(hours=24) + MAX_CLOCK_DIFFERENCE
"""A multipart upload that was begun later may still be running."""


def has_recent_object(deployment: Deployment, now: datetime) -> bool:
    """Return True if an object of the deployment is so young that more may follow."""
    return deployment.newest_at is not None and now - deployment.newest_at < MAX_OBJECT_AGE


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentUploads:
    """The unfinished uploads that may still be running; `problem` says why they are not known.

    With `may_be_incomplete`, an S3 other than AWS listed them: MinIO lists the uploads of an exact
    key only, so that a listing by prefix is empty whatever is being uploaded.
    """

    uploads: Sequence[UnfinishedUpload] = ()
    problem: str = ""
    may_be_incomplete: bool = False

    def find_reason(
        self, deployment: Deployment, now: datetime, *, may_be_young: bool = False
    ) -> Reason | None:
        """Return why an incomplete deployment must be kept, or None.

        | uploads                              | the deployment |
        |--------------------------------------|----------------|
        | could not be listed                  | is kept        |
        | one in it was begun within 24 hours  | is kept        |
        | none, or older ones, or elsewhere    | is not kept    |

        In the last row, with `may_be_incomplete`, a deployment with an object of the last 24 hours
        is kept all the same, unless it `may_be_young`.
        """
        if self.problem:
            message = f"incomplete, and unfinished uploads could not be listed: {self.problem}"
            return Reason(code=ReasonCode.IN_PROGRESS, message=message)
        started_times = [
            upload.started_at for upload in self.uploads if upload.may_be_under(deployment.prefix)
        ]
        if not started_times:
            return None if may_be_young else self._find_reason_without_upload(deployment, now)
        age = format_age(max(now - max(started_times), timedelta(0)))
        message = f"incomplete; an upload to it started {age} and may still be running"
        return Reason(code=ReasonCode.IN_PROGRESS, message=message)

    def _find_reason_without_upload(self, deployment: Deployment, now: datetime) -> Reason | None:
        newest_at = deployment.newest_at
        if not self.may_be_incomplete or newest_at is None or now - newest_at >= MAX_UPLOAD_AGE:
            return None
        age = format_age(max(now - newest_at, timedelta(0)))
        message = (
            f"incomplete; newest object uploaded {age}, and stores other than AWS may not list "
            "running uploads"
        )
        return Reason(code=ReasonCode.IN_PROGRESS, message=message)


def select_recent(
    uploads: Iterable[UnfinishedUpload], now: datetime, *, may_be_incomplete: bool = False
) -> RecentUploads:
    """Return the uploads that may still be running."""
    return RecentUploads(
        uploads=[upload for upload in uploads if now - upload.started_at < MAX_UPLOAD_AGE],
        may_be_incomplete=may_be_incomplete,
    )
