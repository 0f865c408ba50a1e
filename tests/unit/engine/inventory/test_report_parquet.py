"""Inventory reports in Parquet: accepted column types, and the error without pyarrow."""

import io
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ci3.core.inventory.report_manifest import Manifest, ReportFormat
from ci3.engine.inventory.report_parquet import BATCH_ROWS, read_parquet
from ci3.errors import ListingError, SettingsError
from tests.support.cleanup_run import make_context
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.support.s3.inventory_reports import ALL_VERSIONS, report_of, to_parquet

MODIFIED_AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
COLUMNS = {
    "bucket": pa.array(["site"]),
    "key": pa.array(["d0/x"]),
    "size": pa.array([7], pa.int64()),
    "last_modified_date": pa.array([MODIFIED_AT], pa.timestamp("ms", tz="UTC")),
}
FLAGS = {"is_latest": pa.array([True]), "is_delete_marker": pa.array([False])}
NAIVE = MODIFIED_AT.replace(tzinfo=None)


def make_manifest(names=tuple(COLUMNS)):
    return Manifest(
        source_bucket="site",
        destination_bucket="site",
        created_at=MODIFIED_AT,
        format=ReportFormat.PARQUET,
        columns=tuple(name.replace("_", "") for name in names),
        files=(),
    )


def read_rows(columns, names=tuple(COLUMNS)):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    [rows] = read_parquet(file, make_manifest(names), "s3://site/file.parquet")
    return rows


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_have_the_format_of_listings(unit):
    times = pa.array([MODIFIED_AT], pa.timestamp(unit, tz="UTC"))
    rows = read_rows({**COLUMNS, "last_modified_date": times})
    assert (rows.keys, rows.sizes, rows.times) == (["d0/x"], [7], ["2026-11-01T12:00:00"])


def test_unused_columns_are_ignored():
    unused_columns = {"e_tag": pa.array(["e"]), "grants": pa.array([{"a": [1, 2]}])}
    assert read_rows({**unused_columns, **COLUMNS}).keys == ["d0/x"]


WRONG_COLUMNS = {
    "time without a zone": {"last_modified_date": pa.array([NAIVE], pa.timestamp("ms"))},
    "time in Tokyo": {
        "last_modified_date": pa.array([MODIFIED_AT], pa.timestamp("ms", tz="Asia/Tokyo"))
    },
    "time as a number": {"last_modified_date": pa.array([1_700_000_000_000])},
    "time as a text": {"last_modified_date": pa.array(["2026-11-01T12:00:00Z"])},
    "time before S3": {
        "last_modified_date": pa.array(
            [datetime(1999, 1, 1, tzinfo=UTC)], pa.timestamp("ms", tz="UTC")
        )
    },
    "fractional size": {"size": pa.array([7.0])},
    "negative size": {"size": pa.array([-7])},
    "no size": {"size": pa.array([None], pa.int64())},
    "key as a struct": {"key": pa.array([{"name": "d0/x"}])},
    "key as a list": {"key": pa.array([["d0/x"]])},
    "key as bytes": {"key": pa.array([b"d0/\xff"])},
    "another bucket": {"bucket": pa.array(["other"])},
    "two columns with one name": {"KEY": pa.array(["d0/x"])},
}


def catch_error(columns, *arguments) -> ListingError:
    with pytest.raises(ListingError) as caught:
        read_rows(columns, *arguments)
    return caught.value


@pytest.mark.parametrize("changed", WRONG_COLUMNS.values(), ids=WRONG_COLUMNS)
def test_column_of_another_type_is_an_error(changed):
    catch_error({**COLUMNS, **changed})


def test_messages_are_the_golden_ones():
    cases = {case: catch_error({**COLUMNS, **changed}) for case, changed in WRONG_COLUMNS.items()}
    cases["a column is missing"] = catch_error(COLUMNS, (*COLUMNS, *FLAGS))
    assert_messages(__file__, cases.items())


def test_manifest_column_that_the_file_does_not_have_is_an_error():
    error = catch_error({**COLUMNS, "is_latest": FLAGS["is_latest"]}, (*COLUMNS, *FLAGS))
    assert "isdeletemarker" in words_in(error.message)
    assert "islatest" not in words_in(error.message)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all", b"PAR1" * 9])
def test_file_that_is_not_parquet_is_an_error(content):
    with pytest.raises(ListingError, match=r"s3://site/file\.parquet"):
        next(read_parquet(io.BytesIO(content), make_manifest(), "s3://site/file.parquet"))


def test_large_row_group_is_read_in_batches():
    count = 3 * BATCH_ROWS
    keys = [f"d0/{number}" for number in range(count)]
    times = pa.array([MODIFIED_AT] * count, pa.timestamp("ms", tz="UTC"))
    file = io.BytesIO()
    pq.write_table(
        pa.table({"bucket": ["site"] * count, "key": keys, "size": [1] * count,
                  "last_modified_date": times}), file, row_group_size=count)  # fmt: skip
    batches = [rows.keys for rows in read_parquet(file, make_manifest(), "here")]
    assert [key for batch in batches for key in batch] == keys
    assert max(map(len, batches)) <= BATCH_ROWS


def test_missing_pyarrow_is_an_error_that_names_what_to_install(site, proxy, monkeypatch):
    site.deploy("d0", days=1)
    report = report_of(site, files=[to_parquet([], ALL_VERSIONS)], file_format="Parquet")
    context = make_context(site, inventory=report.deliver(site))
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match="Parquet") as caught:
        context.make_plan(context.open_bucket())
    assert {"ci3[parquet]", "CSV"} <= words_in(caught.value.hint)
    assert not proxy.find_requests("GET", "data/")
