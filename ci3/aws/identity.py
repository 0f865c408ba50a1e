"""Find out which identity the credentials belong to, by asking STS."""

from typing import Final

from ci3.aws.client import Credentials, open_service_client
from ci3.aws.client_errors import translate_errors
from ci3.aws.partitions import is_default_endpoint

IDENTITY_OPERATIONS: Final = frozenset({"GetCallerIdentity"})


def read_caller_arn(*, region: str, is_aws: bool, credentials: Credentials | None) -> str:
    """Return the ARN of the caller, or "" where there is no STS to ask.

    Credentials of a bucket outside AWS are not sent to AWS's STS. Raises AccessError.
    """
    with open_service_client(
        "sts", region=region, operations=IDENTITY_OPERATIONS, credentials=credentials
    ) as client:
        if not is_aws and is_default_endpoint(client.meta.endpoint_url, "sts"):
            return ""
        with translate_errors("reading the caller identity", "STS"):
            return str(client.get_caller_identity()["Arn"])
