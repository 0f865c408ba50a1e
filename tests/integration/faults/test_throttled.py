"""S3 has too much of it: the run goes on more slowly, and gives up what never fares better."""

from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.sender import RETRY_DELAYS_SECONDS
from ci3.errors import ExitCode
from tests.integration.faults.conftest import OLD_NAMES
from tests.support.cleanup_run import apply
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_key_that_is_slowed_down_again_and_again_fails_and_is_told(
    live: MemorySite, proxy: FaultProxy
) -> None:
    proxy.refuse([f"old-2/file-{number:05}" for number in range(3)], "SlowDown")

    ran = apply(live)

    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"failed": 3}
    assert [len(one.batch_keys) for one in proxy.deletions] == [9, *[3] * 8]
    assert tuple(ran.pauses) == RETRY_DELAYS_SECONDS
    assert live.folders() == {"new", "old-2"}


def test_storm_of_503_slows_the_run_and_it_completes(
    live: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    for number in range(1, 9):
        proxy.answer("POST", DELETE, error("SlowDown"), status=503, nth=number)

    ran = apply(live)

    assert ran.exit_code is ExitCode.DONE
    assert live.folders() == {"new"}
    assert len(proxy.deletions) == 9
    assert len(pauses) + len(ran.pauses) == 8


def test_storm_of_503_that_does_not_end_fails_and_is_told(
    live: MemorySite, proxy: FaultProxy, pauses: list[float]
) -> None:
    proxy.answer("POST", DELETE, error("SlowDown"), status=503)

    ran = apply(live)

    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 9
    assert live.folders() == {"new", *OLD_NAMES}
