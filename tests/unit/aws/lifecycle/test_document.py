"""Reading the lifecycle configuration: an unreadable one is an error, never "no rules"."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.lifecycle.configuration import ConfigurationText
from ci3.errors import AccessError
from tests.support.s3.answers import HTML, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

NOVEL = "<LifecycleConfiguration><Rule><Novelty/></Rule></LifecycleConfiguration>"


def read(site: Bucket) -> ConfigurationText:
    reader = BucketReader(bucket=site.name, region="us-east-1", endpoint_url=site.endpoint_url)
    return reader.read_lifecycle().text


def test_bucket_without_rules_has_an_empty_configuration(bucket: Bucket) -> None:
    assert read(bucket) == ConfigurationText()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, error("AccessDenied")),
        (501, error("NotImplemented")),
        (404, ""),
        (404, error("NoSuchBucket")),
        (500, error("InternalError")),
        (200, ""),
        (200, HTML.partition("\n")[2]),
        (200, "<LifecycleConfiguration/>"),
        (200, "<LifecycleConfiguration><Rule>"),
        (200, NOVEL),
    ],
)
def test_unreadable_rules_are_an_error(
    site: Bucket, proxy: FaultProxy, pauses: list[float], status: int, body: str
) -> None:
    proxy.answer("GET", "lifecycle", body, status=status)
    with pytest.raises(AccessError, match="s3://"):
        read(site)
