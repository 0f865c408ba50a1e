"""An error or an interrupt in one target of a pattern soon stops the other targets."""

import os
import signal
from collections.abc import Callable
from threading import Event

import pytest

from ci3.aws.request_limit import RequestLimit
from ci3.pipeline.concurrent_targets import map_targets
from ci3.pipeline.context import TargetContext
from ci3.pipeline.pattern_listing import open_listing_pool
from ci3.pipeline.run import Run, open_run
from tests.support.apps import MATCH, PATTERN, deploy_app
from tests.support.cleanup_run import make_context
from tests.support.s3.memory_site import MemorySite, running_site

PAGES = 50
TIMEOUT_SECONDS = 10.0
"""The longest time that a page waits for the stop; reached only if the test fails."""


class PagedListing:
    """A listing whose second page is not answered before the requests are stopped."""

    def __init__(self, site: MemorySite, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun, self._is_stopped = Event(), Event()
        stop_requests = RequestLimit.stop_requests

        def stop(limit: RequestLimit) -> None:
            stop_requests(limit)
            self._is_stopped.set()

        monkeypatch.setattr(RequestLimit, "stop_requests", stop)
        site.set_page_size(1)
        for number in range(PAGES):
            site.put(f"apps/shop/large/{number}")
        site.proxy.call_before("GET", "large", self._answer_page)
        self._site = site

    def list_pages(self, run: Run) -> None:
        for _ in run.buckets[0].list_pages("apps/shop/large/"):
            self.has_begun.set()

    def count_pages(self) -> int:
        return len(self._site.proxy.find_requests("GET", "large"))

    def _answer_page(self) -> None:
        if self.has_begun.is_set():
            self._is_stopped.wait(TIMEOUT_SECONDS)
            self._is_stopped.set()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def fail() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("stop", "error"), [(interrupt, KeyboardInterrupt), (fail, ZeroDivisionError)]
)
def test_no_further_page_is_listed_after_an_error_in_another_target(
    monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None], error: type[BaseException]
) -> None:
    with running_site() as site:
        for app in ("blog", "shop"):
            deploy_app(site, app)
        run = open_run([make_context(site, prefix=PATTERN, match=MATCH)])
        listing = PagedListing(site, monkeypatch)

        def work(_context: TargetContext, index: int) -> None:
            if index == 0:
                listing.list_pages(run)
            else:
                listing.has_begun.wait(TIMEOUT_SECONDS)
                stop()

        with pytest.raises(error):
            map_targets(run.contexts, "Planning targets", work)
        assert listing.count_pages() <= 2
        assert run.make_plans()


def test_no_further_page_is_listed_after_an_interrupt_of_the_search_for_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_site() as site:
        deploy_app(site, "blog")
        run = open_run([make_context(site, prefix=PATTERN, match=MATCH)])
        listing = PagedListing(site, monkeypatch)

        def search() -> None:
            with open_listing_pool(run.buckets[0]) as pool:
                pool.submit(listing.list_pages, run)
                listing.has_begun.wait(TIMEOUT_SECONDS)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search()
        assert listing.count_pages() <= 2
        assert run.make_plans()
