"""Truncated, lost or wrong responses: a listing determines the outcome."""

import pytest

from ci3.core.model.result import DeleteGuard, ObjectOutcome
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES, match_refresh
from tests.support.cleanup_run import CleanupRun, apply
from tests.support.s3.answers import listing
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
DELETED_OR_ABSENT = {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}


def cut_in_half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def list_outcomes(run: CleanupRun) -> set[ObjectOutcome]:
    return {outcome for result in run.result.deployments for outcome in result.counts}


@pytest.mark.parametrize("nth", [1, None], ids=["once", "each time"])
def test_truncated_response_to_a_deletion_is_resolved(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float], nth: int | None
) -> None:
    proxy.rewrite("POST", DELETE, cut_in_half, nth=nth)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert list_outcomes(run) <= DELETED_OR_ABSENT
    assert seeded_site.folders() == {"new"}


@pytest.mark.parametrize("honours_conditions", [True, False])
def test_lost_response_is_resolved_without_a_second_deletion(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float], *, honours_conditions: bool
) -> None:
    """ci3 lists the objects before it retries; the SDK does not retry."""
    seeded_site.set_conditional_deletes(yes=honours_conditions)
    proxy.drop("POST", DELETE, nth=1)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    guard = DeleteGuard.ETAG if honours_conditions else DeleteGuard.NONE
    assert run.result.guard.guard is guard
    batches = [request for request in proxy.deletions if request.method == "POST"]
    assert len(batches) == 1
    assert list_outcomes(run) <= DELETED_OR_ABSENT
    assert seeded_site.folders() == {"new"}
    if seeded_site.keeps_versions:
        markers = [key for key, is_marker in seeded_site.versions() if is_marker]
        assert len(markers) == 9


def test_object_that_changed_before_a_response_without_results_is_reported_as_changed(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    def upload() -> None:
        seeded_site.put("old-1/file-00001", days=10, body=b"deployed again")

    proxy.answer("POST", DELETE, "<DeleteResult/>", nth=1, first=upload)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"changed": 3}
    assert seeded_site.content()["old-1/file-00001"][0] == b"deployed again"


def test_deployment_with_an_empty_listing_during_apply_is_kept_and_reported(
    seeded_site: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    root = "ListVersionsResult" if seeded_site.keeps_versions else "ListBucketResult"
    proxy.answer(**match_refresh("old-2"), body=listing().replace("ListBucketResult", root))
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert_screen(run.result_of("old-2").problem, is_shared=True)
    assert seeded_site.folders() == {"new", "old-2"}
    assert not any("old-2" in key for request in proxy.deletions for key in request.batch_keys)


def test_nothing_is_deleted_if_all_listings_are_empty_during_apply(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    root = "ListVersionsResult" if seeded_site.keeps_versions else "ListBucketResult"
    for name in OLD_NAMES:
        proxy.answer(**match_refresh(name), body=listing().replace("ListBucketResult", root))
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert seeded_site.folders() == {"new", *OLD_NAMES}
    assert proxy.deletions == []


def test_key_that_xml_cannot_contain_is_deleted_in_its_own_request(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    seeded_site.deploy("old-2", days=11, files=996)
    seeded_site.put("old-2/\x01", days=11)
    run = apply(seeded_site, keep_count="1")
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"deleted": 997}
    assert seeded_site.folders() == {"new"}
    assert sorted(len(request.batch_keys) for request in proxy.deletions) == [0, 3, 999]
