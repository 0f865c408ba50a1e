"""Who asks: what STS says of the credentials in use."""

import re
from typing import Final

from ci3.aws.client import Credentials, make_service_client, open_session, translated
from ci3.errors import AccessError

IDENTITY_OPERATIONS: Final = frozenset({"GetCallerIdentity"})
_OF_AWS: Final = re.compile(r"https://sts\.([a-z0-9-]+\.)?amazonaws\.com(\.cn)?/?")


def find_identity(*, region: str, is_aws: bool, credentials: Credentials | None) -> str:
    """Give the ARN of whoever asks, or nothing where there is no STS to ask.

    Where the bucket is not at AWS, AWS's own STS is not shown its keys. Raises AccessError.
    """
    client = make_service_client(
        "sts", region=region, operations=IDENTITY_OPERATIONS, session=open_session(credentials)
    )
    try:
        if not is_aws and _OF_AWS.fullmatch(client.meta.endpoint_url):
            return ""
        with translated("asking who this is", "STS"):
            return str(client.get_caller_identity()["Arn"])
    except KeyError as exc:  # botocore takes any XML for STS's
        raise AccessError(
            "asking who this is: the answer could not be read as STS's",
            "Check that no proxy or login page answers for STS.",
        ) from exc
    finally:
        client.close()
