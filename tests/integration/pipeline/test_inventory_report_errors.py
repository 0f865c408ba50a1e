"""An inventory report that cannot be used is refused, and nothing is planned."""

import gzip
import itertools

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
    assert "Nothing was planned or deleted" in caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "other"}, "is a report of the bucket other"),
        ({"changed": {"destinationBucket": "arn:aws:s3:::other"}}, "are in the bucket other"),
        ({"file_format": "ORC"}, "in ORC, which ci3 does not read"),
        ({"columns": CURRENT[:3]}, "without LastModifiedDate"),
        ({"columns": CURRENT[:2]}, "without Size, LastModifiedDate"),
        (
            {"columns": (*ALL_VERSIONS[:3], "Size", "LastModifiedDate")},
            "without IsLatest, IsDeleteMarker",
        ),
    ],
)
def test_report_that_can_not_tell_is_refused_with_what_to_do(furnished, changes, told):
    error = refusal(furnished, report_of(furnished, **changes))
    assert isinstance(error, RefusedError)
    assert told in error.message


def test_report_of_another_prefix_is_refused(furnished):
    report = report_of(furnished, files=[to_csv([row("other/x", bucket=furnished.name)])])
    assert "has nothing under" in refusal(furnished, report).message


@pytest.mark.parametrize("missing", ["manifest.checksum", "data/file-1.csv", "manifest.json"])
def test_report_of_which_a_file_is_missing_is_an_error(furnished, missing):
    url = report_of(furnished).deliver(furnished)
    [key] = [key for key in furnished.content() if key.endswith(missing)]
    furnished.remove(key)
    with pytest.raises(AccessError, match="NoSuchKey") as caught:
        plan_by(furnished, url)
    if missing == "manifest.checksum":
        assert "may still be delivering it" in caught.value.hint


def test_manifest_that_does_not_fit_its_checksum_is_an_error(furnished):
    report = report_of(furnished)
    url = report.deliver(furnished)
    furnished.put(MANIFEST, body=report.manifest() + b" ")
    with pytest.raises(ListingError, match=r"not what its manifest\.checksum says"):
        plan_by(furnished, url)


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_file_that_is_not_what_the_manifest_says_is_an_error(furnished, form):
    write = to_csv if form == "CSV" else to_parquet
    rows = rows_of(furnished)
    report = report_of(furnished, files=[write(rows[:9]), write(rows[9:])], file_format=form)
    url = report.deliver(furnished)
    furnished.put(report.key_of(1), body=write([*rows[9:-1], {**rows[-1], "Size": 2}]))
    with pytest.raises(ListingError, match=r"its MD5 is another|bytes came"):
        plan_by(furnished, url)
    furnished.put(report.key_of(1), body=write(rows[9:])[:-1])
    with pytest.raises(ListingError, match="bytes came"):
        plan_by(furnished, url)


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
)
def test_manifest_of_another_form_is_an_error(furnished, changed):
    error = refusal(furnished, report_of(furnished, changed=changed))
    assert isinstance(error, ListingError)
    assert "is no manifest of S3 Inventory" in error.message


LINE = b'"site","d0/x","1","2026-11-01T00:00:00.000Z","e"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LINE + b'"site","d0/x","1"\n', "row 2 has 3 fields"),
        (LINE + b"\n" + LINE, "row 2 has 0 fields"),
        (LINE.replace(b'"1"', b'"many"'), "a size is no number"),
        (LINE.replace(b'"1"', b'""'), "a size is no number"),
        (LINE.replace(b'"1"', b'"-1"'), "a size is below 0"),
        (LINE.replace(b"2026", b"once"), "a time can't be read"),
        (LINE.replace(b"2026", b"1999"), "a time can't be read"),
        (LINE.replace(b"00Z", b"00"), "a time can't be read"),
        (LINE.replace(b"site", b"other"), "rows of another bucket"),
        (LINE.replace(b"x", b"\xff"), "not UTF-8"),
        (LINE + b'"' + b"x" * 5_000_000, "a row is longer than any"),
        (LINE[:-1] + b'"e', "after row 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_row_that_can_not_be_read_is_an_error(furnished, text, told):
    files = [gzip.compress(text.replace(b"site", furnished.name.encode()))]
    error = refusal(furnished, report_of(furnished, files=files))
    assert isinstance(error, ListingError)
    assert told in error.message


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_file_that_breaks_off_anywhere_is_an_error(furnished, cut_at):
    whole = to_csv(rows_of(furnished))
    files = [whole[: -len(whole) * cut_at // 9]]
    error = refusal(furnished, report_of(furnished, files=files))
    assert "it breaks off" in error.message


def test_file_that_is_no_gzip_is_an_error(furnished):
    assert "it is no gzip" in refusal(furnished, report_of(furnished, files=[LINE])).message


def test_file_of_several_gzip_members_is_read_to_its_end(furnished):
    rows = rows_of(furnished)
    report = report_of(furnished, files=[to_csv(rows[:7]) + to_csv(rows[7:])])
    plan = plan_by(furnished, report.deliver(furnished), keep_count="6")
    assert sum(one.deployment.object_count for one in plan.decisions) == len(rows)


def test_file_that_unpacks_without_end_is_an_error_in_little_memory():
    member = gzip.compress(b"\n" * 5 * CHUNK_BYTES)
    unpacked = report_rows._unpack(itertools.repeat(member), "here")
    with pytest.raises(ListingError, match="unpacks to over 400 times its size"):
        assert all(len(chunk) <= CHUNK_BYTES for chunk in unpacked)
