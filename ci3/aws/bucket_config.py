"""What a bucket is like as a whole: versions, lock, region."""

from typing import TYPE_CHECKING

import botocore.exceptions

from ci3.aws.client import error_code, translated
from ci3.core.doctor.facts import ObjectLock
from ci3.core.model.deployment import Versioning, VersioningState

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_NO_LOCK = ("ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound")
_STATES = {None: Versioning.DISABLED, "Enabled": Versioning.ENABLED,
           "Suspended": Versioning.SUSPENDED}  # fmt: skip


def versioning_state(client: "S3Client", bucket: str) -> VersioningState:
    """Read whether a bucket keeps versions, and wants MFA to remove one; raises AccessError."""
    with translated(f"reading the versioning of s3://{bucket}"):
        answer = client.get_bucket_versioning(Bucket=bucket)
    return VersioningState(
        versioning=_STATES.get(answer.get("Status"), Versioning.UNKNOWN),
        needs_mfa=answer.get("MFADelete") == "Enabled",
    )


def object_lock(client: "S3Client", bucket: str) -> "ObjectLock":
    """Read whether a bucket's versions may be locked; raises AccessError."""
    with translated(f"reading the object lock of s3://{bucket}"):
        try:
            answer = client.get_object_lock_configuration(Bucket=bucket)
        except botocore.exceptions.ClientError as exc:
            if error_code(exc) in _NO_LOCK:
                return ObjectLock(is_enabled=False)
            raise
    lock = answer.get("ObjectLockConfiguration", {})
    term = lock.get("Rule", {}).get("DefaultRetention", {})
    number, unit = (term["Years"], "year") if "Years" in term else (term.get("Days", 0), "day")
    plural = "" if number == 1 else "s"
    default = f"{number} {unit}{plural} ({term.get('Mode', '').lower()})" if number else ""
    return ObjectLock(is_enabled=lock.get("ObjectLockEnabled") == "Enabled", default=default)


def stated_region(client: "S3Client", bucket: str, prefix: str) -> str:
    """Read in which region a bucket says it is, or nothing where it does not; one LIST request.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    with translated(f"listing s3://{bucket}/{prefix}"):
        answer = client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=1)
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))
