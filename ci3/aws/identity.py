"""Find out which identity the credentials belong to, by asking STS."""

import re
from typing import Final

from ci3.aws.client import Credentials, make_service_client, open_session, translate_errors
from ci3.errors import AccessError

IDENTITY_OPERATIONS: Final = frozenset({"GetCallerIdentity"})
_AWS_STS_URL: Final = re.compile(r"https://sts\.([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?")


def read_caller_arn(*, region: str, is_aws: bool, credentials: Credentials | None) -> str:
    """Return the ARN of the caller, or "" where there is no STS to ask.

    Credentials of a bucket outside AWS are not sent to AWS's STS. Raises AccessError.
    """
    client = make_service_client(
        "sts", region=region, operations=IDENTITY_OPERATIONS, session=open_session(credentials)
    )
    try:
        if not is_aws and _AWS_STS_URL.fullmatch(client.meta.endpoint_url):
            return ""
        with translate_errors("asking who this is", "STS"):
            return str(client.get_caller_identity()["Arn"])
    except KeyError as exc:  # botocore accepts any XML as STS's
        raise AccessError(
            "asking who this is: the answer could not be read as STS's",
            "Check that no proxy or login page answers for STS.",
        ) from exc
    finally:
        client.close()
