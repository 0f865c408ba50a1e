"""A restore and an apply of one bucket overlap, at each request in turn.

A first run keeps `new` and `mid`, and deletes `old-1` and `old-2`. Then a restore of this run and
an apply that keeps only `new` overlap.
"""

import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import pytest

from ci3.core.restore.plan import RestoreResult
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import Restoration
from ci3.engine.restore.sources import source_from_journal
from ci3.engine.workers.progress import NoProgress
from tests.support.cleanup_run import apply, apply_plan, make_context
from tests.support.journals import read_intents, read_outcomes, read_records
from tests.support.s3.fault_proxy import Answer, Request
from tests.support.s3.memory_site import MemorySite, running_site

FIRST, SECOND = "first.jsonl", "second.jsonl"
DEPLOYMENTS = {"new": 1, "mid": 5, "old-1": 10, "old-2": 11}
"""Age in days."""

ALL_KEYS = {f"{name}/file-{number:05}" for name in DEPLOYMENTS for number in range(2)}


class RequestOrder:
    """Runs a function right before the n-th request to S3, and records which write was the last."""

    def __init__(self, site: MemorySite) -> None:
        self.count = 0
        self.last_writes: dict[str, str] = {}
        self._start_at = 0
        self._start: Callable[[], object] | None = None
        self._lock = Lock()
        self._forward = site.proxy._forward
        site.proxy._forward = self._handle

    def start_before(self, number: int, start: Callable[[], object]) -> None:
        """Call `start` before the request with this number, counted from now on."""
        self.count, self._start_at, self._start = 0, number, start

    def _handle(self, request: Request) -> Answer:
        with self._lock:
            self.count += 1
            start = self._start if self.count == self._start_at else None
        if start is not None:
            self._start = None
            start()
        with self._lock:
            answer = self._forward(request)
            for deletion in re.findall("<Deleted>(.*?)</Deleted>", answer.body.decode(), re.DOTALL):
                key = re.search("<Key>(.*?)</Key>", deletion)[1]
                self.last_writes[key] = "restore" if "<VersionId>" in deletion else "apply"
            return answer


def seed(site: MemorySite) -> dict[str, tuple[bytes, str, object]]:
    """Upload all deployments, run the first cleanup, and return the content before it."""
    for path in (FIRST, SECOND):
        Path(path).unlink(missing_ok=True)
    site.enable_versioning()
    for name, days in DEPLOYMENTS.items():
        site.deploy(name, days=days, files=2)
    content = site.content()
    apply(site, keep_count="2", journal_file=FIRST)
    assert site.folders() == {"new", "mid"}
    return content


def run_apply(site: MemorySite) -> None:
    context = make_context(site, journal_file=SECOND, concurrency="1")
    reader = context.open_bucket()
    apply_plan(context, context.make_plan(reader), reader, is_fresh=True)


def run_restore(site: MemorySite, path: str = FIRST) -> RestoreResult | None:
    with open_journal(path) as journal:
        restoration = Restoration(
            reader=make_context(site).open_bucket(),
            source=source_from_journal(journal),
            progress=NoProgress(),
            sleep=lambda _: None,
            concurrency=1,
        )
        plan = restoration.make_plan()
        return restoration.restore(plan) if plan.has_work else None


ORDERS = {"apply during restore": (run_restore, run_apply),
          "restore during apply": (run_apply, run_restore)}  # fmt: skip


def count_requests(run: Callable[[MemorySite], object]) -> int:
    with running_site() as site:
        seed(site)
        order = RequestOrder(site)
        run(site)
        return order.count


def check_journal(path: str) -> None:
    """Check that the journal ends, with an outcome for each object that was to be deleted."""
    records = read_records(path)
    assert records[-1]["record"] == "end"
    outcomes = [row["key"] for row in read_outcomes(records)]
    assert sorted(outcomes) == sorted(row["key"] for row in read_intents(records))


@pytest.mark.parametrize("name", ORDERS)
def test_last_writer_determines_the_state_of_each_object_and_all_can_be_restored(name):
    outer, inner = ORDERS[name]
    for number in range(1, count_requests(outer) + 1):
        with running_site() as site:
            content = seed(site)
            versions = site.all_versions()
            order = RequestOrder(site)
            order.start_before(number, lambda site=site: inner(site))
            outer(site)

            deleted_keys = {key for key, writer in order.last_writes.items() if writer == "apply"}
            assert order.last_writes.keys() >= ALL_KEYS - {
                key for key in ALL_KEYS if key.startswith("new/")
            }, number
            assert site.keys() == ALL_KEYS - deleted_keys, number
            assert site.all_versions() >= versions
            for path in (FIRST, SECOND):
                check_journal(path)
                run_restore(site, path)
            assert site.content() == content, number
