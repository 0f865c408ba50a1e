"""Objects are deleted only on the basis of a listing of the last seconds."""

from types import SimpleNamespace

import pytest

from ci3.aws.deletion.outcomes import ABSENT, DELETED, KeyOutcome
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectSender
from ci3.engine.deletion.sender import FRESH_SECONDS, BatchPart
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from tests.support.builders import make_object

A, B, C = (make_object(f"old/{name}") for name in "abc")
THROTTLED = KeyOutcome(outcome=ObjectOutcome.FAILED, can_retry=True, is_throttled=True)


class FakeBucket:
    """A deployment's objects, with a clock that only the test moves, and a log of requests.

    `answers` are the outcomes of the first requests to delete; any later one deletes all.
    """

    def __init__(self, *objects, answers=()):
        self.objects = list(objects)
        self.answers = list(answers)
        self.seconds = 0.0
        self.log = []

    def list_pages(self, prefix, *, start_after=""):
        self.log.append("list")
        later = [item for item in self.objects if item.key > start_after]
        yield SimpleNamespace(objects=[item for item in later if item.key.startswith(prefix)])

    def delete_objects(self, objects, *, may_continue):
        assert may_continue()
        self.log.append([item.key for item in objects])
        outcome = self.answers.pop(0) if self.answers else DELETED
        return {item.key: outcome for item in objects}

    def make_sender(self):
        return ObjectSender(
            reader=self,
            writer=self,
            list_objects=lambda _: self.objects,
            control=RunControl(
                progress=NoProgress(), sleep=lambda _: None, monotonic=lambda: self.seconds
            ),
        )

    def send(self, *entries, compared=(), listed_at=0.0):
        return self.make_sender().send(
            [make_part(*entries, compared=compared, listed_at=listed_at)]
        )


def make_part(*entries, compared=(), listed_at=0.0):
    return BatchPart(
        name="old", prefix="old/", entries=entries, listed_at=listed_at, compared=compared
    )


@pytest.mark.parametrize(
    ("age", "log"),
    [
        (0, [["old/a", "old/b"]]),
        (FRESH_SECONDS - 0.1, [["old/a", "old/b"]]),
        (FRESH_SECONDS, ["list", ["old/a", "old/b"]]),
        (60, ["list", ["old/a", "old/b"]]),
    ],
)
def test_objects_are_listed_again_unless_their_listing_is_fresh(age, log):
    bucket = FakeBucket(A, B)
    bucket.seconds = age

    assert bucket.send(A, B) == {"old/a": DELETED, "old/b": DELETED}
    assert bucket.log == log


def test_objects_are_listed_again_before_each_retry():
    bucket = FakeBucket(A, answers=[THROTTLED, THROTTLED])

    assert bucket.send(A) == {"old/a": DELETED}
    assert bucket.log == [["old/a"], "list", ["old/a"], "list", ["old/a"]]


def test_object_that_changed_since_a_stale_listing_keeps_its_deployment():
    bucket = FakeBucket(A, make_object("old/b", etag='"other"'))
    bucket.seconds = FRESH_SECONDS

    outcomes = bucket.send(A, B)

    assert {key: outcome.outcome for key, outcome in outcomes.items()} == {
        "old/a": ObjectOutcome.CHANGED,
        "old/b": ObjectOutcome.CHANGED,
    }
    assert bucket.log == ["list"]


@pytest.mark.parametrize("entries", [(A,), (C,), (A, C)])
def test_change_of_an_object_that_is_only_compared_keeps_its_deployment(entries):
    bucket = FakeBucket(A, make_object("old/b", etag='"other"'), C)
    bucket.seconds = FRESH_SECONDS

    outcomes = bucket.send(*entries, compared=(A, B, C))

    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert bucket.log == ["list"]


def test_new_object_between_those_of_a_stale_listing_keeps_its_deployment():
    bucket = FakeBucket(A, B, C)
    bucket.seconds = FRESH_SECONDS

    outcomes = bucket.send(A, C)

    assert {outcome.outcome for outcome in outcomes.values()} == {ObjectOutcome.CHANGED}
    assert bucket.log == ["list"]


def test_objects_that_no_longer_exist_are_not_sent():
    bucket = FakeBucket()
    bucket.seconds = FRESH_SECONDS

    assert bucket.send(A, B) == {"old/a": ABSENT, "old/b": ABSENT}
    assert bucket.log == ["list"]


def test_nothing_is_sent_without_a_new_listing():
    bucket = FakeBucket(A)
    bucket.seconds = FRESH_SECONDS
    bucket.objects = None  # a listing fails

    assert bucket.send(A)["old/a"].outcome is ObjectOutcome.FAILED
    assert set(bucket.log) == {"list"}


def test_request_that_takes_long_continues_only_while_the_oldest_listing_is_fresh():
    bucket = FakeBucket(A, B)
    bucket.seconds = FRESH_SECONDS - 1
    continued = []

    def delete_objects(objects, *, may_continue):
        continued.append(may_continue())
        bucket.seconds += 2
        continued.append(may_continue())
        return dict.fromkeys([item.key for item in objects], DELETED)

    bucket.delete_objects = delete_objects
    parts = [make_part(A, listed_at=0.0), make_part(B, listed_at=bucket.seconds)]

    bucket.make_sender().send(parts)

    assert continued == [True, False]


def test_objects_of_a_stopped_run_fail_with_its_reason():
    bucket = FakeBucket(A)
    sender = bucket.make_sender()
    sender.control.stop("the reason")

    outcomes = sender.send([make_part(A)])

    assert outcomes["old/a"].outcome is ObjectOutcome.FAILED
    assert "the reason" in outcomes["old/a"].message
    assert bucket.log == []


def test_lost_response_stops_the_run_and_leaves_the_outcome_unknown():
    bucket = FakeBucket(A)
    sender = bucket.make_sender()

    def lose_response(*_, **__):
        raise OSError("connection lost")

    bucket.delete_objects = lose_response

    outcomes = sender.send([make_part(A)])

    assert outcomes["old/a"].outcome is ObjectOutcome.UNKNOWN
    assert "connection lost" in outcomes["old/a"].message
    assert sender.control.is_stopped()
