from collections.abc import Iterator

import pytest

from tests.support.s3.bucket import Bucket
from tests.support.version_deletion import OLD_PREFIXES, list_versions, list_versions_to_delete


@pytest.fixture
def seeded_site(site: Bucket) -> Iterator[Bucket]:
    """A versioned site with one deployment to keep and two to delete.

    `old-1` has two noncurrent versions of one key, and a key with a delete marker. After the test,
    all versions outside the deployments to delete must be unchanged.
    """
    site.enable_versioning()
    site.put("index.html", days=90)
    site.put("old-1", days=90)
    for days in (70, 60):
        site.put("old-1/file-00000", days=days, body=b"older")
    site.put("old-1/removed", days=60)
    site.remove("old-1/removed")
    site.put("new/file-00000", days=50)
    site.put("new/removed", days=50)
    site.remove("new/removed")
    site.deploy("new", days=1)
    for days, name in enumerate(OLD_PREFIXES, start=10):
        site.deploy(name.rstrip("/"), days=days)

    def list_kept_versions() -> dict[tuple[str, str], str]:
        return {
            version: description
            for version, description in list_versions(site).items()
            if not version[0].startswith(OLD_PREFIXES)
        }

    before = list_kept_versions()
    assert (len(before), len(list_versions_to_delete(site))) == (8, 10)
    yield site
    assert list_kept_versions() == before
