"""An interrupted run waits for requests in flight, and reports an outcome for every object."""

import os
import signal
import threading

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.engine.journal.writer import Journal
from ci3.errors import ExitCode, describe_error
from tests.support.cleanup_run import apply
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_waits_for_requests_in_flight_and_reports_every_object(
    site: MemorySite, proxy: FaultProxy, interrupt: signal.Signals
) -> None:
    """Each request in flight is delayed until the signal handler has run.

    There are more batches than concurrent requests, so some batches are never sent.
    """
    site.deploy("new", days=1)
    site.deploy("old", days=10, files=9_500)
    is_sent, is_handled = threading.Event(), threading.Event()

    def interrupt_once() -> None:
        if not is_sent.is_set():
            is_sent.set()
            os.kill(os.getpid(), interrupt)
        is_handled.wait(timeout=60)

    def raise_interrupt(*_: object) -> None:
        is_handled.set()
        raise KeyboardInterrupt

    proxy.call_before("POST", DELETE, interrupt_once)
    handlers = {
        number: signal.signal(number, raise_interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        run = apply(site)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert run.exit_code is ExitCode.PARTIAL
    reason = describe_error(KeyboardInterrupt())
    assert run.result.stop_reason == reason
    assert run.journal[-1] == {"record": "end", "stopped": reason}
    requested_count = sum(len(request.batch_keys) for request in proxy.deletions)
    assert run.result.count_objects(ObjectOutcome.DELETED) == requested_count < 9_500
    assert run.result.count_objects(ObjectOutcome.FAILED) == 9_500 - requested_count


def test_interrupt_while_the_journal_is_ended_leaves_the_outcomes(
    site: MemorySite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    site.deploy("new", days=1)
    site.deploy("old", days=10)
    monkeypatch.setattr(Journal, "record_end", interrupt)
    run = apply(site)
    assert run.counts("old") == {"deleted": 3}
    assert run.result.stop_reason == describe_error(KeyboardInterrupt())
