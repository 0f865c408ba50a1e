"""The STS behind the proxy: its answers, and what was requested from it and from S3."""

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
    """The real time, and what was added to it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def open_reader(site: Bucket, credentials: Credentials) -> BucketReader:
    return BucketReader(
        bucket=site.name, region="", endpoint_url=site.endpoint_url, credentials=credentials
    )


def look(reader: BucketReader) -> None:
    list(reader.list_pages(""))


def signers(requests: list[Request]) -> list[str]:
    """With which access key each request was signed; empty for none."""
    found = (
        re.search("Credential=([^/]+)/", request.headers.get("Authorization", ""))
        for request in requests
    )
    return [request[1] if request else "" for request in found]


def asked(proxy: FaultProxy) -> list[dict[str, str]]:
    """What STS was asked, in order."""
    return [
        {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        for request in proxy.find_requests("POST", STS)
        if b"AssumeRole" in request.body
    ]


def s3_signers(proxy: FaultProxy) -> list[str]:
    return signers(proxy.find_requests("GET", "list-type=2"))


def lasting(length: timedelta) -> Callable[[bytes], bytes]:
    """Change STS's answer: the credentials last so long."""
    until = f"{datetime.now(UTC) + length:%Y-%m-%dT%H:%M:%SZ}".encode()
    return lambda body: re.sub(b"<Expiration>.*?<", b"<Expiration>" + until + b"<", body)


def sts_error(code: str) -> str:
    return (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>a message</Message></Error>"
        "<RequestId>1</RequestId></ErrorResponse>"
    )
