"""Plans with an S3 Inventory report, and by listing: `python -m bench.inventory_report`.

The report is written by this script: of a layout's deployments, 10,000 of 1,000 objects unless
another is asked for, with the rows of each spread over all files. It is put into the bench's server
in memory, which counts the requests. Most of the deployments stay by `keep-within`.
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

from bench.layout import APART, FIRST_DAY, Layout, size_bytes
from bench.machine import describe_machine
from bench.measure import Cost, FailedRunError, launch
from bench.servers import MemoryServer, running_memory_server
from bench.tools import Place, environ

FOLDER = "reports/site/daily/"
COLUMNS = "Bucket, Key, Size, LastModifiedDate, ETag"
PARQUET_SCHEMA = (
    "message s3.inventory {  required binary bucket (STRING);  required binary key (STRING);  "
    "optional int64 size;  optional int64 last_modified_date (TIMESTAMP(MILLIS,true));  "
    "optional binary e_tag (STRING);}"
)
MADE_AT_MILLISECONDS = "1767225600000"
AN_HOURS = 6
"""Deployments of an hour, which is as close as `keep-within` can be set."""
Row = tuple[str, str, int, str, str]


def main(arguments: Sequence[str]) -> int:
    """Write reports, plan with each, and print what that cost."""
    options = _parse(arguments)
    layout = Layout(options.layout)
    print(f"{layout.total:,} objects in {len(layout.deployments):,} deployments; ", end="")
    print(describe_machine(), flush=True)
    with running_memory_server() as server:
        server._ask(f"reset?delay={options.delay}&bucket={layout.text}")  # noqa: SLF001 - the bench's
        if "listing" not in options.skip:
            _tell("by listing", *_plan(server, layout, options.due))
        for report_format in ("CSV", "Parquet"):
            if report_format not in options.skip:
                packed = write_report(server, layout, report_format, options.files)
                cost, told = _plan(server, layout, options.due, f"--inventory={_url(layout)}")
                _tell(f"by a report in {report_format} of {packed / 1e6:,.0f} MB", cost, told)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.inventory_report")
    parser.add_argument("--layout", default="10000x1000", help="as in bench/layout.py")
    parser.add_argument("--due", type=int, default=20, help="deployments that go, about")
    parser.add_argument("--files", type=int, default=20, help="the report's files")
    parser.add_argument("--delay", type=int, default=0, help="milliseconds that each answer waits")
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=["listing", "CSV", "Parquet"], help="not these"
    )
    return parser.parse_args(arguments)


def _url(layout: Layout) -> str:
    return f"s3://{layout.text}/{FOLDER}2026-01-01T00-00Z/manifest.json"


def write_report(server: MemoryServer, layout: Layout, report_format: str, file_count: int) -> int:
    """Write a report and put it into the bucket that it is of; gives its files' size in bytes."""
    files = []
    for number in range(file_count):
        rows = _rows(layout, number, file_count)
        content = _to_csv(rows) if report_format == "CSV" else _to_parquet(rows)
        key = f"{FOLDER}data/{number}.{report_format.lower()}"
        _put(server, layout, key, content)
        files.append({"key": key, "size": len(content), "MD5checksum": _md5(content)})
    manifest = json.dumps(
        {
            "sourceBucket": layout.text,
            "destinationBucket": f"arn:aws:s3:::{layout.text}",
            "version": "2016-11-30",
            "creationTimestamp": MADE_AT_MILLISECONDS,
            "fileFormat": report_format,
            "fileSchema": COLUMNS if report_format == "CSV" else PARQUET_SCHEMA,
            "files": files,
        }
    ).encode()
    key = _url(layout).removeprefix(f"s3://{layout.text}/")
    _put(server, layout, key, manifest)
    _put(server, layout, key.replace(".json", ".checksum"), _md5(manifest).encode())
    return sum(int(str(one["size"])) for one in files)


def _rows(layout: Layout, number: int, file_count: int) -> Iterator[Row]:
    """Give every so many-th object of each deployment."""
    for one in layout.deployments:
        for file in range(number, one.count, file_count):
            yield layout.text, one.key(file), size_bytes(file), one.minute, one.etag(file)


def _to_csv(rows: Iterator[Row]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.open(packed, "wt", compresslevel=1, encoding="utf-8", newline="") as text,
    ):
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows((bucket, key, size, f"{minute}:00.000Z", etag)
                         for bucket, key, size, minute, etag in rows)  # fmt: skip
    return packed.getvalue()


def _to_parquet(rows: Iterator[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    buckets, keys, sizes, minutes, etags = zip(*rows, strict=True)
    times = pa.array([f"{minute}:00" for minute in minutes]).cast(pa.timestamp("ms"))
    table = pa.table(
        {
            "bucket": buckets,
            "key": keys,
            "size": pa.array(sizes, pa.int64()),
            "last_modified_date": times.cast(pa.timestamp("ms", tz="UTC")),
            "e_tag": etags,
        }
    )
    packed = io.BytesIO()
    pq.write_table(table, packed)
    return packed.getvalue()


def _put(server: MemoryServer, layout: Layout, key: str, content: bytes) -> None:
    request = Request(f"{server.url}/{layout.text}/{key}", data=content, method="PUT")  # noqa: S310
    with urlopen(request, timeout=60):  # noqa: S310 - loopback
        pass


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _plan(server: MemoryServer, layout: Layout, due: int, *more: str) -> tuple[Cost, str]:
    """Plan once; gives what it took, and what was asked of the server."""
    before = server.served().requests or {}
    followed_at = FIRST_DAY + due * APART
    hours = int((datetime.now(UTC) - followed_at).total_seconds() // 3600)
    with tempfile.TemporaryDirectory(prefix="ci3-bench-") as name:
        place = Place(url=server.url, bucket=layout.text, folder=Path(name))
        words = [
            sys.executable, "-m", "ci3", "plan-cleanup", "--bucket-name", layout.text,
            "--endpoint-url", server.url, "--keep-within", f"{hours}h", "--output", "json", *more,
        ]  # fmt: skip
        cost = launch(words, environ(place), place.folder)
        if cost.exit_code:
            raise FailedRunError((place.folder / "stderr").read_text()[-2000:])
        plan = json.loads((place.folder / "stdout").read_text())
    doomed = {one["name"] for one in plan["deployments"] if one["decision"] == "delete"}
    count = len(doomed)
    if abs(count - due) > AN_HOURS or doomed != {one.name for one in layout.oldest(count)}:
        raise FailedRunError(f"{count} deployments are due, and not those that should be")
    if plan["totals"]["bytes_to_keep"] is None:
        raise FailedRunError("not all that stays was counted")
    asked = server.served().requests or {}
    listed = asked.get("ListObjectsV2", 0) - before.get("ListObjectsV2", 0)
    return cost, f"{listed:,} listing requests, {count} due"


def _tell(what: str, cost: Cost, told: str) -> None:
    print(
        f"{what}: {cost.wall_seconds:.1f} s ({cost.cpu_seconds:.1f} s of CPU), "
        f"{cost.peak_bytes / 2**20:,.0f} MiB at most, {told}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
