"""S3 errors, concurrent uploads and interrupts during a restore."""

import os
import re
import signal
import threading

import pytest

from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.journal.reader import JournalFile
from ci3.engine.restore.restore import RETRY_DELAYS_SECONDS, WORKERS, restore_exit_code
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode, describe_error
from tests.support.s3.answers import delete_result, error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy, Request
from tests.support.throttling import ThrottlingS3
from tests.unit.engine.restore.restore_run import (
    DELETE,
    OLD_NAMES,
    VERSIONS,
    delete_old_deployments,
    list_current_versions,
    list_markers,
)


def test_marker_with_an_internal_error_is_retried_alone(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    before = list_current_versions(live)
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.rewrite("POST", DELETE, lambda body: _fail(body, "InternalError"), nth=1)
    earlier_count = len(proxy.deletions)
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    assert list_current_versions(live) == before
    assert restore_run.pauses == [RETRY_DELAYS_SECONDS[0]]
    batch_sizes = [len(request.batch_keys) for request in proxy.deletions[earlier_count:]]
    assert sorted(batch_sizes) == [1, 3, 3]


def _fail(body: bytes, code: str) -> bytes:
    """Replace the first reported deletion by an error.

    S3 has removed the marker; a second request for it succeeds, too.
    """
    deleted = re.search("<Deleted>.*?</Deleted>", body.decode(), re.DOTALL)[0]
    key = re.search("<Key>.*?</Key>", deleted)[0]
    version = re.search("<VersionId>.*?</VersionId>", deleted)
    failed = f"<Error>{key}{version[0] if version else ''}<Code>{code}</Code></Error>"
    return body.decode().replace(deleted, failed, 1).encode()


def test_marker_that_may_not_be_removed_fails_and_the_others_are_removed(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    all_markers = sorted(list_markers(live))

    def deny(request: Request) -> str:
        keys = request.batch_keys
        for key, version_id in all_markers:
            if key in keys and key != "old-1/file-00001":
                live.client.delete_object(Bucket=live.name, Key=key, VersionId=version_id)
        removed = [key for key in keys if key != "old-1/file-00001"]
        return delete_result(removed, [("old-1/file-00001", "AccessDenied")])

    proxy.answer_with("POST", DELETE, deny)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 5, "failed": 1}
    assert "AccessDenied" in result.deployments[0].problem
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL
    assert live.keys() == {"index.html"} | {
        f"{name}/file-{number:05}"
        for name in ("new", *OLD_NAMES)
        for number in range(3)
        if (name, number) != ("old-1", 1)
    }


@pytest.mark.parametrize("answer", ["", delete_result()])
def test_outcome_after_an_empty_response_is_resolved_by_listing(
    live: Bucket, proxy: FaultProxy, plan_restore, answer: str
) -> None:
    before = list_current_versions(live)
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.rewrite("POST", DELETE, lambda _: answer.encode())
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    assert list_current_versions(live) == before


def test_reported_removal_that_did_not_happen_has_failed(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.answer_with("POST", DELETE, lambda request: delete_result(request.batch_keys))
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"failed": 6}
    assert result.deployments[0].problem
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL


def test_lost_access_stops_the_restore_and_the_remaining_objects_fail(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"failed": 6}
    assert "ExpiredToken" in result.stop_reason
    assert live.folders() == {"new"}


def test_restore_sends_fewer_requests_at_once_when_throttled(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    for number in range(3, WORKERS + 1):
        live.deploy(f"old-{number}", days=10 + number, files=1)
    restore_run = plan_restore(delete_old_deployments(live))
    throttling = ThrottlingS3(proxy, senders=WORKERS)
    restore_run.restoration._control.sleep = throttling.pause
    assert restore_run.count_outcomes(restore_run.run()) == {"failed": 6 + WORKERS - 2}
    assert throttling.most_in_flight[1:] == [1] * (len(RETRY_DELAYS_SECONDS) - 1)


def test_restore_retries_nothing_after_lost_access(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    restore_run.restoration.concurrency = 1
    earlier_count = len(proxy.deletions)

    def throttle_first_key(request: Request) -> str:
        first, *remaining = request.batch_keys
        return delete_result(
            errors=[(first, "SlowDown"), *((key, "ExpiredToken") for key in remaining)]
        )

    proxy.answer_with("POST", DELETE, throttle_first_key)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"failed": 6}
    assert "ExpiredToken" in result.stop_reason
    assert len(proxy.deletions) - earlier_count == 1
    assert restore_run.pauses == []


def test_restore_retries_nothing_after_another_deployment_lost_access(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    earlier_count = len(proxy.deletions)
    both_sent = threading.Barrier(2, timeout=30)
    is_stopped = threading.Event()

    def throttle_first_deployment(request: Request) -> str:
        if not is_stopped.is_set():
            both_sent.wait()
        is_first = request.batch_keys[0].startswith("old-1/")
        code = "SlowDown" if is_first else "ExpiredToken"
        return delete_result(errors=[(key, code) for key in request.batch_keys])

    proxy.answer_with("POST", DELETE, throttle_first_deployment)
    # This listing follows the removal: the response with the expired token has been read.
    proxy.call_before("GET", f"{VERSIONS}.*prefix=old-2%2F", is_stopped.set, nth=2)
    restore_run.restoration._control.sleep = lambda _seconds: is_stopped.wait(timeout=30)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"failed": 6}
    assert "ExpiredToken" in result.stop_reason
    assert len(proxy.deletions) - earlier_count <= 3


@pytest.mark.parametrize("nth", [2, 3])
def test_objects_fail_if_a_listing_during_the_run_fails(
    live: Bucket, proxy: FaultProxy, plan_restore, nth: int
) -> None:
    """The second listing of a deployment comes right before the removal, the third after it."""
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.answer(
        "GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403, nth=nth - 1
    )
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 3, "failed": 3}
    assert "AccessDenied" in result.deployments[0].problem
    assert ("old-1" in live.folders()) is (nth == 3)


def test_version_uploaded_between_plan_and_removal_is_kept(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    live.client.put_object(Bucket=live.name, Key="old-1/file-00000", Body=b"newer")
    newer = list_current_versions(live)["old-1/file-00000"]
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 5, "skipped": 1}
    assert list_current_versions(live)["old-1/file-00000"] == newer


def test_version_uploaded_during_the_removal_is_kept(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    proxy.call_before("POST", DELETE, lambda: live.put("old-1/file-00000", body=b"newer"), nth=1)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 5, "skipped": 1}
    assert live.content()["old-1/file-00000"][0] == b"newer"


class BrokenProgress(NoProgress):
    """A progress display whose terminal was closed."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - as Progress has it
        if task == "Restoring objects":
            raise OSError(task)

    def advance(self, steps: int) -> None:
        if steps > 1:
            raise OSError(steps)


def test_broken_progress_does_not_stop_the_restore(live: Bucket, plan_restore) -> None:
    restore_run = plan_restore(delete_old_deployments(live), BrokenProgress())
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}


def test_interrupted_restore_waits_for_requests_in_flight_and_reports_all_objects(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    live.deploy("old-1", days=10, files=2500)
    restore_run = plan_restore(delete_old_deployments(live))
    is_raised = threading.Event()

    def raise_interrupt(*_: object) -> None:
        is_raised.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert is_raised.wait(timeout=60)

    proxy.call_before("POST", DELETE, interrupt, nth=1)
    previous_handler = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        result = restore_run.run()
    finally:
        signal.signal(signal.SIGINT, previous_handler)
    assert result.stop_reason == describe_error(KeyboardInterrupt())
    restored_keys = {key for key in live.content() if key.startswith(OLD_NAMES)}
    assert result.count_objects(ObjectRestoreOutcome.RESTORED) == len(restored_keys) < 2503
    assert result.count_objects(ObjectRestoreOutcome.FAILED) == 2503 - len(restored_keys)
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL


def test_unexpected_error_in_a_deployment_stops_the_restore_and_is_reported(
    live: Bucket, plan_restore, monkeypatch
) -> None:
    path = delete_old_deployments(live)
    restore_run = plan_restore(path)
    read_entries = JournalFile.read_entries

    def fail_for_first_deployment(journal: JournalFile, prefix: str):
        if prefix == "old-1/":
            raise ZeroDivisionError
        return read_entries(journal, prefix)

    monkeypatch.setattr(JournalFile, "read_entries", fail_for_first_deployment)
    result = restore_run.run()
    assert describe_error(ZeroDivisionError()) in result.stop_reason
    assert result.deployments[0].counts == {ObjectRestoreOutcome.FAILED: 3}
