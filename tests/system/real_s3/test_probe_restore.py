"""`ci3 doctor --probe-restore` on a real S3 server: what it finds, and that nothing is left."""

import json

import pytest

from tests.support.s3.seaweedfs import SeaweedFS

ROUND = {f"v1/{name}": b"x" for name in "abc"}


@pytest.fixture(scope="module")
def buckets(seaweedfs: SeaweedFS) -> SeaweedFS:
    seaweedfs.seed(
        {"probe-versioned": [ROUND], "probe-plain": [ROUND]}, versioned=["probe-versioned"]
    )
    return seaweedfs


def examine(ci3, bucket: str) -> tuple[int, dict[str, dict]]:
    code, out, err = ci3("doctor", "--bucket", bucket, "--probe-restore", "--output", "json")
    assert out, err
    return code, {finding["topic"]: finding for finding in json.loads(out)["findings"]}


def stored(server: SeaweedFS, bucket: str) -> set[tuple[str, str]]:
    answer = server.client.list_object_versions(Bucket=bucket)
    entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
    return {(entry["Key"], entry["VersionId"]) for entry in entries}


def test_versioned_bucket_is_probed_and_nothing_is_left(buckets: SeaweedFS, ci3) -> None:
    before = stored(buckets, "probe-versioned")
    code, found = examine(ci3, "probe-versioned")
    assert (code, found["restore"]["level"]) == (0, "ok"), found["restore"]
    assert stored(buckets, "probe-versioned") == before
    assert "leftover" not in found


def test_bucket_without_versions_is_refused(buckets: SeaweedFS, ci3) -> None:
    before = buckets.content("probe-plain")
    code, found = examine(ci3, "probe-plain")
    assert (code, found["restore"]["level"]) == (4, "problem")
    assert buckets.content("probe-plain") == before
