"""When live sources are read again during a deletion, and which deployments are then kept."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event

import pytest

from ci3.core.live.pins import Pin
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveSource
from ci3.core.model.decision import ReasonCode
from ci3.core.model.result import ObjectOutcome
from ci3.core.retention.closed_previews import ClosedPreviews
from ci3.engine.live_watch import LiveWatch
from tests.support.builders import live_pin
from tests.support.messages import words_in

POINTER = LiveSource.parse("object:current")
SLOW = (LiveSource.parse("branches"), LiveSource.parse("cloudfront"))


def make_pin(name: str) -> Pin:
    return live_pin(name, f"current says {name}")


class WatchedSources:
    """A clock, and sources that name one deployment or fail."""

    def __init__(self, *sources: LiveSource, **options: object) -> None:
        self.seconds = 0.0
        self.live = "new"
        self.problem = ""
        self.duration = 0.0
        self.readings: list[tuple[tuple[LiveSource, ...], int]] = []
        self.watch = LiveWatch(
            sources=sources or (POINTER,),
            read_pins=self.read,
            approved_pins=(make_pin("new"),),
            monotonic=lambda: self.seconds,
            **options,
        )

    def read(self, sources: Sequence[LiveSource], count: int) -> tuple[Sequence[Pin], str]:
        self.readings.append((tuple(sources), count))
        self.seconds += self.duration
        return ((), self.problem) if self.problem else ((make_pin(self.live),), "")

    def begin(self, *names: str) -> dict[str, ObjectOutcome]:
        self.watch.check(names)
        return {name: kept.outcome for name, kept in self.watch.begin(names).items()}


@pytest.mark.parametrize(
    ("sources", "seconds", "expected"),
    [
        ((POINTER,), 9.9, ()),
        ((POINTER,), 10.0, (POINTER,)),
        (SLOW, 59.9, ()),
        (SLOW, 60.0, SLOW),
        ((POINTER, *SLOW), 30.0, (POINTER,)),
        ((POINTER, *SLOW), 60.0, (POINTER, *SLOW)),
    ],
)
def test_only_sources_with_an_old_reading_are_read_again(sources, seconds, expected) -> None:
    watched = WatchedSources(*sources)
    watched.seconds = seconds
    assert watched.begin("old-1") == {}
    assert [sources for sources, _ in watched.readings] == ([expected] if expected else [])


def test_deployment_that_was_live_once_is_kept_even_if_it_is_not_live_later() -> None:
    watched = WatchedSources()
    watched.live, watched.seconds = "old-2", 10
    assert watched.begin("old-1", "old-2") == {"old-2": ObjectOutcome.CHANGED}
    watched.live, watched.seconds = "new", 20
    assert watched.begin("old-2", "old-3") == {"old-2": ObjectOutcome.CHANGED}
    assert watched.watch.kept.keys() == {"old-2"}
    assert "old-2" in words_in(watched.watch.kept["old-2"])


def test_begun_deployment_that_becomes_live_is_withheld() -> None:
    watched = WatchedSources()
    assert watched.begin("old-1") == {}
    watched.live, watched.seconds = "old-1", 10
    assert watched.begin("old-1") == {"old-1": ObjectOutcome.CHANGED}
    assert watched.watch.is_withheld("old-1")


def test_after_a_failed_reading_only_begun_deployments_continue() -> None:
    watched = WatchedSources()
    assert watched.begin("old-1") == {}
    watched.problem, watched.seconds = "denied", 10
    assert watched.begin("old-1", "old-2") == {"old-2": ObjectOutcome.FAILED}
    watched.problem, watched.seconds = "", 20
    assert watched.begin("old-3") == {"old-3": ObjectOutcome.FAILED}
    assert "denied" in watched.watch.problem


def test_begun_deployment_that_is_live_after_a_failed_reading_is_withheld() -> None:
    watched = WatchedSources()
    assert watched.begin("old-1") == {}
    watched.problem, watched.seconds = "denied", 10
    assert watched.begin("old-1") == {}
    watched.problem, watched.live, watched.seconds = "", "old-1", 20
    assert watched.begin("old-1") == {"old-1": ObjectOutcome.CHANGED}


def test_check_begins_nothing() -> None:
    watched = WatchedSources()
    assert watched.watch.check(["old-1"]) == {}
    watched.problem, watched.seconds = "denied", 10
    assert watched.begin("old-1") == {"old-1": ObjectOutcome.FAILED}


def test_begin_reads_nothing() -> None:
    """`begin` is called in a request slot: with a concurrency of 1, a reading would wait for it."""
    watched = WatchedSources()
    watched.live, watched.seconds = "old-1", 10
    assert watched.watch.begin(["old-1"]) == {}
    assert watched.readings == []


def test_error_in_a_reading_is_a_failed_reading() -> None:
    def read(_sources, _count):
        raise KeyboardInterrupt

    watch = LiveWatch(sources=(POINTER,), read_pins=read, monotonic=lambda: 10.0)
    assert [*watch.check(["old-1"])] == ["old-1"]
    assert watch.problem


def test_age_of_a_reading_counts_from_its_start() -> None:
    watched = WatchedSources()
    watched.seconds, watched.duration = 10, 8
    assert watched.begin("old-1") == {}
    watched.seconds = 19.9
    assert watched.begin("old-1") == {}
    watched.seconds = 20
    assert watched.begin("old-1") == {}
    assert len(watched.readings) == 2


def test_reading_that_takes_longer_than_its_maximum_age_is_used_by_the_caller() -> None:
    watched = WatchedSources()
    watched.seconds, watched.duration, watched.live = 10, 30, "old-2"
    assert watched.begin("old-1", "old-2", "old-3") == {"old-2": ObjectOutcome.CHANGED}
    assert len(watched.readings) == 1


def test_eight_threads_cause_one_reading() -> None:
    watched = WatchedSources()
    watched.seconds = 10
    barrier = Barrier(8, timeout=60)

    def check(number: int) -> object:
        barrier.wait()
        return watched.watch.check([f"old-{number}"])

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(check, range(8))] == [{}] * 8
    assert len(watched.readings) == 1


def test_thread_that_checks_during_a_reading_waits_for_it() -> None:
    is_reading, may_end = Event(), Event()

    def read(_sources, _count):
        is_reading.set()
        assert may_end.wait(60)
        return (make_pin("old-2"),), ""

    watch = LiveWatch(sources=(POINTER,), read_pins=read, monotonic=lambda: 10.0)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(watch.check, ["old-1"])
        assert is_reading.wait(60)
        second = pool.submit(watch.check, ["old-2"])
        may_end.set()
        assert first.result() == {}
        assert [*second.result()] == ["old-2"]


def test_last_reading_reads_all_sources_with_a_budget_for_one_reading() -> None:
    watched = WatchedSources(POINTER, *SLOW)
    watched.seconds = 60
    watched.begin("old-1")
    watched.live = "old-1"
    watched.watch.read_last()
    assert watched.readings == [((POINTER, *SLOW), 2), ((POINTER, *SLOW), 1)]
    assert "old-1" in words_in(watched.watch.find_reason("old-1"))


def test_without_sources_nothing_is_read_and_no_lock_is_taken() -> None:
    watch = LiveWatch(monotonic=lambda: 1e9)
    with watch._lock:
        assert watch.begin(["old-1"]) == watch.check(["old-1"]) == {}
        watch.read_last()
        assert not watch.is_due()


def test_source_last_read_for_an_earlier_target_is_read_again_sooner() -> None:
    branches, _ = SLOW
    watched = WatchedSources(*SLOW, read_at=40.0, earlier_read_at={branches: 0.0})
    watched.seconds = 60.0
    watched.begin("old-1")
    assert [sources for sources, _ in watched.readings] == [(branches,)]


UNREADABLE = Pin(
    code=ReasonCode.EXPIRE_CLOSED,
    reference=Reference(folder="pr-12"),
    evidence="pull request #12 could not be read",
    allows_completion=True,
)
PREVIEWS = ClosedPreviews(deployments=())


def make_preview_watch(pins: Sequence[Pin], begun: Sequence[str] = ()) -> LiveWatch:
    """Return a watch of previews whose next check reads these pins."""
    seconds = [0.0]
    watch = LiveWatch(
        sources=(PREVIEWS,), read_pins=lambda *_: (pins, ""), monotonic=lambda: seconds[0]
    )
    watch.check(begun)
    watch.begin(begun)
    seconds[0] = 60.0
    return watch


def test_preview_that_could_not_be_read_again_is_not_begun() -> None:
    watch = make_preview_watch([UNREADABLE])
    withheld = watch.check(["pr-12", "pr-13"])
    assert {name: kept.outcome for name, kept in withheld.items()} == {
        "pr-12": ObjectOutcome.CHANGED
    }
    assert watch.is_withheld("pr-12")
    assert not watch.problem


def test_preview_that_could_not_be_read_again_is_completed_if_it_was_begun() -> None:
    watch = make_preview_watch([UNREADABLE], begun=["pr-12"])
    assert watch.check(["pr-12"]) == {}
    assert watch.find_reason("pr-12") == ""
    assert watch.kept == {}


def test_reopened_preview_is_withheld_even_if_it_was_begun() -> None:
    watch = make_preview_watch([replace(UNREADABLE, allows_completion=False)], begun=["pr-12"])
    assert watch.check(["pr-12"]).keys() == {"pr-12"}
    assert watch.find_reason("pr-12") == UNREADABLE.evidence


def test_previews_are_read_again_as_rarely_as_github() -> None:
    watch = make_preview_watch([])
    assert watch.is_due()
    watch.check([])
    assert not watch.is_due()
