"""Doomed deployments are listed again by a copy of this Python, and judged by this one."""

import os
import signal
import time
from contextlib import closing

import pytest

from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion import objects as direct
from ci3.engine.deletion import refresh as engine_relisting
from ci3.engine.deletion.refresh import Relisting, begin_relisting
from ci3.engine.inventory.listing import list_deployment, read_folder
from ci3.engine.workers import worker_process as fork
from ci3.errors import AccessError, DeniedError, ExitCode, ListingError
from tests.support.cleanup_run import apply, furnish
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.moto_s3 import Bucket

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("forks"),
]


@pytest.fixture
def shop(shop: Bucket) -> Bucket:
    for number in (4, 5):
        shop.deploy(f"shop-{number}", days=1 + number, files=4)
    return shop


@pytest.fixture
def due(reader: BucketReader, monkeypatch: pytest.MonkeyPatch) -> list[Deployment]:
    monkeypatch.setattr(engine_relisting, "WORTH_A_COPY", 20)
    return [list_deployment(reader, f"shop-{one}", f"shop-{one}/")[0] for one in range(6)]


@pytest.fixture
def only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """See to it that nothing is read by this Python."""
    this = os.getpid()

    def read(*words, **more):
        assert os.getpid() != this, "it was read here"
        return read_folder(*words, **more)

    monkeypatch.setattr(engine_relisting, "read_folder", read)


@pytest.mark.parametrize("keeps_versions", [True, False])
@pytest.mark.usefixtures("only_there")
def test_copy_reads_what_this_python_would_read(shop, reader, due, keeps_versions):
    if keeps_versions:
        shop.enable_versioning()
        shop.put("shop-1/file-00001", body=b"another")
    here = [read_folder(reader, one.prefix, with_versions=keeps_versions) for one in due]
    with closing(begin_relisting(reader, due)) as listing:
        assert [listing.read(one, with_versions=keeps_versions) for one in due] == here


def test_what_may_not_be_listed_is_asked_for_here_too_and_told(shop, reader, due):
    shop.proxy.answer(
        "GET", "prefix=shop-2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    with closing(begin_relisting(reader, due)) as listing:
        with pytest.raises(DeniedError, match="AccessDenied"):
            listing.read(due[2], with_versions=False)
        asked = len(shop.proxy.requests)
        assert len(listing.read(due[3], with_versions=False).keys) == 4
        assert len(shop.proxy.requests) == asked + 1


def test_what_a_copy_that_has_ended_was_to_read_is_read_here(reader, due):
    with closing(begin_relisting(reader, due)) as listing:
        os.kill(listing._fork._process.pid, signal.SIGKILL)
        assert [len(listing.read(one, with_versions=False).keys) for one in due] == [4] * 6


def test_there_is_no_copy_for_few_objects_and_none_reads_a_large_deployment(
    reader, due, monkeypatch
):
    """For a while both would hold a large one's objects."""
    with closing(begin_relisting(reader, due[:4])) as listing:
        assert listing._fork is None
    monkeypatch.setattr(engine_relisting, "LARGEST", 3)
    with closing(begin_relisting(reader, due)) as listing:
        assert listing._fork is None
    monkeypatch.undo()
    with closing(begin_relisting(reader, [*due, *due])) as listing:
        assert listing._fork is None


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, only_there: None) -> list[str]:
    """Have a copy list all that is doomed; give what it listed."""
    monkeypatch.setattr(engine_relisting, "WORTH_A_COPY", 1)
    listed: list[str] = []
    read = Relisting.read

    def spy(self, one, **more):
        listed.append(one.name)
        return read(self, one, **more)

    monkeypatch.setattr(Relisting, "read", spy)
    return listed


@pytest.mark.parametrize("keeps_versions", [True, False])
def test_what_a_copy_listed_goes(site: Bucket, copied, keeps_versions) -> None:
    furnish(site)
    if keeps_versions:
        site.enable_versioning()
    ran = apply(site)
    assert ran.code is ExitCode.DONE
    assert sorted(copied) == ["old-1", "old-2", "old-3"]
    assert site.folders() == {"new"}
    assert ran.result.count(ObjectOutcome.DELETED) == 9


def test_what_has_changed_when_a_copy_lists_it_stays(
    site: Bucket, proxy: FaultProxy, copied
) -> None:
    furnish(site)
    proxy.before("GET", "prefix=old-2", act=lambda: site.put("old-2/file-00001", body=b"another"))
    ran = apply(site)
    assert ran.code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert site.folders() == {"new", "old-2"}
    assert not any("old-2" in key for one in proxy.deletions for key in one.batch_keys)


def note_copies(monkeypatch: pytest.MonkeyPatch, act=lambda _pid: None) -> list:
    """Give the processes of the copies that are made, after something was done to them."""
    copies: list = []
    begin = Relisting.__init__

    def spy(self, bucket, copy) -> None:
        begin(self, bucket, copy)
        if copy is not None:
            copies.append(copy._process)
            act(copy._process.pid)

    monkeypatch.setattr(Relisting, "__init__", spy)
    return copies


def test_no_copy_is_left_after_a_deletion(site: Bucket, copied, monkeypatch) -> None:
    furnish(site)
    copies = note_copies(monkeypatch)
    assert apply(site).code is ExitCode.DONE
    assert [one.exitcode for one in copies] == [-signal.SIGKILL]


@pytest.mark.parametrize("error", [AccessError("wrong code", "Try again."), KeyboardInterrupt()])
def test_copy_that_can_not_be_made_stops_the_run_and_the_account_comes_back(
    site: Bucket, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    furnish(site)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(direct, "begin_relisting", fail)
    ran = apply(site)
    assert ran.code is ExitCode.PARTIAL
    assert ran.result.count(ObjectOutcome.FAILED) == 9
    assert "wrong code" in ran.result.stopped or "interrupted" in ran.result.stopped
    assert ran.journal[-1]["record"] == "end"
    assert site.folders() == {"new", "old-1", "old-2", "old-3"}


def test_what_a_copy_that_has_ended_was_to_read_is_wanted_no_longer_after_a_stop(reader, due):
    with closing(begin_relisting(reader, due)) as listing:
        assert listing.read(due[0], with_versions=False, is_stopped=lambda: True)
        listing.end()
        with pytest.raises(ListingError, match="stopped"):
            listing.read(due[0], with_versions=False, is_stopped=lambda: True)
        assert listing.read(due[0], with_versions=False)


def test_copy_that_takes_long_says_that_it_is_still_at_it(
    site: Bucket, proxy: FaultProxy, reader, due, monkeypatch
) -> None:
    monkeypatch.setattr(engine_relisting, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.6)
    proxy.before("GET", "prefix=shop-2", act=lambda: time.sleep(1.5))
    with closing(begin_relisting(reader, due)) as listing:
        asked = len(proxy.requests)
        assert len(listing.read(due[2], with_versions=False).keys) == 4
        assert len(proxy.requests) == asked + 1


def test_what_has_grown_large_is_read_here(site: Bucket, reader, due, monkeypatch) -> None:
    monkeypatch.setattr(engine_relisting, "LARGEST", 5)
    with closing(begin_relisting(reader, due)) as listing:
        site.deploy("shop-2", days=3, files=6)
        asked = len(site.proxy.requests)
        assert len(listing.read(due[2], with_versions=False).keys) == 6
        assert len(site.proxy.requests) == asked + 2


@pytest.mark.parametrize("when", ["before", "in the midst"])
def test_copy_that_is_killed_loses_nothing_and_no_account(
    site: Bucket, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    furnish(site)
    monkeypatch.setattr(engine_relisting, "WORTH_A_COPY", 1)
    copies = note_copies(monkeypatch, lambda pid: when == "before" and os.kill(pid, signal.SIGKILL))
    if when == "in the midst":
        proxy.before("GET", "prefix=old-2", act=lambda: os.kill(copies[0].pid, signal.SIGKILL))
    ran = apply(site)
    assert [one.exitcode for one in copies] == [-signal.SIGKILL]
    assert ran.code is ExitCode.DONE
    assert ran.result.count(ObjectOutcome.DELETED) == 9
    assert site.folders() == {"new"}
