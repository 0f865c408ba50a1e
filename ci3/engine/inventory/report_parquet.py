"""Read the rows of an inventory report's Parquet file; the only module that imports pyarrow.

Columns and types: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import IO, Any, Final

from ci3.aws.listing.validation import S3_LAUNCH_DATE
from ci3.core.inventory.columns import format_listing_time
from ci3.core.inventory.report_manifest import Manifest, ReportRows, normalize_column_name
from ci3.engine.inventory.report_csv import make_unreadable_error
from ci3.errors import SettingsError

BATCH_ROWS: Final = 16_384
"""Rows in memory at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = ("bucket", "key", "size", "lastmodifieddate", "islatest", "isdeletemarker")


def require_pyarrow(url: str) -> None:
    """Raise SettingsError where pyarrow, an optional dependency, is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra, and large
    except ImportError as exc:
        raise SettingsError(
            f"{url} is in Parquet format, and pyarrow is not installed",
            "Install `ci3[parquet]`, or choose CSV as the output format of the inventory "
            "configuration. The action's image does not include pyarrow, because it is large.",
        ) from exc


def read_parquet(
    file: IO[bytes], manifest: Manifest, file_url: str
) -> Generator[ReportRows, None, None]:
    """Read the rows of a file in batches.

    Raises ListingError for a file that is not Parquet, and for column types that S3 does not write.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra, and large

    with _translate_errors(file_url):
        opened = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        names = _find_labels(opened.schema_arrow, manifest, file_url)
        for batch in opened.iter_batches(batch_size=BATCH_ROWS, columns=[*names.values()]):
            columns = {name: _convert_values(batch.column(label)) for name, label in names.items()}
            yield _make_rows(columns, manifest, file_url)


@contextmanager
def _translate_errors(file_url: str) -> Iterator[None]:
    import pyarrow as pa  # noqa: PLC0415 - an extra, and large

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise make_unreadable_error(file_url, str(exc)) from exc


def _find_labels(schema: Any, manifest: Manifest, file_url: str) -> dict[str, str]:  # noqa: ANN401 - pyarrow
    """Return the file's label of each column; raise ListingError for unexpected types."""
    import pyarrow.types as arrow_types  # noqa: PLC0415 - an extra, and large

    def is_text(column_type: Any) -> bool:  # noqa: ANN401 - pyarrow
        return bool(arrow_types.is_string(column_type) or arrow_types.is_large_string(column_type))

    checks: Mapping[str, Callable[[Any], bool]] = {
        "bucket": is_text,
        "key": is_text,
        "size": arrow_types.is_int64,
        "lastmodifieddate": lambda column_type: (
            arrow_types.is_timestamp(column_type) and column_type.tz == "UTC"
        ),
        "islatest": arrow_types.is_boolean,
        "isdeletemarker": arrow_types.is_boolean,
    }
    labels: dict[str, str] = {}
    for column in schema:
        name = normalize_column_name(column.name)
        if name not in checks or name not in manifest.columns:
            continue
        if name in labels or not checks[name](column.type):
            raise make_unreadable_error(
                file_url,
                f"its column {column.name} appears twice or has the wrong type, {column.type}",
            )
        labels[name] = column.name
    if missing := [name for name in _COLUMNS if name in manifest.columns and name not in labels]:
        raise make_unreadable_error(
            file_url, f"it does not have these columns of the manifest: {', '.join(missing)}"
        )
    return labels


def _convert_values(column: Any) -> list[Any]:  # noqa: ANN401 - pyarrow
    """Return a column's values; times as milliseconds since 1970."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and large

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _make_rows(columns: dict[str, list[Any]], manifest: Manifest, file_url: str) -> ReportRows:
    if manifest.has_versions:
        flags = zip(columns["islatest"], columns["isdeletemarker"], strict=True)
        is_current = [latest is not False and marker is not True for latest, marker in flags]
        columns = {name: [*compress(column, is_current)] for name, column in columns.items()}
    if any(None in columns[name] for name in ("key", "size", "lastmodifieddate")):
        raise make_unreadable_error(file_url, "a row has no key, size or time")
    if {*columns.get("bucket", ())} - {manifest.source_bucket}:
        raise make_unreadable_error(
            file_url, f"it has rows of a bucket other than {manifest.source_bucket}"
        )
    sizes, times = columns["size"], columns["lastmodifieddate"]
    if sizes and min(sizes) < 0:
        raise make_unreadable_error(file_url, "a size is negative")
    texts = {milliseconds: _format_time(milliseconds, file_url) for milliseconds in set(times)}
    return ReportRows(columns["key"], sizes, [texts[milliseconds] for milliseconds in times])


def _format_time(milliseconds: int, file_url: str) -> str:
    try:
        time = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise make_unreadable_error(file_url, f"{milliseconds} is not a valid time") from exc
    if time < S3_LAUNCH_DATE:
        raise make_unreadable_error(file_url, f"{time.isoformat()} is before the launch of S3")
    return format_listing_time(time)
