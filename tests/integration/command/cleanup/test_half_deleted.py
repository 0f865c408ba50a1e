"""A deployment that a killed run has half deleted does not supersede any other."""

import pytest

from tests.support.crash import crash, resume, small_batches
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def remove(site: Bucket, name: str, files: int) -> None:
    """Take away the first files of a deployment."""
    for number in range(files):
        site.remove(f"{name}/file-{number:05}")


@pytest.fixture(params=["span", "first-object"])
def killed(
    site: Bucket,
    proxy: FaultProxy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Bucket:
    """`old-1` is half deleted by a run that was killed; `old-2` was to go next."""
    small_batches(monkeypatch)
    site.deploy("new", days=1)
    site.deploy("old-1", days=10)
    site.deploy("old-2", days=20)
    crash(site, proxy, 1, is_done=True, options=("--age-from", request.param))
    return site


def test_resumed_run_does_not_go_by_what_it_has_half_deleted(killed: Bucket, capsys) -> None:
    remove(killed, "new", 3)

    assert resume() == 3

    assert killed.folders() == {"old-1", "old-2"}
    assert len([key for key in killed.content() if key.startswith("old-2/")]) == 3
