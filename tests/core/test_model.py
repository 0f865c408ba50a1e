"""Fingerprints, summaries and counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.model import (
    DeploymentResult,
    ObjectOutcome,
    Outcome,
    Result,
    describe,
    fingerprint,
)
from tests.builders import days_ago, stored, target

FILES = (
    stored("d/app.js", at=days_ago(2), size_bytes=10, etag='"a"'),
    stored("d/index.html", at=days_ago(1), size_bytes=20, etag='"b"'),
)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "d/app.jt"},
        {"etag": '"c"'},
        {"etag": ""},
        {"size_bytes": 11},
        {"modified_at": days_ago(2) + timedelta(microseconds=1)},
        {"modified_at": days_ago(2).replace(tzinfo=timezone(timedelta(hours=1)))},
    ],
    ids=str,
)
def test_fingerprint_changes_with_key_etag_size_and_time(change):
    assert fingerprint((replace(FILES[0], **change), FILES[1])) != fingerprint(FILES)


def test_fingerprint_changes_with_one_object_more_or_less():
    prints = {
        fingerprint(FILES),
        fingerprint(FILES[:1]),
        fingerprint(FILES[1:]),
        fingerprint(()),
        fingerprint((*FILES, stored("d/", size_bytes=0))),
    }

    assert len(prints) == 5


def test_fingerprint_is_the_same_in_any_order_and_time_zone():
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    moved = [replace(one, modified_at=one.modified_at.astimezone(elsewhere)) for one in FILES]

    assert fingerprint(reversed(moved)) == fingerprint(FILES)


def test_fingerprint_stays_what_saved_plans_hold():
    at = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)

    assert (
        fingerprint((stored("d/index.html", at=at, size_bytes=3, etag='"e"'),))
        == "ef0e7e180b829a4852b8c45a115cf62aafec1cf0eeacf81eaf5cb1a750a64831"
    )


def test_fingerprint_takes_keys_that_are_no_text():
    assert fingerprint((stored("d/\ud800"),)) != fingerprint((stored("d/\ud801"),))


ones = st.text("1", max_size=3)
listings = st.lists(
    st.builds(stored, ones, etag=ones, size_bytes=st.sampled_from([1, 11, 111])),
    unique_by=lambda one: one.key,
    max_size=2,
)


@given(listings, listings)
def test_fingerprint_tells_listings_apart_wherever_the_border_of_a_field_is(one, other):
    is_same = sorted(one, key=str) == sorted(other, key=str)

    assert (fingerprint(one) == fingerprint(other)) is is_same


def test_summary_counts_sizes_and_spans_the_times():
    one = describe("d", "site/d/", FILES)

    assert (one.object_count, one.size_bytes, one.complete) == (2, 30, True)
    assert (one.oldest_at, one.newest_at) == (days_ago(2), days_ago(1))
    assert one.fingerprint == fingerprint(FILES)


def test_folder_without_objects_has_no_times_and_is_incomplete():
    one = describe("d", "d/", ())

    assert (one.oldest_at, one.newest_at, one.complete, one.object_count) == (None, None, False, 0)


@pytest.mark.parametrize(
    ("key", "size_bytes", "is_marker"),
    [("d/", 0, True), ("d/a/", 0, True), ("d/", 1, False), ("d/.keep", 0, False)],
)
def test_marker_is_an_empty_object_that_ends_in_a_slash(key, size_bytes, is_marker):
    assert stored(key, size_bytes=size_bytes).is_folder_marker is is_marker


def test_summary_takes_any_iterable_once():
    assert describe("d", "d/", iter(FILES)) == describe("d", "d/", FILES)


def test_target_is_written_as_an_address():
    assert target(prefix="site/").url == "s3://my-site/site/"


def result(*results, stopped=""):
    return Result(run_id="r", journal_file="j", deployments=results, stopped=stopped)


def became(problem="", bytes_deleted=0, **counts):
    by_outcome = {ObjectOutcome(name): count for name, count in counts.items()}
    return DeploymentResult(
        name="d", counts=by_outcome, bytes_deleted=bytes_deleted, problem=problem
    )


@pytest.mark.parametrize("outcome", ["changed", "denied", "failed", "unknown"])
def test_deployment_with_an_object_left_is_not_gone_and_the_run_is_partial(outcome):
    left = became(deleted=3, **{outcome: 1})

    assert not left.is_gone
    assert result(became(deleted=1), left).outcome is Outcome.PARTIAL


def test_run_is_applied_when_every_object_is_deleted_or_was_gone():
    done = result(became(deleted=3, absent=1, bytes_deleted=7), became(deleted=2, bytes_deleted=5))

    assert done.outcome is Outcome.APPLIED
    assert (done.deployments_deleted, done.bytes_deleted) == (2, 12)
    assert (done.count(ObjectOutcome.DELETED), done.count(ObjectOutcome.FAILED)) == (5, 0)


def test_problem_or_early_end_makes_a_run_partial():
    assert result(became(problem="could not be listed")).outcome is Outcome.PARTIAL
    assert result(became(deleted=1), stopped="interrupted").outcome is Outcome.PARTIAL
