"""The caller's identity from STS; keys of another S3 server are never sent to AWS."""

import pytest

from ci3.aws.identity import read_caller_arn
from ci3.errors import AccessError
from tests.support.golden import assert_messages
from tests.support.s3.fault_proxy import FaultProxy


def read_arn(*, is_aws: bool = False) -> str:
    return read_caller_arn(region="us-east-1", is_aws=is_aws, credentials=None)


def test_identity_is_read_from_a_configured_sts(s3_url: str, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_url)
    assert read_arn().startswith("arn:aws:sts::123456789012:")


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"])
def test_keys_of_another_s3_are_not_sent_to_aws(
    monkeypatch, closed_port_url: str, region: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", closed_port_url)  # asking would fail
    assert read_caller_arn(region=region, is_aws=False, credentials=None) == ""


def test_keys_of_aws_are_sent_to_aws(monkeypatch, closed_port_url: str, pauses) -> None:
    monkeypatch.setenv("HTTPS_PROXY", closed_port_url)
    with pytest.raises(AccessError, match=r"sts\.us-east-1\.amazonaws\.com"):
        read_arn(is_aws=True)


def test_response_without_an_arn_is_an_error(proxy: FaultProxy, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    proxy.answer("POST", "/", "<html><body>log in</body></html>")
    with pytest.raises(AccessError) as caught:
        read_arn()
    assert_messages(__file__, [("an answer that is not STS's", caught.value)])
