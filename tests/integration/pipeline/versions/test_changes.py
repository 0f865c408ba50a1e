"""What changes between plan, listing and request stays, where all versions are deleted too."""

import pytest

from ci3.errors import ExitCode
from ci3.pipeline.approval import approve_plan
from tests.support.cleanup_run import CleanupRun, apply_plan, make_context
from tests.support.s3.answers import NAMESPACE, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.version_deletion import (
    DELETE,
    VERSIONS,
    apply_to_versions,
    list_versions_to_delete,
)

CHANGES = {
    "other bytes": lambda bucket: bucket.put("old-1/file-00001", body=b"other"),
    "an object more": lambda bucket: bucket.put("old-1/more", days=11),
    "an object less": lambda bucket: bucket.remove("old-1/file-00001"),
    "a marker more": lambda bucket: bucket.remove("old-1/removed"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_deployment_whose_versions_changed_since_the_plan_is_kept_whole(
    live: Bucket, proxy: FaultProxy, name: str, assert_screen
) -> None:
    change = CHANGES[name]
    run = make_context(live, delete_versions="true")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    change(live)
    before = {one for one in list_versions_to_delete(live) if one[0].startswith("old-1/")}
    ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"changed": 7}
    assert_screen(ran.result_of("old-1").problem)
    assert set(list_versions_to_delete(live)) == before


@pytest.mark.parametrize("name", CHANGES)
def test_deployment_whose_versions_changed_during_approval_is_kept(
    live: Bucket, proxy: FaultProxy, name: str, assert_screen
) -> None:
    change = CHANGES[name]
    run = make_context(live, delete_versions="true")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    change(live)
    approved = approve_plan(run, plan, reader, is_fresh=False)
    assert approved.changed.keys() == {"old-1"}
    assert_screen(approved.changed["old-1"])
    assert [one.deployment.name for one in approved.to_delete] == ["old-2"]


def test_deployment_that_is_uploaded_again_while_its_hidden_versions_go_keeps_what_is_current(
    live: Bucket, proxy: FaultProxy
) -> None:
    planned = {
        one
        for one, what in list_versions_to_delete(live, "old-1/").items()
        if what.startswith('latest "')
    }
    proxy.call_before("POST", DELETE, lambda: live.deploy("old-1", days=0), nth=1)
    ran = apply_to_versions(live, protect="old-2")
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"deleted": 4, "changed": 3}
    left = list_versions_to_delete(live, "old-1/")
    assert planned <= set(left)
    assert len(left) == 6


def test_version_uploaded_between_listing_and_request_survives_and_is_told(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    """`old-2` has nothing hidden, so that its one request follows its listing."""
    proxy.call_before("POST", DELETE, lambda: live.put("old-2/file-00000", body=b"new"), nth=1)
    ran = apply_to_versions(live, protect="old-1")
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"deleted": 3}
    assert_screen(ran.result_of("old-2").problem)
    assert {one[0] for one in list_versions_to_delete(live, "old-2/")} == {"old-2/file-00000"}
    assert live.content()["old-2/file-00000"][0] == b"new"


def test_deployment_that_is_gone_with_all_its_versions_is_absent(live: Bucket) -> None:
    run = make_context(live, delete_versions="true")
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    for key, version_id in list_versions_to_delete(live, "old-2/"):
        live.client.delete_object(Bucket=live.name, Key=key, VersionId=version_id)
    ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"absent": 3}


def test_listing_of_versions_that_is_empty_does_not_make_a_deployment_gone(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    none = f"<ListVersionsResult {NAMESPACE}><IsTruncated>false</IsTruncated></ListVersionsResult>"
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-2%2F", none, nth=2)
    ran = apply_to_versions(live, protect="old-1")
    assert ran.exit_code is ExitCode.PARTIAL
    assert not ran.result_of("old-2").is_fully_deleted
    assert_screen(ran.result_of("old-2").problem)
    assert proxy.deletions == []


@pytest.mark.parametrize("nth", [2, 3, 4])
def test_listing_that_fails_in_mid_run_is_a_failure_not_a_success(
    live: Bucket, proxy: FaultProxy, nth: int
) -> None:
    """The second is right before the deletion, the third before what is current, the last after."""
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403, nth=nth)
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.PARTIAL
    counts = {2: {"failed": 7}, 3: {"deleted": 4, "failed": 3}, 4: {"deleted": 7}}
    assert ran.counts("old-1") == counts[nth]
    assert "AccessDenied" in ran.result_of("old-1").problem
    assert len(list_versions_to_delete(live, "old-1/")) == {2: 7, 3: 3, 4: 0}[nth]
    assert ran.result_of("old-2").is_fully_deleted
