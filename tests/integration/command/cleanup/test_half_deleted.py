"""A deployment that a killed run deleted in part supersedes no other deployment."""

import pytest

from tests.support.crash import crash, resume, small_batches
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def remove(site: Bucket, name: str, files: int) -> None:
    """Delete the first files of a deployment."""
    for number in range(files):
        site.remove(f"{name}/file-{number:05}")


@pytest.fixture(params=["span", "first-object"])
def half_deleted_site(
    site: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Bucket:
    """A killed run deleted half of `old-1`, and `old-2` is the next to delete."""
    small_batches(monkeypatch)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    crash(site, proxy, 1, is_done=True, options=("--age-from", request.param))
    return site


def test_half_deleted_deployment_supersedes_nothing_in_a_resumed_run(
    half_deleted_site: Bucket, capsys
) -> None:
    remove(half_deleted_site, "new", 3)

    assert resume() == 3

    assert half_deleted_site.folders() == {"old-1", "old-2"}
    assert len([key for key in half_deleted_site.content() if key.startswith("old-2/")]) == 3
