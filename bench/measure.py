"""Runs each program in turn, interleaved, and takes what each run cost; no run counts unchecked."""

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
from bench.tools import Place, command, environ, objects_told

LAUNCH = Path(__file__).with_name("launch.py")
LONGEST_SECONDS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one program took, as the kernel counts it: its own time, and its most memory."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one program; what only the server in memory counts may be missing."""

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
    """A program did not do what it was asked."""


def measure(
    case: Case, delay_ms: int, tools: Sequence[str], repeats: int, server: Server
) -> Iterator[Run]:
    """Run the programs of a case in turn, in another order in each round."""
    is_longest = delay_ms == max(case.delays_ms)
    for number in range(repeats):
        for tool in rotate(tools, number):
            if tool not in case.once or (number == 0 and is_longest):
                yield measure_once(case, delay_ms, tool, server)


def rotate(tools: Sequence[str], number: int) -> Sequence[str]:
    """Return the tools in the order of a round."""
    turn = number % len(tools)
    return (*tools[turn:], *tools[:turn])


def measure_once(case: Case, delay_ms: int, tool: str, server: Server) -> Run:
    """Run one program; raises FailedRunError where it failed, or did not do all of its work."""
    bucket = server.make_ready(case, delay_ms)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        place = Place(url=server.url, bucket=bucket, folder=Path(name))
        cost = launch(command(tool, case, place), environ(place), place.folder)
        served = server.served()
        where = f"{tool} in {case.name} at {delay_ms} ms"
        if cost.exit_code:
            said = (place.folder / "stderr").read_text()[-2000:]
            raise FailedRunError(f"{where} ended with {cost.exit_code}:\n{said}")
        _check(where, case, tool, server, place)
        journal = place.folder / "journal.jsonl"
        return Run(
            case=case.name,
            delay_ms=delay_ms,
            tool=tool,
            wall_seconds=cost.wall_seconds,
            cpu_seconds=cost.cpu_seconds,
            peak_bytes=cost.peak_bytes,
            requests=None if served.requests is None else sum(served.requests.values()),
            operations=None if served.requests is None else dict(served.requests),
            server_cpu_seconds=served.cpu_seconds,
            most_at_once=served.most_at_once,
            journal_bytes=journal.stat().st_size if journal.exists() else None,
        )


def launch(words: Iterable[str], variables: dict[str, str], folder: Path) -> Cost:
    """Run a program to its end; what it prints goes into the folder's `stdout` and `stderr`."""
    result, stdout, stderr = (folder / name for name in ("result", "stdout", "stderr"))
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", LAUNCH, result, stdout, stderr, *words],
        cwd=folder,
        env=variables,
        start_new_session=True,
    )
    try:
        launcher.wait(timeout=LONGEST_SECONDS)
    finally:
        if launcher.poll() is None:
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
    return Cost(**json.loads(result.read_text()))


def _check(where: str, case: Case, tool: str, server: Server, place: Place) -> None:
    total = case.layout.total
    if case.work is Work.PLAN:
        told = objects_told(tool, place.folder / "stdout")
        if told != total:
            raise FailedRunError(f"{where} told of {told} objects, and there are {total}")
        if tool in (CI3, ALSO):
            _check_plan(where, case, place)
        return
    left = server.left(place.bucket)
    if left != total - case.doomed_objects:
        raise FailedRunError(f"{where} left {left} of {total}, not {total - case.doomed_objects}")


def _check_plan(where: str, case: Case, place: Place) -> None:
    plan = json.loads((place.folder / "stdout").read_text())
    doomed = {one["name"] for one in plan["deployments"] if one["decision"] == "delete"}
    if doomed != {one.name for one in case.layout.oldest(case.doomed)}:
        raise FailedRunError(f"{where} dooms {len(doomed)} deployments, and not those it should")
