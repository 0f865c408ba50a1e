"""Builds S3 Inventory reports and uploads them to the keys to which S3 would deliver them."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

FOLDER = "inventory/site/daily/"
MANIFEST = f"{FOLDER}2026-11-24T01-00Z/manifest.json"
CURRENT = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag")
ALL_VERSIONS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size",
                "LastModifiedDate")  # fmt: skip
PARQUET_NAMES = {
    "Bucket": ("bucket", "required binary", "STRING"),
    "Key": ("key", "required binary", "STRING"),
    "VersionId": ("version_id", "optional binary", "STRING"),
    "IsLatest": ("is_latest", "optional boolean", ""),
    "IsDeleteMarker": ("is_delete_marker", "optional boolean", ""),
    "Size": ("size", "optional int64", ""),
    "LastModifiedDate": ("last_modified_date", "optional int64", "TIMESTAMP(MILLIS,true)"),
    "ETag": ("e_tag", "optional binary", "STRING"),
}
Row = dict[str, object]


def row(
    key: str, *, days: float = 0, size: int = 1, bucket: str = "site", **columns: object
) -> Row:
    """Return a row; the version columns are for `ALL_VERSIONS`."""
    modified_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
    return {
        "Bucket": bucket,
        "Key": key,
        "Size": size,
        "LastModifiedDate": modified_at,
        "ETag": "e",
        "VersionId": "v",
        "IsLatest": True,
        "IsDeleteMarker": False,
        **columns,
    }


def rows_of(site) -> list[Row]:
    """Return the rows for a bucket's current content."""
    return [
        row(key, size=len(body), bucket=site.name, LastModifiedDate=modified_at.replace(tzinfo=UTC))
        for key, (body, _, modified_at) in site.content().items()
    ]


def to_csv(rows: Iterable[Row], columns: Sequence[str] = CURRENT) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow(_format_value(row[name], name) for name in columns)
    return gzip.compress(buffer.getvalue().encode(), mtime=0)


def _format_value(value: object, name: str) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
        case None:
            return ""
        case _:
            return quote_plus(str(value), safe="/") if name == "Key" else str(value)


def to_parquet(rows: Iterable[Row], columns: Sequence[str] = CURRENT, group_size: int = 2) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - heavy, needed by few tests
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    types = {
        "Size": pa.int64(),
        "LastModifiedDate": pa.timestamp("ms", tz="UTC"),
        "IsLatest": pa.bool_(),
        "IsDeleteMarker": pa.bool_(),
    }
    schema = pa.schema([(PARQUET_NAMES[row][0], types.get(row, pa.string())) for row in columns])
    table = pa.Table.from_pylist(
        [{PARQUET_NAMES[name][0]: row[name] for name in columns} for row in rows], schema=schema
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=group_size)
    return buffer.getvalue()


@dataclass(kw_only=True)
class InventoryReport:
    """A report that is delivered to a bucket; `changed` overrides the manifest's keys."""

    files: list[bytes]
    source: str = "site"
    destination: str = "site"
    file_format: str = "CSV"
    columns: Sequence[str] = CURRENT
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=20))
    changed: dict[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"s3://{self.destination}/{MANIFEST}"

    @property
    def schema(self) -> str:
        if self.file_format == "CSV":
            return ", ".join(self.columns)
        parts = (PARQUET_NAMES[column] for column in self.columns)
        fields = (
            f"{kind} {name}{f' ({annotation})' if annotation else ''};"
            for name, kind, annotation in parts
        )
        return f"message s3.inventory {{  {'  '.join(fields)}}}"

    def key_of(self, number: int) -> str:
        return f"{FOLDER}data/file-{number}.{self.file_format.lower()}"

    def manifest(self) -> bytes:
        content = {
            "sourceBucket": self.source,
            "destinationBucket": f"arn:aws:s3:::{self.destination}",
            "version": "2016-11-30",
            "creationTimestamp": str(int(self.made_at.timestamp() * 1000)),
            "fileFormat": self.file_format,
            "fileSchema": self.schema,
            "files": [
                {
                    "key": self.key_of(number),
                    "size": len(content),
                    "MD5checksum": md5(content),
                }
                for number, content in enumerate(self.files)
            ],
        }
        return json.dumps({**content, **self.changed}).encode()

    def deliver(self, bucket) -> str:
        """Upload the report; return the manifest's URL."""
        for number, content in enumerate(self.files):
            bucket.put(self.key_of(number), body=content)
        content = self.manifest()
        bucket.put(MANIFEST, body=content)
        bucket.put(MANIFEST.replace(".json", ".checksum"), body=f"{md5(content)}\n".encode())
        return self.url


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def report_of(site, **changes) -> InventoryReport:
    """Return the report of a bucket's current content: two files, delivered to the same bucket."""
    rows = rows_of(site)
    halves = (rows[::2], rows[1::2])
    fields = {"files": [to_csv(half) for half in halves], "source": site.name}
    return InventoryReport(**{**fields, "destination": site.name, **changes})
