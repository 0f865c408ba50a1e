"""The rows of an inventory report's file in CSV, read as they come.

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

from ci3.aws.listing.validation import FIRST_DAY
from ci3.core.inventory.columns import time_text
from ci3.core.inventory.report_manifest import NOTHING_PLANNED, Manifest, Rows
from ci3.errors import ListingError

CHUNK_BYTES: Final = 1 << 20
"""What is unpacked at once."""
LONGEST_ROW_BYTES: Final = 1 << 18
"""A key has at most 1,024 bytes, and a list of grants at most 100 entries."""
PLAUSIBLE_RATIO: Final = 400
"""How far rows can be packed: 1,032 is gzip's limit, and each row has a key of its own."""
UNJUDGED_BYTES: Final = 64 * CHUNK_BYTES
"""What may come of any file."""
_FLAGS = {"true": True, "false": False}
_GZIP = 16 + zlib.MAX_WBITS


def read_csv(parts: Iterable[bytes], manifest: Manifest, where: str) -> Generator[Rows, None, None]:
    """Read the rows of a file that is packed with gzip.

    Raises ListingError for a file that breaks off, a row that is not as long as the manifest says,
    and a value that can't be read.
    """
    row_count = 0
    for lines in _lines(_unpacked(parts, where), where):
        try:
            rows = list(csv.reader(lines, strict=True))
        except csv.Error as exc:
            raise unreadable(where, f"after row {row_count:,}: {exc}") from exc
        yield _rows(rows, manifest, where, row_count)
        row_count += len(rows)


def unreadable(where: str, what: str) -> ListingError:
    """Make the error for a file that is not as a report's files are."""
    return ListingError(f"{where} can't be read as the report's: {what}", NOTHING_PLANNED)


def _unpacked(parts: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Unpack a stream of one gzip member or more, some at a time."""
    unpacking = zlib.decompressobj(_GZIP)
    packed_bytes = unpacked_bytes = 0
    try:
        for part in parts:
            packed_bytes += len(part)
            rest = part
            while rest:
                if unpacking.eof:
                    unpacking = zlib.decompressobj(_GZIP)
                chunk = unpacking.decompress(rest, CHUNK_BYTES)
                unpacked_bytes += len(chunk)
                if unpacked_bytes > PLAUSIBLE_RATIO * packed_bytes + UNJUDGED_BYTES:
                    raise unreadable(where, f"it unpacks to over {PLAUSIBLE_RATIO} times its size")
                yield chunk
                rest = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
        while not unpacking.eof and (chunk := unpacking.decompress(b"", CHUNK_BYTES)):
            yield chunk
    except zlib.error as exc:
        raise unreadable(where, f"it is no gzip: {exc}") from exc
    if not unpacking.eof:
        raise unreadable(where, "it breaks off")


def _lines(chunks: Iterable[bytes], where: str) -> Iterator[list[str]]:
    """Part a text into lines, those of a chunk together; keys are encoded, so a row is a line."""
    begun = b""
    for chunk in chunks:
        whole, is_ended, rest = (begun + chunk).rpartition(b"\n")
        if len(rest) > LONGEST_ROW_BYTES:
            raise unreadable(where, "a row is longer than any")
        begun = rest
        if is_ended:
            yield _decoded(whole, where)
    if begun:
        yield _decoded(begun, where)


def _decoded(text: bytes, where: str) -> list[str]:
    try:
        return text.decode("utf-8").split("\n")
    except UnicodeDecodeError as exc:
        raise unreadable(where, "it is not UTF-8") from exc


def _rows(rows: Sequence[Sequence[str]], manifest: Manifest, where: str, before: int) -> Rows:
    """Turn rows into columns, of current objects only."""
    width = len(manifest.columns)
    lengths = list(map(len, rows))
    if {*lengths} - {width}:
        place = next(place for place, length in enumerate(lengths) if length != width)
        told = f"row {before + place + 1:,} has {lengths[place]} fields"
        raise unreadable(where, f"{told}, and the manifest names {width}")
    columns = dict(zip(manifest.columns, zip(*rows, strict=True), strict=True))
    if manifest.has_versions:
        columns = _current(columns, where)
    if "bucket" in columns and {*columns["bucket"]} - {manifest.source_bucket}:
        raise unreadable(where, f"it has rows of another bucket than {manifest.source_bucket}")
    try:
        sizes = list(map(int, columns["size"]))
    except ValueError as exc:
        raise unreadable(where, f"a size is no number: {exc}") from exc
    if sizes and min(sizes) < 0:
        raise unreadable(where, "a size is below 0")
    return Rows(_keys(columns["key"]), sizes, _times(columns["lastmodifieddate"], where))


def _current(columns: dict[str, tuple[str, ...]], where: str) -> dict[str, tuple[str, ...]]:
    """Leave out older versions and delete markers."""
    latest = _flags(columns["islatest"], where)
    markers = _flags(columns["isdeletemarker"], where)
    kept = [one and not other for one, other in zip(latest, markers, strict=True)]
    return {name: tuple(compress(column, kept)) for name, column in columns.items()}


def _flags(column: Sequence[str], where: str) -> list[bool]:
    try:
        return [_FLAGS[text.lower()] for text in column]
    except KeyError as exc:
        raise unreadable(where, f"{exc.args[0]!r} is neither true nor false") from exc


def _keys(column: Sequence[str]) -> Sequence[str]:
    return [unquote_plus(key) if "%" in key or "+" in key else key for key in column]


def _times(column: Sequence[str], where: str) -> list[str]:
    """Write times as listings do; rows have few different ones."""
    try:
        texts = {text: _time(datetime.fromisoformat(text)) for text in set(column)}
    except (ValueError, OverflowError) as exc:  # of a time zone at the end of all years
        raise unreadable(where, f"a time can't be read: {exc}") from exc
    return [texts[text] for text in column]


def _time(at: datetime) -> str:
    if at.tzinfo is None or at < FIRST_DAY:
        raise ValueError(f"{at.isoformat()} is without a time zone, or older than S3 itself")
    return time_text(at)
