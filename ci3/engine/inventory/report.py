"""Take an inventory with the help of an S3 Inventory report.

The folders are always listed. The content of those in the report is taken from its rows, until
something is to be deleted because of it; all others are listed fully.
"""

import hashlib
import tempfile
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import pluralize
from ci3.core.inventory.report_location import ReportLocation
from ci3.core.inventory.report_manifest import (
    NOTHING_PLANNED,
    Manifest,
    ReportFile,
    ReportFormat,
    ReportRows,
    ReportSummaryBuilder,
    parse_manifest,
    require_usable_manifest,
)
from ci3.core.live.sources import extract_folder
from ci3.core.model.deployment import Deployment, IgnoredEntry, Inventory, ReportInfo
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.listing import ListingScope, list_in_full
from ci3.engine.inventory.report_csv import read_csv
from ci3.engine.inventory.report_parquet import read_parquet, require_pyarrow
from ci3.engine.workers.progress import Progress, show_task
from ci3.errors import AccessError, ListingError, RefusedError

MANIFEST_LIMIT_BYTES = 100_000_000
CHECKSUM_LIMIT_BYTES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryReport:
    """The deployments in an inventory report, by name."""

    location: ReportLocation
    made_at: datetime
    deployments: Mapping[str, Deployment]


ReportCache = dict[tuple[ReportLocation, ListingScope], InventoryReport]
"""Reports that were read, by location and scope."""


def take_inventory_from_report(  # noqa: PLR0913 - what is listed, and the report
    bucket: BucketReader,
    scope: ListingScope,
    listed_folders: Folders,
    location: ReportLocation,
    *,
    reports: ReportCache,
    progress: Progress,
) -> tuple[Inventory, Folders]:
    """Fully list the folders that the report does not have.

    The report is read unless `reports` has it already, to which it is added: for a later plan of
    the same run only the folders are listed again. Raises RefusedError where the report has none of
    the folders, and the errors of `read_report`.
    """
    folders = _exclude_report_folder(listed_folders, bucket, location)
    if (location, scope) not in reports:
        reports[location, scope] = read_report(bucket, location, scope, folders.names, progress)
    report = reports[location, scope]
    missing = tuple(name for name in folders.names if name not in report.deployments)
    if folders.names and len(missing) == len(folders.names):
        raise RefusedError(
            f"{report.location.url} contains no objects of the "
            f"{pluralize(len(folders.names), 'deployment')} under "
            f"s3://{bucket.bucket}/{scope.prefix}",
            f"Check the prefix of the inventory configuration. {NOTHING_PLANNED}",
        )
    listed, unlisted = list_in_full(bucket, scope, replace(folders, names=missing), progress)
    reported = (report.deployments[name] for name in folders.names if name in report.deployments)
    inventory = Inventory(
        deployments=tuple(sorted((*listed, *reported), key=lambda deployment: deployment.name)),
        ignored=folders.ignored,
        unlisted=unlisted,
        report=ReportInfo(
            url=report.location.url, created_at=report.made_at, missing_count=len(missing)
        ),
    )
    return inventory, folders


def _exclude_report_folder(
    folders: Folders, bucket: BucketReader, location: ReportLocation
) -> Folders:
    """Exclude the folder that the reports are delivered to."""
    report_folder = (
        extract_folder(location.key, folders.prefix) if location.bucket == bucket.bucket else ""
    )
    if report_folder not in folders.names:
        return folders
    return replace(
        folders,
        names=tuple(name for name in folders.names if name != report_folder),
        ignored=(
            *folders.ignored,
            IgnoredEntry(name=f"{report_folder}/", reason="contains inventory reports"),
        ),
    )


def read_report(
    bucket: BucketReader,
    location: ReportLocation,
    scope: ListingScope,
    names: Collection[str],
    progress: Progress,
) -> InventoryReport:
    """Read what a report has about the named deployments of a bucket.

    Raises RefusedError for a report that does not cover them, SettingsError where its reader is not
    installed, and AccessError or ListingError if it cannot be read, is incomplete or was changed.
    """
    report_bucket = (
        bucket if location.bucket == bucket.bucket else bucket.reader_for(location.bucket)
    )
    location = _find_newest(report_bucket, location) if location.is_folder else location
    manifest = parse_manifest(_read_manifest(report_bucket, location), location.url)
    require_usable_manifest(manifest, location, bucket.bucket)
    if manifest.format is ReportFormat.PARQUET:
        require_pyarrow(location.url)
    tallies = ReportSummaryBuilder(scope.prefix, names, scope.required_file)
    with show_task(progress, "Reading the inventory report", len(manifest.files)):
        for file in manifest.files:
            for rows in _read_rows(report_bucket, manifest, file):
                tallies.add_rows(rows)
                progress.beat()
            progress.advance(1)
    return InventoryReport(
        location=location, made_at=manifest.created_at, deployments=tallies.build_deployments()
    )


def _find_newest(report_bucket: BucketReader, location: ReportLocation) -> ReportLocation:
    """Return the newest report of a folder that was delivered completely."""
    pages = report_bucket.list_pages(location.key, delimiter="/")
    folders = [folder for page in pages for folder in page.folders]
    for dated in location.find_manifests(folders):
        keys = report_bucket.list_keys(dated.key.removesuffix(".json"))
        if dated.key in keys and dated.checksum_key in keys:
            return dated
    raise AccessError(
        f"{location.url} contains no complete inventory report",
        "Set inventory to the folder of an inventory configuration. It contains folders such as "
        f"2026-11-24T01-00Z/. {NOTHING_PLANNED}",
    )


def _read_manifest(report_bucket: BucketReader, location: ReportLocation) -> bytes:
    """Read the manifest, and compare it with the MD5 that is delivered with it."""
    content = report_bucket.read_object(location.key, MANIFEST_LIMIT_BYTES)
    try:
        checksum = report_bucket.read_object(location.checksum_key, CHECKSUM_LIMIT_BYTES)
    except AccessError as exc:
        raise type(exc)(
            f"the checksum of {location.url} could not be read: {exc.message}",
            "Wait until S3 has delivered it, allow this identity to read it, or name an earlier "
            f"report. {NOTHING_PLANNED}",
        ) from exc
    if checksum.strip().lower().decode("ascii", "replace") != _md5(content).hexdigest():
        raise ListingError(
            f"{location.url} does not match its manifest.checksum",
            f"S3 may be replacing it. Wait, or name an earlier report. {NOTHING_PLANNED}",
        )
    return content


def _read_rows(
    report_bucket: BucketReader, manifest: Manifest, file: ReportFile
) -> Generator[ReportRows, None, None]:
    """Read the rows of one file; they are verified only once the generator is exhausted."""
    file_url = f"s3://{report_bucket.bucket}/{file.key}"
    with closing(_read_verified_parts(report_bucket, file, file_url)) as parts:
        if manifest.format is ReportFormat.CSV:
            yield from read_csv(parts, manifest, file_url)
            return
        with tempfile.TemporaryFile() as temporary_file:
            _write_to_disk(parts, temporary_file, file_url)
            yield from read_parquet(temporary_file, manifest, file_url)


def _read_verified_parts(
    report_bucket: BucketReader, file: ReportFile, file_url: str
) -> Generator[bytes, None, None]:
    """Read a file; raise ListingError at its end if its MD5 is not the manifest's."""
    digest = _md5(b"")
    with closing(report_bucket.stream_object(file.key, file.size_bytes)) as parts:
        for part in parts:
            digest.update(part)
            yield part
    if digest.hexdigest() != file.md5:
        raise ListingError(
            f"the MD5 of {file_url} does not match the manifest",
            f"Name another report, or wait for the next one. {NOTHING_PLANNED}",
        )


def _write_to_disk(parts: Iterable[bytes], temporary_file: IO[bytes], file_url: str) -> None:
    """Write a file to disk: Parquet is read from its end."""
    for part in parts:
        try:
            temporary_file.write(part)
        except OSError as exc:
            raise AccessError(
                f"{file_url} could not be stored on this disk: {exc.strerror}",
                f"Set TMPDIR to a folder with more free space. {NOTHING_PLANNED}",
            ) from exc
    temporary_file.seek(0)


def _md5(content: bytes) -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)
