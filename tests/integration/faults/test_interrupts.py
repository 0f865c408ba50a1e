"""An interrupt waits for what is out, and accounts for all."""

import os
import signal
import threading

import pytest

from ci3.core.model.result import ObjectOutcome
from ci3.errors import ExitCode, describe_error
from tests.support.cleanup_run import apply
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_waits_for_what_is_out_and_accounts_for_all(
    site: MemorySite, proxy: FaultProxy, sent: signal.Signals
) -> None:
    """More batches than go out at once: whatever is out is held until the interrupt has come."""
    site.deploy("new", days=1)
    site.deploy("old", days=10, files=9_500)
    is_sent, has_come = threading.Event(), threading.Event()

    def interrupt_once() -> None:
        if not is_sent.is_set():
            is_sent.set()
            os.kill(os.getpid(), sent)
        has_come.wait(timeout=60)

    def raise_interrupt(*_: object) -> None:
        has_come.set()
        raise KeyboardInterrupt

    proxy.call_before("POST", DELETE, interrupt_once)
    before = {one: signal.signal(one, raise_interrupt) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        ran = apply(site)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert ran.exit_code is ExitCode.PARTIAL
    reason = describe_error(KeyboardInterrupt())
    assert ran.result.stop_reason == reason
    assert ran.journal[-1] == {"record": "end", "stopped": reason}
    asked = sum(len(one.batch_keys) for one in proxy.deletions)
    assert ran.result.count_objects(ObjectOutcome.DELETED) == asked < 9_500
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 9_500 - asked
