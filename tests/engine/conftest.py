"""Fixtures of the engine's tests."""

import pytest

from ci3.aws.bucket import BucketReader
from ci3.engine.workers import worker_process as fork
from tests.s3 import Bucket


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this Python be copied, though the tests have threads, and the machine may have one core.

    Who uses it has the warning ignored that newer Pythons give of it.
    """
    monkeypatch.setattr(fork, "_is_alone", lambda: True)
    monkeypatch.setattr(fork, "_count_cores", lambda: 2)


@pytest.fixture
def shop(site: Bucket) -> Bucket:
    """A bucket with four deployments of four files."""
    for number in range(4):
        site.deploy(f"shop-{number}", days=1 + number, files=4)
    return site


@pytest.fixture
def reader(shop: Bucket) -> BucketReader:
    """Reads the shop."""
    return BucketReader(bucket=shop.name, region="us-east-1", endpoint_url=shop.endpoint_url)
