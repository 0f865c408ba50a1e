"""Credentials of a role, from the in-process STS behind a proxy."""

from collections.abc import Callable, Iterator

import pytest

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.aws.credentials import assume_role
from tests.support.github.fake_oidc import ISSUER, SUBJECT, make_token
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.aws.credentials.sts import ROLE, Clock, open_reader


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _aws(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the proxy as the endpoint of all services; S3 has it as a setting."""
    for service in ("STS", "SSM", "CLOUDFRONT"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", proxy.url)


@pytest.fixture
def fetched_tokens() -> list[str]:
    """Return the list of all web identity tokens that were fetched."""
    return []


@pytest.fixture
def assume(clock: Clock, fetched_tokens: list[str]) -> Callable[..., Credentials]:
    def fetch() -> str:
        claims = {"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": SUBJECT}
        fetched_tokens.append(make_token(**claims, jti=len(fetched_tokens)))
        return fetched_tokens[-1]

    def assume(fetch_web_identity_token: Callable[[], str] | None = fetch) -> Credentials:
        return assume_role(
            ROLE,
            region="",
            session_name="ci3-42",
            fetch_web_identity_token=fetch_web_identity_token,
            clock=clock,
        )

    return assume


@pytest.fixture
def reader(site: Bucket, assume: Callable[..., Credentials]) -> Iterator[BucketReader]:
    return open_reader(site, assume())
