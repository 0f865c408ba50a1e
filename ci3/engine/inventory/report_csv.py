"""Read the rows of an inventory report's CSV file as they arrive.

Keys in CSV are URL-encoded, a space as `+`; times are ISO 8601 in UTC; delete markers have no size.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
"""

import csv
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Final
from urllib.parse import unquote_plus

from ci3.aws.listing.validation import S3_LAUNCH_DATE
from ci3.core.inventory.columns import format_listing_time
from ci3.core.inventory.report_manifest import NOTHING_PLANNED, Manifest, ReportRows
from ci3.errors import ListingError

CHUNK_BYTES: Final = 1 << 20
"""Maximum size that is unpacked at once."""
LONGEST_ROW_BYTES: Final = 1 << 18
"""A key has at most 1,024 bytes, and a list of grants at most 100 entries."""
PLAUSIBLE_RATIO: Final = 400
"""Maximum compression of real rows: 1,032 is gzip's limit, and each row has a different key."""
RATIO_EXEMPT_BYTES: Final = 64 * CHUNK_BYTES
"""Unpacked size below which the ratio is not checked."""
_FLAGS = {"true": True, "false": False}
_GZIP = 16 + zlib.MAX_WBITS


def read_csv(
    parts: Iterable[bytes], manifest: Manifest, file_url: str
) -> Generator[ReportRows, None, None]:
    """Read the rows of a gzip file.

    Raises ListingError for a truncated file, a row whose length differs from the manifest's, and a
    value that cannot be parsed.
    """
    row_count = 0
    for lines in _split_lines(_unpack(parts, file_url), file_url):
        try:
            rows = list(csv.reader(lines, strict=True))
        except csv.Error as exc:
            raise make_unreadable_error(file_url, f"after row {row_count:,}: {exc}") from exc
        yield _make_rows(rows, manifest, file_url, row_count)
        row_count += len(rows)


def make_unreadable_error(file_url: str, problem: str) -> ListingError:
    """Return the error for a file that is not like those of a report."""
    return ListingError(
        f"{file_url} could not be read as part of an inventory report: {problem}", NOTHING_PLANNED
    )


def _unpack(parts: Iterable[bytes], file_url: str) -> Iterator[bytes]:
    """Unpack a stream of one or more gzip members, in chunks."""
    decompressor = zlib.decompressobj(_GZIP)
    packed_bytes = unpacked_bytes = 0
    try:
        for part in parts:
            packed_bytes += len(part)
            rest = part
            while rest:
                if decompressor.eof:
                    decompressor = zlib.decompressobj(_GZIP)
                chunk = decompressor.decompress(rest, CHUNK_BYTES)
                unpacked_bytes += len(chunk)
                if unpacked_bytes > PLAUSIBLE_RATIO * packed_bytes + RATIO_EXEMPT_BYTES:
                    raise make_unreadable_error(
                        file_url, f"it expands to more than {PLAUSIBLE_RATIO} times its size"
                    )
                yield chunk
                rest = decompressor.unused_data or decompressor.unconsumed_tail
        while not decompressor.eof and (chunk := decompressor.decompress(b"", CHUNK_BYTES)):
            yield chunk
    except zlib.error as exc:
        raise make_unreadable_error(file_url, f"it is not a gzip file: {exc}") from exc
    if not decompressor.eof:
        raise make_unreadable_error(file_url, "it is truncated")


def _split_lines(chunks: Iterable[bytes], file_url: str) -> Iterator[list[str]]:
    """Split chunks into lists of lines; a row is one line, since keys are URL-encoded."""
    unfinished_line = b""
    for chunk in chunks:
        lines, line_break, rest = (unfinished_line + chunk).rpartition(b"\n")
        if len(rest) > LONGEST_ROW_BYTES:
            raise make_unreadable_error(file_url, "a row is too long")
        unfinished_line = rest
        if line_break:
            yield _decode_lines(lines, file_url)
    if unfinished_line:
        yield _decode_lines(unfinished_line, file_url)


def _decode_lines(text: bytes, file_url: str) -> list[str]:
    try:
        return text.decode("utf-8").split("\n")
    except UnicodeDecodeError as exc:
        raise make_unreadable_error(file_url, "it is not UTF-8") from exc


def _make_rows(
    rows: Sequence[Sequence[str]], manifest: Manifest, file_url: str, rows_before: int
) -> ReportRows:
    width = len(manifest.columns)
    lengths = list(map(len, rows))
    if {*lengths} - {width}:
        index = next(index for index, length in enumerate(lengths) if length != width)
        actual = f"row {rows_before + index + 1:,} has {lengths[index]} fields"
        raise make_unreadable_error(file_url, f"{actual}, but the manifest lists {width} columns")
    columns = dict(zip(manifest.columns, zip(*rows, strict=True), strict=True))
    if manifest.has_versions:
        columns = _filter_current(columns, file_url)
    if "bucket" in columns and {*columns["bucket"]} - {manifest.source_bucket}:
        raise make_unreadable_error(
            file_url, f"it has rows of a bucket other than {manifest.source_bucket}"
        )
    try:
        sizes = list(map(int, columns["size"]))
    except ValueError as exc:
        raise make_unreadable_error(file_url, f"a size is not a number: {exc}") from exc
    if sizes and min(sizes) < 0:
        raise make_unreadable_error(file_url, "a size is negative")
    return ReportRows(
        _decode_keys(columns["key"]), sizes, _normalize_times(columns["lastmodifieddate"], file_url)
    )


def _filter_current(
    columns: dict[str, tuple[str, ...]], file_url: str
) -> dict[str, tuple[str, ...]]:
    """Remove noncurrent versions and delete markers."""
    latest = _parse_flags(columns["islatest"], file_url)
    markers = _parse_flags(columns["isdeletemarker"], file_url)
    is_current = [
        is_latest and not is_marker for is_latest, is_marker in zip(latest, markers, strict=True)
    ]
    return {name: tuple(compress(column, is_current)) for name, column in columns.items()}


def _parse_flags(column: Sequence[str], file_url: str) -> list[bool]:
    try:
        return [_FLAGS[text.lower()] for text in column]
    except KeyError as exc:
        raise make_unreadable_error(file_url, f"{exc.args[0]!r} is neither true nor false") from exc


def _decode_keys(column: Sequence[str]) -> Sequence[str]:
    return [unquote_plus(key) if "%" in key or "+" in key else key for key in column]


def _normalize_times(column: Sequence[str], file_url: str) -> list[str]:
    """Format times as listings do; distinct values, of which there are few, are parsed once."""
    try:
        texts = {text: _format_time(datetime.fromisoformat(text)) for text in set(column)}
    except (ValueError, OverflowError) as exc:  # from a time zone at the end of year 9999
        raise make_unreadable_error(file_url, f"a time is invalid: {exc}") from exc
    return [texts[text] for text in column]


def _format_time(time: datetime) -> str:
    if time.tzinfo is None or time < S3_LAUNCH_DATE:
        raise ValueError(f"{time.isoformat()} has no time zone, or is before the launch of S3")
    return format_listing_time(time)
