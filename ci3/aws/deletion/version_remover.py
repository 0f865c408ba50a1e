"""Delete object versions and delete markers by their IDs."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ci3.aws.deletion.delete_xml import DeleteKey
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.requests import DeleteRequests
from ci3.core.model.objects import NULL_VERSION_ID
from ci3.errors import GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class VersionRemover:
    """Deletes versions and delete markers by ID; its client can do nothing else."""

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._requests = DeleteRequests(client, bucket)

    def disable_retries(self) -> None:
        """Disable botocore's retries; see `DeleteRequests`."""
        self._requests.disable_retries()

    def remove_versions(
        self,
        versions: Sequence[tuple[str, str]],
        *,
        is_null_allowed: bool = False,
        may_continue: Callable[[], bool] = lambda: True,
    ) -> Mapping[tuple[str, str], KeyOutcome]:
        """Permanently delete up to 1,000 (key, version ID) pairs; return the outcome of each.

        Raises GateError, before anything is sent, where an ID is missing, since that request would
        delete the current object, and for the ID `null` unless `is_null_allowed`. A version that is
        locked or needs MFA is `denied`. For `may_continue` see `BucketWriter.delete_objects`.
        """
        for key, version_id in versions:
            if not version_id:
                raise GateError(f"request to remove a version of {key!r} without its ID")
            if version_id == NULL_VERSION_ID and not is_null_allowed:
                raise GateError(f"request to remove the null version of {key!r}")
        delete_keys = [DeleteKey(key=key, version_id=version_id) for key, version_id in versions]
        return {
            (delete_key.key, delete_key.version_id): outcome
            for delete_key, outcome in self._requests.delete_keys(delete_keys, may_continue).items()
        }
