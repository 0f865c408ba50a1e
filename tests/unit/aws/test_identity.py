"""Who asks, as STS says it; an STS of AWS is not shown the keys of another S3."""

import pytest

from ci3.aws.identity import read_caller_arn
from ci3.errors import AccessError
from tests.support.golden import assert_messages
from tests.support.s3.fault_proxy import FaultProxy


def ask(*, is_aws: bool = False) -> str:
    return read_caller_arn(region="us-east-1", is_aws=is_aws, credentials=None)


def test_identity_is_told_where_an_sts_is_configured(s3_url: str, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_url)
    assert ask().startswith("arn:aws:sts::123456789012:")


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"])
def test_aws_is_not_asked_about_the_keys_of_another_s3(
    monkeypatch, closed_port_url: str, region: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", closed_port_url)  # asking would fail
    assert read_caller_arn(region=region, is_aws=False, credentials=None) == ""


def test_aws_is_asked_about_its_own_keys(monkeypatch, closed_port_url: str, pauses) -> None:
    monkeypatch.setenv("HTTPS_PROXY", closed_port_url)
    with pytest.raises(AccessError, match=r"sts\.us-east-1\.amazonaws\.com"):
        ask(is_aws=True)


def test_answer_without_a_name_is_an_error(proxy: FaultProxy, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    proxy.answer("POST", "/", "<html><body>log in</body></html>")
    with pytest.raises(AccessError) as caught:
        ask()
    assert_messages(__file__, [("an answer that is not STS's", caught.value)])
