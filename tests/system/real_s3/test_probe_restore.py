"""`ci3 doctor --probe-restore` on a real S3 server: what it finds, and that nothing is left."""

import json

from tests.support.s3.seaweedfs import SeaweedFS


def examine(ci3, bucket: str) -> tuple[int, dict[str, dict]]:
    code, out, err = ci3("doctor", "--bucket", bucket, "--probe-restore", "--output", "json")
    assert out, err
    return code, {finding["topic"]: finding for finding in json.loads(out)["findings"]}


def stored(server: SeaweedFS, bucket: str) -> set[tuple[str, str]]:
    answer = server.client.list_object_versions(Bucket=bucket)
    entries = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
    return {(entry["Key"], entry["VersionId"]) for entry in entries}


def test_versioned_bucket_is_probed_and_nothing_is_left(seaweedfs: SeaweedFS, ci3) -> None:
    before = stored(seaweedfs, "probe-versioned")
    code, found = examine(ci3, "probe-versioned")
    assert (code, found["restore"]["level"]) == (0, "ok"), found["restore"]
    assert stored(seaweedfs, "probe-versioned") == before
    assert "leftover" not in found


def test_bucket_without_versions_is_refused(seaweedfs: SeaweedFS, ci3) -> None:
    before = seaweedfs.content("probe-plain")
    code, found = examine(ci3, "probe-plain")
    assert (code, found["restore"]["level"]) == (4, "problem")
    assert seaweedfs.content("probe-plain") == before
