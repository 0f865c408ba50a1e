"""`ci3 doctor --probe-restore` on a real S3 server: its findings, and no leftovers."""

import json

from tests.support.s3.seaweedfs import SeaweedFS


def examine(ci3, bucket: str) -> tuple[int, dict[str, dict]]:
    code, out, err = ci3("doctor", "--bucket", bucket, "--probe-restore", "--output", "json")
    assert out, err
    return code, {finding["topic"]: finding for finding in json.loads(out)["findings"]}


def list_versions(server: SeaweedFS, bucket: str) -> set[tuple[str, str]]:
    page = server.client.list_object_versions(Bucket=bucket)
    entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return {(entry["Key"], entry["VersionId"]) for entry in entries}


def test_versioned_bucket_is_probed_and_nothing_is_left(seaweedfs: SeaweedFS, ci3) -> None:
    before = list_versions(seaweedfs, "probe-versioned")
    code, findings = examine(ci3, "probe-versioned")
    assert (code, findings["restore"]["level"]) == (0, "ok"), findings["restore"]
    assert list_versions(seaweedfs, "probe-versioned") == before
    assert "leftover" not in findings


def test_unversioned_bucket_is_refused(seaweedfs: SeaweedFS, ci3) -> None:
    before = seaweedfs.content("probe-plain")
    code, findings = examine(ci3, "probe-plain")
    assert (code, findings["restore"]["level"]) == (4, "problem")
    assert seaweedfs.content("probe-plain") == before
