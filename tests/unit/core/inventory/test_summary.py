"""The summary and fingerprint of a deployment, listed completely or in parts."""

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


def test_fingerprint_changes_with_an_added_or_missing_object():
    prints = {
        compute_fingerprint(FILES),
        compute_fingerprint(FILES[:1]),
        compute_fingerprint(FILES[1:]),
        compute_fingerprint(()),
        compute_fingerprint((*FILES, make_object("d/", size_bytes=0))),
    }

    assert len(prints) == 5


def test_fingerprint_is_the_same_in_any_order_and_time_zone():
    time_zone = timezone(timedelta(hours=5, minutes=30))
    moved = [item._replace(modified_at=item.modified_at.astimezone(time_zone)) for item in FILES]

    assert compute_fingerprint(reversed(moved)) == compute_fingerprint(FILES)


def test_fingerprint_is_the_one_in_saved_plans():
    at = datetime(2026, 11, 2, 14, 3, tzinfo=UTC)

    assert (
        compute_fingerprint((make_object("d/index.html", at=at, size_bytes=3, etag='"e"'),))
        == "261e8d1558cd91bd1ec4f1a172caa8d714b9815d005e38cac549ba9ab90d6986"
    )


def test_fingerprint_accepts_keys_with_surrogates():
    assert compute_fingerprint((make_object("d/\ud800"),)) != compute_fingerprint(
        (make_object("d/\ud801"),)
    )


short_texts = st.text("1\0\1", max_size=3)
listings = st.lists(
    st.builds(
        make_object,
        short_texts,
        etag=st.text("1", max_size=3),
        size_bytes=st.sampled_from([1, 11, 111]),
    ),
    unique_by=lambda item: item.key,
    max_size=2,
)


@given(listings, listings)
def test_fingerprint_differs_if_text_moves_between_fields(first, second):
    is_same = sorted(first, key=str) == sorted(second, key=str)

    assert (compute_fingerprint(first) == compute_fingerprint(second)) is is_same


def test_summary_has_the_count_size_and_times():
    summary = summarize_folder("d", "site/d/", FILES)

    assert (summary.object_count, summary.size_bytes, summary.is_complete) == (2, 30, True)
    assert (summary.oldest_at, summary.newest_at) == (days_ago(2), days_ago(1))
    assert summary.fingerprint == compute_fingerprint(FILES)


def test_folder_without_objects_has_no_times_and_is_incomplete():
    summary = summarize_folder("d", "d/", ())

    assert (summary.oldest_at, summary.newest_at, summary.is_complete, summary.object_count) == (
        None,
        None,
        False,
        0,
    )


def test_summary_accepts_an_iterator():
    assert summarize_folder("d", "d/", iter(FILES)) == summarize_folder("d", "d/", FILES)


@given(st.data())
def test_parts_are_joined_to_the_same_summary(data):
    """About every 4th object begins a chunk, so that parts end inside and between chunks."""
    keys = sorted(data.draw(st.sets(st.text("ab/\0é", min_size=1, max_size=3), max_size=30)))
    cuts = data.draw(st.lists(st.integers(0, len(keys)), max_size=5))
    files = [
        make_object(
            f"d/{key}", at=days_ago(len(key) + index % 5), size_bytes=index, etag=f'"{key!r}"'
        )
        for index, key in enumerate(keys)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprinting, "_CHUNK_MASK", 3)
        complete = summarize_folder("d", "d/", files, required_file="ab")
        joined = SummaryBuilder("d/", "ab")
        borders = [0, *sorted(cuts), len(files)]
        for start, end in pairwise(borders):
            part = SummaryBuilder("d/", "ab", is_first_part=False)
            for item in files[start:end]:
                part.add_objects(ObjectColumns.from_objects([item]))
            joined.append_part(part)

    assert joined.build_deployment("d") == complete
    assert joined.build_deployment("d").first_object_at == complete.first_object_at
