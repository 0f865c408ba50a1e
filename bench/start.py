"""Measures the cost of starting: the command's help, and the action on an empty bucket."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.cases import ALSO, CI3, Case, Work
from bench.checkout import THIS, Checkout
from bench.layout import Layout
from bench.measure import Cost, FailedRunError, launch, rotate
from bench.servers import Server
from bench.tools import RunContext, make_environment

START = "start"
"""The name with which `--only` selects the start measurements."""
EMPTY = Case(work=Work.PLAN, layout=Layout("0x0"), delete_count=0, tools=(), title="empty")
_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_MAX_ROWS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The median cost of one way to start; `at_most` is the bound for its CPU time, if any."""

    name: str
    cpu_seconds: float
    wall_seconds: float
    at_most: float | None
    peak_bytes: float
    requests: float | None
    tool: str = CI3


def measure_starts(
    server: Server, repeats: int, second_checkout: Checkout | None = None
) -> Iterator[Start]:
    """Yield the cost of each way to start, measured in turn with the second checkout's, if any."""
    checkouts = {CI3: THIS} if second_checkout is None else {CI3: THIS, ALSO: second_checkout}
    for name, (_, at_most) in _start_commands(THIS).items():
        commands = {
            tool: _start_commands(checkout)[name][0] for tool, checkout in checkouts.items()
        }
        runs: dict[str, list[_StartRun]] = {tool: [] for tool in commands}
        for round_number in range(max(5, repeats)):
            for tool in rotate(tuple(commands), round_number):
                runs[tool].append(_run_start(commands[tool], server))
        for tool in commands:
            yield _summarize(name, tool, at_most, runs[tool])


def _summarize(name: str, tool: str, at_most: float | None, runs: Sequence["_StartRun"]) -> Start:
    requests = [run.requests for run in runs if run.requests is not None]
    return Start(
        name=name,
        cpu_seconds=median(run.cost.cpu_seconds for run in runs),
        wall_seconds=median(run.cost.wall_seconds for run in runs),
        at_most=at_most,
        peak_bytes=median(run.cost.peak_bytes for run in runs),
        requests=median(requests) if requests else None,
        tool=tool,
    )


def print_import_times(server: Server) -> None:
    """Print the import times, by package, of each way to start."""
    for name, (argv, _) in _start_commands(THIS).items():
        program, *arguments = argv
        run = _run_start((program, "-X", "importtime", *arguments), server)
        cost = run.cost
        packages: Counter[str] = Counter()
        for microseconds, module in _IMPORT.findall(run.stderr):
            packages[_top_package(module)] += int(microseconds)
        print(
            f"\n{name}: CPU {cost.cpu_seconds:.3f} s, time {cost.wall_seconds:.3f} s, "
            f"of that time {packages.total() / 1e6:.3f} s imports"
        )
        for package, microseconds in packages.most_common(_MAX_ROWS):
            print(f"  {microseconds / 1000:7.1f} ms  {package}")


def _start_commands(checkout: Checkout) -> Mapping[str, tuple[Sequence[str], float | None]]:
    return {
        "`python -c pass` (for comparison)": ((str(checkout.python), "-c", "pass"), None),
        "`ci3 --help`": ((*checkout.command, "--help"), 0.15),
        "the action, a complete plan of an empty bucket": (checkout.action, 1.0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartRun:
    cost: Cost
    requests: int | None
    stderr: str


def _run_start(argv: Sequence[str], server: Server) -> _StartRun:
    bucket = server.prepare_bucket(EMPTY, 0)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        folder = Path(name)
        context = RunContext(url=server.url, bucket=bucket, folder=folder)
        cost = launch(
            argv, {**make_environment(context), **_make_step_environment(context)}, folder
        )
        stderr = (folder / "stderr").read_text()
    if cost.exit_code:
        raise FailedRunError(f"{argv} ended with {cost.exit_code}:\n{stderr}")
    requests = server.read_counts().requests
    return _StartRun(
        cost=cost, requests=None if requests is None else sum(requests.values()), stderr=stderr
    )


def _make_step_environment(context: RunContext) -> dict[str, str]:
    """Return the environment of a step on a pushed commit, without a token: it can't comment."""
    for name in ("output", "summary"):
        (context.folder / name).touch()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(context.folder / "output"),
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_SHA": "a" * 40,
        "GITHUB_STEP_SUMMARY": str(context.folder / "summary"),
        "INPUT_BUCKET": context.bucket,
        "INPUT_COMMENT": "never",
        "INPUT_ENDPOINT-URL": context.url,
    }


def _top_package(module: str) -> str:
    top = module.partition(".")[0]
    return "Python's own" if top in sys.stdlib_module_names else top
