"""Reports in Parquet: S3's types and no others, and what is said where pyarrow is missing."""

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

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
COLUMNS = {
    "bucket": pa.array(["site"]),
    "key": pa.array(["d0/x"]),
    "size": pa.array([7], pa.int64()),
    "last_modified_date": pa.array([AT], pa.timestamp("ms", tz="UTC")),
}
FLAGS = {"is_latest": pa.array([True]), "is_delete_marker": pa.array([False])}
NAIVE = AT.replace(tzinfo=None)


def manifest(names=tuple(COLUMNS)):
    return Manifest(
        source_bucket="site",
        destination_bucket="site",
        created_at=AT,
        format=ReportFormat.PARQUET,
        columns=tuple(name.replace("_", "") for name in names),
        files=(),
    )


def read(columns, names=tuple(COLUMNS)):
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    [rows] = read_parquet(written, manifest(names), "s3://site/file.parquet")
    return rows


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_are_written_as_listings_write_them(unit):
    times = pa.array([AT], pa.timestamp(unit, tz="UTC"))
    rows = read({**COLUMNS, "last_modified_date": times})
    assert (rows.keys, rows.sizes, rows.times) == (["d0/x"], [7], ["2026-11-01T12:00:00"])


def test_other_columns_are_left_alone_however_odd():
    odd = {"e_tag": pa.array(["e"]), "grants": pa.array([{"a": [1, 2]}])}
    assert read({**odd, **COLUMNS}).keys == ["d0/x"]


WRONG_COLUMNS = {
    "time without a zone": {"last_modified_date": pa.array([NAIVE], pa.timestamp("ms"))},
    "time in Tokyo": {"last_modified_date": pa.array([AT], pa.timestamp("ms", tz="Asia/Tokyo"))},
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


def refused_columns(columns, *arguments) -> ListingError:
    with pytest.raises(ListingError) as caught:
        read(columns, *arguments)
    return caught.value


@pytest.mark.parametrize("changed", WRONG_COLUMNS.values(), ids=WRONG_COLUMNS)
def test_column_of_another_type_is_an_error(changed):
    refused_columns({**COLUMNS, **changed})


def test_messages_are_the_golden_ones():
    cases = {
        case: refused_columns({**COLUMNS, **changed}) for case, changed in WRONG_COLUMNS.items()
    }
    cases["a column is missing"] = refused_columns(COLUMNS, (*COLUMNS, *FLAGS))
    assert_messages(__file__, cases.items())


def test_column_that_the_manifest_names_and_the_file_lacks_is_an_error():
    error = refused_columns({**COLUMNS, "is_latest": FLAGS["is_latest"]}, (*COLUMNS, *FLAGS))
    assert "isdeletemarker" in words_in(error.message)
    assert "islatest" not in words_in(error.message)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all", b"PAR1" * 9])
def test_file_that_is_no_parquet_is_an_error(content):
    with pytest.raises(ListingError, match=r"s3://site/file\.parquet"):
        next(read_parquet(io.BytesIO(content), manifest(), "s3://site/file.parquet"))


def test_rows_come_a_few_at_a_time_however_large_their_group_is():
    count = 3 * BATCH_ROWS
    keys = [f"d0/{number}" for number in range(count)]
    times = pa.array([AT] * count, pa.timestamp("ms", tz="UTC"))
    written = io.BytesIO()
    pq.write_table(
        pa.table({"bucket": ["site"] * count, "key": keys, "size": [1] * count,
                  "last_modified_date": times}), written, row_group_size=count)  # fmt: skip
    runs = [rows.keys for rows in read_parquet(written, manifest(), "here")]
    assert [key for run in runs for key in run] == keys
    assert max(map(len, runs)) <= BATCH_ROWS


def test_without_pyarrow_it_is_said_what_to_install_or_to_choose(site, proxy, monkeypatch):
    site.deploy("d0", days=1)
    report = report_of(site, files=[to_parquet([], ALL_VERSIONS)], file_format="Parquet")
    run = make_context(site, inventory=report.deliver(site))
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match="Parquet") as caught:
        run.make_plan(run.open_bucket())
    assert {"ci3[parquet]", "CSV"} <= words_in(caught.value.hint)
    assert not proxy.find_requests("GET", "data/")
