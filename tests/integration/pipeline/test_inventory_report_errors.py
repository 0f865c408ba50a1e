"""An inventory report that cannot be used is refused, and nothing is planned."""

import gzip
import itertools
import re

import pytest

from ci3.engine.inventory import report_csv as report_rows
from ci3.engine.inventory.report_csv import CHUNK_BYTES
from ci3.errors import AccessError, Ci3Error, ListingError, RefusedError
from tests.integration.pipeline.test_inventory_report import plan_by
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


def refusal(site: Bucket, report: InventoryReport, **settings: str) -> Ci3Error:
    with pytest.raises(Ci3Error) as caught:
        plan_by(site, report.deliver(site), **settings)
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
def test_report_that_can_not_tell_is_refused_with_what_to_do(furnished, changes, assert_screen):
    error = refusal(furnished, report_of(furnished, **changes))
    assert isinstance(error, RefusedError)
    assert_screen(error.full_message)


def test_report_of_another_prefix_is_refused(furnished, assert_screen):
    report = report_of(furnished, files=[to_csv([row("other/x", bucket=furnished.name)])])
    assert_screen(refusal(furnished, report).full_message)


@pytest.mark.parametrize("missing", ["manifest.checksum", "data/file-1.csv", "manifest.json"])
def test_report_of_which_a_file_is_missing_is_an_error(furnished, missing, assert_screen):
    url = report_of(furnished).deliver(furnished)
    [key] = [key for key in furnished.content() if key.endswith(missing)]
    furnished.remove(key)
    with pytest.raises(AccessError, match="NoSuchKey") as caught:
        plan_by(furnished, url)
    assert_screen(caught.value.full_message)


def test_manifest_that_does_not_fit_its_checksum_is_an_error(furnished, assert_screen):
    report = report_of(furnished)
    url = report.deliver(furnished)
    furnished.put(MANIFEST, body=report.manifest() + b" ")
    with pytest.raises(ListingError) as caught:
        plan_by(furnished, url)
    assert_screen(caught.value.full_message)


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_file_that_is_not_what_the_manifest_says_is_an_error(furnished, form, assert_screen):
    write = to_csv if form == "CSV" else to_parquet
    rows = rows_of(furnished)
    report = report_of(furnished, files=[write(rows[:9]), write(rows[9:])], file_format=form)
    url = report.deliver(furnished)
    furnished.put(report.key_of(1), body=write([*rows[9:-1], {**rows[-1], "Size": 2}]))
    with pytest.raises(ListingError, match="file-1"):
        plan_by(furnished, url)
    content = write(rows[9:])
    furnished.put(report.key_of(1), body=content[:-1])
    with pytest.raises(ListingError) as caught:
        plan_by(furnished, url)
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
def test_manifest_of_another_form_is_an_error(furnished, changed, assert_screen):
    error = refusal(furnished, report_of(furnished, changed=changed))
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
def test_row_that_can_not_be_read_is_an_error(furnished, text, assert_screen):
    files = [gzip.compress(text.replace(b"site", furnished.name.encode()))]
    error = refusal(furnished, report_of(furnished, files=files))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message)


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_file_that_breaks_off_anywhere_is_an_error(furnished, cut_at, assert_screen):
    whole = to_csv(rows_of(furnished))
    files = [whole[: -len(whole) * cut_at // 9]]
    error = refusal(furnished, report_of(furnished, files=files))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message, is_shared=True)


def test_file_that_is_no_gzip_is_an_error(furnished, assert_screen):
    error = refusal(furnished, report_of(furnished, files=[LINE]))
    assert isinstance(error, ListingError)
    assert_screen(error.full_message)


def test_file_of_several_gzip_members_is_read_to_its_end(furnished):
    rows = rows_of(furnished)
    report = report_of(furnished, files=[to_csv(rows[:7]) + to_csv(rows[7:])])
    plan = plan_by(furnished, report.deliver(furnished), keep_count="6")
    assert sum(one.deployment.object_count for one in plan.decisions) == len(rows)


def test_file_that_unpacks_without_end_is_an_error_in_little_memory():
    member = gzip.compress(b"\n" * 5 * CHUNK_BYTES)
    unpacked = report_rows._unpack(itertools.repeat(member), "here")
    with pytest.raises(ListingError, match="400"):
        assert all(len(chunk) <= CHUNK_BYTES for chunk in unpacked)
