"""Answers that are cut off, lost, or plain wrong: what counts is what a listing shows."""

import pytest

from ci3.core.model.result import DeleteGuard, ObjectOutcome
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES, again
from tests.support.cleanup_run import apply
from tests.support.s3.answers import listing
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
GONE = {ObjectOutcome.DELETED, ObjectOutcome.ABSENT}


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


@pytest.mark.parametrize("nth", [1, None], ids=["once", "each time"])
def test_truncated_answer_to_a_deletion_is_settled(
    live: MemorySite, proxy: FaultProxy, pauses: list[float], nth: int | None
) -> None:
    proxy.rewrite("POST", DELETE, half, nth=nth)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert {outcome for one in ran.result.deployments for outcome in one.counts} <= GONE
    assert live.folders() == {"new"}


@pytest.mark.parametrize("honours_conditions", [True, False])
def test_deletion_whose_answer_was_lost_is_gone_and_comes_back_whole(
    live: MemorySite, proxy: FaultProxy, pauses: list[float], *, honours_conditions: bool
) -> None:
    """It is listed before it is sent again, by ci3 and not by the SDK."""
    live.set_conditional_deletes(yes=honours_conditions)
    proxy.drop("POST", DELETE, nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    guard = DeleteGuard.ETAG if honours_conditions else DeleteGuard.NONE
    assert ran.result.guard.guard is guard
    sent = [one for one in proxy.deletions if one.method == "POST"]
    assert len(sent) == 1
    assert {outcome for one in ran.result.deployments for outcome in one.counts} <= GONE
    assert live.folders() == {"new"}
    if live.keeps_versions:
        markers = [key for key, is_marker in live.versions() if is_marker]
        assert len(markers) == 9


def test_object_that_changed_while_the_answer_said_nothing_is_told_as_changed(
    live: MemorySite, proxy: FaultProxy
) -> None:
    def upload() -> None:
        live.put("old-1/file-00001", days=10, body=b"deployed again")

    proxy.answer("POST", DELETE, "<DeleteResult/>", nth=1, first=upload)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"changed": 3}
    assert live.content()["old-1/file-00001"][0] == b"deployed again"


def test_listing_that_turns_up_empty_in_mid_apply_is_found_out(
    live: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    root = "ListVersionsResult" if live.keeps_versions else "ListBucketResult"
    proxy.answer(**again("old-2"), body=listing().replace("ListBucketResult", root))
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert_screen(ran.result_of("old-2").problem, is_shared=True)
    assert live.folders() == {"new", "old-2"}
    assert not any("old-2" in key for one in proxy.deletions for key in one.batch_keys)


def test_bucket_that_looks_empty_in_mid_apply_is_no_reason_to_delete_or_to_call_it_done(
    live: MemorySite, proxy: FaultProxy
) -> None:
    root = "ListVersionsResult" if live.keeps_versions else "ListBucketResult"
    for name in OLD_NAMES:
        proxy.answer(**again(name), body=listing().replace("ListBucketResult", root))
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert live.folders() == {"new", *OLD_NAMES}
    assert proxy.deletions == []


def test_key_that_xml_can_not_carry_among_999_goes_alone_and_spoils_no_batch(
    live: MemorySite, proxy: FaultProxy
) -> None:
    live.deploy("old-2", days=11, files=996)
    live.put("old-2/\x01", days=11)
    ran = apply(live, keep_count="1")
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"deleted": 997}
    assert live.folders() == {"new"}
    assert sorted(len(one.batch_keys) for one in proxy.deletions) == [0, 3, 999]
