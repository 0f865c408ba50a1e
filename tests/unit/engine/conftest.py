"""Fixtures for the engine's tests."""

import pytest

from ci3.aws.bucket import BucketReader
from tests.support.s3.bucket import Bucket


@pytest.fixture
def shop(site: Bucket) -> Bucket:
    """A bucket with four deployments of four files."""
    for number in range(4):
        site.deploy(f"shop-{number}", days=1 + number, files=4)
    return site


@pytest.fixture
def reader(shop: Bucket) -> BucketReader:
    """A reader of the shop."""
    return BucketReader(bucket=shop.name, region="us-east-1", endpoint_url=shop.endpoint_url)
