"""A sibling that is a Python of its own: what it lists, as whom, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cases import Case, Work
from bench.layout import Layout
from bench.servers import running_memory_server
from ci3.aws.bucket import BucketReader
from ci3.engine import sibling
from ci3.engine.flat import FlatListing
from ci3.engine.folders import find_folders
from ci3.engine.inventory import Scope, take_inventory
from ci3.engine.progress import Silent
from ci3.engine.sibling import ListingSibling, find_start
from tests.s3 import Bucket

SECRET = "test-secret"
LARGE = Case(work=Work.PLAN, layout=Layout("300x1000"), doomed=150, tools=(), title="large")
needs_cores = pytest.mark.skipif(
    sibling._count_cores() < 2, reason="one core: nothing is won by a sibling, and none started"
)


@pytest.fixture
def shop(site: Bucket) -> Bucket:
    for number in range(4):
        site.deploy(f"shop-{number}", days=1 + number, files=4)
    return site


def reader_of(bucket: Bucket, **more) -> BucketReader:
    return BucketReader(
        bucket=bucket.name, region="us-east-1", endpoint_url=bucket.endpoint_url, **more
    )


def open_sibling(reader: BucketReader) -> ListingSibling:
    found = find_folders(reader, "")
    return ListingSibling(reader, found, required_file="file-00001", ceiling=4)


@pytest.fixture
def ready(shop: Bucket):
    one = open_sibling(reader_of(shop))
    yield one
    one.close()


def test_sibling_lists_spans_as_this_python_does(shop, ready):
    assert ready.is_ready()
    reader = reader_of(shop)
    begun: list[int] = []
    spans = [("shop-00", "shop-10"), ("shop-20", None)]
    share = ready.list_spans(spans, begun.append)
    here = FlatListing(
        reader, find_folders(reader, ""), required_file="file-00001", ceiling=4, spans=spans
    ).run(Silent())
    assert share == here
    assert sorted(share.sums) == ["shop-1", "shop-3"]
    assert all(one.is_complete and one.object_count == 4 for one in share.sums.values())
    assert sum(begun) == 2
    assert [one.beyond for one in share.edges] == ["shop-2/file-00000", None]
    assert ready.list_spans(spans[:1], begun.append).sums.keys() == {"shop-1"}


def test_sibling_asks_with_the_keys_of_this_python_and_never_shows_them(shop, monkeypatch):
    """They may come from a role: what the environment holds is not what counts."""
    reader = reader_of(shop)
    opening = reader.opening()
    assert opening.secret_key == SECRET
    assert SECRET not in repr(opening)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    one = open_sibling(reader)
    try:
        assert one.is_ready()
        words = Path(f"/proc/{one._popen.pid}/cmdline").read_bytes()
        assert b"ci3.engine.sibling_main" in words
        assert SECRET.encode() not in words
        asked_before = len(shop.proxy.requests)
        assert one.list_spans([("", None)], lambda _: None)
    finally:
        one.close()
    signed = [one.headers["Authorization"] for one in shop.proxy.requests[asked_before:]]
    assert signed
    assert all("Credential=test-key/" in one for one in signed)


def test_sibling_goes_on_with_new_keys(shop, ready, monkeypatch):
    assert ready.is_ready()
    first = ready.list_spans([("", None)], lambda _: None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "renewed-key")
    ready._bucket = reader_of(shop)
    assert ready.list_spans([("", None)], lambda _: None) == first
    assert "Credential=renewed-key/" in shop.proxy.requests[-1].headers["Authorization"]


def test_sibling_that_is_killed_lists_nothing_and_says_so(ready):
    assert ready.is_ready()
    ready._popen.kill()
    assert ready.list_spans([("", None)], lambda _: None) is None


def test_sibling_that_may_not_list_lists_nothing(shop, ready):
    assert ready.is_ready()
    shop.proxy.answer(
        "GET", "list-type=2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    assert ready.list_spans([("", None)], lambda _: None) is None
    assert ready.list_spans([("", None)], lambda _: None) is None


def test_sibling_that_can_not_be_started_is_not_ready(shop, monkeypatch):
    for program in ("/nowhere/python", "/bin/false", "/bin/cat", None):
        monkeypatch.setattr(sys, "executable", program)
        one = open_sibling(reader_of(shop))
        assert not one.is_ready()
        assert one.list_spans([("", None)], lambda _: None) is None
        one.close()


def test_sibling_that_stands_still_is_not_waited_for_without_end(ready, monkeypatch):
    assert ready.is_ready()
    ready._popen.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(sibling, "SILENCE_SECONDS", 0.3)
    assert ready.list_spans([("", None)], lambda _: None) is None


def test_sibling_of_another_version_is_not_used(shop, monkeypatch):
    monkeypatch.setattr(sibling, "__version__", "0.0.0")
    one = open_sibling(reader_of(shop))
    assert not one.is_ready()
    one.close()


def test_closed_sibling_has_ended(ready):
    assert ready.is_ready()
    ready.end()
    ready.close()
    ready.close()
    assert ready._popen.returncode is not None
    assert not ready.is_ready()


def test_there_is_a_sibling_where_there_is_a_core_for_it(shop, monkeypatch):
    reader = reader_of(shop)
    monkeypatch.setattr(sibling, "_CPU_MAX", Path("/nowhere"))
    for cores in (1, 2, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: {*range(cores)})
        start = find_start(reader, find_folders(reader, ""), required_file="")
        assert (start is None) == (cores == 1)


@pytest.mark.parametrize(
    ("said", "cores"),
    [("max 100000", 4), ("100000 100000", 1), ("350000 100000", 3), ("50000 100000", 0), ("?", 4)],
)
def test_container_may_have_less_than_the_cores_it_sees(tmp_path, monkeypatch, said, cores):
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    monkeypatch.setattr(sibling, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(4)})
    assert sibling._count_cores() == cores


def plan(url: str, *options: str) -> list[str]:
    where = ["--bucket-name", LARGE.layout.text, "--endpoint-url", url, "--output", "json"]
    return [sys.executable, "-m", "ci3", "plan-cleanup", *where, *options]


def children_of(pid: int) -> set[int]:
    """Give the processes that one started, as long as they run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[1] == str(pid) and words[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def wait_until(is_so, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_large_bucket_is_listed_alike_with_a_sibling_and_without(monkeypatch):
    shares = []
    list_spans = ListingSibling.list_spans

    def spy(self, spans, count):
        shares.append(list_spans(self, spans, count))
        return shares[-1]

    monkeypatch.setattr(ListingSibling, "list_spans", spy)
    monkeypatch.setattr(sibling, "_count_cores", lambda: 2)
    inventories, requests = [], []
    with running_memory_server() as server:
        for ceiling in (8, 1):
            server.make_ready(LARGE, 5)
            reader = BucketReader(
                bucket=LARGE.layout.text, region="us-east-1", endpoint_url=server.url
            )
            inventories.append(take_inventory(reader, Scope(concurrency=ceiling), Silent()))
            requests.append(server.served().requests["ListObjectsV2"])
    assert inventories[0] == inventories[1]
    assert len(inventories[0].deployments) == 300
    assert sum(len(share.sums) for share in shares) > 50
    assert requests[1] == LARGE.layout.least_requests
    assert requests[0] <= 1.05 * LARGE.layout.least_requests + 8


@pytest.fixture
def interrupts():
    """See to it that a program that is started heeds interrupts, though this one may not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@needs_cores
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.usefixtures("interrupts")
def test_no_sibling_outlives_the_python_that_started_it(sent):
    with running_memory_server() as server:
        server.make_ready(LARGE, 100)
        ran = subprocess.Popen(
            plan(server.url, "--concurrency", "4"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: children_of(ran.pid) or ran.poll() is not None)
        siblings = children_of(ran.pid)
        assert siblings
        ran.send_signal(sent)
        _, said = ran.communicate(timeout=30)
        assert ran.returncode
        assert "Traceback" not in said
        wait_until(lambda: not any(Path(f"/proc/{one}").exists() for one in siblings))
