"""Fixtures for the engine's tests."""

from collections.abc import Iterator

import pytest

from bench.servers import MemoryServer, running_memory_server
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


@pytest.fixture(scope="session")
def memory_server() -> Iterator[MemoryServer]:
    """The benchmark's S3 in a separate process; each test prepares its bucket."""
    with running_memory_server() as server:
        yield server
