"""S3 Inventory reports: the manifest as S3 writes it, and what its rows say of each deployment.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ci3.core.inventory.columns import moment_of
from ci3.core.inventory.keyspace import end_of, is_sorted
from ci3.core.inventory.report_location import ReportPlace
from ci3.core.model.deployment import Deployment
from ci3.errors import ListingError, RefusedError

NOTHING_PLANNED = "Nothing was planned or deleted."
_PARQUET_COLUMN = re.compile(r"(?:required|optional)\s+\w+\s+(\w+)")
_NEEDED = {"key": "Key", "size": "Size", "lastmodifieddate": "LastModifiedDate"}
_OF_VERSIONS = {"islatest": "IsLatest", "isdeletemarker": "IsDeleteMarker"}
_MD5 = re.compile("[0-9a-fA-F]{32}")
_ARN = re.compile("^arn:aws[a-z-]*:s3:::")


class ReportFormat(StrEnum):
    """How the rows are written, as the manifest says it."""

    CSV = "CSV"
    PARQUET = "Parquet"
    ORC = "ORC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """One file of rows; `md5` is in hex."""

    key: str
    size_bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a report is of, and its files; `columns` are named as `column_name` does, in order."""

    source_bucket: str
    destination_bucket: str
    made_at: datetime
    format: ReportFormat
    columns: tuple[str, ...]
    files: tuple[ReportFile, ...]

    @property
    def has_versions(self) -> bool:
        """Whether the rows are of all versions, so that some of them are of no current object."""
        return "islatest" in self.columns


def column_name(text: str) -> str:
    """Name a column the same, whether it stands in CSV's or in Parquet's way."""
    return text.strip().replace("_", "").lower()


def read_manifest(content: bytes, url: str) -> Manifest:
    """Read a manifest; raises ListingError for what is none.

    `creationTimestamp` is in milliseconds since 1970, as a text.
    """
    try:
        written = json.loads(content)
        report_format = ReportFormat(written["fileFormat"])
        manifest = Manifest(
            source_bucket=_text(written["sourceBucket"]),
            destination_bucket=_ARN.sub("", _text(written["destinationBucket"])),
            made_at=datetime.fromtimestamp(int(written["creationTimestamp"]) / 1000, UTC),
            format=report_format,
            columns=_columns(report_format, _text(written["fileSchema"])),
            files=tuple(_file(one) for one in written["files"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as exc:
        raise ListingError(
            f"{url} is no manifest of S3 Inventory: {type(exc).__name__}: {exc}",
            f"Name the manifest.json of a report. {NOTHING_PLANNED}",
        ) from exc
    return manifest


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _columns(report_format: ReportFormat, schema: str) -> tuple[str, ...]:
    if report_format is ReportFormat.PARQUET:
        return tuple(column_name(one) for one in _PARQUET_COLUMN.findall(schema))
    return tuple(column_name(one) for one in schema.split(","))


def _file(written: Mapping[str, object]) -> ReportFile:
    size_bytes, md5 = written["size"], _text(written["MD5checksum"])
    if isinstance(size_bytes, bool) or not isinstance(size_bytes, int) or size_bytes < 1:
        raise ValueError(f"a file's size is {size_bytes!r}")
    if not _MD5.fullmatch(md5):
        raise ValueError(f"a file's MD5checksum is {md5!r}")
    return ReportFile(key=_text(written["key"]), size_bytes=size_bytes, md5=md5.lower())


def refuse_unfit(manifest: Manifest, place: ReportPlace, bucket: str) -> None:
    """Raise RefusedError for a report that can't tell of a bucket's deployments."""
    if manifest.source_bucket != bucket:
        raise RefusedError(
            f"{place.url} is a report of the bucket {manifest.source_bucket}, and not of {bucket}",
            f"Name a report of this bucket. {NOTHING_PLANNED}",
        )
    if manifest.destination_bucket != place.bucket:
        raise RefusedError(
            f"{place.url} says that its files are in the bucket {manifest.destination_bucket}",
            f"Name it where S3 has delivered it. {NOTHING_PLANNED}",
        )
    if manifest.format is ReportFormat.ORC:
        raise RefusedError(
            f"{place.url} is a report in ORC, which ci3 does not read",
            f"Choose CSV as the output format of the inventory configuration. {NOTHING_PLANNED}",
        )
    _refuse_missing_columns(manifest, place)


def _refuse_missing_columns(manifest: Manifest, place: ReportPlace) -> None:
    """Raise RefusedError where the rows lack something.

    The three columns of versions come together, and only with `All` versions.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryConfiguration.html
    """
    has_versions = any(name in manifest.columns for name in ("versionid", *_OF_VERSIONS))
    needed = {**_NEEDED, **(_OF_VERSIONS if has_versions else {})}
    if missing := [told for name, told in needed.items() if name not in manifest.columns]:
        raise RefusedError(
            f"{place.url} is a report without {', '.join(missing)}",
            "Switch that on among the additional metadata fields of the inventory configuration, "
            f"and wait for the next report. {NOTHING_PLANNED}",
        )
    if len(set(manifest.columns)) != len(manifest.columns):
        raise ListingError(f"{place.url} names a column twice", NOTHING_PLANNED)


@dataclass(frozen=True, slots=True)
class Rows:
    """Current objects as some rows of a report name them, column by column, in any order.

    All columns are of one length; `times` are texts as `columns.time_text` writes them.
    """

    keys: Sequence[str]
    sizes: Sequence[int]
    times: Sequence[str]


@dataclass(slots=True)
class _Tally:
    """What was seen of one deployment so far."""

    object_count: int = 0
    size_bytes: int = 0
    oldest: str = ""
    newest: str = ""
    first_key: str = ""
    first: str = ""
    is_complete: bool = False


@dataclass(slots=True)
class Tallies:
    """Sums up rows by deployment; it is as large as `names`, however many rows there are."""

    prefix: str
    names: Collection[str]
    required_file: str = ""
    _by_folder: dict[str, _Tally] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_folder = {f"{self.prefix}{name}/": _Tally() for name in self.names}

    def add(self, rows: Rows) -> None:
        """Take more rows; neighbours of one deployment go together."""
        keys, place, end = rows.keys, 0, len(rows.keys)
        is_in_order = is_sorted(keys)
        while place < end:
            folder = self._folder_of(keys[place])
            behind = _behind(keys, place, folder, is_in_order=is_in_order)
            if (tally := self._by_folder.get(folder)) is not None:
                self._enter(tally, folder, rows, place, behind)
            place = behind

    def _folder_of(self, key: str) -> str:
        """Name the folder that a key would be in below the prefix; empty where it is in none."""
        return key[: key.find("/", len(self.prefix)) + 1]

    def _enter(self, tally: _Tally, folder: str, rows: Rows, start: int, end: int) -> None:
        keys, sizes, times = rows.keys[start:end], rows.sizes[start:end], rows.times[start:end]
        tally.object_count += len(keys)
        tally.size_bytes += sum(sizes)
        oldest, newest = min(times), max(times)
        tally.oldest = min(tally.oldest or oldest, oldest)
        tally.newest = max(tally.newest, newest)
        first_key = min(keys)
        if not tally.first_key or first_key < tally.first_key:
            tally.first_key, tally.first = first_key, times[keys.index(first_key)]
        if not tally.is_complete:
            tally.is_complete = self._completes(folder, keys, sizes)

    def _completes(self, folder: str, keys: Sequence[str], sizes: Sequence[int]) -> bool:
        if self.required_file:
            return f"{folder}{self.required_file}" in keys
        return any(size or not key.endswith("/") for key, size in zip(keys, sizes, strict=True))

    def describe(self) -> dict[str, Deployment]:
        """Sum up every deployment that a row was of, by its name."""
        start = len(self.prefix)
        return {
            folder[start:-1]: Deployment(
                name=folder[start:-1],
                prefix=folder,
                object_count=tally.object_count,
                size_bytes=tally.size_bytes,
                oldest_at=moment_of(tally.oldest),
                newest_at=moment_of(tally.newest),
                complete=tally.is_complete,
                fingerprint="",
                is_whole=False,
                is_reported=True,
                first_at=moment_of(tally.first),
            )
            for folder, tally in self._by_folder.items()
            if tally.object_count
        }


def _behind(keys: Sequence[str], place: int, folder: str, *, is_in_order: bool) -> int:
    """Find the end of a run of keys in one folder."""
    if not folder:
        return place + 1
    if is_in_order:
        return bisect_left(keys, end_of(folder), place)
    behind = place + 1
    while behind < len(keys) and keys[behind].startswith(folder):
        behind += 1
    return behind
