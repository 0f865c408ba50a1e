"""A sibling that is a Python of its own lists as this one does."""

import os
import signal
import time

import pytest

from bench.cases import Case, Work
from bench.layout import Layout
from bench.servers import running_memory_server
from ci3.aws.bucket import BucketReader
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.listing import Scope, take_inventory
from ci3.engine.inventory.listing_worker import ListingSibling, answer_spans
from ci3.engine.inventory.parallel_listing import FlatListing
from ci3.engine.workers import worker_process as fork
from ci3.engine.workers.progress import Silent
from ci3.engine.workers.worker_process import forked

LARGE = Case(work=Work.PLAN, layout=Layout("300x1000"), doomed=150, tools=(), title="large")
SMALL = Case(work=Work.PLAN, layout=Layout("30x20"), doomed=15, tools=(), title="small")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("forks"),
]


@pytest.fixture
def copy(reader: BucketReader):
    with forked(reader, answer_spans) as copy:
        yield copy


@pytest.fixture
def sibling(reader, copy) -> ListingSibling:
    return ListingSibling(copy, find_folders(reader, ""), required_file="file-00001")


def test_sibling_lists_spans_as_this_python_does(reader, sibling):
    begun: list[int] = []
    spans = [("shop-00", "shop-10"), ("shop-20", None)]
    share = sibling.list_spans(spans, 4, begun.append)
    here = FlatListing(
        reader, find_folders(reader, ""), required_file="file-00001", ceiling=4, spans=spans
    ).run(Silent())
    assert share == here
    assert sorted(share.sums) == ["shop-1", "shop-3"]
    assert all(one.is_complete and one.object_count == 4 for one in share.sums.values())
    assert sum(begun) == 2
    assert [one.beyond for one in share.edges] == ["shop-2/file-00000", None]
    assert sibling.list_spans(spans[:1], 4, begun.append).sums.keys() == {"shop-1"}


def test_sibling_that_is_killed_lists_nothing_and_says_so(sibling, copy):
    os.kill(copy._process.pid, signal.SIGKILL)
    assert sibling.list_spans([("", None)], 4, lambda _: None) is None


def test_sibling_that_may_not_list_lists_nothing(shop, sibling):
    shop.proxy.answer(
        "GET", "list-type=2", status=403, body="<Error><Code>AccessDenied</Code></Error>"
    )
    assert sibling.list_spans([("", None)], 4, lambda _: None) is None
    assert sibling.list_spans([("", None)], 4, lambda _: None) is None


def test_sibling_that_stands_still_is_not_waited_for_without_end(sibling, copy, monkeypatch):
    os.kill(copy._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.3)
    assert sibling.list_spans([("", None)], 4, lambda _: None) is None


def list_at(ceiling: int, case: Case, *, is_shared: bool):
    """List a case's bucket; give the inventory, and how many requests it took."""
    with running_memory_server() as server:
        server.make_ready(case, 5)
        reader = BucketReader(bucket=case.layout.text, region="us-east-1", endpoint_url=server.url)
        with forked(reader, answer_spans) as copy:
            scope = Scope(concurrency=ceiling, fork=copy if is_shared else None)
            inventory = take_inventory(reader, scope, Silent())
        return inventory, server.served().requests["ListObjectsV2"]


def test_large_bucket_is_listed_alike_with_a_sibling_and_without(monkeypatch):
    shares = []
    list_spans = ListingSibling.list_spans

    def spy(self, *words):
        shares.append(list_spans(self, *words))
        return shares[-1]

    monkeypatch.setattr(ListingSibling, "list_spans", spy)
    shared, requests = list_at(8, LARGE, is_shared=True)
    alone, least = list_at(1, LARGE, is_shared=False)
    assert shared == alone
    assert len(shared.deployments) == 300
    assert sum(len(share.sums) for share in shares) > 50
    assert least == LARGE.layout.least_requests
    assert requests <= 1.05 * LARGE.layout.least_requests + 8


def test_small_bucket_is_left_to_this_python(monkeypatch):
    monkeypatch.setattr(ListingSibling, "list_spans", lambda *_: pytest.fail("it was shared"))
    inventory, _ = list_at(8, SMALL, is_shared=True)
    assert len(inventory.deployments) == 30


@pytest.mark.parametrize("what", ["killed", "stopped"])
def test_bucket_is_listed_whatever_becomes_of_the_sibling(monkeypatch, what):
    """Killed or stopped in the midst of its share: this Python lists that too."""
    list_spans = ListingSibling.list_spans
    hit: list[int] = []

    def hit_in_the_midst(self, spans, ceiling, count):
        def count_and_hit(begun: int) -> None:
            count(begun)
            if not hit:
                hit.append(begun)
                sent = signal.SIGKILL if what == "killed" else signal.SIGSTOP
                os.kill(self._fork._process.pid, sent)

        return list_spans(self, spans, ceiling, count_and_hit)

    monkeypatch.setattr(ListingSibling, "list_spans", hit_in_the_midst)
    monkeypatch.setattr(fork, "SILENCE_SECONDS", 0.5)
    began = time.monotonic()
    inventory, _ = list_at(8, LARGE, is_shared=True)
    assert hit
    assert time.monotonic() - began < 20
    assert len(inventory.deployments) == 300
    assert not inventory.holes
    assert {one.object_count for one in inventory.deployments} == {1000}
