"""The keys to delete are written to the journal before the request is sent."""

import resource
import signal
from pathlib import Path

from ci3.core.model.result import ObjectOutcome
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply
from tests.support.journals import read_intents, read_records
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_intent_is_in_the_journal_before_each_request(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    seeded_site.deploy("old-1", days=10, files=1001)
    intents: list[set[str]] = []

    def read_journal() -> None:
        intents.append({intent["key"] for intent in read_intents(read_records("before.jsonl"))})

    proxy.call_before("POST", DELETE, read_journal)
    run = apply(seeded_site, journal_file="before.jsonl")
    assert len(intents) == 2
    for keys, request in zip(intents, proxy.deletions, strict=True):
        assert set(request.batch_keys) <= keys
    kinds = [record["record"] for record in run.journal]
    assert (kinds[0], kinds[-1]) == ("header", "end")
    assert sorted(kinds[1:-1]) == ["intent", "intent", "outcome", "outcome"]
    assert run.journal[0]["plan_id"] == run.plan.plan_id


class FullDisk(NoProgress):
    """Simulates a full disk: when the deletion begins, no file can grow any more."""

    def begin(self, task: str, total: int) -> None:  # noqa: ARG002 - parameters of Progress
        if task == "Deleting objects":
            size = Path("full.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))


def test_journal_that_cannot_be_written_stops_the_run_before_the_request(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        run = apply(seeded_site, progress=FullDisk(), journal_file="full.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert run.exit_code is ExitCode.PARTIAL
    assert "full.jsonl" in run.result.stop_reason
    assert run.result.count_objects(ObjectOutcome.FAILED) == 9
    assert proxy.deletions == []
