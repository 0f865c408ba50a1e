import pytest

from tests.support.s3.bucket import Bucket


@pytest.fixture
def seeded_site(site: Bucket) -> Bucket:
    """Six deployments of three files; `d0` is the newest. With keep-count 2, four are deleted."""
    for number in range(6):
        site.deploy(f"d{number}", days=10 * number + 1)
    return site
