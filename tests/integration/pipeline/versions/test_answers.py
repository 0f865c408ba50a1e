"""What S3 answers where versions are deleted, and what becomes of a run in its midst."""

import os
import resource
import signal
import threading
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


def test_locked_version_is_denied_and_what_hides_it_stays(live: Bucket, proxy: FaultProxy) -> None:
    """Else the locked content would be live again.

    All that is current stays too: else no folder would be seen, and no later run would tell it.
    """
    before = list_versions_to_delete(live, "old-1/")
    locked = next(one for one, what in before.items() if what.startswith("older"))
    proxy.answer_with(
        "POST", DELETE, lambda one: answer_deletion(live, one, {locked: "AccessDenied"})
    )
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"deleted": 3, "denied": 1, "failed": 3}
    assert "AccessDenied" in ran.result_of("old-1").problem
    current = {one for one, what in before.items() if what.startswith('latest "')}
    assert list_versions_to_delete(live) == {one: before[one] for one in {locked, *current}}
    assert not any(
        locked in requested_versions(request) for request in proxy.find_requests("POST", DELETE)[2:]
    )


def test_locked_version_of_a_removed_key_is_told_by_each_later_run(
    live: Bucket, proxy: FaultProxy
) -> None:
    locked = {"old-1/removed": "AccessDenied"}
    proxy.answer_with("POST", DELETE, lambda one: answer_deletion(live, one, locked))
    counts = [apply_to_versions(live).counts("old-1") for _ in range(2)]
    assert counts == [{"deleted": 2, "denied": 1, "failed": 4}, {"denied": 1, "failed": 4}]
    proxy.forget_rules()
    assert apply_to_versions(live).exit_code is ExitCode.DONE
    assert list_versions_to_delete(live) == {}


@pytest.mark.parametrize("code", ["InternalError", "SlowDown"])
def test_version_that_s3_asks_to_send_again_is_sent_again_alone(
    live: Bucket, proxy: FaultProxy, code: str
) -> None:
    seen: list[Version] = []

    def fail_once(request: Request) -> str:
        first = {} if seen else {requested_versions(request)[0]: code}
        seen.extend(first)
        return answer_deletion(live, request, first)

    proxy.answer_with("POST", DELETE, fail_once)
    ran = apply_to_versions(live, protect="old-1")
    assert ran.exit_code is ExitCode.DONE
    assert ran.counts("old-2") == {"deleted": 3}
    assert [len(requested_versions(one)) for one in proxy.find_requests("POST", DELETE)] == [3, 1]
    assert ran.pauses == [RETRY_DELAYS_SECONDS[0]]


def test_version_that_fails_again_and_again_has_failed_and_is_told(
    live: Bucket, proxy: FaultProxy
) -> None:
    bad = next(iter(list_versions_to_delete(live, "old-2/")))
    proxy.answer_with("POST", DELETE, lambda one: answer_deletion(live, one, {bad: "SlowDown"}))
    ran = apply_to_versions(live, protect="old-1")
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"deleted": 2, "failed": 1}
    assert set(list_versions_to_delete(live, "old-2/")) == {bad}


@pytest.mark.parametrize("nth", [1, None])
def test_answer_that_is_lost_after_the_deed_is_settled(
    live: Bucket, proxy: FaultProxy, pauses: list[float], nth: int | None
) -> None:
    proxy.drop("POST", DELETE, nth=nth)
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.DONE
    assert {one for name in ("old-1", "old-2") for one in ran.counts(name)} <= {"deleted", "absent"}
    assert list_versions_to_delete(live) == {}


@pytest.mark.parametrize("answer", ["", delete_result()])
def test_answer_that_says_nothing_is_settled_by_listing(
    live: Bucket, proxy: FaultProxy, answer: str
) -> None:
    proxy.rewrite("POST", DELETE, lambda _: answer.encode())
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.DONE
    assert (ran.counts("old-1"), ran.counts("old-2")) == ({"absent": 7}, {"absent": 3})
    assert list_versions_to_delete(live) == {}


def test_answer_that_says_nothing_and_did_nothing_is_a_failure(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    before = list_versions_to_delete(live)
    proxy.answer_with("POST", DELETE, lambda _: delete_result())
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert_screen(ran.result_of("old-1").problem, is_shared=True)
    assert (ran.counts("old-1"), ran.counts("old-2")) == ({"failed": 7}, {"failed": 3})
    assert list_versions_to_delete(live) == before


def test_deletion_that_s3_only_says_it_made_is_told(
    live: Bucket, proxy: FaultProxy, assert_screen
) -> None:
    proxy.answer_with(
        "POST",
        DELETE,
        lambda one: delete_result().replace(
            "></",
            ">"
            + "".join(
                f"<Deleted><Key>{key}</Key><VersionId>{version_id}</VersionId></Deleted>"
                for key, version_id in requested_versions(one)
            )
            + "</",
        ),
    )
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert_screen(ran.result_of("old-2").problem)


def test_lost_access_stops_the_run_and_the_rest_counts_as_failed(
    live: Bucket, proxy: FaultProxy
) -> None:
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    ran = apply_to_versions(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert "ExpiredToken" in ran.result.stop_reason
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 10
    assert len(list_versions_to_delete(live)) == 10


def test_batch_that_waits_is_not_sent_after_lost_access(
    live: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci3.engine.deletion.versions.DELETE_BATCH_SIZE", 1)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    ran = apply_to_versions(live, protect="old-1")
    assert "ExpiredToken" in ran.result.stop_reason
    assert ran.counts("old-2") == {"failed": 3}
    assert len(proxy.deletions) == 1


def test_run_whose_time_is_over_sends_nothing(live: Bucket, proxy: FaultProxy) -> None:
    run = make_context(live, delete_versions="true")
    run = type(run)(
        **{name: getattr(run, name) for name in run.__slots__} | {"ends_at": run.clock()}
    )
    reader = run.open_bucket()
    plan = run.make_plan(reader)
    result = apply_plan(run, plan, reader, is_fresh=True)
    assert "timeout" in result.stop_reason
    assert proxy.deletions == []


class FullDisk(NoProgress):
    """Fills the disk, as it were, when the deletion begins: no file may grow any more."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - as Progress has it
        if task == "Deleting versions":
            size = Path("full.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))


def test_journal_that_cannot_be_written_stops_the_run_before_the_request(
    live: Bucket, proxy: FaultProxy
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        run = make_context(
            live, progress=FullDisk(), journal_file="full.jsonl", delete_versions="true"
        )
        reader = run.open_bucket()
        plan = run.make_plan(reader)
        ran = CleanupRun(plan=plan, result=apply_plan(run, plan, reader, is_fresh=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert ran.exit_code is ExitCode.PARTIAL
    assert "full.jsonl" in ran.result.stop_reason
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 10
    assert proxy.deletions == []


def test_interrupted_run_waits_for_what_is_out_and_accounts_for_all(
    live: Bucket, proxy: FaultProxy
) -> None:
    live.deploy("old-2", days=9, files=2500)
    has_come = threading.Event()

    def raise_interrupt(*_: object) -> None:
        has_come.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert has_come.wait(timeout=60)

    planned = len(list_versions_to_delete(live, "old-2/"))
    proxy.call_before("POST", DELETE, interrupt, nth=1)
    before = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        ran = apply_to_versions(live, protect="old-1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.stop_reason == describe_error(KeyboardInterrupt())
    left = len(list_versions_to_delete(live, "old-2/"))
    assert 0 < left < planned
    assert ran.counts("old-2") == {"deleted": planned - left, "failed": left}
