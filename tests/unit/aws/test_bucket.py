"""The reader: its endpoint, the objects it reads, and the clients it opens."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Versioning
from ci3.errors import AccessError, GateError
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def make_reader(bucket: Bucket) -> BucketReader:
    return BucketReader(bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url)


@pytest.mark.parametrize(
    ("name", "url", "recorded"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_S3", "https://s3.example.org", "https://s3.example.org"),
        ("AWS_ENDPOINT_URL", "https://s3.eu-west-1.amazonaws.com", ""),
        ("AWS_ENDPOINT_URL", "https://s3.eusc-de-east-1.amazonaws.eu", ""),
        ("AWS_ENDPOINT_URL", "https://s3.cn-north-1.amazonaws.com.cn", ""),
        ("AWS_ENDPOINT_URL", "https://s3.amazonaws.example", "https://s3.amazonaws.example"),
        ("AWS_ENDPOINT_URL", "https://s3.a.b.amazonaws.eu", "https://s3.a.b.amazonaws.eu"),
        ("AWS_ENDPOINT_URL", "http://s3.amazonaws.eu", "http://s3.amazonaws.eu"),
        ("AWS_REGION", "eu-west-1", ""),
    ],
)
def test_endpoint_of_the_aws_configuration_is_recorded(monkeypatch, name, url, recorded):
    monkeypatch.setenv(name, url)
    reader = BucketReader(bucket="my-site", region="eu-west-1", endpoint_url="")
    assert reader.endpoint_url == recorded


@pytest.mark.parametrize(
    "region",
    ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1",
     "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"],
)  # fmt: skip
def test_bucket_of_every_partition_is_recognized_as_aws(region: str) -> None:
    reader = BucketReader(bucket="my-site", region=region, endpoint_url="")
    target = reader.describe_target("", Versioning.ENABLED)
    assert (target.endpoint_url, target.is_aws) == ("", True)


@pytest.mark.parametrize(("limit_bytes", "is_read"), [(5, True), (6, True), (4, False), (0, False)])
def test_object_is_read_completely_or_not_at_all(
    bucket: Bucket, limit_bytes: int, is_read: bool
) -> None:
    bucket.put("journals/run", body=b"12345")
    if is_read:
        assert make_reader(bucket).read_object("journals/run", limit_bytes) == b"12345"
    else:
        with pytest.raises(AccessError, match=rf"/journals/run\b.*\b{limit_bytes}\b"):
            make_reader(bucket).read_object("journals/run", limit_bytes)


def test_missing_object_is_an_error(bucket: Bucket) -> None:
    with pytest.raises(AccessError, match="NoSuchKey"):
        make_reader(bucket).read_object("journals/run", 100)


def test_keys_of_every_page_are_listed(bucket: Bucket) -> None:
    bucket.deploy("a", days=1, files=1001)
    bucket.put("ab/x")
    assert make_reader(bucket).list_keys("a/") == tuple(
        f"a/file-{number:05}" for number in range(1001)
    )


@pytest.mark.parametrize(
    "open_client",
    [
        lambda reader: reader.open_writer(),
        lambda reader: reader.open_version_remover(),
        lambda reader: reader.open_journal_store("journals/run"),
    ],
)
def test_client_for_another_endpoint_than_the_readers_is_refused(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, open_client
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.endpoint_url)
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url="")
    open_client(reader)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(GateError):
        open_client(reader)
    assert proxy.requests == []
