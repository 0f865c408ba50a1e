"""Deployments built from the rows of an inventory report, in any order and in parts."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.inventory.columns import format_listing_time
from ci3.core.inventory.report_location import ReportLocation
from ci3.core.inventory.report_manifest import ReportRows, ReportSummaryBuilder
from ci3.core.inventory.summary import summarize_folder
from tests.support.builders import NOW, make_object

PREFIX = "app/"
NAMES = ("a", "a-b", "a0", "b")
KEYS = st.one_of(
    st.builds(
        "{}{}/{}".format,
        st.just(PREFIX),
        st.sampled_from((*NAMES, "other", "")),
        st.sampled_from(("", "index.html", "x/", "x/y", "z")),
    ),
    st.sampled_from(("app", "app/", "app/file", "apps/a/x", "a/index.html", "z/a/x", "")),
)
OBJECTS = st.dictionaries(KEYS, st.tuples(st.integers(0, 9), st.integers(0, 2))).map(
    lambda attributes: [
        make_object(key, at=NOW - timedelta(hours=hours), size_bytes=size)
        for key, (hours, size) in attributes.items()
    ]
)


def make_rows(objects):
    return ReportRows(
        [item.key for item in objects],
        [item.size_bytes for item in objects],
        [format_listing_time(item.modified_at) for item in objects],
    )


@given(OBJECTS, st.randoms(use_true_random=False), st.sampled_from(("", "index.html", "x/y")))
def test_rows_in_any_order_and_parts_give_the_same_as_a_listing(objects, random, required_file):
    expected = defaultdict(list)
    for item in objects:
        name, slash, _ = item.key.removeprefix(PREFIX).partition("/")
        if item.key.startswith(PREFIX) and slash and name in NAMES:
            expected[name].append(item)
    if random.random() < 0.7:
        random.shuffle(objects)
    else:
        objects.sort(key=lambda item: item.key)
    builder = ReportSummaryBuilder(PREFIX, NAMES, required_file)
    cut = random.randint(0, len(objects))
    for part in (objects[:cut], objects[cut:]):
        builder.add_rows(make_rows(part))

    actual = builder.build_deployments()
    assert {*actual} == {*expected}
    for name, items in expected.items():
        listed = summarize_folder(name, f"{PREFIX}{name}/", items, required_file=required_file)
        reported = replace(listed, is_fully_listed=False, is_from_report=True, fingerprint="")
        assert (actual[name], actual[name].first_object_at) == (reported, reported.first_object_at)


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("s3://b/inventory/site/daily/2026-11-24T01-00Z/manifest.json", "inventory/site/daily/"),
        ("s3://b/daily/2026-11-24T01-00Z/manifest.json", "daily/"),
        ("s3://b/manifest.json", ""),
        ("s3://b/inventory/site/daily/", "inventory/site/daily/"),
    ],
)
def test_report_location_has_the_folder_of_its_configuration(text, folder):
    location = ReportLocation.parse(text)
    assert (str(location), location.folder) == (text, folder)
