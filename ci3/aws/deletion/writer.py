"""The face that deletes: objects, on condition where S3 can, and unfinished uploads."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import botocore.exceptions

from ci3.aws.deletion.conditional_probe import Slot, probe_guard
from ci3.aws.deletion.delete_xml import Doomed
from ci3.aws.deletion.outcomes import NO_ANSWER, KeyOutcome, done, refused, unanswered
from ci3.aws.deletion.requests import DeleteRequests
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import DeleteGuard, GuardProbe
from ci3.errors import GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class BucketWriter:
    """Deletes objects and aborts uploads; its client can do nothing else.

    Until `probe` has found that S3 honours it, no deletion is sent with a condition.
    """

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._client = client
        self._requests = DeleteRequests(client, bucket)

    @property
    def address(self) -> str:
        """Where its requests go."""
        return self._client.meta.endpoint_url

    def probe(self, prefix: str, versioning: Versioning, slot: Slot | None = None) -> GuardProbe:
        """Find out whether this S3 honours a condition, and hold later deletions to it if so.

        If not, no request is sent again but by the caller, who can look first what has changed.
        Only keys that nobody has are asked for; `conditional_probe` says what may be left behind.
        Each request holds the `slot` while it is out; without one, two may be out at once.
        """
        found = probe_guard(self._requests, prefix, versioning, slot or nullcontext())
        if found.guard is not DeleteGuard.ETAG:
            self._requests.leave_resending_to_caller()
        return found

    def delete(self, objects: Sequence[StoredObject]) -> Mapping[str, KeyOutcome]:
        """Delete up to 1,000 objects; give the outcome of each key.

        A key that the answer does not speak of is `unknown`. Where conditions are in force, an
        object whose listing gave no ETag is not sent, and is `failed`. Never raises for what S3
        answers.
        """
        doomed = [Doomed(stored.key, stored.etag) for stored in objects]
        return {one.key: said for one, said in self._requests.send(doomed).items()}

    def abort_upload(self, key: str, upload_id: str) -> KeyOutcome:
        """Abort a multipart upload, which frees its parts; one that is gone is `absent`."""
        if not upload_id:
            # The request would be one to delete the object.
            raise GateError(f"an upload to {key!r} was to be aborted without its id")
        try:
            answer = self._client.abort_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id
            )
        except botocore.exceptions.ClientError as exc:
            return refused(exc, is_of_one_key=True)
        except NO_ANSWER as exc:
            return unanswered(exc)
        return done(answer)
