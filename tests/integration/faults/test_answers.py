"""Responses to a deletion: each key gets an outcome, and the run continues or stops."""

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES, match_refresh
from tests.support.cleanup_run import apply
from tests.support.s3.answers import HTML, error
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_only_the_key_with_an_internal_error_is_retried(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.refuse(["old-2/file-00001"], "InternalError", nth=1)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert [len(request.batch_keys) for request in proxy.deletions] == [9, 1]
    assert run.pauses == [RETRY_DELAYS_SECONDS[0]]
    assert run.counts("old-2") == {"deleted": 3}


def test_key_that_is_always_refused_fails_after_all_retries(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.refuse(["old-2/file-00001"], "SlowDown")
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.pauses == list(RETRY_DELAYS_SECONDS)
    assert run.counts("old-2") == {"deleted": 2, "failed": 1}
    assert "SlowDown" in run.result_of("old-2").problem


@pytest.mark.parametrize("code", ["AccessDenied", "ObjectLocked"])
def test_denied_key_is_reported_and_the_rest_is_deleted(
    seeded_site: MemorySite, proxy: FaultProxy, code: str
) -> None:
    proxy.refuse(["old-1/file-00000"], code)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"denied": 1, "deleted": 2}
    assert seeded_site.folders() == {"new", "old-1"}
    assert run.pauses == []


def test_denied_batch_deletes_nothing_and_is_reported(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("AccessDenied"), status=403)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.count_objects(ObjectOutcome.DENIED) == 9
    assert seeded_site.folders() == {"new", *OLD_NAMES}


def test_error_in_a_200_response_is_retried(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("POST", DELETE, error("InternalError"), nth=1)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.result.count_objects(ObjectOutcome.DELETED) == 9


@pytest.mark.parametrize("body", ["", "<DeleteResult/>", HTML.partition("\n")[2]])
def test_response_without_results_is_resolved_by_listing(
    seeded_site: MemorySite, proxy: FaultProxy, body: str
) -> None:
    proxy.answer("POST", DELETE, body)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.count_objects(ObjectOutcome.FAILED) == 9
    assert seeded_site.folders() == {"new", *OLD_NAMES}


def test_response_without_results_is_resolved_as_absent_after_the_deletion(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.result.count_objects(ObjectOutcome.ABSENT) == 9


def test_404_page_does_not_count_as_deleted_objects(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, HTML, status=404)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.count_objects(ObjectOutcome.FAILED) == 9


def test_lost_response_is_resolved_as_absent_after_the_deletion(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.drop("POST", DELETE)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.result.count_objects(ObjectOutcome.ABSENT) == 9
    assert seeded_site.folders() == {"new"}


def test_internal_error_is_resolved_as_absent_after_the_deletion(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: error("InternalError").encode())
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert run.result.count_objects(ObjectOutcome.ABSENT) == 9


def test_outcome_that_cannot_be_resolved_stays_unknown(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>")
    proxy.answer(**match_refresh("old-1", None), body=error("AccessDenied"), status=403)
    proxy.rewrite(**match_refresh("old-1"), change=lambda body: body)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"unknown": 3}
    assert run.counts("old-2") == {"absent": 3}


def test_expired_credentials_stop_the_run_and_the_rest_counts_as_failed(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    seeded_site.deploy("old-1", days=10, files=1001)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    proxy.rewrite("POST", DELETE, lambda body: body, nth=1)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in run.result.stop_reason
    deleted = len(proxy.deletions[0].batch_keys)
    assert run.result.count_objects(ObjectOutcome.DELETED) == deleted
    assert run.result.count_objects(ObjectOutcome.FAILED) == 1007 - deleted
    assert run.journal[-1]["record"] == "end"
    assert "ExpiredToken" in run.journal[-1]["stopped"]
