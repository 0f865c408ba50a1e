"""What changes between the plan and the deletion is kept."""

from collections.abc import Callable

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode, RefusedError
from tests.integration.faults.conftest import OLD_NAMES, again
from tests.support.cleanup_run import apply
from tests.support.s3.answers import GROUP_LISTING, HTML, entry, error, listing
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite


def upload_other_bytes(bucket: MemorySite) -> None:
    bucket.put("old-2/file-00001", days=11, body=b"y")


def upload_same_bytes(bucket: MemorySite) -> None:
    bucket.put("old-2/file-00001", days=0)


def upload_another(bucket: MemorySite) -> None:
    bucket.put("old-2/one-more", days=11)


def remove_one(bucket: MemorySite) -> None:
    bucket.remove("old-2/file-00001")


@pytest.mark.parametrize(
    "change", [upload_other_bytes, upload_same_bytes, upload_another, remove_one]
)
def test_deployment_that_changed_since_the_plan_is_kept_whole(
    live: MemorySite, proxy: FaultProxy, change: Callable[[MemorySite], None], assert_screen
) -> None:
    proxy.call_before(**again("old-2"), act=lambda: change(live))
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert_screen(ran.result_of("old-2").problem, is_shared=True)
    assert live.folders() == {"new", "old-2"}
    assert not any("old-2" in key for one in proxy.deletions for key in one.batch_keys)


def test_deployment_that_somebody_else_deleted_is_absent(
    live: MemorySite, proxy: FaultProxy
) -> None:
    def remove() -> None:
        for number in range(3):
            live.remove(f"old-2/file-{number:05}")

    proxy.call_before(**again("old-2"), act=remove)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"absent": 3}
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 6


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
    live: MemorySite, proxy: FaultProxy, status: int, body: str
) -> None:
    proxy.answer(**again("old-2", None), body=body, status=status)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"failed": 3}
    assert ran.result_of("old-2").problem.startswith("kept: ")
    assert live.folders() == {"new", "old-2"}


def test_lost_access_stops_the_run_before_the_next_deletion(
    live: MemorySite, proxy: FaultProxy
) -> None:
    proxy.answer(**again("old-2"), body=error("ExpiredToken"), status=400)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in ran.result.stop_reason
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 0
    assert live.folders() == {"new", *OLD_NAMES}


# While somebody thinks about the plan.


def test_deployment_that_changed_during_approval_is_kept(live: MemorySite) -> None:
    ran = apply(live, before_approval=lambda: upload_same_bytes(live))
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert live.folders() == {"new", "old-2"}


def test_deployment_that_went_during_approval_is_absent(live: MemorySite) -> None:
    def remove() -> None:
        for number in range(3):
            live.remove(f"old-2/file-{number:05}")

    ran = apply(live, before_approval=remove)
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"absent": 3}


def test_deployment_that_became_due_during_approval_was_not_approved(live: MemorySite) -> None:
    ran = apply(live, before_approval=lambda: live.deploy("old-3x", days=20))
    assert ran.exit_code is ExitCode.DONE
    assert live.folders() == {"new", "old-3x"}
    live.remove("old-3x/file-00000")
    for number in range(3):
        live.remove(f"old-3x/file-{number:05}")


def test_hole_that_opened_during_approval_refuses_everything(
    live: MemorySite, proxy: FaultProxy
) -> None:
    denied = {"body": error("AccessDenied"), "status": 403}
    proxy.answer("GET", GROUP_LISTING, late=True, **denied)
    proxy.answer(**again("old-2"), **denied)
    with pytest.raises(RefusedError, match=r"old-2.*AccessDenied"):
        apply(live, before_approval=lambda: None)
    assert live.folders() == {"new", *OLD_NAMES}
    assert proxy.deletions == []
