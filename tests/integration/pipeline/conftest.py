import pytest

from tests.support.s3.bucket import Bucket


@pytest.fixture
def furnished(site: Bucket) -> Bucket:
    """Six deployments of three files, `d0` the newest; with keep-count 2 four of them go."""
    for number in range(6):
        site.deploy(f"d{number}", days=10 * number + 1)
    return site
