"""What a deployment's objects are summed up to, and that it is the same in whatever parts."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory import fingerprint as fingerprinting
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.inventory.fingerprint import compute_fingerprint
from ci3.core.inventory.summary import SummaryBuilder, summarize_folder
from tests.support.builders import days_ago, make_object

FILES = (
    make_object("d/app.js", at=days_ago(2), size_bytes=10, etag='"a"'),
    make_object("d/index.html", at=days_ago(1), size_bytes=20, etag='"b"'),
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
    assert compute_fingerprint((FILES[0]._replace(**change), FILES[1])) != compute_fingerprint(
        FILES
    )


def test_fingerprint_changes_with_one_object_more_or_less():
    prints = {
        compute_fingerprint(FILES),
        compute_fingerprint(FILES[:1]),
        compute_fingerprint(FILES[1:]),
        compute_fingerprint(()),
        compute_fingerprint((*FILES, make_object("d/", size_bytes=0))),
    }

    assert len(prints) == 5


def test_fingerprint_is_the_same_in_any_order_and_time_zone():
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    moved = [one._replace(modified_at=one.modified_at.astimezone(elsewhere)) for one in FILES]

    assert compute_fingerprint(reversed(moved)) == compute_fingerprint(FILES)


def test_fingerprint_stays_what_saved_plans_hold():
    at = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)

    assert (
        compute_fingerprint((make_object("d/index.html", at=at, size_bytes=3, etag='"e"'),))
        == "261e8d1558cd91bd1ec4f1a172caa8d714b9815d005e38cac549ba9ab90d6986"
    )


def test_fingerprint_takes_keys_that_are_no_text():
    assert compute_fingerprint((make_object("d/\ud800"),)) != compute_fingerprint(
        (make_object("d/\ud801"),)
    )


ones = st.text("1\0\1", max_size=3)
listings = st.lists(
    st.builds(
        make_object, ones, etag=st.text("1", max_size=3), size_bytes=st.sampled_from([1, 11, 111])
    ),
    unique_by=lambda one: one.key,
    max_size=2,
)


@given(listings, listings)
def test_fingerprint_tells_listings_apart_wherever_the_border_of_a_field_is(one, other):
    is_same = sorted(one, key=str) == sorted(other, key=str)

    assert (compute_fingerprint(one) == compute_fingerprint(other)) is is_same


def test_summary_counts_sizes_and_spans_the_times():
    one = summarize_folder("d", "site/d/", FILES)

    assert (one.object_count, one.size_bytes, one.is_complete) == (2, 30, True)
    assert (one.oldest_at, one.newest_at) == (days_ago(2), days_ago(1))
    assert one.fingerprint == compute_fingerprint(FILES)


def test_folder_without_objects_has_no_times_and_is_incomplete():
    one = summarize_folder("d", "d/", ())

    assert (one.oldest_at, one.newest_at, one.is_complete, one.object_count) == (
        None,
        None,
        False,
        0,
    )


def test_summary_takes_any_iterable_once():
    assert summarize_folder("d", "d/", iter(FILES)) == summarize_folder("d", "d/", FILES)


@given(st.data())
def test_parts_that_are_listed_apart_join_to_the_same(data):
    """Each 3rd object begins a chunk here, so that parts begin and end in chunks and between."""
    keys = sorted(data.draw(st.sets(st.text("ab/\0é", min_size=1, max_size=3), max_size=30)))
    cuts = data.draw(st.lists(st.integers(0, len(keys)), max_size=5))
    files = [
        make_object(
            f"d/{key}", at=days_ago(len(key) + place % 5), size_bytes=place, etag=f'"{key!r}"'
        )
        for place, key in enumerate(keys)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprinting, "_CHUNK_MASK", 3)
        whole = summarize_folder("d", "d/", files, required_file="ab")
        joined = SummaryBuilder("d/", "ab")
        borders = [0, *sorted(cuts), len(files)]
        for start, end in pairwise(borders):
            part = SummaryBuilder("d/", "ab", is_first_part=False)
            for one in files[start:end]:
                part.add_objects(ObjectColumns.from_objects([one]))
            joined.append_part(part)

    assert joined.build_deployment("d") == whole
    assert joined.build_deployment("d").first_object_at == whole.first_object_at
