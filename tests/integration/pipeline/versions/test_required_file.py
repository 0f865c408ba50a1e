"""Of the current versions, that of the required file is deleted first, and no other if it stays."""

import pytest

from ci3.errors import ExitCode
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.version_deletion import (
    DELETE,
    answer_deletion,
    apply_to_versions,
    list_versions_to_delete,
    requested_versions,
)

FILE = "file-00000"
"""A file of which `old-1` has two noncurrent versions."""


def current_keys(bucket: Bucket, name: str) -> set[str]:
    return {key for key in bucket.content() if key.startswith(f"{name}/")}


def test_no_version_of_the_required_file_exists_when_another_current_one_is_deleted(
    live: Bucket, proxy: FaultProxy
) -> None:
    ran = apply_to_versions(live, required_file=FILE, protect="old-2")
    assert ran.exit_code is ExitCode.DONE
    noncurrent, markers, required, others = [
        {key for key, _ in requested_versions(request)} for request in proxy.deletions
    ]
    assert noncurrent == {f"old-1/{FILE}", "old-1/removed"}
    assert markers == {"old-1/removed"}
    assert required == {f"old-1/{FILE}"}
    assert others == {"old-1/file-00001", "old-1/file-00002"}
    assert list_versions_to_delete(live, "old-1/") == {}


def test_run_that_stops_after_the_required_file_leaves_no_version_of_it(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=4)
    ran = apply_to_versions(live, required_file=FILE, protect="old-2")
    assert "ExpiredToken" in ran.result.stop_reason
    assert ran.counts("old-1") == {"deleted": 5, "failed": 2}
    assert {key for key, _ in list_versions_to_delete(live, "old-1/")} == {
        "old-1/file-00001",
        "old-1/file-00002",
    }


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_run_that_stops_before_that_leaves_the_deployment_as_readers_see_it(
    live: Bucket, proxy: FaultProxy, nth: int
) -> None:
    before = live.content()
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=nth)
    ran = apply_to_versions(live, required_file=FILE, protect="old-2")
    assert ran.exit_code is ExitCode.PARTIAL
    assert live.content() == before


def test_required_file_that_may_not_be_deleted_keeps_the_other_current_versions(
    live: Bucket, proxy: FaultProxy
) -> None:
    key = f"old-2/{FILE}"
    proxy.answer_with(
        "POST", DELETE, lambda request: answer_deletion(live, request, {key: "AccessDenied"})
    )
    before = current_keys(live, "old-2")
    ran = apply_to_versions(live, required_file=FILE)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"denied": 1, "failed": 2}
    assert "AccessDenied" in ran.result_of("old-2").problem
    assert current_keys(live, "old-2") == before
    assert current_keys(live, "old-1") == set()


def test_lost_response_for_the_required_file_is_resolved_before_the_others(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, "<DeleteResult/>")
    before = current_keys(live, "old-2")
    ran = apply_to_versions(live, required_file=FILE, protect="old-1")
    assert ran.counts("old-2") == {"failed": 3}
    assert current_keys(live, "old-2") == before
    assert {
        version[0] for request in proxy.deletions for version in requested_versions(request)
    } == {f"old-2/{FILE}"}


def test_only_current_version_needs_no_request_of_its_own(live: Bucket, proxy: FaultProxy) -> None:
    for number in (1, 2):
        live.remove(f"old-2/file-{number:05}")
    ran = apply_to_versions(live, required_file=FILE, protect="old-1")
    assert ran.exit_code is ExitCode.DONE
    assert len(proxy.deletions) == 3  # noncurrent versions, delete markers, the required file
    assert list_versions_to_delete(live, "old-2/") == {}
