"""What rows of a report come to, in whatever order and parts they come."""

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
    lambda some: [
        make_object(key, at=NOW - timedelta(hours=hours), size_bytes=size)
        for key, (hours, size) in some.items()
    ]
)


def rows(objects):
    return ReportRows(
        [one.key for one in objects],
        [one.size_bytes for one in objects],
        [format_listing_time(one.modified_at) for one in objects],
    )


@given(OBJECTS, st.randoms(use_true_random=False), st.sampled_from(("", "index.html", "x/y")))
def test_rows_in_any_order_and_parts_come_to_what_a_listing_does(objects, random, required_file):
    expected = defaultdict(list)
    for one in objects:
        name, slash, _ = one.key.removeprefix(PREFIX).partition("/")
        if one.key.startswith(PREFIX) and slash and name in NAMES:
            expected[name].append(one)
    if random.random() < 0.7:
        random.shuffle(objects)
    else:
        objects.sort(key=lambda one: one.key)
    tallies = ReportSummaryBuilder(PREFIX, NAMES, required_file)
    cut = random.randint(0, len(objects))
    for part in (objects[:cut], objects[cut:]):
        tallies.add_rows(rows(part))

    found = tallies.build_deployments()
    assert {*found} == {*expected}
    for name, some in expected.items():
        listed = summarize_folder(name, f"{PREFIX}{name}/", some, required_file=required_file)
        told = replace(listed, is_fully_listed=False, is_from_report=True, fingerprint="")
        assert (found[name], found[name].first_object_at) == (told, told.first_object_at)


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("s3://b/inventory/site/daily/2026-11-24T01-00Z/manifest.json", "inventory/site/daily/"),
        ("s3://b/daily/2026-11-24T01-00Z/manifest.json", "daily/"),
        ("s3://b/manifest.json", ""),
        ("s3://b/inventory/site/daily/", "inventory/site/daily/"),
    ],
)
def test_folder_of_a_configuration_holds_its_reports_and_their_files(text, folder):
    place = ReportLocation.parse(text)
    assert (str(place), place.folder) == (text, folder)
