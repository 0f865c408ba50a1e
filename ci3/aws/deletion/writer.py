"""Delete objects, conditionally where S3 can, and abort unfinished uploads."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

import botocore.exceptions

from ci3.aws.deletion.conditional_probe import Slot, probe_conditional_deletes
from ci3.aws.deletion.delete_xml import DeleteKey
from ci3.aws.deletion.outcomes import (
    NO_RESPONSE_ERRORS,
    KeyOutcome,
    outcome_from_error,
    outcome_from_response,
    outcome_without_response,
)
from ci3.aws.deletion.requests import DeleteRequests
from ci3.core.model.deployment import Versioning
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import GuardProbe
from ci3.errors import GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class BucketWriter:
    """Deletes objects and aborts uploads; its client can do nothing else.

    Deletions are conditional only after `probe_conditional_deletes` found that S3 honors that.
    """

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._client = client
        self._requests = DeleteRequests(client, bucket)

    @property
    def endpoint_url(self) -> str:
        """The endpoint URL of its requests."""
        return self._client.meta.endpoint_url

    def probe_conditional_deletes(
        self, prefix: str, versioning: Versioning, slot: Slot | None = None
    ) -> GuardProbe:
        """Test whether this S3 honors conditional deletes; if so, make later ones conditional.

        Then botocore's retries are disabled: the caller retries, and checks first what has changed.
        Only keys that do not exist are named; `conditional_probe` says what may be left behind.
        Each request holds the `slot`; without one, several requests may run at once.
        """
        result = probe_conditional_deletes(
            self._requests, prefix, versioning, slot or nullcontext()
        )
        self._requests.disable_retries()
        return result

    def delete_objects(
        self, objects: Sequence[StoredObject], may_continue: Callable[[], bool] = lambda: True
    ) -> Mapping[str, KeyOutcome]:
        """Delete up to 1,000 objects and return the outcome of each key.

        A key that is not in the response is `unknown`. Where deletions are conditional, an object
        listed without an ETag is not sent, and is `failed`. Where several requests are needed, the
        keys that were not sent because of `may_continue` have no outcome; see `DeleteRequests`.
        Never raises for an error of S3.
        """
        keys = [DeleteKey(stored.key, stored.etag) for stored in objects]
        outcomes = self._requests.delete_keys(keys, may_continue)
        return {key.key: outcome for key, outcome in outcomes.items()}

    def abort_upload(self, key: str, upload_id: str) -> KeyOutcome:
        """Abort a multipart upload, which frees its parts; one that does not exist is `absent`."""
        if not upload_id:
            # Without an ID, the request would delete the object.
            raise GateError(f"request to abort an upload to {key!r} without its ID")
        try:
            response = self._client.abort_multipart_upload(
                Bucket=self.bucket, Key=key, UploadId=upload_id
            )
        except botocore.exceptions.ClientError as exc:
            return outcome_from_error(exc, is_single_key=True)
        except NO_RESPONSE_ERRORS as exc:
            return outcome_without_response(exc)
        return outcome_from_response(response)
