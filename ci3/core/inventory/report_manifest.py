"""S3 Inventory reports: parses the manifest, and sums up rows by deployment.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ci3.core.inventory.columns import parse_listing_time
from ci3.core.inventory.keyspace import end_of_folder, is_sorted
from ci3.core.inventory.report_location import ReportLocation
from ci3.core.model.deployment import Deployment
from ci3.errors import ListingError, RefusedError

NOTHING_PLANNED = "Nothing was planned or deleted."
_PARQUET_COLUMN = re.compile(r"(?:required|optional)\s+\w+\s+(\w+)")
_REQUIRED_COLUMNS = {"key": "Key", "size": "Size", "lastmodifieddate": "LastModifiedDate"}
_VERSION_COLUMNS = {"islatest": "IsLatest", "isdeletemarker": "IsDeleteMarker"}
_MD5 = re.compile("[0-9a-fA-F]{32}")
_ARN = re.compile("^arn:aws[a-z-]*:s3:::")


class ReportFormat(StrEnum):
    """The format of the rows, as in the manifest's `fileFormat`."""

    CSV = "CSV"
    PARQUET = "Parquet"
    ORC = "ORC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A file of rows; `md5` is in hex."""

    key: str
    size_bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A report's manifest; `columns` are in order, with names as of `normalize_column_name`."""

    source_bucket: str
    destination_bucket: str
    created_at: datetime
    format: ReportFormat
    columns: tuple[str, ...]
    files: tuple[ReportFile, ...]

    @property
    def has_versions(self) -> bool:
        """True if the rows are of all versions, so that some of them are not current objects."""
        return "islatest" in self.columns


def normalize_column_name(text: str) -> str:
    """Return a name that is the same for a column in CSV and in Parquet.

    `LastModifiedDate` and `last_modified_date` both become `lastmodifieddate`.
    """
    return text.strip().replace("_", "").lower()


def parse_manifest(content: bytes, url: str) -> Manifest:
    """Parse a manifest; raises ListingError if it is invalid.

    `creationTimestamp` is a string of milliseconds since 1970.
    """
    try:
        fields = json.loads(content)
        report_format = ReportFormat(fields["fileFormat"])
        manifest = Manifest(
            source_bucket=_require_text(fields["sourceBucket"]),
            destination_bucket=_ARN.sub("", _require_text(fields["destinationBucket"])),
            created_at=datetime.fromtimestamp(int(fields["creationTimestamp"]) / 1000, UTC),
            format=report_format,
            columns=_parse_columns(report_format, _require_text(fields["fileSchema"])),
            files=tuple(_parse_file(file) for file in fields["files"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError) as exc:
        raise ListingError(
            f"{url} is not an S3 Inventory manifest: {type(exc).__name__}: {exc}",
            f"Specify the manifest.json of a report. {NOTHING_PLANNED}",
        ) from exc
    return manifest


def _require_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _parse_columns(report_format: ReportFormat, schema: str) -> tuple[str, ...]:
    if report_format is ReportFormat.PARQUET:
        return tuple(normalize_column_name(name) for name in _PARQUET_COLUMN.findall(schema))
    return tuple(normalize_column_name(name) for name in schema.split(","))


def _parse_file(fields: Mapping[str, object]) -> ReportFile:
    size_bytes, md5 = fields["size"], _require_text(fields["MD5checksum"])
    if isinstance(size_bytes, bool) or not isinstance(size_bytes, int) or size_bytes < 1:
        raise ValueError(f"a file's size is {size_bytes!r}")
    if not _MD5.fullmatch(md5):
        raise ValueError(f"a file's MD5checksum is {md5!r}")
    return ReportFile(key=_require_text(fields["key"]), size_bytes=size_bytes, md5=md5.lower())


def require_usable_manifest(manifest: Manifest, location: ReportLocation, bucket: str) -> None:
    """Raise RefusedError if a report is not of this bucket, or cannot be read.

    Raises ListingError if the manifest names a column twice.
    """
    if manifest.source_bucket != bucket:
        raise RefusedError(
            f"{location.url} is a report of the bucket {manifest.source_bucket}, not of {bucket}",
            f"Specify a report of this bucket. {NOTHING_PLANNED}",
        )
    if manifest.destination_bucket != location.bucket:
        raise RefusedError(
            f"The files of {location.url} are in the bucket {manifest.destination_bucket}",
            f"Specify the location to which S3 delivered the report. {NOTHING_PLANNED}",
        )
    if manifest.format is ReportFormat.ORC:
        raise RefusedError(
            f"{location.url} is an ORC report, which ci3 cannot read",
            f"Choose CSV as the output format of the inventory configuration. {NOTHING_PLANNED}",
        )
    _refuse_missing_columns(manifest, location)


def _refuse_missing_columns(manifest: Manifest, location: ReportLocation) -> None:
    """Raise RefusedError if a necessary column is missing.

    The three columns of versions are included together, and only in reports of `All` versions.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryConfiguration.html
    """
    has_versions = any(name in manifest.columns for name in ("versionid", *_VERSION_COLUMNS))
    required = {**_REQUIRED_COLUMNS, **(_VERSION_COLUMNS if has_versions else {})}
    if missing := [title for name, title in required.items() if name not in manifest.columns]:
        raise RefusedError(
            f"{location.url} does not contain {', '.join(missing)}",
            "Enable these additional metadata fields in the inventory configuration, and wait for "
            f"the next report. {NOTHING_PLANNED}",
        )
    if len(set(manifest.columns)) != len(manifest.columns):
        raise ListingError(f"{location.url} has a duplicate column", NOTHING_PLANNED)


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Current objects in columns, as rows of a report name them, in any order.

    All columns have the same length. `times` are texts in the format of `format_listing_time`.
    """

    keys: Sequence[str]
    sizes: Sequence[int]
    times: Sequence[str]


@dataclass(slots=True)
class _RowSummary:
    """The summary of the rows of one deployment so far."""

    object_count: int = 0
    size_bytes: int = 0
    oldest_time: str = ""
    newest_time: str = ""
    first_key: str = ""
    first_object_time: str = ""
    is_complete: bool = False


@dataclass(slots=True)
class ReportSummaryBuilder:
    """Sums up rows by deployment; memory grows with the number of `names`, not of rows."""

    prefix: str
    names: Collection[str]
    required_file: str = ""
    _by_folder: dict[str, _RowSummary] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_folder = {f"{self.prefix}{name}/": _RowSummary() for name in self.names}

    def add_rows(self, rows: ReportRows) -> None:
        """Add rows; consecutive rows of one deployment are added together."""
        keys, start, count = rows.keys, 0, len(rows.keys)
        are_sorted = is_sorted(keys)
        while start < count:
            folder = self._folder_of(keys[start])
            end = _end_of_folder(keys, start, folder, are_sorted=are_sorted)
            if (summary := self._by_folder.get(folder)) is not None:
                self._add_to_summary(summary, folder, rows, start, end)
            start = end

    def _folder_of(self, key: str) -> str:
        """Return the folder below the prefix that a key would be in; empty if it is in none."""
        return key[: key.find("/", len(self.prefix)) + 1]

    def _add_to_summary(
        self, summary: _RowSummary, folder: str, rows: ReportRows, start: int, end: int
    ) -> None:
        keys, sizes, times = rows.keys[start:end], rows.sizes[start:end], rows.times[start:end]
        summary.object_count += len(keys)
        summary.size_bytes += sum(sizes)
        oldest_time, newest_time = min(times), max(times)
        summary.oldest_time = min(summary.oldest_time or oldest_time, oldest_time)
        summary.newest_time = max(summary.newest_time, newest_time)
        first_key = min(keys)
        if not summary.first_key or first_key < summary.first_key:
            summary.first_key = first_key
            summary.first_object_time = times[keys.index(first_key)]
        if not summary.is_complete:
            summary.is_complete = self._completes(folder, keys, sizes)

    def _completes(self, folder: str, keys: Sequence[str], sizes: Sequence[int]) -> bool:
        """Return True if one of these objects makes the deployment complete."""
        if self.required_file:
            return f"{folder}{self.required_file}" in keys
        return any(size or not key.endswith("/") for key, size in zip(keys, sizes, strict=True))

    def build_deployments(self) -> dict[str, Deployment]:
        """Return the deployments that have at least one row, by name."""
        name_start = len(self.prefix)
        return {
            folder[name_start:-1]: Deployment(
                name=folder[name_start:-1],
                prefix=folder,
                object_count=summary.object_count,
                size_bytes=summary.size_bytes,
                oldest_at=parse_listing_time(summary.oldest_time),
                newest_at=parse_listing_time(summary.newest_time),
                is_complete=summary.is_complete,
                fingerprint="",
                is_fully_listed=False,
                is_from_report=True,
                first_object_at=parse_listing_time(summary.first_object_time),
            )
            for folder, summary in self._by_folder.items()
            if summary.object_count
        }


def _end_of_folder(keys: Sequence[str], start: int, folder: str, *, are_sorted: bool) -> int:
    """Return the end of the run of keys in `folder` that begins at `start`."""
    if not folder:
        return start + 1
    if are_sorted:
        return bisect_left(keys, end_of_folder(folder), start)
    end = start + 1
    while end < len(keys) and keys[end].startswith(folder):
        end += 1
    return end
