"""The face that removes versions and delete markers, by their ids."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ci3.aws.deletion.delete_xml import Doomed
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.requests import DeleteRequests
from ci3.errors import GateError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NULL_VERSION = "null"
"""The version of an object that was written without versioning: S3 overwrites it in place."""


class VersionRemover:
    """Removes versions and delete markers, each named by its id; its client can do nothing else."""

    def __init__(self, *, bucket: str, client: "S3Client") -> None:
        self.bucket = bucket
        self._requests = DeleteRequests(client, bucket)

    def leave_resending_to_caller(self) -> None:
        """Send each request once; see `DeleteRequests`."""
        self._requests.leave_resending_to_caller()

    def remove(
        self, versions: Sequence[tuple[str, str]], *, may_name_null: bool = False
    ) -> Mapping[tuple[str, str], KeyOutcome]:
        """Remove up to 1,000 versions, as key and version id, for good; give the outcome of each.

        Raises GateError, and sends nothing, where an id is missing: the request would delete the
        current object. So does the id `null`, unless `may_name_null` says that it is meant. A
        locked version, or one that wants MFA, is `denied`.
        """
        for key, version_id in versions:
            if not version_id:
                raise GateError(f"a version of {key!r} was to be removed without its id")
            if version_id == NULL_VERSION and not may_name_null:
                raise GateError(f"the null version of {key!r} was to be removed")
        doomed = [Doomed(key=key, version_id=version_id) for key, version_id in versions]
        return {
            (one.key, one.version_id): said for one, said in self._requests.send(doomed).items()
        }
