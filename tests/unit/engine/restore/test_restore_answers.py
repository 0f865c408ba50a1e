"""What S3 answers to an undo, and what befalls it in its midst: doubt leaves it alone."""

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
from tests.unit.engine.restore.undo import DELETE, DOOMED, VERSIONS, current, deleted, markers


def test_marker_that_failed_inside_s3_is_sent_again_alone(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    before = current(live)
    one = undo(deleted(live))
    proxy.rewrite("POST", DELETE, lambda body: _fail(body, "InternalError"), nth=1)
    sent = len(proxy.deletions)
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before
    assert one.pauses == [RETRY_DELAYS_SECONDS[0]]
    assert sorted(len(request.batch_keys) for request in proxy.deletions[sent:]) == [1, 3, 3]


def _fail(body: bytes, code: str) -> bytes:
    """Make an error of the first deletion that an answer tells; a gone marker may be sent again."""
    done = re.search("<Deleted>.*?</Deleted>", body.decode(), re.DOTALL)[0]
    key = re.search("<Key>.*?</Key>", done)[0]
    version = re.search("<VersionId>.*?</VersionId>", done)
    failed = f"<Error>{key}{version[0] if version else ''}<Code>{code}</Code></Error>"
    return body.decode().replace(done, failed, 1).encode()


def test_marker_that_may_not_be_removed_is_a_failure_and_the_rest_comes_back(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    made = sorted(markers(live))

    def deny(request: Request) -> str:
        keys = request.batch_keys
        for key, version_id in made:
            if key in keys and key != "old-1/file-00001":
                live.client.delete_object(Bucket=live.name, Key=key, VersionId=version_id)
        removed = [key for key in keys if key != "old-1/file-00001"]
        return delete_result(removed, [("old-1/file-00001", "AccessDenied")])

    proxy.answer_with("POST", DELETE, deny)
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "failed": 1}
    assert "AccessDenied" in restored.deployments[0].problem
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL
    assert live.keys() == {"index.html"} | {
        f"{name}/file-{number:05}"
        for name in ("new", *DOOMED)
        for number in range(3)
        if (name, number) != ("old-1", 1)
    }


@pytest.mark.parametrize("answer", ["", delete_result()])
def test_answer_that_says_nothing_is_settled_by_what_is_current(
    live: Bucket, proxy: FaultProxy, undo, answer: str
) -> None:
    before = current(live)
    one = undo(deleted(live))
    proxy.rewrite("POST", DELETE, lambda _: answer.encode())
    assert one.outcomes(one.run()) == {"restored": 6}
    assert current(live) == before


def test_removal_that_s3_only_says_it_made_has_failed(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    proxy.answer_with("POST", DELETE, lambda request: delete_result(request.batch_keys))
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert restored.deployments[0].problem
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL


def test_lost_access_stops_the_undo_and_the_rest_counts_as_failed(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert "ExpiredToken" in restored.stop_reason
    assert live.folders() == {"new"}


def test_restore_sends_fewer_requests_at_once_when_throttled(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    for number in range(3, WORKERS + 1):
        live.deploy(f"old-{number}", days=10 + number, files=1)
    one = undo(deleted(live))
    throttling = ThrottlingS3(proxy, senders=WORKERS)
    one.restoration._control.sleep = throttling.pause
    assert one.outcomes(one.run()) == {"failed": 6 + WORKERS - 2}
    assert throttling.most_in_flight[1:] == [1] * (len(RETRY_DELAYS_SECONDS) - 1)


def test_restore_retries_nothing_after_lost_access(live: Bucket, proxy: FaultProxy, undo) -> None:
    one = undo(deleted(live))
    one.restoration.concurrency = 1
    sent = len(proxy.deletions)

    def throttle_first_key(request: Request) -> str:
        first, *others = request.batch_keys
        return delete_result(
            errors=[(first, "SlowDown"), *((key, "ExpiredToken") for key in others)]
        )

    proxy.answer_with("POST", DELETE, throttle_first_key)
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert "ExpiredToken" in restored.stop_reason
    assert len(proxy.deletions) - sent == 1
    assert one.pauses == []


def test_restore_retries_nothing_after_another_deployment_lost_access(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    sent = len(proxy.deletions)
    both_sent = threading.Barrier(2, timeout=30)
    is_stopped = threading.Event()

    def throttle_first_deployment(request: Request) -> str:
        if not is_stopped.is_set():
            both_sent.wait()
        is_first = request.batch_keys[0].startswith("old-1/")
        code = "SlowDown" if is_first else "ExpiredToken"
        return delete_result(errors=[(key, code) for key in request.batch_keys])

    proxy.answer_with("POST", DELETE, throttle_first_deployment)
    # The listing that follows the removal: the answer with the expired token has been read.
    proxy.call_before("GET", f"{VERSIONS}.*prefix=old-2%2F", is_stopped.set, nth=2)
    one.restoration._control.sleep = lambda _seconds: is_stopped.wait(timeout=30)
    restored = one.run()
    assert one.outcomes(restored) == {"failed": 6}
    assert "ExpiredToken" in restored.stop_reason
    assert len(proxy.deletions) - sent <= 3


@pytest.mark.parametrize("nth", [2, 3])
def test_listing_that_fails_in_mid_run_is_a_failure_not_a_success(
    live: Bucket, proxy: FaultProxy, undo, nth: int
) -> None:
    """The second listing of a deployment comes right before the removal, the third after it."""
    one = undo(deleted(live))
    proxy.answer(
        "GET", f"{VERSIONS}.*prefix=old-1%2F", error("AccessDenied"), status=403, nth=nth - 1
    )
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 3, "failed": 3}
    assert "AccessDenied" in restored.deployments[0].problem
    assert ("old-1" in live.folders()) is (nth == 3)


def test_version_uploaded_between_plan_and_removal_stays(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    one = undo(deleted(live))
    live.client.put_object(Bucket=live.name, Key="old-1/file-00000", Body=b"newer")
    newer = current(live)["old-1/file-00000"]
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert current(live)["old-1/file-00000"] == newer


def test_version_uploaded_during_the_removal_stays(live: Bucket, proxy: FaultProxy, undo) -> None:
    one = undo(deleted(live))
    proxy.call_before("POST", DELETE, lambda: live.put("old-1/file-00000", body=b"newer"), nth=1)
    restored = one.run()
    assert one.outcomes(restored) == {"restored": 5, "skipped": 1}
    assert live.content()["old-1/file-00000"][0] == b"newer"


class GivesUp(NoProgress):
    """A watcher whose screen has gone."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - as Progress has it
        if task == "Restoring objects":
            raise OSError(task)

    def advance(self, steps: int) -> None:
        if steps > 1:
            raise OSError(steps)


def test_watcher_that_went_away_stops_no_undo(live: Bucket, undo) -> None:
    one = undo(deleted(live), GivesUp())
    assert one.outcomes(one.run()) == {"restored": 6}


def test_interrupted_undo_waits_for_what_is_out_and_accounts_for_all(
    live: Bucket, proxy: FaultProxy, undo
) -> None:
    live.deploy("old-1", days=10, files=2500)
    one = undo(deleted(live))
    has_come = threading.Event()

    def raise_interrupt(*_: object) -> None:
        has_come.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert has_come.wait(timeout=60)

    proxy.call_before("POST", rf"{DELETE}", interrupt, nth=1)
    before = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        restored = one.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert restored.stop_reason == describe_error(KeyboardInterrupt())
    there = {key for key in live.content() if key.startswith(DOOMED)}
    assert restored.count_objects(ObjectRestoreOutcome.RESTORED) == len(there) < 2503
    assert restored.count_objects(ObjectRestoreOutcome.FAILED) == 2503 - len(there)
    assert restore_exit_code(one.plan, restored) is ExitCode.PARTIAL


def test_bug_in_one_deployment_stops_the_undo_and_is_told(live: Bucket, undo, monkeypatch) -> None:
    path = deleted(live)
    one = undo(path)
    entries = JournalFile.read_entries

    def broken(journal: JournalFile, prefix: str):
        if prefix == "old-1/":
            raise ZeroDivisionError
        return entries(journal, prefix)

    monkeypatch.setattr(JournalFile, "read_entries", broken)
    restored = one.run()
    assert describe_error(ZeroDivisionError()) in restored.stop_reason
    assert restored.deployments[0].counts == {ObjectRestoreOutcome.FAILED: 3}
