"""With delete-versions, changes between plan, listing and request are kept."""

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
def test_deployment_whose_versions_changed_since_the_plan_is_kept_completely(
    seeded_site: Bucket, proxy: FaultProxy, name: str, assert_screen
) -> None:
    change = CHANGES[name]
    context = make_context(seeded_site, delete_versions="true")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    change(seeded_site)
    before = set(list_versions_to_delete(seeded_site, "old-1/"))
    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"changed": 7}
    assert_screen(run.result_of("old-1").problem)
    assert set(list_versions_to_delete(seeded_site)) == before


@pytest.mark.parametrize("name", CHANGES)
def test_deployment_whose_versions_changed_during_approval_is_kept(
    seeded_site: Bucket, proxy: FaultProxy, name: str, assert_screen
) -> None:
    change = CHANGES[name]
    context = make_context(seeded_site, delete_versions="true")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    change(seeded_site)
    approved = approve_plan(context, plan, reader, is_fresh=False)
    assert approved.changed.keys() == {"old-1"}
    assert_screen(approved.changed["old-1"])
    assert [decision.deployment.name for decision in approved.to_delete] == ["old-2"]


def test_current_versions_are_kept_if_a_deployment_is_uploaded_again_during_its_deletion(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    current = {
        version
        for version, content in list_versions_to_delete(seeded_site, "old-1/").items()
        if content.startswith('latest "')
    }
    proxy.call_before("POST", DELETE, lambda: seeded_site.deploy("old-1", days=0), nth=1)
    run = apply_to_versions(seeded_site, protect="old-2")
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"deleted": 4, "changed": 3}
    remaining = list_versions_to_delete(seeded_site, "old-1/")
    assert current <= set(remaining)
    assert len(remaining) == 6


def test_version_uploaded_between_listing_and_request_is_kept_and_reported(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    """`old-2` has no noncurrent versions, so its only request follows its listing."""
    proxy.call_before(
        "POST", DELETE, lambda: seeded_site.put("old-2/file-00000", body=b"new"), nth=1
    )
    run = apply_to_versions(seeded_site, protect="old-1")
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"deleted": 3}
    assert_screen(run.result_of("old-2").problem)
    assert {key for key, _ in list_versions_to_delete(seeded_site, "old-2/")} == {
        "old-2/file-00000"
    }
    assert seeded_site.content()["old-2/file-00000"][0] == b"new"


def test_deployment_whose_versions_another_client_deleted_is_absent(seeded_site: Bucket) -> None:
    context = make_context(seeded_site, delete_versions="true")
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    for key, version_id in list_versions_to_delete(seeded_site, "old-2/"):
        seeded_site.client.delete_object(Bucket=seeded_site.name, Key=key, VersionId=version_id)
    run = CleanupRun(plan=plan, result=apply_plan(context, plan, reader, is_fresh=True))
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"absent": 3}


def test_deployment_with_an_empty_listing_of_versions_is_not_fully_deleted(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    listing = (
        f"<ListVersionsResult {NAMESPACE}><IsTruncated>false</IsTruncated></ListVersionsResult>"
    )
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-2%2F", listing, nth=2)
    run = apply_to_versions(seeded_site, protect="old-1")
    assert run.exit_code is ExitCode.PARTIAL
    assert not run.result_of("old-2").is_fully_deleted
    assert_screen(run.result_of("old-2").problem)
    assert proxy.deletions == []


@pytest.mark.parametrize("nth", [2, 3, 4])
def test_listing_that_fails_during_a_run_makes_it_partial(
    seeded_site: Bucket, proxy: FaultProxy, nth: int
) -> None:
    """The listings 2 to 4: before the deletion, before that of current versions, and afterwards."""
    proxy.answer("GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403, nth=nth)
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    counts = {2: {"failed": 7}, 3: {"deleted": 4, "failed": 3}, 4: {"deleted": 7}}
    assert run.counts("old-1") == counts[nth]
    assert "AccessDenied" in run.result_of("old-1").problem
    assert len(list_versions_to_delete(seeded_site, "old-1/")) == {2: 7, 3: 3, 4: 0}[nth]
    assert run.result_of("old-2").is_fully_deleted
