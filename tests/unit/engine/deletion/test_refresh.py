"""A worker refreshes deployments, and the parent compares them with the plan."""

import os
import signal
import time
from contextlib import closing
from functools import partial

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion import objects as direct
from ci3.engine.deletion import refresh
from ci3.engine.deletion.refresh import Refresher, start_refresher
from ci3.engine.inventory.listing import list_deployment, read_folder
from ci3.engine.workers.worker_process import WorkerTiming
from ci3.errors import AccessError, DeniedError, ExitCode, ListingError, describe_error
from tests.support.cleanup_run import apply, seed_site
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("forks"),
]


@pytest.fixture
def shop(shop: Bucket) -> Bucket:
    for number in (4, 5):
        shop.deploy(f"shop-{number}", days=1 + number, files=4)
    return shop


start_small_refresher = partial(start_refresher, min_total_objects=20)


@pytest.fixture
def due(reader: BucketReader) -> list[Deployment]:
    return [list_deployment(reader, f"shop-{one}", f"shop-{one}/")[0] for one in range(6)]


@pytest.fixture
def only_in_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the parent reads a deployment."""
    this = os.getpid()

    def read(*words, **more):
        assert os.getpid() != this, "it was read here"
        return read_folder(*words, **more)

    monkeypatch.setattr(refresh, "read_folder", read)


@pytest.mark.parametrize("keeps_versions", [True, False])
@pytest.mark.usefixtures("only_in_worker")
def test_worker_reads_what_the_parent_would_read(shop, reader, due, keeps_versions):
    if keeps_versions:
        shop.enable_versioning()
        shop.put("shop-1/file-00001", body=b"another")
    here = [read_folder(reader, one.prefix, with_versions=keeps_versions) for one in due]
    with closing(start_small_refresher(reader, due)) as refresher:
        assert [refresher.read(one, with_versions=keeps_versions) for one in due] == here


def test_deployment_that_may_not_be_listed_is_tried_by_the_parent_and_reported(shop, reader, due):
    shop.proxy.answer(
        "GET", "prefix=shop-2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    with closing(start_small_refresher(reader, due)) as refresher:
        with pytest.raises(DeniedError, match="AccessDenied"):
            refresher.read(due[2], with_versions=False)
        asked = len(shop.proxy.requests)
        assert len(refresher.read(due[3], with_versions=False).keys) == 4
        assert len(shop.proxy.requests) == asked + 1


def test_parent_reads_what_an_ended_worker_did_not(reader, due):
    with closing(start_small_refresher(reader, due)) as refresher:
        os.kill(refresher._worker._process.pid, signal.SIGKILL)
        assert [len(refresher.read(one, with_versions=False).keys) for one in due] == [4] * 6


def test_no_worker_for_few_objects_or_a_large_deployment(reader, due):
    """For a while, both processes would hold its objects."""
    with closing(start_small_refresher(reader, due[:4])) as refresher:
        assert refresher._worker is None
    with closing(start_small_refresher(reader, due, max_deployment_objects=3)) as refresher:
        assert refresher._worker is None
    with closing(start_refresher(reader, [*due, *due])) as refresher:
        assert refresher._worker is None


def refresh_with_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs refresh with a worker, however few objects there are."""
    starter = partial(start_refresher, min_total_objects=1)
    monkeypatch.setattr(direct, "start_refresher", starter)


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch, only_in_worker: None) -> list[str]:
    """Have a worker refresh everything; return what it read."""
    refresh_with_worker(monkeypatch)
    listed: list[str] = []
    read = Refresher.read

    def spy(self, one, **more):
        listed.append(one.name)
        return read(self, one, **more)

    monkeypatch.setattr(Refresher, "read", spy)
    return listed


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_deployment_that_the_worker_refreshed_is_deleted(
    site: Bucket, refreshed, keeps_versions
) -> None:
    seed_site(site)
    if keeps_versions:
        site.enable_versioning()
    ran = apply(site)
    assert ran.exit_code is ExitCode.DONE
    assert sorted(refreshed) == ["old-1", "old-2", "old-3"]
    assert site.folders() == {"new"}
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 9


def test_deployment_that_has_changed_when_the_worker_refreshes_it_is_kept(
    site: Bucket, proxy: FaultProxy, refreshed
) -> None:
    seed_site(site)
    proxy.call_before(
        "GET", "prefix=old-2", act=lambda: site.put("old-2/file-00001", body=b"another")
    )
    ran = apply(site)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert site.folders() == {"new", "old-2"}
    assert not any("old-2" in key for one in proxy.deletions for key in one.batch_keys)


def note_workers(monkeypatch: pytest.MonkeyPatch, act=lambda _pid: None) -> list:
    """Return the processes of the workers that are started, after `act` was applied."""
    workers: list = []
    begin = Refresher.__init__

    def spy(self, bucket, worker, **limits: int) -> None:
        begin(self, bucket, worker, **limits)
        if worker is not None:
            workers.append(worker._process)
            act(worker._process.pid)

    monkeypatch.setattr(Refresher, "__init__", spy)
    return workers


def test_no_worker_is_left_after_a_deletion(site: Bucket, refreshed, monkeypatch) -> None:
    seed_site(site)
    workers = note_workers(monkeypatch)
    assert apply(site).exit_code is ExitCode.DONE
    assert [one.exitcode for one in workers] == [-signal.SIGKILL]


@pytest.mark.parametrize("error", [AccessError("a-message", "a-hint"), KeyboardInterrupt()])
def test_error_at_the_start_of_the_worker_stops_the_run_and_the_result_is_returned(
    site: Bucket, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    seed_site(site)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(direct, "start_refresher", fail)
    ran = apply(site)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.result.count_objects(ObjectOutcome.FAILED) == 9
    assert describe_error(error) in ran.result.stop_reason
    assert ran.journal[-1]["record"] == "end"
    assert site.folders() == {"new", "old-1", "old-2", "old-3"}


def test_stopped_run_does_not_read_what_an_ended_worker_did_not(reader, due):
    with closing(start_small_refresher(reader, due)) as refresher:
        assert refresher.read(due[0], with_versions=False, is_stopped=lambda: True)
        refresher.end_worker()
        with pytest.raises(ListingError, match="stopped"):
            refresher.read(due[0], with_versions=False, is_stopped=lambda: True)
        assert refresher.read(due[0], with_versions=False)


def test_worker_that_takes_long_is_waited_for(site: Bucket, proxy: FaultProxy, reader, due) -> None:
    timing = WorkerTiming(heartbeat_seconds=0.05, silence_seconds=0.5)
    proxy.call_before("GET", "prefix=shop-2", act=lambda: time.sleep(0.6))
    with closing(start_small_refresher(reader, due, timing=timing)) as refresher:
        asked = len(proxy.requests)
        assert len(refresher.read(due[2], with_versions=False).keys) == 4
        assert len(proxy.requests) == asked + 1


def test_deployment_that_has_grown_large_is_read_by_the_parent(site: Bucket, reader, due) -> None:
    with closing(start_small_refresher(reader, due, max_deployment_objects=5)) as refresher:
        site.deploy("shop-2", days=3, files=6)
        asked = len(site.proxy.requests)
        assert len(refresher.read(due[2], with_versions=False).keys) == 6
        assert len(site.proxy.requests) == asked + 2


@pytest.mark.parametrize("when", ["before", "in the midst"])
def test_killed_worker_loses_neither_objects_nor_outcomes(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    seed_site(site)
    refresh_with_worker(monkeypatch)
    workers = note_workers(
        monkeypatch, lambda pid: when == "before" and os.kill(pid, signal.SIGKILL)
    )
    if when == "in the midst":
        proxy.call_before(
            "GET", "prefix=old-2", act=lambda: os.kill(workers[0].pid, signal.SIGKILL)
        )
    ran = apply(site)
    assert [one.exitcode for one in workers] == [-signal.SIGKILL]
    assert ran.exit_code is ExitCode.DONE
    assert ran.result.count_objects(ObjectOutcome.DELETED) == 9
    assert site.folders() == {"new"}
