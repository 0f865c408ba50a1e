"""The rows of an inventory report's file in Parquet; the only importer of pyarrow.

Columns and types: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import IO, Any, Final

from ci3.aws.listing.validation import FIRST_DAY
from ci3.core.inventory.columns import time_text
from ci3.core.inventory.report_manifest import Manifest, Rows, column_name
from ci3.engine.inventory.report_csv import unreadable
from ci3.errors import SettingsError

BATCH_ROWS: Final = 16_384
"""Rows that are in memory at once."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WANTED = ("bucket", "key", "size", "lastmodifieddate", "islatest", "isdeletemarker")


def refuse_without_pyarrow(url: str) -> None:
    """Raise SettingsError where what reads Parquet is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra, and large
    except ImportError as exc:
        raise SettingsError(
            f"{url} is a report in Parquet, and what reads that is not installed here",
            "Install `ci3[parquet]`. The action's image is without it, since it is larger than all "
            "else there: choose CSV as the output format of the inventory configuration.",
        ) from exc


def read_parquet(file: IO[bytes], manifest: Manifest, where: str) -> Generator[Rows, None, None]:
    """Read the rows of a file, some at a time.

    Raises ListingError for a file that is no Parquet, and for columns of another type than S3's.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra, and large

    with _translated(where):
        opened = pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        names = _names(opened.schema_arrow, manifest, where)
        for batch in opened.iter_batches(batch_size=BATCH_ROWS, columns=[*names.values()]):
            columns = {name: _values(batch.column(one)) for name, one in names.items()}
            yield _rows(columns, manifest, where)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what pyarrow raises into a ListingError."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and large

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise unreadable(where, str(exc)) from exc


def _names(schema: Any, manifest: Manifest, where: str) -> dict[str, str]:  # noqa: ANN401 - pyarrow
    """Find the columns, each as the file calls it, and refuse types that S3 does not write."""
    import pyarrow.types as kinds  # noqa: PLC0415 - an extra, and large

    checks: Mapping[str, Callable[[Any], bool]] = {
        "bucket": lambda kind: kinds.is_string(kind) or kinds.is_large_string(kind),
        "key": lambda kind: kinds.is_string(kind) or kinds.is_large_string(kind),
        "size": kinds.is_int64,
        "lastmodifieddate": lambda kind: kinds.is_timestamp(kind) and kind.tz == "UTC",
        "islatest": kinds.is_boolean,
        "isdeletemarker": kinds.is_boolean,
    }
    found: dict[str, str] = {}
    for one in schema:
        name = column_name(one.name)
        if name not in checks or name not in manifest.columns:
            continue
        if name in found or not checks[name](one.type):
            raise unreadable(where, f"its column {one.name} is {one.type}, or is there twice")
        found[name] = one.name
    if missing := [one for one in _WANTED if one in manifest.columns and one not in found]:
        raise unreadable(where, f"it lacks what the manifest names: {', '.join(missing)}")
    return found


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - pyarrow
    """Give a column's values; times as milliseconds since 1970."""
    import pyarrow as pa  # noqa: PLC0415 - an extra, and large

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _rows(columns: dict[str, list[Any]], manifest: Manifest, where: str) -> Rows:
    """Turn columns into those of current objects."""
    if manifest.has_versions:
        flags = zip(columns["islatest"], columns["isdeletemarker"], strict=True)
        kept = [latest is not False and marker is not True for latest, marker in flags]
        columns = {name: [*compress(column, kept)] for name, column in columns.items()}
    if any(None in columns[name] for name in ("key", "size", "lastmodifieddate")):
        raise unreadable(where, "a row is without key, size or time")
    if {*columns.get("bucket", ())} - {manifest.source_bucket}:
        raise unreadable(where, f"it has rows of another bucket than {manifest.source_bucket}")
    sizes, times = columns["size"], columns["lastmodifieddate"]
    if sizes and min(sizes) < 0:
        raise unreadable(where, "a size is below 0")
    texts = {milliseconds: _text(milliseconds, where) for milliseconds in set(times)}
    return Rows(columns["key"], sizes, [texts[one] for one in times])


def _text(milliseconds: int, where: str) -> str:
    try:
        at = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as exc:
        raise unreadable(where, f"{milliseconds} is no time") from exc
    if at < FIRST_DAY:
        raise unreadable(where, f"{at.isoformat()} is older than S3 itself")
    return time_text(at)
