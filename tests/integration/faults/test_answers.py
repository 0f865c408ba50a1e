"""What S3 answers to a deletion: each key is told, and the run goes on or stops."""

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES, again
from tests.support.cleanup_run import apply
from tests.support.s3.answers import HTML, error
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_key_that_failed_inside_s3_is_sent_again_alone(live: MemorySite, proxy: FaultProxy) -> None:
    proxy.refuse(["old-2/file-00001"], "InternalError", nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert [len(one.batch_keys) for one in proxy.deletions] == [9, 1]
    assert ran.pauses == [RETRY_DELAYS_SECONDS[0]]
    assert ran.counts("old-2") == {"deleted": 3}


def test_key_that_s3_never_takes_fails_after_all_pauses(
    live: MemorySite, proxy: FaultProxy
) -> None:
    proxy.refuse(["old-2/file-00001"], "SlowDown")
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.pauses == list(RETRY_DELAYS_SECONDS)
    assert ran.counts("old-2") == {"deleted": 2, "failed": 1}
    assert "SlowDown" in ran.result_of("old-2").problem


@pytest.mark.parametrize("code", ["AccessDenied", "ObjectLocked"])
def test_denied_key_is_told_and_the_rest_is_deleted(
    live: MemorySite, proxy: FaultProxy, code: str
) -> None:
    proxy.refuse(["old-1/file-00000"], code)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"denied": 1, "deleted": 2}
    assert live.folders() == {"new", "old-1"}
    assert ran.pauses == []


def test_denied_batch_deletes_nothing_and_says_so(live: MemorySite, proxy: FaultProxy) -> None:
    proxy.answer("POST", DELETE, error("AccessDenied"), status=403)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.count_objects(ObjectOutcome.DENIED) == 9
    assert live.folders() == {"new", *OLD_NAMES}


def test_error_inside_a_200_is_asked_again(
    live: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("POST", DELETE, error("InternalError"), nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 9


@pytest.mark.parametrize("body", ["", "<DeleteResult/>", HTML.partition("\n")[2]])
def test_answer_that_says_nothing_is_settled_by_listing(
    live: MemorySite, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("POST", DELETE, body)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 9
    assert live.folders() == {"new", *OLD_NAMES}


def test_answer_that_says_nothing_after_the_deed_is_settled_as_absent(
    live: MemorySite, proxy: FaultProxy
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.result.count_objects(ObjectOutcome.ABSENT) == 9


def test_page_that_is_not_found_does_not_pass_for_objects_that_are_gone(
    live: MemorySite, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, HTML, status=404)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 9


def test_lost_answer_after_the_deed_is_settled(
    live: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("POST", DELETE)
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.result.count_objects(ObjectOutcome.ABSENT) == 9
    assert live.folders() == {"new"}


def test_internal_error_after_the_deed_is_settled(
    live: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: error("InternalError").encode())
    ran = apply(live)
    assert ran.exit_code is ExitCode.DONE
    assert ran.result.count_objects(ObjectOutcome.ABSENT) == 9


def test_unknown_that_cannot_be_settled_stays_unknown(live: MemorySite, proxy: FaultProxy) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    proxy.answer(**again("old-1", None), body=error("AccessDenied"), status=403)
    proxy.rewrite(**again("old-1"), change=lambda body: body)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"unknown": 3}
    assert ran.counts("old-2") == {"absent": 3}


def test_expired_credentials_stop_the_run_and_the_rest_counts_as_failed(
    live: MemorySite, proxy: FaultProxy
) -> None:
    live.deploy("old-1", days=10, files=1001)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    proxy.rewrite("POST", DELETE, lambda body: body, nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in ran.result.stop_reason
    deleted = len(proxy.deletions[0].batch_keys)
    assert ran.result.count_objects(ObjectOutcome.DELETED) == deleted
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 1007 - deleted
    assert ran.journal[-1]["record"] == "end"
    assert "ExpiredToken" in ran.journal[-1]["stopped"]
