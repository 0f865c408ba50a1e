"""AWS's partitions are those of botocore's data."""

import pytest

from ci3.aws.partitions import is_default_endpoint, list_dns_suffixes
from ci3.core.model.service_url import AWS_DNS_SUFFIXES, is_aws_host, is_aws_url


def test_domains_in_core_are_those_of_botocore() -> None:
    assert sorted(AWS_DNS_SUFFIXES) == sorted(list_dns_suffixes())


@pytest.mark.parametrize("suffix", list_dns_suffixes())
def test_hosts_of_every_partition_are_recognized(suffix: str) -> None:
    assert is_aws_host(suffix)
    for host in (f"s3.{suffix}", f"s3.eu-west-1.{suffix}", f"s3-eu-west-1.{suffix}"):
        assert is_aws_url(f"https://{host}")
        assert is_default_endpoint(f"https://{host}/", "s3")
    assert is_aws_url(f"https://bucket.vpce-1a2b.s3.eu-west-1.vpce.{suffix}:443")


@pytest.mark.parametrize(
    "url",
    [
        "http://s3.amazonaws.com",
        "https://s3.amazonaws.com:8443",
        "https://s3.amazonaws.com/bucket",
        "https://s3.amazonaws.com?x",
        "https://sts.amazonaws.com",
        "https://x.s3.eu-west-1.amazonaws.com",
        "https://user@s3.amazonaws.com",
        "https://s3.amazonaws.com.example.org",
        "https://s3.notamazonaws.com",
        "",
    ],
)
def test_other_url_is_recorded_as_a_setting(url: str) -> None:
    assert not is_default_endpoint(url, "s3")
