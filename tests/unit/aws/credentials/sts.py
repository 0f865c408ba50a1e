"""The STS server behind the proxy: its responses, and the requests to it and to S3."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request

ROLE = "arn:aws:iam::123456789012:role/clean-my-site"


STS = "^/$"


class Clock:
    """A clock that is ahead of the real time."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def open_reader(site: Bucket, credentials: Credentials) -> BucketReader:
    return BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, credentials=credentials
    )


def request_listing(reader: BucketReader) -> None:
    list(reader.list_pages(""))


def list_signers(requests: list[Request]) -> list[str]:
    """Return the access key that signed each request; empty for an unsigned one."""
    matches = (
        re.search("Credential=([^/]+)/", request.headers.get("Authorization", ""))
        for request in requests
    )
    return [match[1] if match else "" for match in matches]


def list_sts_requests(proxy: FaultProxy) -> list[dict[str, str]]:
    """Return the parameters of the requests to STS, in order."""
    return [
        {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        for request in proxy.find_requests("POST", STS)
        if b"AssumeRole" in request.body
    ]


def list_s3_signers(proxy: FaultProxy) -> list[str]:
    return list_signers(proxy.find_requests("GET", "list-type=2"))


def set_lifetime(length: timedelta) -> Callable[[bytes], bytes]:
    """Return a function that changes the expiration in an STS response to `length` from now."""
    until = f"{datetime.now(UTC) + length:%Y-%m-%dT%H:%M:%SZ}".encode()
    return lambda body: re.sub(b"<Expiration>.*?<", b"<Expiration>" + until + b"<", body)


def format_sts_error(code: str) -> str:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>a message</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    )
