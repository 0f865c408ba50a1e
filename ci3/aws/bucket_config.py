"""Read settings of a whole bucket: versioning, object lock, region."""

from typing import TYPE_CHECKING

import botocore.exceptions

from ci3.aws.client_errors import get_error_code, translate_errors
from ci3.core.doctor.facts import ObjectLock
from ci3.core.model.deployment import Versioning, VersioningState

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_NO_LOCK_CODES = ("ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound")
_STATES_BY_STATUS = {None: Versioning.DISABLED, "Enabled": Versioning.ENABLED,
           "Suspended": Versioning.SUSPENDED}  # fmt: skip


def read_versioning_state(client: "S3Client", bucket: str) -> VersioningState:
    """Return whether a bucket keeps versions and needs MFA to delete one; raises AccessError."""
    with translate_errors(f"reading the versioning of s3://{bucket}"):
        response = client.get_bucket_versioning(Bucket=bucket)
    return VersioningState(
        versioning=_STATES_BY_STATUS.get(response.get("Status"), Versioning.UNKNOWN),
        has_mfa_delete=response.get("MFADelete") == "Enabled",
    )


def read_object_lock(client: "S3Client", bucket: str) -> "ObjectLock":
    """Return whether a bucket has Object Lock, and its default retention; raises AccessError."""
    with translate_errors(f"reading the object lock of s3://{bucket}"):
        try:
            response = client.get_object_lock_configuration(Bucket=bucket)
        except botocore.exceptions.ClientError as exc:
            if get_error_code(exc) in _NO_LOCK_CODES:
                return ObjectLock(is_enabled=False)
            raise
    lock = response.get("ObjectLockConfiguration", {})
    retention = lock.get("Rule", {}).get("DefaultRetention", {})
    number, unit = (
        (retention["Years"], "year") if "Years" in retention else (retention.get("Days", 0), "day")
    )
    plural = "" if number == 1 else "s"
    default = f"{number} {unit}{plural} ({retention.get('Mode', '').lower()})" if number else ""
    return ObjectLock(is_enabled=lock.get("ObjectLockEnabled") == "Enabled", default=default)


def read_bucket_region(client: "S3Client", bucket: str, prefix: str) -> str:
    """Return the bucket's region from a response header, or "" if there is none; one LIST request.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    with translate_errors(f"listing s3://{bucket}/{prefix}"):
        response = client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=1)
    return str(response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))
