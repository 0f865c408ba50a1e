"""Deleting all versions on a real S3 server; another client lists the remaining versions."""

from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.model.result import DeleteGuard
from tests.support.cleanup_run import CleanupRun, apply_plan, make_context
from tests.support.s3.fault_proxy import FaultProxy, running_proxy
from tests.support.s3.seaweedfs import SeaweedFS, wait_for_tick
from tests.system.real_s3.conftest import FINAL, OLD

DELETE = r"\?delete"
LOCKED = "final-locked"


@pytest.fixture(scope="module")
def buckets(seaweedfs: SeaweedFS) -> SeaweedFS:
    """Return the server, with noncurrent versions and delete markers in `old` and `kept`."""
    client = seaweedfs.client
    client.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    client.put_object(
        Bucket=LOCKED,
        Key="old/locked",
        Body=b"1",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(hours=1),
    )
    client.put_object(Bucket=LOCKED, Key="old/locked", Body=b"above it")
    client.put_object(Bucket=LOCKED, Key="old/free", Body=b"2")
    versioning = client.put_bucket_versioning
    versioning(Bucket="final-null", VersioningConfiguration={"Status": "Enabled"})
    folders = [(name, folder) for name in FINAL for folder in ("old", "kept")]
    for name, folder in folders:
        client.put_object(Bucket=name, Key=f"{folder}/removed", Body=b"r")
        client.delete_object(Bucket=name, Key=f"{folder}/removed")
    # Only now: this server reports a deleted null marker as deleted, but does not delete it.
    versioning(Bucket="final-suspended", VersioningConfiguration={"Status": "Suspended"})
    for name, folder in folders:
        client.put_object(Bucket=name, Key=f"{folder}/a", Body=b"newer")
    wait_for_tick()
    for name in (*FINAL, LOCKED):
        client.put_object(Bucket=name, Key="new/index.html", Body=b"n")
    return seaweedfs


@pytest.fixture
def proxy(buckets, monkeypatch):
    """Return a proxy for the server that can act between two requests."""
    for name, value in buckets.environ().items():
        monkeypatch.setenv(name, value)
    with running_proxy(buckets.url) as proxy:
        yield proxy


def list_versions(server: SeaweedFS, bucket: str) -> dict[tuple[str, str], tuple[bool, int]]:
    """Return whether each version and delete marker is the latest, and its size."""
    page = server.client.list_object_versions(Bucket=bucket)
    return {
        (entry["Key"], entry["VersionId"]): (entry["IsLatest"], entry.get("Size", 0))
        for entry in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    }


class _ProxiedBucket:
    """A bucket of the server, reached through the proxy."""

    def __init__(self, name: str, proxy: FaultProxy) -> None:
        self.name = name
        self.endpoint_url = proxy.url


def run_cleanup(proxy: FaultProxy, bucket: str, act_after_plan=lambda: None) -> CleanupRun:
    context = make_context(
        _ProxiedBucket(bucket, proxy), delete_versions="true", protect="kept\nolder"
    )
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    act_after_plan()
    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))
    planned_counts = {
        decision.deployment.name: decision.deployment.deletion_count for decision in plan.to_delete
    }
    counts = {result.name: sum(result.counts.values()) for result in run.result.deployments}
    assert counts == planned_counts
    return run


@pytest.mark.parametrize("bucket", ["final", "final-null", "final-suspended"])
def test_all_versions_of_a_deleted_deployment_and_no_others_are_deleted(buckets, proxy, bucket):
    before = list_versions(buckets, bucket)
    deleted = {
        version: details for version, details in before.items() if version[0].startswith("old/")
    }
    assert len(deleted) >= len(OLD) + 3

    run = run_cleanup(proxy, bucket)

    assert run.exit_code == 0, run.result
    remaining = {version: details for version, details in before.items() if version not in deleted}
    assert list_versions(buckets, bucket) == remaining
    assert run.counts("old") == {"deleted": len(deleted)}
    assert run.result.bytes_deleted == sum(size for _, size in deleted.values())
    assert run.result.guard.guard is DeleteGuard.VERSION_ID
    assert any(version_id == "null" for _, version_id in deleted) is (bucket != "final")


def test_outcomes_of_lost_responses_are_resolved(buckets, proxy):
    proxy.drop("POST", DELETE, nth=1)
    proxy.drop("POST", DELETE, nth=3)

    run = run_cleanup(proxy, "final-lost")

    assert run.exit_code == 0, run.result
    assert set(run.counts("old")) <= {"deleted", "absent"}
    assert not any(key.startswith("old/") for key, _ in list_versions(buckets, "final-lost"))


def test_version_uploaded_between_listing_and_request_survives(buckets, proxy):
    new_version_ids = []

    def upload():
        response = buckets.client.put_object(Bucket="final-between", Key="old/é", Body=b"new")
        new_version_ids.append(response["VersionId"])

    current = {
        (key, version_id)
        for (key, version_id), (is_latest, _) in list_versions(buckets, "final-between").items()
        if key.startswith("old/") and is_latest and key != "old/removed"
    }
    proxy.call_before("POST", DELETE, upload, nth=1)

    run = run_cleanup(proxy, "final-between")

    assert run.exit_code == 3
    remaining = {
        (key, version_id)
        for key, version_id in list_versions(buckets, "final-between")
        if key.startswith("old/")
    }
    assert remaining == current | {("old/é", new_version_ids[0])}
    assert not run.result_of("old").is_fully_deleted


def test_deployment_changed_after_the_plan_is_kept_completely(buckets, proxy):
    before = list_versions(buckets, "final-again")

    def deploy():
        buckets.client.put_object(Bucket="final-again", Key="old/é", Body="é".encode())

    run = run_cleanup(proxy, "final-again", deploy)

    assert run.exit_code == 3
    assert run.counts("old").keys() == {"changed"}
    assert before.keys() < list_versions(buckets, "final-again").keys()
    assert proxy.deletions == []


def test_locked_version_is_denied_and_the_version_above_it_is_kept(buckets, proxy):
    context = make_context(_ProxiedBucket(LOCKED, proxy), delete_versions="true")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))

    assert run.exit_code == 3
    assert run.counts("old") == {"denied": 1, "failed": 2}
    remaining_keys = [key for key, _ in list_versions(buckets, LOCKED)]
    assert sorted(remaining_keys) == ["new/index.html", "old/free", "old/locked", "old/locked"]
