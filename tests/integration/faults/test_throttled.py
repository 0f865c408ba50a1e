"""Throttled requests: the run slows down, and keys that stay throttled fail."""

from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES
from tests.support.cleanup_run import apply
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_keys_that_are_always_throttled_fail_after_all_retries(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    proxy.refuse([f"old-2/file-{number:05}" for number in range(3)], "SlowDown")

    run = apply(seeded_site)

    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"failed": 3}
    assert [len(request.batch_keys) for request in proxy.deletions] == [9, *[3] * 8]
    assert tuple(run.pauses) == RETRY_DELAYS_SECONDS
    assert seeded_site.folders() == {"new", "old-2"}


def test_run_completes_after_many_503_responses(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    for number in range(1, 9):
        proxy.answer("POST", DELETE, error("SlowDown"), status=503, nth=number)

    run = apply(seeded_site)

    assert run.exit_code is ExitCode.DONE
    assert seeded_site.folders() == {"new"}
    assert len(proxy.deletions) == 9
    assert len(pauses) + len(run.pauses) == 8


def test_objects_fail_if_503_responses_do_not_end(
    seeded_site: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("POST", DELETE, error("SlowDown"), status=503)

    run = apply(seeded_site)

    assert run.exit_code is ExitCode.PARTIAL
    assert run.result.count_objects(ObjectOutcome.FAILED) == 9
    assert seeded_site.folders() == {"new", *OLD_NAMES}
