"""All versions go on a real S3 server; what is left is listed by another client."""

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
    """Buckets with hidden versions and delete markers in `old`, which goes, and `kept`."""
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
    places = [(name, folder) for name in FINAL for folder in ("old", "kept")]
    for name, folder in places:
        client.put_object(Bucket=name, Key=f"{folder}/removed", Body=b"r")
        client.delete_object(Bucket=name, Key=f"{folder}/removed")
    # Only now: of a marker called null this server says that it deleted it, and does not.
    versioning(Bucket="final-suspended", VersioningConfiguration={"Status": "Suspended"})
    for name, folder in places:
        client.put_object(Bucket=name, Key=f"{folder}/a", Body=b"newer")
    wait_for_tick()
    for name in (*FINAL, LOCKED):
        client.put_object(Bucket=name, Key="new/index.html", Body=b"n")
    return seaweedfs


@pytest.fixture
def proxied(buckets, monkeypatch):
    """The server behind a proxy that can be told what happens between two requests."""
    for name, value in buckets.environ().items():
        monkeypatch.setenv(name, value)
    with running_proxy(buckets.url) as proxy:
        yield proxy


def versions(server: SeaweedFS, bucket: str) -> dict[tuple[str, str], tuple[bool, int]]:
    """Every version and delete marker, with whether it is the latest, and its size."""
    answer = server.client.list_object_versions(Bucket=bucket)
    found = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
    return {(one["Key"], one["VersionId"]): (one["IsLatest"], one.get("Size", 0)) for one in found}


class _Place:
    """Where the road leads: a bucket of the server, through the proxy."""

    def __init__(self, name: str, proxy: FaultProxy) -> None:
        self.name = name
        self.endpoint_url = proxy.url


def ran_on(proxy: FaultProxy, bucket: str, between=lambda: None) -> CleanupRun:
    run = make_context(_Place(bucket, proxy), delete_versions="true", protect="kept\nolder")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    between()
    ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))
    planned = {one.deployment.name: one.deployment.deletion_count for one in plan.to_delete}
    assert {one.name: sum(one.counts.values()) for one in ran.result.deployments} == planned
    return ran


@pytest.mark.parametrize("bucket", ["final", "final-null", "final-suspended"])
def test_all_versions_of_the_doomed_are_gone_and_no_other_is_touched(buckets, proxied, bucket):
    before = versions(buckets, bucket)
    doomed = {one: what for one, what in before.items() if one[0].startswith("old/")}
    assert len(doomed) >= len(OLD) + 3

    ran = ran_on(proxied, bucket)

    assert ran.exit_code == 0, ran.result
    left = {one: what for one, what in before.items() if one not in doomed}
    assert versions(buckets, bucket) == left
    assert ran.counts("old") == {"deleted": len(doomed)}
    assert ran.result.bytes_deleted == sum(size for _, size in doomed.values())
    assert ran.result.guard.guard is DeleteGuard.VERSION_ID
    assert any(one[1] == "null" for one in doomed) is (bucket != "final")


def test_answers_that_are_lost_after_the_deed_are_settled(buckets, proxied):
    proxied.drop("POST", DELETE, nth=1)
    proxied.drop("POST", DELETE, nth=3)

    ran = ran_on(proxied, "final-lost")

    assert ran.exit_code == 0, ran.result
    assert set(ran.counts("old")) <= {"deleted", "absent"}
    assert not any(key.startswith("old/") for key, _ in versions(buckets, "final-lost"))


def test_version_uploaded_between_listing_and_request_survives(buckets, proxied):
    new = []

    def upload():
        answer = buckets.client.put_object(Bucket="final-between", Key="old/é", Body=b"new")
        new.append(answer["VersionId"])

    current = {
        one
        for one, (is_latest, _) in versions(buckets, "final-between").items()
        if one[0].startswith("old/") and is_latest and one[0] != "old/removed"
    }
    proxied.call_before("POST", DELETE, upload, nth=1)

    ran = ran_on(proxied, "final-between")

    assert ran.exit_code == 3
    left = {one for one in versions(buckets, "final-between") if one[0].startswith("old/")}
    assert left == current | {("old/é", new[0])}
    assert not ran.result_of("old").is_fully_deleted


def test_deployment_that_is_deployed_again_after_the_plan_is_kept_whole(buckets, proxied):
    before = versions(buckets, "final-again")

    def deploy():
        buckets.client.put_object(Bucket="final-again", Key="old/é", Body="é".encode())

    ran = ran_on(proxied, "final-again", deploy)

    assert ran.exit_code == 3
    assert ran.counts("old").keys() == {"changed"}
    assert before.keys() < versions(buckets, "final-again").keys()
    assert proxied.deletions == []


def test_locked_version_is_denied_and_what_hides_it_stays(buckets, proxied):
    run = make_context(_Place(LOCKED, proxied), delete_versions="true")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))

    assert ran.exit_code == 3
    assert ran.counts("old") == {"denied": 1, "failed": 2}
    left = [key for key, _ in versions(buckets, LOCKED)]
    assert sorted(left) == ["new/index.html", "old/free", "old/locked", "old/locked"]
