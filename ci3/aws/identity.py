"""Find out which identity the credentials belong to, by asking STS."""

import re
from typing import Final

from ci3.aws.client import Credentials, open_service_client
from ci3.aws.client_errors import translate_errors

IDENTITY_OPERATIONS: Final = frozenset({"GetCallerIdentity"})
_AWS_STS_URL: Final = re.compile(r"https://sts\.([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?")


def read_caller_arn(*, region: str, is_aws: bool, credentials: Credentials | None) -> str:
    """Return the ARN of the caller, or "" where there is no STS to ask.

    Credentials of a bucket outside AWS are not sent to AWS's STS. Raises AccessError.
    """
    with open_service_client(
        "sts", region=region, operations=IDENTITY_OPERATIONS, credentials=credentials
    ) as client:
        if not is_aws and _AWS_STS_URL.fullmatch(client.meta.endpoint_url):
            return ""
        with translate_errors("asking who this is", "STS"):
            return str(client.get_caller_identity()["Arn"])
