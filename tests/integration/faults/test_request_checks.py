"""Checks before each request: the run is not stopped, listings are fresh, live sources are read."""

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


class SenderRun:
    """A sender with a batch that has a part for each old deployment, and a simulated clock."""

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
        """List all old deployments at 0 seconds, as the parts of a batch."""
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
        """Make all listings stale, and each refresh slow: each part then needs its own request."""
        self.seconds = FRESH_SECONDS
        self.site.proxy.call_before("GET", r"prefix=old-", lambda: self.wait(FRESH_SECONDS))

    @property
    def sent_keys(self) -> list[list[str]]:
        """The keys of each deletion request."""
        return [deleted_keys(request) for request in self.site.proxy.deletions]


@pytest.fixture
def sender_run(site: MemorySite) -> SenderRun:
    for name in OLD_NAMES:
        site.deploy(name, days=10, files=1)
    sender_run = SenderRun(site)
    sender_run.list_parts()
    return sender_run


@pytest.fixture
def single_run(site: MemorySite) -> SenderRun:
    """Like `sender_run`, but with 4 objects per deployment, on a server without bulk delete."""
    for name in OLD_NAMES:
        site.deploy(name, days=10, files=4)
    sender_run = SenderRun(site)
    sender_run.list_parts()
    site.proxy.answer(*BATCH, body=error("NotImplemented"), status=501)
    return sender_run


def count_outcomes(outcomes: dict[str, ObjectOutcome]) -> dict[str, int]:
    return {str(outcome): count for outcome, count in Counter(outcomes.values()).items()}


# Stops.


def test_fresh_batch_is_one_request(sender_run: SenderRun) -> None:
    assert count_outcomes(sender_run.send()) == {"deleted": 3}
    assert len(sender_run.sent_keys) == 1


def test_no_request_is_sent_after_a_stop_within_a_batch(sender_run: SenderRun) -> None:
    sender_run.slow_down_listings()
    sender_run.site.proxy.call_before(*BATCH, sender_run.stop, nth=1)
    assert count_outcomes(sender_run.send()) == {"deleted": 1, "failed": 2}
    assert sender_run.sent_keys == [[FIRST]]
    assert sender_run.site.proxy.find_requests("GET", "prefix=old-[23]") == []


def test_no_request_is_sent_after_lost_access_within_a_batch(sender_run: SenderRun) -> None:
    sender_run.slow_down_listings()
    sender_run.site.proxy.answer(*BATCH, body=error("ExpiredToken"), status=400, nth=1)
    assert count_outcomes(sender_run.send()) == {"failed": 3}
    assert sender_run.sent_keys == [[FIRST]]
    assert "ExpiredToken" in sender_run.control.stop_reason


def test_nothing_is_sent_if_a_refresh_of_the_batch_loses_access(sender_run: SenderRun) -> None:
    sender_run.seconds = FRESH_SECONDS
    denied = {"body": error("ExpiredToken"), "status": 400}
    sender_run.site.proxy.answer("GET", "prefix=old-2%2F", **denied)
    assert count_outcomes(sender_run.send()) == {"failed": 3}
    assert sender_run.sent_keys == []


def test_nothing_is_sent_after_a_stop_during_the_wait_for_a_slot(sender_run: SenderRun) -> None:
    @contextmanager
    def wait_for_slot() -> Iterator[None]:
        sender_run.stop()
        yield

    sender_run.sender.slots = wait_for_slot()
    assert count_outcomes(sender_run.send()) == {"failed": 3}
    assert sender_run.site.proxy.requests == []


def test_nothing_is_sent_after_a_stop_during_a_refresh(sender_run: SenderRun) -> None:
    sender_run.seconds = FRESH_SECONDS
    sender_run.site.proxy.call_before("GET", "prefix=old-3%2F", sender_run.stop)
    assert count_outcomes(sender_run.send()) == {"failed": 3}
    assert sender_run.sent_keys == []


def test_no_retry_is_sent_after_a_stop_during_its_pause(sender_run: SenderRun) -> None:
    sender_run.site.proxy.refuse([FIRST], "SlowDown", nth=1)
    sender_run.on_sleep = sender_run.stop
    assert count_outcomes(sender_run.send()) == {"deleted": 2, "failed": 1}
    assert len(sender_run.sent_keys) == 1
    assert len(sender_run.site.proxy.find_requests("GET")) == 0


def test_lost_response_stays_unknown_if_a_stop_prevents_the_retry(sender_run: SenderRun) -> None:
    sender_run.site.proxy.drop(*BATCH, nth=1)
    sender_run.on_sleep = sender_run.stop
    assert count_outcomes(sender_run.send()) == {"unknown": 3}


def test_no_single_deletion_is_sent_after_a_stop(single_run: SenderRun) -> None:
    single_run.site.proxy.call_before(*SINGLE, single_run.stop, nth=3)
    assert count_outcomes(single_run.send()) == {"deleted": 3, "failed": 9}
    assert len(single_run.site.keys()) == 9


# Stale listings.


def test_part_that_becomes_stale_while_another_is_listed_is_listed_again(
    sender_run: SenderRun,
) -> None:
    """The same bytes are uploaded again, so the ETag does not change."""

    def upload_again() -> None:
        sender_run.site.put(FIRST, days=0)
        sender_run.wait(FRESH_SECONDS)

    sender_run.seconds = FRESH_SECONDS
    sender_run.site.proxy.call_before("GET", "prefix=old-2%2F", upload_again, nth=1)
    outcomes = sender_run.send()
    assert outcomes.pop(FIRST) is ObjectOutcome.CHANGED
    assert count_outcomes(outcomes) == {"deleted": 2}
    assert sender_run.site.keys() == {FIRST}


def test_part_is_listed_again_after_the_slow_listing_of_a_changed_part(
    sender_run: SenderRun,
) -> None:
    """The same bytes are uploaded again, so the ETag does not change."""

    def change_both() -> None:
        sender_run.site.put(FIRST, days=0)
        sender_run.site.put(FIRST.replace("old-1", "old-2"), days=0, body=b"new")
        sender_run.wait(FRESH_SECONDS)

    sender_run.sender.live = LiveWatch()
    sender_run.seconds = FRESH_SECONDS
    sender_run.site.proxy.call_before("GET", "prefix=old-2%2F", change_both, nth=1)
    assert count_outcomes(sender_run.send()) == {"changed": 2, "deleted": 1}


def test_part_with_a_slow_listing_is_sent_right_after_it(sender_run: SenderRun) -> None:
    sender_run.sender.live = LiveWatch()
    sender_run.slow_down_listings()
    assert count_outcomes(sender_run.send()) == {"deleted": 3}
    assert [len(keys) for keys in sender_run.sent_keys] == [1, 1, 1]
    assert len(sender_run.site.proxy.find_requests("GET")) == 3


def test_single_deletions_continue_with_a_new_listing_when_theirs_is_stale(
    single_run: SenderRun,
) -> None:
    def upload_again() -> None:
        single_run.site.put("old-1/file-00003", days=0)
        single_run.wait(FRESH_SECONDS)

    single_run.site.proxy.call_before(*SINGLE, upload_again, nth=2)
    outcomes = single_run.send()
    assert count_outcomes(outcomes) == {"deleted": 10, "changed": 2}
    assert single_run.site.keys() == {"old-1/file-00002", "old-1/file-00003"}


# Live sources.


def test_single_deletions_wait_until_live_sources_are_read_again(single_run: SenderRun) -> None:
    def move_pointer() -> None:
        single_run.live_name = "old-2"
        single_run.wait(INTERVAL_SECONDS)

    single_run.site.proxy.call_before(*SINGLE, move_pointer, nth=2)
    assert count_outcomes(single_run.send()) == {"deleted": 8, "changed": 4}
    assert single_run.site.folders() == {"old-2"}


def test_live_sources_are_read_again_after_a_slow_refresh(sender_run: SenderRun) -> None:
    def move_pointer() -> None:
        sender_run.live_name = "old-1"
        sender_run.wait(INTERVAL_SECONDS)

    sender_run.seconds = FRESH_SECONDS
    sender_run.site.proxy.call_before("GET", "prefix=old-1%2F", move_pointer, nth=1)
    outcomes = sender_run.send()
    assert outcomes.pop(FIRST) is ObjectOutcome.CHANGED
    assert count_outcomes(outcomes) == {"deleted": 2}


def test_deployment_of_a_later_request_of_the_batch_is_not_begun(sender_run: SenderRun) -> None:
    """The live sources cannot be read after the first request."""

    def fail() -> None:
        sender_run.live_problem = "denied"
        sender_run.wait(INTERVAL_SECONDS)

    sender_run.slow_down_listings()
    sender_run.site.proxy.call_before(*BATCH, fail, nth=1)
    assert count_outcomes(sender_run.send()) == {"deleted": 1, "failed": 2}
    assert sender_run.sent_keys == [[FIRST]]


def test_slow_live_sources_do_not_prevent_the_deletion(sender_run: SenderRun) -> None:
    read_pins = sender_run.sender.live.read_pins

    def read_slowly(sources: Sequence[LiveSource], count: int) -> object:
        sender_run.wait(2 * INTERVAL_SECONDS)
        return read_pins(sources, count)

    sender_run.sender.live.read_pins = read_slowly
    assert count_outcomes(sender_run.send()) == {"deleted": 3}
