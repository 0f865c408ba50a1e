"""Right before each request: the run goes on, each listing is fresh, and what is live is known."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from ci3.core.live.pins import Pin
from ci3.core.live.sources import LiveSource
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectSender
from ci3.engine.deletion.sender import FRESH_SECONDS, BatchPart
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.live_watch import INTERVAL_SECONDS, LiveWatch
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from tests.support.builders import live_pin
from tests.support.cleanup_run import OLD_NAMES, make_context
from tests.support.invariants import deleted_keys
from tests.support.s3.answers import error
from tests.support.s3.memory_site import MemorySite

BATCH = ("POST", r"\?delete")
SINGLE = ("DELETE", "/old-")
FIRST = "old-1/file-00000"


class Sending:
    """A sender, one part of each old deployment, and a clock that is set."""

    def __init__(self, site: MemorySite) -> None:
        self.site = site
        self.seconds = 0.0
        self.live_name = ""
        self.live_problem = ""
        self.on_sleep: Callable[[], None] = lambda: None
        self.control = RunControl(
            progress=NoProgress(),
            sleep=self._sleep,
            monotonic=lambda: self.seconds,
        )
        self._reader = make_context(site, concurrency="1").open_bucket()
        writer = self._reader.open_writer()
        writer.probe_conditional_deletes("", Versioning.DISABLED)
        self.sender = ObjectSender(
            reader=self._reader,
            writer=writer,
            control=self.control,
            list_objects=lambda _: (),
            live=LiveWatch(
                sources=(LiveSource.parse("object:current"),),
                read_pins=self._read_pins,
                monotonic=lambda: self.seconds,
            ),
        )

    def _read_pins(self, _sources: Sequence[LiveSource], _count: int) -> tuple[list[Pin], str]:
        pin = live_pin(self.live_name, "current says so")
        return [pin] if self.live_name else [], self.live_problem

    def list_parts(self) -> None:
        """Make a batch of all old deployments, listed at 0 seconds."""
        self.parts = []
        for name in OLD_NAMES:
            _, objects = list_deployment(self._reader, name, f"{name}/")
            part = BatchPart(name=name, prefix=f"{name}/", entries=objects, listed_at=0.0)
            self.parts.append(part)
        self.site.proxy.requests.clear()

    def send(self) -> dict[str, ObjectOutcome]:
        outcomes = self.sender.send(self.parts)
        return {key: outcome.outcome for key, outcome in outcomes.items()}

    def _sleep(self, _seconds: float) -> None:
        self.on_sleep()

    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    def stop(self) -> None:
        self.control.stop("interrupted")

    def slow_down_listings(self) -> None:
        """Make all listings stale, and each new one as slow: each part has its own request."""
        self.seconds = FRESH_SECONDS
        self.site.proxy.call_before("GET", r"prefix=old-", lambda: self.wait(FRESH_SECONDS))

    @property
    def sent_keys(self) -> list[list[str]]:
        """The keys of each request that deletes."""
        return [deleted_keys(request) for request in self.site.proxy.deletions]


@pytest.fixture
def sending(site: MemorySite) -> Sending:
    for name in OLD_NAMES:
        site.deploy(name, days=10, files=1)
    sending = Sending(site)
    sending.list_parts()
    return sending


@pytest.fixture
def single(site: MemorySite) -> Sending:
    """Like `sending`, but with 4 objects in each deployment, and a server without bulk delete."""
    for name in OLD_NAMES:
        site.deploy(name, days=10, files=4)
    sending = Sending(site)
    sending.list_parts()
    site.proxy.answer(*BATCH, body=error("NotImplemented"), status=501)
    return sending


def count_outcomes(outcomes: dict[str, ObjectOutcome]) -> dict[str, int]:
    return {str(outcome): count for outcome, count in Counter(outcomes.values()).items()}


# A stop.


def test_fresh_batch_is_one_request(sending: Sending) -> None:
    assert count_outcomes(sending.send()) == {"deleted": 3}
    assert len(sending.sent_keys) == 1


def test_no_request_follows_a_stop_within_a_batch(sending: Sending) -> None:
    sending.slow_down_listings()
    sending.site.proxy.call_before(*BATCH, sending.stop, nth=1)
    assert count_outcomes(sending.send()) == {"deleted": 1, "failed": 2}
    assert sending.sent_keys == [[FIRST]]
    assert sending.site.proxy.find_requests("GET", "prefix=old-[23]") == []


def test_no_request_follows_lost_access_within_a_batch(sending: Sending) -> None:
    sending.slow_down_listings()
    sending.site.proxy.answer(*BATCH, body=error("ExpiredToken"), status=400, nth=1)
    assert count_outcomes(sending.send()) == {"failed": 3}
    assert sending.sent_keys == [[FIRST]]
    assert "ExpiredToken" in sending.control.stop_reason


def test_nothing_is_sent_if_a_refresh_of_the_batch_loses_access(sending: Sending) -> None:
    sending.seconds = FRESH_SECONDS
    denied = {"body": error("ExpiredToken"), "status": 400}
    sending.site.proxy.answer("GET", "prefix=old-2%2F", **denied)
    assert count_outcomes(sending.send()) == {"failed": 3}
    assert sending.sent_keys == []


def test_nothing_is_sent_after_a_stop_during_the_wait_for_a_slot(sending: Sending) -> None:
    @contextmanager
    def wait_for_slot() -> Iterator[None]:
        sending.stop()
        yield

    sending.sender.slots = wait_for_slot()
    assert count_outcomes(sending.send()) == {"failed": 3}
    assert sending.site.proxy.requests == []


def test_nothing_is_sent_after_a_stop_during_a_refresh(sending: Sending) -> None:
    sending.seconds = FRESH_SECONDS
    sending.site.proxy.call_before("GET", "prefix=old-3%2F", sending.stop)
    assert count_outcomes(sending.send()) == {"failed": 3}
    assert sending.sent_keys == []


def test_no_retry_follows_a_stop_during_its_pause(sending: Sending) -> None:
    sending.site.proxy.refuse([FIRST], "SlowDown", nth=1)
    sending.on_sleep = sending.stop
    assert count_outcomes(sending.send()) == {"deleted": 2, "failed": 1}
    assert len(sending.sent_keys) == 1
    assert len(sending.site.proxy.find_requests("GET")) == 0


def test_lost_response_stays_unknown_if_a_stop_prevents_the_retry(sending: Sending) -> None:
    sending.site.proxy.drop(*BATCH, nth=1)
    sending.on_sleep = sending.stop
    assert count_outcomes(sending.send()) == {"unknown": 3}


def test_no_single_deletion_follows_a_stop(single: Sending) -> None:
    single.site.proxy.call_before(*SINGLE, single.stop, nth=3)
    assert count_outcomes(single.send()) == {"deleted": 3, "failed": 9}
    assert len(single.site.keys()) == 9


# Stale listings.


def test_part_that_gets_stale_while_another_is_listed_is_listed_again(sending: Sending) -> None:
    """The same bytes are uploaded again: no ETag shows it."""

    def upload_again() -> None:
        sending.site.put(FIRST, days=0)
        sending.wait(FRESH_SECONDS)

    sending.seconds = FRESH_SECONDS
    sending.site.proxy.call_before("GET", "prefix=old-2%2F", upload_again, nth=1)
    outcomes = sending.send()
    assert outcomes.pop(FIRST) is ObjectOutcome.CHANGED
    assert count_outcomes(outcomes) == {"deleted": 2}
    assert sending.site.keys() == {FIRST}


def test_part_is_listed_again_if_the_slow_one_after_it_has_nothing_left(sending: Sending) -> None:
    """The same bytes are uploaded again: no ETag shows it."""

    def change_both() -> None:
        sending.site.put(FIRST, days=0)
        sending.site.put(FIRST.replace("old-1", "old-2"), days=0, body=b"new")
        sending.wait(FRESH_SECONDS)

    sending.sender.live = LiveWatch()
    sending.seconds = FRESH_SECONDS
    sending.site.proxy.call_before("GET", "prefix=old-2%2F", change_both, nth=1)
    assert count_outcomes(sending.send()) == {"changed": 2, "deleted": 1}


def test_part_that_takes_long_to_list_is_sent_right_after_that(sending: Sending) -> None:
    sending.sender.live = LiveWatch()
    sending.slow_down_listings()
    assert count_outcomes(sending.send()) == {"deleted": 3}
    assert [len(keys) for keys in sending.sent_keys] == [1, 1, 1]
    assert len(sending.site.proxy.find_requests("GET")) == 3


def test_single_deletions_stop_where_the_listing_is_stale_and_continue_with_a_new_one(
    single: Sending,
) -> None:
    def upload_again() -> None:
        single.site.put("old-1/file-00003", days=0)
        single.wait(FRESH_SECONDS)

    single.site.proxy.call_before(*SINGLE, upload_again, nth=2)
    outcomes = single.send()
    assert count_outcomes(outcomes) == {"deleted": 10, "changed": 2}
    assert single.site.keys() == {"old-1/file-00002", "old-1/file-00003"}


# What is live.


def test_single_deletions_stop_where_live_sources_have_to_be_read(single: Sending) -> None:
    def move_pointer() -> None:
        single.live_name = "old-2"
        single.wait(INTERVAL_SECONDS)

    single.site.proxy.call_before(*SINGLE, move_pointer, nth=2)
    assert count_outcomes(single.send()) == {"deleted": 8, "changed": 4}
    assert single.site.folders() == {"old-2"}


def test_live_sources_are_read_again_if_that_is_due_after_the_refresh(sending: Sending) -> None:
    def move_pointer() -> None:
        sending.live_name = "old-1"
        sending.wait(INTERVAL_SECONDS)

    sending.seconds = FRESH_SECONDS
    sending.site.proxy.call_before("GET", "prefix=old-1%2F", move_pointer, nth=1)
    outcomes = sending.send()
    assert outcomes.pop(FIRST) is ObjectOutcome.CHANGED
    assert count_outcomes(outcomes) == {"deleted": 2}


def test_deployment_of_a_later_request_of_the_batch_is_not_begun(sending: Sending) -> None:
    """After the first request, the live sources cannot be read any more."""

    def fail() -> None:
        sending.live_problem = "denied"
        sending.wait(INTERVAL_SECONDS)

    sending.slow_down_listings()
    sending.site.proxy.call_before(*BATCH, fail, nth=1)
    assert count_outcomes(sending.send()) == {"deleted": 1, "failed": 2}
    assert sending.sent_keys == [[FIRST]]


def test_sources_that_are_slow_to_read_do_not_hold_up_the_deletion(sending: Sending) -> None:
    read_pins = sending.sender.live.read_pins

    def read_slowly(sources: Sequence[LiveSource], count: int) -> object:
        sending.wait(2 * INTERVAL_SECONDS)
        return read_pins(sources, count)

    sending.sender.live.read_pins = read_slowly
    assert count_outcomes(sending.send()) == {"deleted": 3}
