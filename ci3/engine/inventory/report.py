"""Takes an inventory with an S3 Inventory report's help: what it says is held against what is live.

Which folders there are is always listed. Of those that the report has, its rows say what is in
them, until something is to be deleted on their account; the others are listed in full.
"""

import hashlib
import tempfile
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import IO

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import counted
from ci3.core.inventory.report_location import ReportPlace
from ci3.core.inventory.report_manifest import (
    NOTHING_PLANNED,
    Manifest,
    ReportFile,
    ReportFormat,
    Rows,
    Tallies,
    read_manifest,
    refuse_unfit,
)
from ci3.core.live.sources import folder_under
from ci3.core.model.deployment import Deployment, Ignored, Inventory, ReportUsed
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.listing import Scope, list_whole
from ci3.engine.inventory.report_csv import read_csv
from ci3.engine.inventory.report_parquet import read_parquet, refuse_without_pyarrow
from ci3.engine.workers.progress import Progress
from ci3.errors import AccessError, ListingError, RefusedError

MANIFEST_LIMIT_BYTES = 100_000_000
CHECKSUM_LIMIT_BYTES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says of deployments, by name."""

    place: ReportPlace
    made_at: datetime
    deployments: Mapping[str, Deployment]


Reports = dict[tuple[ReportPlace, Scope], Report]
"""Those that were read, each as the deployments of one scope."""


def take_reported_inventory(
    bucket: BucketReader, scope: Scope, place: ReportPlace, reports: Reports, progress: Progress
) -> tuple[Inventory, Folders]:
    """List the folders, and in full those that the report does not have; believe it of the others.

    The report is read unless it is among `reports`, where it then is: for a later plan of the same
    run only the folders are listed anew. Raises RefusedError where it has nothing of what there is,
    and as `read_report` does.
    """
    found = _without_reports(find_folders(bucket, scope.prefix, scope.match), bucket, place)
    if (place, scope) not in reports:
        reports[place, scope] = read_report(bucket, place, scope, found.names, progress)
    report = reports[place, scope]
    lacking = tuple(name for name in found.names if name not in report.deployments)
    if found.names and len(lacking) == len(found.names):
        raise RefusedError(
            f"{report.place.url} has nothing under s3://{bucket.bucket}/{scope.prefix} of the "
            f"{counted(len(found.names), 'deployment')} there",
            f"Check the prefix of the inventory configuration. {NOTHING_PLANNED}",
        )
    listed, holes = list_whole(bucket, scope, replace(found, names=lacking), progress)
    reported = (report.deployments[name] for name in found.names if name in report.deployments)
    inventory = Inventory(
        deployments=tuple(sorted((*listed, *reported), key=lambda one: one.name)),
        ignored=found.ignored,
        holes=holes,
        report=ReportUsed(url=report.place.url, made_at=report.made_at, lacking_count=len(lacking)),
    )
    return inventory, found


def _without_reports(found: Folders, bucket: BucketReader, place: ReportPlace) -> Folders:
    """Leave out the folder that the reports are delivered to, where it is among the deployments."""
    own = folder_under(place.key, found.prefix) if place.bucket == bucket.bucket else ""
    if own not in found.names:
        return found
    return replace(
        found,
        names=tuple(name for name in found.names if name != own),
        ignored=(*found.ignored, Ignored(name=f"{own}/", reason="where inventory reports are")),
    )


def read_report(
    bucket: BucketReader,
    place: ReportPlace,
    scope: Scope,
    names: Collection[str],
    progress: Progress,
) -> Report:
    """Read what a report says of the named deployments of a bucket.

    Raises RefusedError for a report that can't tell of them, SettingsError where what reads it is
    not installed, and AccessError where it can't be read, or is not whole and unchanged.
    """
    reports = bucket if place.bucket == bucket.bucket else bucket.beside(place.bucket)
    place = _newest(reports, place) if place.is_folder else place
    manifest = read_manifest(_checked_manifest(reports, place), place.url)
    refuse_unfit(manifest, place, bucket.bucket)
    if manifest.format is ReportFormat.PARQUET:
        refuse_without_pyarrow(place.url)
    tallies = Tallies(scope.prefix, names, scope.required_file)
    progress.begin("Reading the inventory report", len(manifest.files))
    try:
        for one in manifest.files:
            for rows in _rows(reports, manifest, one):
                tallies.add(rows)
                progress.beat()
            progress.advance(1)
    finally:
        progress.end()
    return Report(place=place, made_at=manifest.made_at, deployments=tallies.describe())


def _newest(reports: BucketReader, place: ReportPlace) -> ReportPlace:
    """Find the newest report of a folder that has been delivered whole."""
    folders = [one for page in reports.list_pages(place.key, delimiter="/") for one in page.folders]
    for one in place.dated(folders):
        keys = reports.list_keys(one.key.removesuffix(".json"))
        if one.key in keys and one.checksum_key in keys:
            return one
    raise AccessError(
        f"{place.url} has no report in it that was delivered whole",
        "Name the folder of an inventory configuration, which has folders such as "
        f"2026-11-24T01-00Z/ in it. {NOTHING_PLANNED}",
    )


def _checked_manifest(reports: BucketReader, place: ReportPlace) -> bytes:
    """Read the manifest, and hold it against the MD5 that is delivered with it."""
    content = reports.read_whole(place.key, MANIFEST_LIMIT_BYTES)
    try:
        written = reports.read_whole(place.checksum_key, CHECKSUM_LIMIT_BYTES)
    except AccessError as exc:
        raise type(exc)(
            f"{place.url} has no checksum that can be read: {exc.message}",
            "S3 may still be delivering it, or this identity may not read it: name an earlier "
            f"report, or wait. {NOTHING_PLANNED}",
        ) from exc
    if written.strip().lower().decode("ascii", "replace") != _md5(content).hexdigest():
        raise ListingError(
            f"{place.url} is not what its manifest.checksum says",
            f"S3 may be delivering another: name an earlier report, or wait. {NOTHING_PLANNED}",
        )
    return content


def _rows(
    reports: BucketReader, manifest: Manifest, file: ReportFile
) -> Generator[Rows, None, None]:
    """Read the rows of one file; only at its end it is certain that they are the report's."""
    where = f"s3://{reports.bucket}/{file.key}"
    with closing(_checked_parts(reports, file, where)) as parts:
        if manifest.format is ReportFormat.CSV:
            yield from read_csv(parts, manifest, where)
            return
        with tempfile.TemporaryFile() as kept:
            _keep(parts, kept, where)
            yield from read_parquet(kept, manifest, where)


def _checked_parts(
    reports: BucketReader, file: ReportFile, where: str
) -> Generator[bytes, None, None]:
    """Read a file, and raise ListingError at its end unless it has the manifest's MD5."""
    digest = _md5(b"")
    with closing(reports.read_parts(file.key, file.size_bytes)) as parts:
        for part in parts:
            digest.update(part)
            yield part
    if digest.hexdigest() != file.md5:
        raise ListingError(
            f"{where} is not what the manifest says: its MD5 is another",
            f"Name another report, or wait for the next one. {NOTHING_PLANNED}",
        )


def _keep(parts: Iterable[bytes], kept: IO[bytes], where: str) -> None:
    """Write a file to the disk: Parquet is read from its end."""
    for part in parts:
        try:
            kept.write(part)
        except OSError as exc:
            raise AccessError(
                f"{where} can't be kept on this disk: {exc.strerror}",
                f"Set TMPDIR to a folder with more room. {NOTHING_PLANNED}",
            ) from exc
    kept.seek(0)


def _md5(content: bytes) -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)
