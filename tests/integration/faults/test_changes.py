"""Deployments that change between the plan and the deletion are kept."""

from collections.abc import Callable

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode, RefusedError
from tests.integration.faults.conftest import OLD_NAMES, match_refresh
from tests.support.cleanup_run import apply
from tests.support.s3.answers import GROUP_LISTING, HTML, entry, error, listing
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite


def upload_other_bytes(bucket: MemorySite) -> None:
    bucket.put("old-2/file-00001", days=11, body=b"y")


def upload_same_bytes(bucket: MemorySite) -> None:
    bucket.put("old-2/file-00001", days=0)


def upload_new_file(bucket: MemorySite) -> None:
    bucket.put("old-2/one-more", days=11)


def remove_file(bucket: MemorySite) -> None:
    bucket.remove("old-2/file-00001")


def remove_files(bucket: MemorySite, name: str) -> None:
    for number in range(3):
        bucket.remove(f"{name}/file-{number:05}")


@pytest.mark.parametrize(
    "change", [upload_other_bytes, upload_same_bytes, upload_new_file, remove_file]
)
def test_deployment_that_changed_since_the_plan_is_kept_completely(
    seeded_site: MemorySite, proxy: FaultProxy, change: Callable[[MemorySite], None], assert_screen
) -> None:
    proxy.call_before(**match_refresh("old-2"), act=lambda: change(seeded_site))
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"changed": 3}
    assert_screen(run.result_of("old-2").problem, is_shared=True)
    assert seeded_site.folders() == {"new", "old-2"}
    assert not any("old-2" in key for request in proxy.deletions for key in request.batch_keys)


def test_deployment_that_another_client_deleted_is_absent(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.call_before(**match_refresh("old-2"), act=lambda: remove_files(seeded_site, "old-2"))
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"absent": 3}
    assert run.result.count_objects(ObjectOutcome.DELETED) == 6


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, HTML),
        (200, ""),
        (200, listing(entry("old-2/file-00000"), is_truncated="true")),
        (200, listing(entry("new/file-00000"))),
        (403, error("AccessDenied")),
    ],
)
def test_deployment_that_cannot_be_listed_again_is_kept(
    seeded_site: MemorySite, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer(**match_refresh("old-2", None), body=body, status=status)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"failed": 3}
    assert run.result_of("old-2").problem.startswith("kept: ")
    assert seeded_site.folders() == {"new", "old-2"}


def test_lost_access_stops_the_run_before_the_next_deletion(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.answer(**match_refresh("old-2"), body=error("ExpiredToken"), status=400)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in run.result.stop_reason
    assert run.result.count_objects(ObjectOutcome.DELETED) == 0
    assert seeded_site.folders() == {"new", *OLD_NAMES}


# Changes while the plan is being reviewed.


def test_deployment_that_changed_during_approval_is_kept(seeded_site: MemorySite) -> None:
    run = apply(seeded_site, before_approval=lambda: upload_same_bytes(seeded_site))
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"changed": 3}
    assert seeded_site.folders() == {"new", "old-2"}


def test_deployment_deleted_during_approval_is_absent(seeded_site: MemorySite) -> None:
    run = apply(seeded_site, before_approval=lambda: remove_files(seeded_site, "old-2"))
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"absent": 3}


def test_old_deployment_uploaded_during_approval_is_not_deleted(
    seeded_site: MemorySite,
) -> None:
    run = apply(seeded_site, before_approval=lambda: seeded_site.deploy("old-3x", days=20))
    assert run.exit_code is ExitCode.DONE
    assert seeded_site.folders() == {"new", "old-3x"}
    remove_files(seeded_site, "old-3x")


def test_apply_is_refused_if_a_deployment_cannot_be_listed_at_approval(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    denied = {"body": error("AccessDenied"), "status": 403}
    proxy.answer("GET", GROUP_LISTING, late=True, **denied)
    proxy.answer(**match_refresh("old-2"), **denied)
    with pytest.raises(RefusedError, match=r"old-2.*AccessDenied"):
        apply(seeded_site, before_approval=lambda: None)
    assert seeded_site.folders() == {"new", *OLD_NAMES}
    assert proxy.deletions == []
