"""Responses to deletions of versions, and runs that stop during them."""

import os
import resource
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode, describe_error
from tests.support.cleanup_run import CleanupRun, apply_plan, make_context
from tests.support.s3.answers import delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.version_deletion import (
    DELETE,
    Version,
    answer_deletion,
    apply_to_versions,
    list_versions_to_delete,
    requested_versions,
)


def test_locked_version_is_denied_and_newer_versions_of_its_key_are_kept(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    """Otherwise the locked content would become current.

    All current versions are kept too: otherwise later runs would not list the deployment.
    """
    before = list_versions_to_delete(seeded_site, "old-1/")
    locked = next(version for version, content in before.items() if content.startswith("older"))
    proxy.answer_with(
        "POST",
        DELETE,
        lambda request: answer_deletion(seeded_site, request, {locked: "AccessDenied"}),
    )
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"deleted": 3, "denied": 1, "failed": 3}
    assert "AccessDenied" in run.result_of("old-1").problem
    current = {version for version, content in before.items() if content.startswith('latest "')}
    assert list_versions_to_delete(seeded_site) == {
        version: before[version] for version in {locked, *current}
    }
    assert not any(
        locked in requested_versions(request) for request in proxy.find_requests("POST", DELETE)[2:]
    )


def test_locked_version_of_a_removed_key_is_reported_by_each_later_run(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    locked = {"old-1/removed": "AccessDenied"}
    proxy.answer_with("POST", DELETE, lambda request: answer_deletion(seeded_site, request, locked))
    counts = [apply_to_versions(seeded_site).counts("old-1") for _ in range(2)]
    assert counts == [{"deleted": 2, "denied": 1, "failed": 4}, {"denied": 1, "failed": 4}]
    proxy.forget_rules()
    assert apply_to_versions(seeded_site).exit_code is ExitCode.DONE
    assert list_versions_to_delete(seeded_site) == {}


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
def test_only_the_version_with_a_retryable_error_is_retried(
    seeded_site: Bucket, proxy: FaultProxy, code: str
) -> None:
    failed_versions: list[Version] = []

    def fail_once(request: Request) -> str:
        errors = {} if failed_versions else {requested_versions(request)[0]: code}
        failed_versions.extend(errors)
        return answer_deletion(seeded_site, request, errors)

    proxy.answer_with("POST", DELETE, fail_once)
    run = apply_to_versions(seeded_site, protect="old-1")
    assert run.exit_code is ExitCode.DONE
    assert run.counts("old-2") == {"deleted": 3}
    assert [
        len(requested_versions(request)) for request in proxy.find_requests("POST", DELETE)
    ] == [3, 1]
    assert run.pauses == [RETRY_DELAYS_SECONDS[0]]


def test_version_that_is_always_throttled_fails(seeded_site: Bucket, proxy: FaultProxy) -> None:
    failing = next(iter(list_versions_to_delete(seeded_site, "old-2/")))
    proxy.answer_with(
        "POST", DELETE, lambda request: answer_deletion(seeded_site, request, {failing: "SlowDown"})
    )
    run = apply_to_versions(seeded_site, protect="old-1")
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"deleted": 2, "failed": 1}
    assert set(list_versions_to_delete(seeded_site, "old-2/")) == {failing}


@pytest.mark.parametrize("nth", [1, None])
def test_lost_response_to_a_deletion_of_versions_is_resolved(
    seeded_site: Bucket, proxy: FaultProxy, pauses: list[float], nth: int | None
) -> None:
    proxy.drop("POST", DELETE, nth=nth)
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert {outcome for name in ("old-1", "old-2") for outcome in run.counts(name)} <= {
        "deleted",
        "absent",
    }
    assert list_versions_to_delete(seeded_site) == {}


@pytest.mark.parametrize("body", ["", delete_result()])
def test_response_without_results_is_resolved_by_listing(
    seeded_site: Bucket, proxy: FaultProxy, body: str
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: body.encode())
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.DONE
    assert (run.counts("old-1"), run.counts("old-2")) == ({"absent": 7}, {"absent": 3})
    assert list_versions_to_delete(seeded_site) == {}


def test_versions_that_still_exist_after_a_response_without_results_have_failed(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    before = list_versions_to_delete(seeded_site)
    proxy.answer_with("POST", DELETE, lambda _: delete_result())
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert_screen(run.result_of("old-1").problem, is_shared=True)
    assert (run.counts("old-1"), run.counts("old-2")) == ({"failed": 7}, {"failed": 3})
    assert list_versions_to_delete(seeded_site) == before


def test_deletion_that_s3_reports_but_does_not_perform_is_reported(
    seeded_site: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer_with(
        "POST",
        DELETE,
        lambda request: delete_result().replace(
            "></",
            ">"
            + "".join(
                f"<Deleted><Key>{key}</Key><VersionId>{version_id}</VersionId></Deleted>"
                for key, version_id in requested_versions(request)
            )
            + "</",
        ),
    )
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert_screen(run.result_of("old-2").problem)


def test_lost_access_stops_the_run_and_the_rest_counts_as_failed(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    run = apply_to_versions(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in run.result.stop_reason
    assert run.result.count_objects(ObjectOutcome.FAILED) == 10
    assert len(list_versions_to_delete(seeded_site)) == 10


def test_waiting_batch_is_not_sent_after_lost_access(
    seeded_site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci3.engine.deletion.versions.DELETE_BATCH_SIZE", 1)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    run = apply_to_versions(seeded_site, protect="old-1")
    assert "ExpiredToken" in run.result.stop_reason
    assert run.counts("old-2") == {"failed": 3}
    assert len(proxy.deletions) == 1


def test_run_that_has_timed_out_deletes_nothing(seeded_site: Bucket, proxy: FaultProxy) -> None:
    context = make_context(seeded_site, delete_versions="true")
    context = replace(context, ends_at=context.clock())
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    result = apply_plan(context, plan, reader, is_fresh=True)
    assert "timeout" in result.stop_reason
    assert proxy.deletions == []


class FullDisk(NoProgress):
    """Simulates a full disk: when the deletion begins, no file can grow any more."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - parameters of Progress
        if task == "Deleting versions":
            size = Path("full.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))


def test_journal_that_cannot_be_written_stops_the_run_before_the_request(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        context = make_context(
            seeded_site, progress=FullDisk(), journal_file="full.jsonl", delete_versions="true"
        )
        reader = context.open_bucket()
        plan = context.make_plan(reader)
        result = apply_plan(context, plan, reader, is_fresh=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    run = CleanupRun(plan=plan, result=result)
    assert run.exit_code is ExitCode.PARTIAL
    assert "full.jsonl" in run.result.stop_reason
    assert run.result.count_objects(ObjectOutcome.FAILED) == 10
    assert proxy.deletions == []


def test_interrupted_run_waits_for_requests_in_flight_and_reports_every_object(
    seeded_site: Bucket, proxy: FaultProxy
) -> None:
    seeded_site.deploy("old-2", days=9, files=2500)
    is_handled = threading.Event()

    def raise_interrupt(*_: object) -> None:
        is_handled.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert is_handled.wait(timeout=60)

    planned_count = len(list_versions_to_delete(seeded_site, "old-2/"))
    proxy.call_before("POST", DELETE, interrupt, nth=1)
    previous = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        run = apply_to_versions(seeded_site, protect="old-1")
    finally:
        signal.signal(signal.SIGINT, previous)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.stop_reason == describe_error(KeyboardInterrupt())
    remaining_count = len(list_versions_to_delete(seeded_site, "old-2/"))
    assert 0 < remaining_count < planned_count
    assert run.counts("old-2") == {
        "deleted": planned_count - remaining_count,
        "failed": remaining_count,
    }
