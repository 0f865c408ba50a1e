"""Compares plans from an S3 Inventory report and by listing: `python -m bench.inventory_report`.

The script writes the report of a layout's deployments (by default 10,000 of 1,000 objects), and
spreads the rows of each deployment over all files. The report is stored in the in-memory
server, which counts the requests. `keep-within` keeps most of the deployments.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

from bench.layout import FIRST_DAY, INTERVAL, Layout, size_bytes
from bench.machine import describe_machine
from bench.measure import Cost, FailedRunError, launch
from bench.servers import MemoryServer, running_memory_server
from bench.tools import RunContext, make_environment

FOLDER = "reports/site/daily/"
COLUMNS = "Bucket, Key, Size, LastModifiedDate, ETag"
PARQUET_SCHEMA = (
    "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  "
    "optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  "
    "optional binary e_tag (STRING);}"
)
CREATED_AT_MILLISECONDS = "1767225600000"
DEPLOYMENTS_PER_HOUR = 6
"""Deployments per hour. An hour is the resolution of `keep-within`."""
Row = tuple[str, str, int, str, str]


def main(arguments: Sequence[str]) -> int:
    """Write reports, plan with each, and print the cost of each plan."""
    options = _parse_arguments(arguments)
    layout = Layout(options.layout)
    print(f"{layout.total:,} objects in {len(layout.deployments):,} deployments; ", end="")
    print(describe_machine(), flush=True)
    with running_memory_server() as server:
        server.query(f"reset?delay={options.delay}&bucket={layout.text}")
        if "listing" not in options.skip:
            _print_cost("by listing", *_measure_plan(server, layout, options.delete))
        for report_format in ("CSV", "Parquet"):
            if report_format not in options.skip:
                report_bytes = write_report(server, layout, report_format, options.files)
                cost, summary = _measure_plan(
                    server, layout, options.delete, f"--inventory={_manifest_url(layout)}"
                )
                _print_cost(
                    f"by a report in {report_format} of {report_bytes / 1e6:,.0f} MB", cost, summary
                )
    return 0


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.inventory_report")
    parser.add_argument("--layout", default="10000x1000", help="in the notation of bench/layout.py")
    parser.add_argument(
        "--delete", type=int, default=20, help="approximate number of deployments to delete"
    )
    parser.add_argument("--files", type=int, default=20, help="the report's files")
    parser.add_argument("--delay", type=int, default=0, help="milliseconds before each response")
    parser.add_argument(
        "--skip",
        nargs="*",
        default=[],
        choices=["listing", "CSV", "Parquet"],
        help="plans to leave out",
    )
    return parser.parse_args(arguments)


def _manifest_url(layout: Layout) -> str:
    return f"s3://{layout.text}/{FOLDER}2026-01-01T00-00Z/manifest.json"


def write_report(server: MemoryServer, layout: Layout, report_format: str, file_count: int) -> int:
    """Write a report into the bucket that it describes; return the size of its files in bytes."""
    files = []
    for number in range(file_count):
        rows = _iter_rows(layout, number, file_count)
        content = _format_csv(rows) if report_format == "CSV" else _format_parquet(rows)
        key = f"{FOLDER}data/{number}.{report_format.lower()}"
        _put(server, layout, key, content)
        files.append({"key": key, "size": len(content), "MD5checksum": _md5(content)})
    manifest = json.dumps(
        {
            "sourceBucket": layout.text,
            "destinationBucket": f"arn:aws:s3:::{layout.text}",
            "version": "2016-11-30",
            "creationTimestamp": CREATED_AT_MILLISECONDS,
            "fileFormat": report_format,
            "fileSchema": COLUMNS if report_format == "CSV" else PARQUET_SCHEMA,
            "files": files,
        }
    ).encode()
    key = _manifest_url(layout).removeprefix(f"s3://{layout.text}/")
    _put(server, layout, key, manifest)
    _put(server, layout, key.replace(".json", ".checksum"), _md5(manifest).encode())
    return sum(int(str(file["size"])) for file in files)


def _iter_rows(layout: Layout, file_number: int, file_count: int) -> Iterator[Row]:
    """Yield the rows of one report file: every `file_count`-th object of each deployment."""
    for deployment in layout.deployments:
        for index in range(file_number, deployment.object_count, file_count):
            yield (
                layout.text,
                deployment.key(index),
                size_bytes(index),
                deployment.minute,
                deployment.etag(index),
            )


def _format_csv(rows: Iterator[Row]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.open(buffer, "wt", compresslevel=1, encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows((bucket, key, size, f"{minute}:00.000Z", etag)
                         for bucket, key, size, minute, etag in rows)  # fmt: skip
    return buffer.getvalue()


def _format_parquet(rows: Iterator[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    buckets, keys, sizes, minutes, etags = zip(*rows, strict=True)
    modified_at = pa.array([f"{minute}:00" for minute in minutes]).cast(pa.timestamp("ms"))
    table = pa.table(
        {
            "bucket": buckets,
            "key": keys,
            "size": pa.array(sizes, pa.int64()),
            "last_modified_date": modified_at.cast(pa.timestamp("ms", tz="UTC")),
            "e_tag": etags,
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _put(server: MemoryServer, layout: Layout, key: str, content: bytes) -> None:
    request = Request(f"{server.url}/{layout.text}/{key}", data=content, method="PUT")  # noqa: S310
    with urlopen(request, timeout=60):  # noqa: S310 - loopback
        pass


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _measure_plan(
    server: MemoryServer, layout: Layout, delete_count: int, *more_options: str
) -> tuple[Cost, str]:
    """Plan once; return the cost of the run and a summary of its requests."""
    counts_before = server.read_counts().requests or {}
    superseded_at = FIRST_DAY + delete_count * INTERVAL
    hours = int((datetime.now(UTC) - superseded_at).total_seconds() // 3600)
    with tempfile.TemporaryDirectory(prefix="ci3-bench-") as name:
        run_context = RunContext(url=server.url, bucket=layout.text, folder=Path(name))
        argv = [
            sys.executable, "-m", "ci3", "plan-cleanup", "--bucket-name", layout.text,
            "--endpoint-url", server.url, "--keep-within", f"{hours}h", "--output", "json",
            *more_options,
        ]  # fmt: skip
        cost = launch(argv, make_environment(run_context), run_context.folder)
        if cost.exit_code:
            raise FailedRunError((run_context.folder / "stderr").read_text()[-2000:])
        plan = json.loads((run_context.folder / "stdout").read_text())
    deleted_names = {
        deployment["name"]
        for deployment in plan["deployments"]
        if deployment["decision"] == "delete"
    }
    deleted_count = len(deleted_names)
    if abs(deleted_count - delete_count) > DEPLOYMENTS_PER_HOUR or deleted_names != {
        deployment.name for deployment in layout.oldest(deleted_count)
    }:
        raise FailedRunError(
            f"the plan deletes {deleted_count} deployments, but not the expected ones"
        )
    if plan["totals"]["bytes_to_keep"] is None:
        raise FailedRunError("not all objects to keep were counted")
    counts_after = server.read_counts().requests or {}
    listing_count = counts_after.get("ListObjectsV2", 0) - counts_before.get("ListObjectsV2", 0)
    return cost, f"{listing_count:,} listing requests, {deleted_count} to delete"


def _print_cost(title: str, cost: Cost, summary: str) -> None:
    print(
        f"{title}: {cost.wall_seconds:.1f} s ({cost.cpu_seconds:.1f} s of CPU), "
        f"{cost.peak_bytes / 2**20:,.0f} MiB at most, {summary}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
