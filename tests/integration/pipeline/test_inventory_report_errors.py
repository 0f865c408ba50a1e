"""An inventory report that cannot be used is refused, and nothing is planned."""

import gzip
import itertools
import re

import pytest

from ci3.engine.inventory import report_csv
from ci3.engine.inventory.report_csv import CHUNK_BYTES
from ci3.errors import AccessError, Ci3Error, ListingError, RefusedError
from tests.integration.pipeline.test_inventory_report import make_plan
from tests.support.s3.bucket import Bucket
from tests.support.s3.inventory_reports import (
    ALL_VERSIONS,
    CURRENT,
    MANIFEST,
    InventoryReport,
    report_of,
    row,
    rows_of,
    to_csv,
    to_parquet,
)


def catch_plan_error(site: Bucket, report: InventoryReport, **settings: str) -> Ci3Error:
    with pytest.raises(Ci3Error) as caught:
        make_plan(site, report.deliver(site), **settings)
    return caught.value


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "other"},
        {"changed": {"destinationBucket": "arn:aws:s3:::other"}},
        {"file_format": "ORC"},
        {"columns": CURRENT[:3]},
        {"columns": CURRENT[:2]},
        {"columns": (*ALL_VERSIONS[:3], "Size", "LastModifiedDate")},
    ],
    ids=["source", "destination", "format", "no time", "no size", "versions"],
)
def test_report_without_the_needed_data_is_refused_with_a_hint(seeded_site, changes, assert_screen):
    error = catch_plan_error(seeded_site, report_of(seeded_site, **changes))
    assert isinstance(error, RefusedError)
    assert_screen(error.full_message)


def test_report_of_another_prefix_is_refused(seeded_site, assert_screen):
    report = report_of(seeded_site, files=[to_csv([row("other/x", bucket=seeded_site.name)])])
    assert_screen(catch_plan_error(seeded_site, report).full_message)


@pytest.mark.parametrize("missing", ["manifest.checksum", "data/file-1.csv", "manifest.json"])
def test_report_with_a_missing_file_is_an_error(seeded_site, missing, assert_screen):
    url = report_of(seeded_site).deliver(seeded_site)
    [key] = [key for key in seeded_site.content() if key.endswith(missing)]
    seeded_site.remove(key)
    with pytest.raises(AccessError, match="NoSuchKey") as caught:
        make_plan(seeded_site, url)
    assert_screen(caught.value.full_message)


def test_manifest_that_does_not_match_its_checksum_is_an_error(seeded_site, assert_screen):
    report = report_of(seeded_site)
    url = report.deliver(seeded_site)
    seeded_site.put(MANIFEST, body=report.manifest() + b" ")
    with pytest.raises(ListingError) as caught:
        make_plan(seeded_site, url)
    assert_screen(caught.value.full_message)


@pytest.mark.parametrize("file_format", ["CSV", "Parquet"])
def test_file_that_does_not_match_the_manifest_is_an_error(seeded_site, file_format, assert_screen):
    write = to_csv if file_format == "CSV" else to_parquet
    rows = rows_of(seeded_site)
    report = report_of(
        seeded_site, files=[write(rows[:9]), write(rows[9:])], file_format=file_format
    )
    url = report.deliver(seeded_site)
    seeded_site.put(report.key_of(1), body=write([*rows[9:-1], {**rows[-1], "Size": 2}]))
    with pytest.raises(ListingError, match="file-1"):
        make_plan(seeded_site, url)
    content = write(rows[9:])
    seeded_site.put(report.key_of(1), body=content[:-1])
    with pytest.raises(ListingError) as caught:
        make_plan(seeded_site, url)
    message = caught.value.full_message
    assert f"{len(content) - 1:,}" in message
    # A compressed file's size depends on the times in it.
    assert_screen(re.sub(r"[\d,]+ bytes instead of [\d,]+", "N bytes instead of N", message))


@pytest.mark.parametrize(
    "changed",
    [
        {"files": None},
        {"files": [{"key": "x", "size": -1, "MD5checksum": "0" * 32}]},
        {"files": [{"key": "x", "size": 1, "MD5checksum": "0"}]},
        {"creationTimestamp": "soon"},
        {"creationTimestamp": "9" * 30},
        {"fileFormat": "XML"},
        {"sourceBucket": 7},
    ],
    ids=["no files", "size", "MD5", "no time", "long time", "format", "bucket"],
)
def test_invalid_manifest_is_an_error(seeded_site, changed, assert_screen):
    error = catch_plan_error(seeded_site, report_of(seeded_site, changed=changed))
    assert isinstance(error, ListingError)
    assert "manifest.json" in error.message
    assert_screen(error.hint, is_shared=True)


LINE = b'"site","d0/x","1","2026-11-01T00:00:00.000Z","e"\n'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LINE + b'"site","d0/x","1"\n', id="3 fields"),
        pytest.param(LINE + b"\n" + LINE, id="no field"),
        pytest.param(LINE.replace(b'"1"', b'"many"'), id="size in words"),
        pytest.param(LINE.replace(b'"1"', b'""'), id="no size"),
        pytest.param(LINE.replace(b'"1"', b'"-1"'), id="negative size"),
        pytest.param(LINE.replace(b"2026", b"once"), id="time in words"),
        pytest.param(LINE.replace(b"2026", b"1999"), id="early time"),
        pytest.param(LINE.replace(b"00Z", b"00"), id="no time zone"),
        pytest.param(LINE.replace(b"site", b"other"), id="another bucket"),
        pytest.param(LINE.replace(b"x", b"\xff"), id="not UTF-8"),
        pytest.param(LINE + b'"' + b"x" * 5_000_000, id="long row"),
        pytest.param(LINE[:-1] + b'"e', id="quotes"),
    ],
)
def test_invalid_row_is_an_error(seeded_site, text, assert_screen):
    files = [gzip.compress(text.replace(b"site", seeded_site.name.encode()))]
    error = catch_plan_error(seeded_site, report_of(seeded_site, files=files))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message)


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_truncated_file_is_an_error(seeded_site, cut_at, assert_screen):
    content = to_csv(rows_of(seeded_site))
    files = [content[: -len(content) * cut_at // 9]]
    error = catch_plan_error(seeded_site, report_of(seeded_site, files=files))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message, is_shared=True)


def test_file_that_is_not_gzip_is_an_error(seeded_site, assert_screen):
    error = catch_plan_error(seeded_site, report_of(seeded_site, files=[LINE]))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message)


def test_all_gzip_members_of_a_file_are_read(seeded_site):
    rows = rows_of(seeded_site)
    report = report_of(seeded_site, files=[to_csv(rows[:7]) + to_csv(rows[7:])])
    plan = make_plan(seeded_site, report.deliver(seeded_site), keep_count="6")
    assert sum(decision.deployment.object_count for decision in plan.decisions) == len(rows)


def test_file_that_unpacks_endlessly_is_an_error_with_little_memory():
    member = gzip.compress(b"\n" * 5 * CHUNK_BYTES)
    unpacked = report_csv._unpack(itertools.repeat(member), "here")
    with pytest.raises(ListingError, match="400"):
        assert all(len(chunk) <= CHUNK_BYTES for chunk in unpacked)
