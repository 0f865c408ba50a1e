"""What a deployment's objects are summed up to, and that it is the same in whatever parts."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory import fingerprint as fingerprinting
from ci3.core.inventory.columns import Listed
from ci3.core.inventory.fingerprint import fingerprint
from ci3.core.inventory.summary import Content, describe
from tests.support.builders import days_ago, stored

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
    assert fingerprint((FILES[0]._replace(**change), FILES[1])) != fingerprint(FILES)


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
    moved = [one._replace(modified_at=one.modified_at.astimezone(elsewhere)) for one in FILES]

    assert fingerprint(reversed(moved)) == fingerprint(FILES)


def test_fingerprint_stays_what_saved_plans_hold():
    at = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)

    assert (
        fingerprint((stored("d/index.html", at=at, size_bytes=3, etag='"e"'),))
        == "261e8d1558cd91bd1ec4f1a172caa8d714b9815d005e38cac549ba9ab90d6986"
    )


def test_fingerprint_takes_keys_that_are_no_text():
    assert fingerprint((stored("d/\ud800"),)) != fingerprint((stored("d/\ud801"),))


ones = st.text("1\0\1", max_size=3)
listings = st.lists(
    st.builds(
        stored, ones, etag=st.text("1", max_size=3), size_bytes=st.sampled_from([1, 11, 111])
    ),
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


def test_summary_takes_any_iterable_once():
    assert describe("d", "d/", iter(FILES)) == describe("d", "d/", FILES)


@given(st.data())
def test_parts_that_are_listed_apart_join_to_the_same(data):
    """Each 3rd object begins a chunk here, so that parts begin and end in chunks and between."""
    keys = sorted(data.draw(st.sets(st.text("ab/\0é", min_size=1, max_size=3), max_size=30)))
    cuts = data.draw(st.lists(st.integers(0, len(keys)), max_size=5))
    files = [
        stored(f"d/{key}", at=days_ago(len(key) + place % 5), size_bytes=place, etag=f'"{key!r}"')
        for place, key in enumerate(keys)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprinting, "_CHUNK_MASK", 3)
        whole = describe("d", "d/", files, required_file="ab")
        joined = Content("d/", "ab")
        borders = [0, *sorted(cuts), len(files)]
        for start, end in pairwise(borders):
            part = Content("d/", "ab", is_first=False)
            for one in files[start:end]:
                part.add(Listed.of([one]))
            joined.join(part)

    assert joined.describe("d") == whole
    assert joined.describe("d").first_at == whole.first_at
