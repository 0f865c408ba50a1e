"""Runs the programs of a case in turn, checks the work of each run and measures its cost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import ALSO, CI3, Case, Work
from bench.servers import Server
from bench.tools import RunContext, count_listed_objects, make_command, make_environment

LAUNCH = Path(__file__).with_name("launch.py")
TIMEOUT_SECONDS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one program as the kernel counts it: time, CPU time and peak memory."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one program; figures that only the in-memory server counts may be None."""

    case: str
    delay_ms: int
    tool: str
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    requests: int | None
    operations: dict[str, int] | None
    server_cpu_seconds: float | None
    most_at_once: int | None
    journal_bytes: int | None


class FailedRunError(Exception):
    """A program failed or did not do its work."""


def measure(
    case: Case, delay_ms: int, tools: Sequence[str], repeats: int, server: Server
) -> Iterator[Run]:
    """Run the programs of a case in turn, in a different order each round."""
    is_longest = delay_ms == max(case.delays_ms)
    for round_number in range(repeats):
        for tool in rotate(tools, round_number):
            if tool not in case.once or (round_number == 0 and is_longest):
                yield measure_once(case, delay_ms, tool, server)


def rotate(tools: Sequence[str], round_number: int) -> Sequence[str]:
    """Return the tools in the order of a round: each round starts with the next tool."""
    offset = round_number % len(tools)
    return (*tools[offset:], *tools[:offset])


def measure_once(case: Case, delay_ms: int, tool: str, server: Server) -> Run:
    """Run one program; raise FailedRunError if it failed or did not do all of its work."""
    bucket = server.prepare_bucket(case, delay_ms)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        context = RunContext(url=server.url, bucket=bucket, folder=Path(name))
        cost = launch(make_command(tool, case, context), make_environment(context), context.folder)
        counts = server.read_counts()
        description = f"{tool} in {case.name} at {delay_ms} ms"
        if cost.exit_code:
            stderr = (context.folder / "stderr").read_text()[-2000:]
            raise FailedRunError(f"{description} ended with {cost.exit_code}:\n{stderr}")
        _check_run(description, case, tool, server, context)
        journal = context.folder / "journal.jsonl"
        return Run(
            case=case.name,
            delay_ms=delay_ms,
            tool=tool,
            wall_seconds=cost.wall_seconds,
            cpu_seconds=cost.cpu_seconds,
            peak_bytes=cost.peak_bytes,
            requests=None if counts.requests is None else sum(counts.requests.values()),
            operations=None if counts.requests is None else dict(counts.requests),
            server_cpu_seconds=counts.cpu_seconds,
            most_at_once=counts.most_at_once,
            journal_bytes=journal.stat().st_size if journal.exists() else None,
        )


def launch(argv: Iterable[str], environment: dict[str, str], folder: Path) -> Cost:
    """Run a program to its end; its output goes into the folder's files `stdout` and `stderr`."""
    result, stdout, stderr = (folder / name for name in ("result", "stdout", "stderr"))
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", LAUNCH, result, stdout, stderr, *argv],
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    try:
        launcher.wait(timeout=TIMEOUT_SECONDS)
    finally:
        if launcher.poll() is None:
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
    return Cost(**json.loads(result.read_text()))


def _check_run(
    description: str, case: Case, tool: str, server: Server, context: RunContext
) -> None:
    total = case.layout.total
    if case.work is Work.PLAN:
        listed_count = count_listed_objects(tool, context.folder / "stdout")
        if listed_count != total:
            raise FailedRunError(f"{description} listed {listed_count} objects of {total}")
        if tool in (CI3, ALSO):
            _check_plan(description, case, context)
        return
    remaining = server.count_objects(context.bucket)
    if remaining != total - case.delete_object_count:
        raise FailedRunError(
            f"{description} left {remaining} of {total}, not {total - case.delete_object_count}"
        )


def _check_plan(description: str, case: Case, context: RunContext) -> None:
    plan = json.loads((context.folder / "stdout").read_text())
    deleted_names = {
        deployment["name"]
        for deployment in plan["deployments"]
        if deployment["decision"] == "delete"
    }
    if deleted_names != {seeded.name for seeded in case.layout.oldest(case.delete_count)}:
        raise FailedRunError(
            f"{description} deletes {len(deleted_names)} deployments, but not the expected ones"
        )
