"""S3 Inventory reports as a test wants them, put where S3 would deliver them."""

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


def row(key: str, *, days: float = 0, size: int = 1, bucket: str = "site", **more: object) -> Row:
    """Make one row; versions' columns are for `ALL_VERSIONS`."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
    return {
        "Bucket": bucket,
        "Key": key,
        "Size": size,
        "LastModifiedDate": at,
        "ETag": "e",
        "VersionId": "v",
        "IsLatest": True,
        "IsDeleteMarker": False,
        **more,
    }


def rows_of(site) -> list[Row]:
    """Make the rows that a report of a bucket has, as it is now."""
    return [
        row(key, size=len(body), bucket=site.name, LastModifiedDate=at.replace(tzinfo=UTC))
        for key, (body, _, at) in site.content().items()
    ]


def to_csv(rows: Iterable[Row], columns: Sequence[str] = CURRENT) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for one in rows:
        writer.writerow(_written(one[name], name) for name in columns)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _written(value: object, name: str) -> str:
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
    import pyarrow as pa  # noqa: PLC0415 - few tests need it
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    kinds = {
        "Size": pa.int64(),
        "LastModifiedDate": pa.timestamp("ms", tz="UTC"),
        "IsLatest": pa.bool_(),
        "IsDeleteMarker": pa.bool_(),
    }
    schema = pa.schema([(PARQUET_NAMES[one][0], kinds.get(one, pa.string())) for one in columns])
    table = pa.Table.from_pylist(
        [{PARQUET_NAMES[name][0]: one[name] for name in columns} for one in rows], schema=schema
    )
    written = io.BytesIO()
    pq.write_table(table, written, row_group_size=group_size)
    return written.getvalue()


@dataclass(kw_only=True)
class InventoryReport:
    """A report that is delivered in a bucket; what is `changed` overrides the manifest's keys."""

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
        parts = (PARQUET_NAMES[one] for one in self.columns)
        fields = (f"{kind} {name}{f' ({more})' if more else ''};" for name, kind, more in parts)
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
        """Put all of it; gives the manifest's address."""
        for number, content in enumerate(self.files):
            bucket.put(self.key_of(number), body=content)
        content = self.manifest()
        bucket.put(MANIFEST, body=content)
        bucket.put(MANIFEST.replace(".json", ".checksum"), body=f"{md5(content)}\n".encode())
        return self.url


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def report_of(site, **changes) -> InventoryReport:
    """Make the report of a bucket as it is now, delivered beside it in two files."""
    rows = rows_of(site)
    halves = (rows[::2], rows[1::2])
    fields = {"files": [to_csv(half) for half in halves], "source": site.name}
    return InventoryReport(**{**fields, "destination": site.name, **changes})
