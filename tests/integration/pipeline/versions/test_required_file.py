"""Other current versions are deleted only after the current version of the required file."""

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
"""A file with two noncurrent versions in `old-1`."""


def list_current_keys(bucket: Bucket, name: str) -> set[str]:
    return {key for key in bucket.content() if key.startswith(f"{name}/")}


def test_required_file_has_no_version_when_other_current_versions_are_deleted(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    run = apply_to_versions(seeded_site, required_file=FILE, protect="old-2")
    assert run.exit_code is ExitCode.DONE
    noncurrent, markers, required, rest = [
        {key for key, _ in requested_versions(request)} for request in proxy.deletions
    ]
    assert noncurrent == {f"old-1/{FILE}", "old-1/removed"}
    assert markers == {"old-1/removed"}
    assert required == {f"old-1/{FILE}"}
    assert rest == {"old-1/file-00001", "old-1/file-00002"}
    assert list_versions_to_delete(seeded_site, "old-1/") == {}


def test_run_that_stops_after_the_required_file_leaves_none_of_its_versions(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=4)
    run = apply_to_versions(seeded_site, required_file=FILE, protect="old-2")
    assert "ExpiredToken" in run.result.stop_reason
    assert run.counts("old-1") == {"deleted": 5, "failed": 2}
    assert {key for key, _ in list_versions_to_delete(seeded_site, "old-1/")} == {
        "old-1/file-00001",
        "old-1/file-00002",
    }


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_run_that_stops_before_the_required_file_leaves_current_content_unchanged(
    seeded_site: Bucket, proxy: FaultProxy, nth: int
) -> None:
    before = seeded_site.content()
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=nth)
    run = apply_to_versions(seeded_site, required_file=FILE, protect="old-2")
    assert run.exit_code is ExitCode.PARTIAL
    assert seeded_site.content() == before


def test_required_file_that_may_not_be_deleted_keeps_the_other_current_versions(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    key = f"old-2/{FILE}"
    proxy.answer_with(
        "POST", DELETE, lambda request: answer_deletion(seeded_site, request, {key: "AccessDenied"})
    )
    before = list_current_keys(seeded_site, "old-2")
    run = apply_to_versions(seeded_site, required_file=FILE)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"denied": 1, "failed": 2}
    assert "AccessDenied" in run.result_of("old-2").problem
    assert list_current_keys(seeded_site, "old-2") == before
    assert list_current_keys(seeded_site, "old-1") == set()


def test_lost_response_for_the_required_file_is_resolved_before_the_others(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, "<DeleteResult/>")
    before = list_current_keys(seeded_site, "old-2")
    run = apply_to_versions(seeded_site, required_file=FILE, protect="old-1")
    assert run.counts("old-2") == {"failed": 3}
    assert list_current_keys(seeded_site, "old-2") == before
    assert {key for request in proxy.deletions for key, _ in requested_versions(request)} == {
        f"old-2/{FILE}"
    }


def test_required_file_without_other_current_versions_needs_no_separate_request(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    for number in (1, 2):
        seeded_site.remove(f"old-2/file-{number:05}")
    run = apply_to_versions(seeded_site, required_file=FILE, protect="old-1")
    assert run.exit_code is ExitCode.DONE
    assert len(proxy.deletions) == 3  # noncurrent versions, delete markers, the required file
    assert list_versions_to_delete(seeded_site, "old-2/") == {}
