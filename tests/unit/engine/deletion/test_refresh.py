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
def deployments(reader: BucketReader) -> list[Deployment]:
    return [list_deployment(reader, f"shop-{number}", f"shop-{number}/")[0] for number in range(6)]


@pytest.fixture
def forbid_parent_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the parent reads a deployment."""
    parent_pid = os.getpid()

    def read_in_worker(*arguments, **options):
        assert os.getpid() != parent_pid, "the parent read a folder"
        return read_folder(*arguments, **options)

    monkeypatch.setattr(refresh, "read_folder", read_in_worker)


@pytest.mark.parametrize("keeps_versions", [True, False])
@pytest.mark.usefixtures("forbid_parent_reads")
def test_worker_reads_the_same_as_the_parent(shop, reader, deployments, keeps_versions):
    if keeps_versions:
        shop.enable_versioning()
        shop.put("shop-1/file-00001", body=b"another")
    expected = [
        read_folder(reader, deployment.prefix, with_versions=keeps_versions)
        for deployment in deployments
    ]
    with closing(start_small_refresher(reader, deployments)) as refresher:
        assert [
            refresher.read(deployment, with_versions=keeps_versions) for deployment in deployments
        ] == expected


def test_parent_reports_a_deployment_that_the_worker_may_not_list(shop, reader, deployments):
    shop.proxy.answer(
        "GET", "prefix=shop-2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    with closing(start_small_refresher(reader, deployments)) as refresher:
        with pytest.raises(DeniedError, match="AccessDenied"):
            refresher.read(deployments[2], with_versions=False)
        earlier_count = len(shop.proxy.requests)
        assert len(refresher.read(deployments[3], with_versions=False).keys) == 4
        assert len(shop.proxy.requests) == earlier_count + 1


def test_parent_reads_deployments_after_the_worker_ended(reader, deployments):
    with closing(start_small_refresher(reader, deployments)) as refresher:
        os.kill(refresher._worker._process.pid, signal.SIGKILL)
        assert [
            len(refresher.read(deployment, with_versions=False).keys) for deployment in deployments
        ] == [4] * 6


def test_no_worker_starts_for_few_objects_or_a_large_deployment(reader, deployments):
    """Both processes would hold the objects of a large deployment for a while."""
    with closing(start_small_refresher(reader, deployments[:4])) as refresher:
        assert refresher._worker is None
    with closing(start_small_refresher(reader, deployments, max_deployment_objects=3)) as refresher:
        assert refresher._worker is None
    with closing(start_refresher(reader, [*deployments, *deployments])) as refresher:
        assert refresher._worker is None


def refresh_with_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs refresh with a worker even for few objects."""
    starter = partial(start_refresher, min_total_objects=1)
    monkeypatch.setattr(direct, "start_refresher", starter)


@pytest.fixture
def refreshed(monkeypatch: pytest.MonkeyPatch, forbid_parent_reads: None) -> list[str]:
    """Make a worker refresh all deployments; return the names of those that it read."""
    refresh_with_worker(monkeypatch)
    names: list[str] = []
    read = Refresher.read

    def record_read(self, deployment, **options):
        names.append(deployment.name)
        return read(self, deployment, **options)

    monkeypatch.setattr(Refresher, "read", record_read)
    return names


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_deployment_that_the_worker_refreshed_is_deleted(
    site: Bucket, refreshed, keeps_versions
) -> None:
    seed_site(site)
    if keeps_versions:
        site.enable_versioning()
    cleanup_run = apply(site)
    assert cleanup_run.exit_code is ExitCode.DONE
    assert sorted(refreshed) == ["old-1", "old-2", "old-3"]
    assert site.folders() == {"new"}
    assert cleanup_run.result.count_objects(ObjectOutcome.DELETED) == 9


def test_deployment_that_has_changed_when_the_worker_refreshes_it_is_kept(
    site: Bucket, proxy: FaultProxy, refreshed
) -> None:
    seed_site(site)
    proxy.call_before(
        "GET", "prefix=old-2", act=lambda: site.put("old-2/file-00001", body=b"another")
    )
    cleanup_run = apply(site)
    assert cleanup_run.exit_code is ExitCode.PARTIAL
    assert cleanup_run.counts("old-2") == {"changed": 3}
    assert site.folders() == {"new", "old-2"}
    assert not any("old-2" in key for request in proxy.deletions for key in request.batch_keys)


def record_workers(monkeypatch: pytest.MonkeyPatch, act=lambda _pid: None) -> list:
    """Return a list that receives the process of each started worker; call `act` with its ID."""
    workers: list = []
    initialize = Refresher.__init__

    def record_worker(self, bucket, worker, **limits: int) -> None:
        initialize(self, bucket, worker, **limits)
        if worker is not None:
            workers.append(worker._process)
            act(worker._process.pid)

    monkeypatch.setattr(Refresher, "__init__", record_worker)
    return workers


def test_worker_is_ended_after_a_deletion(site: Bucket, refreshed, monkeypatch) -> None:
    seed_site(site)
    workers = record_workers(monkeypatch)
    assert apply(site).exit_code is ExitCode.DONE
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL]


@pytest.mark.parametrize("error", [AccessError("a-message", "a-hint"), KeyboardInterrupt()])
def test_error_at_the_start_of_the_worker_stops_the_run_and_the_result_is_returned(
    site: Bucket, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    seed_site(site)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(direct, "start_refresher", fail)
    cleanup_run = apply(site)
    assert cleanup_run.exit_code is ExitCode.PARTIAL
    assert cleanup_run.result.count_objects(ObjectOutcome.FAILED) == 9
    assert describe_error(error) in cleanup_run.result.stop_reason
    assert cleanup_run.journal[-1]["record"] == "end"
    assert site.folders() == {"new", "old-1", "old-2", "old-3"}


def test_stopped_run_reads_nothing_after_the_worker_ended(reader, deployments):
    with closing(start_small_refresher(reader, deployments)) as refresher:
        assert refresher.read(deployments[0], with_versions=False, is_stopped=lambda: True)
        refresher.end_worker()
        with pytest.raises(ListingError, match="stopped"):
            refresher.read(deployments[0], with_versions=False, is_stopped=lambda: True)
        assert refresher.read(deployments[0], with_versions=False)


def test_slow_worker_is_waited_for(site: Bucket, proxy: FaultProxy, reader, deployments) -> None:
    timing = WorkerTiming(heartbeat_seconds=0.05, silence_seconds=0.5)
    proxy.call_before("GET", "prefix=shop-2", act=lambda: time.sleep(0.6))
    with closing(start_small_refresher(reader, deployments, timing=timing)) as refresher:
        earlier_count = len(proxy.requests)
        assert len(refresher.read(deployments[2], with_versions=False).keys) == 4
        assert len(proxy.requests) == earlier_count + 1


def test_deployment_that_has_grown_large_is_read_by_the_parent(
    site: Bucket, reader, deployments
) -> None:
    with closing(start_small_refresher(reader, deployments, max_deployment_objects=5)) as refresher:
        site.deploy("shop-2", days=3, files=6)
        earlier_count = len(site.proxy.requests)
        assert len(refresher.read(deployments[2], with_versions=False).keys) == 6
        assert len(site.proxy.requests) == earlier_count + 2


@pytest.mark.parametrize("when", ["before", "during"])
def test_killed_worker_loses_neither_objects_nor_outcomes(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    seed_site(site)
    refresh_with_worker(monkeypatch)
    workers = record_workers(
        monkeypatch, lambda pid: when == "before" and os.kill(pid, signal.SIGKILL)
    )
    if when == "during":
        proxy.call_before(
            "GET", "prefix=old-2", act=lambda: os.kill(workers[0].pid, signal.SIGKILL)
        )
    cleanup_run = apply(site)
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL]
    assert cleanup_run.exit_code is ExitCode.DONE
    assert cleanup_run.result.count_objects(ObjectOutcome.DELETED) == 9
    assert site.folders() == {"new"}
