"""Shards that delete at the same time: each begins while those before it are half done."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock

import pytest

from ci3.core.account import Account
from ci3.core.model import Outcome
from ci3.core.parting import cut
from ci3.core.plan import Plan
from ci3.core.shards import Shard
from ci3.run import open_run
from tests.engine.road import cleanup
from tests.fault_proxy import Answer, Request
from tests.inventory_reports import report_of
from tests.journals import intended, records
from tests.memory_site import MemorySite, reached

COUNT = 8
NUMBERS = range(1, COUNT + 1)
SIZES = (12, 9, 9, 8, 8, 7, 7, 6, 5, 5, 4, 4, 3, 3, 2, 2)
SECONDS = 20
"""How long one waits for another at most, so that a fault ends the test."""


class Meeting:
    """Lets each shard send one deletion, and more of them only when all have judged the plan."""

    def __init__(self, site: MemorySite) -> None:
        self.site = site
        self.owners: dict[str, int] = {}
        """The shard of each deployment."""
        self.has_begun = {number: Event() for number in NUMBERS}
        self._all_have_judged = Event()
        self._judged = 0
        self._lock = Lock()

    def ask(self, request: Request) -> Answer:
        if request.is_probe or not (request.is_write and request.batch_keys):
            return self.site.answer(request)
        has_begun = self.has_begun[self.owners[request.batch_keys[0].partition("/")[0]]]
        if has_begun.is_set():
            assert self._all_have_judged.wait(SECONDS)
        answer = self.site.answer(request)
        has_begun.set()
        return answer

    def note_judged(self, _journal: str) -> None:
        with self._lock:
            self._judged += 1
            if self._judged == COUNT:
                self._all_have_judged.set()


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meeting]:
    """One deployment to keep and sixteen to delete, two objects at a time."""
    monkeypatch.setattr("ci3.engine.sending.DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.direct.SENDERS", 1)
    monkeypatch.setattr("ci3.engine.version_deletion.DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.version_deletion.SENDERS", 1)
    site = MemorySite()
    site.deploy("new", days=1)
    for number, files in enumerate(SIZES):
        site.deploy(f"old-{number:02}", days=10 + number, files=files)
    meeting = Meeting(site)
    with reached(meeting.ask):
        yield meeting


def apply_shard(meeting: Meeting, plan: Plan, number: int, **settings: str) -> Account:
    journal = f"j-{number}.jsonl"
    one = cleanup(meeting.site, shard=f"{number}/{COUNT}", journal_file=journal, **settings)
    run = open_run([replace(one, tell_journal=meeting.note_judged)], [plan])
    (account,) = run.apply(run.reconcile(run.make_plans()), is_fresh=False)
    return account


def apply_all(meeting: Meeting, plan: Plan, **settings: str) -> Sequence[Account]:
    """Begin each shard when the one before has deleted something of its own, and not all."""
    for number in NUMBERS:
        (part,) = cut([plan], Shard(number=number, count=COUNT))
        meeting.owners |= {one.deployment.name: number for one in part.doomed}
    with ThreadPoolExecutor(COUNT) as pool:
        running = []
        for number in NUMBERS:
            running.append(pool.submit(apply_shard, meeting, plan, number, **settings))
            assert meeting.has_begun[number].wait(SECONDS), running[-1].result(0)
        return [one.result(SECONDS) for one in running]


def keep_versions(site: MemorySite) -> None:
    """Keep versions from now on, of which each object to delete then has two."""
    site.enable_versioning()
    for number, files in enumerate(SIZES):
        site.deploy(f"old-{number:02}", days=10 + number, files=files)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_delete": "16"},
        {"max_delete_bytes": "94B", "keep_within": "12h", "keep_daily": "1"},
        {"age_from": "first-object", "max_delete": "95%"},
        {"required_file": "file-00000"},
        {"delete_versions": "true"},
    ],
    ids=lambda settings: " ".join(settings) or "usual",
)
def test_shards_that_begin_in_the_midst_of_others_delete_exactly_the_plan(meeting, settings):
    site = meeting.site
    if "delete_versions" in settings:
        keep_versions(site)
    run = cleanup(site, **settings)
    plan = run.make_plan(run.open_bucket())
    planned = {key for key in site.keys() if key.startswith("old-")}  # noqa: SIM118

    accounts = apply_all(meeting, plan, **settings)

    assert site.folders() == {"new"}
    assert [one.outcome for one in accounts] == [Outcome.APPLIED] * COUNT
    assert sum(one.result.deployments_deleted for one in accounts) == len(SIZES)
    parts = [[one["key"] for one in intended(records(f"j-{n}.jsonl"))] for n in NUMBERS]
    assert {key for part in parts for key in part} == planned
    assert [len(part) for part in parts] == [
        one.plan.totals.versions_to_delete or one.plan.totals.objects_to_delete for one in accounts
    ]


def test_shards_that_plan_with_an_inventory_report_delete_exactly_the_plan(meeting):
    site = meeting.site
    rules = {"inventory": report_of(site).deliver(site), "match": "new|old-.*"}
    run = cleanup(site, **rules)
    plan = run.make_plan(run.open_bucket())
    kept = {key for key in site.keys() if not key.startswith("old-")}  # noqa: SIM118

    accounts = apply_all(meeting, plan, **rules)

    assert [one.outcome for one in accounts] == [Outcome.APPLIED] * COUNT
    assert sum(one.result.deployments_deleted for one in accounts) == len(SIZES)
    assert site.keys() == kept
