"""The command line: `python -m bench`, from the repository's root."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path

from bench import servers
from bench.cases import ALSO, TOOLS, Case, Server, all_cases
from bench.checkout import THIS, CheckoutError, Comparison, compare_with
from bench.machine import describe_machine
from bench.measure import FailedRunError, Run, measure
from bench.profile import print_profiles
from bench.report import Report, write_report
from bench.start import START, measure_starts, print_import_times
from bench.tools import read_versions

REPEATS = 3


def main(arguments: Sequence[str]) -> int:
    """Run the selected benchmarks and write the report; return the exit code."""
    options = _parse_arguments(arguments)
    names = [START, *(case.name for case in all_cases())]
    if unknown := {*options.only} - {*names}:
        print(
            f"unknown case: {', '.join(unknown)}; the cases are {', '.join(names)}", file=sys.stderr
        )
        return 2
    comparison = compare_with(options.also) if options.also else None
    cases = [
        case if options.scale == 1 else case.scaled(options.scale)
        for case in all_cases()
        if not options.only or case.name in options.only
    ]
    if comparison:
        cases = [case.with_also(comparison.second_checkout) for case in cases]
    with ExitStack() as stack:
        memory_server = stack.enter_context(servers.running_memory_server())
        if options.importtime:
            print_import_times(memory_server)
        elif options.profile:
            print_profiles([case for case in cases if case.server is Server.MEMORY], memory_server)
        else:
            start_real_server = cache(lambda: stack.enter_context(servers.running_real_server()))
            write_report(
                _measure(cases, options, memory_server, start_real_server, comparison), options.into
            )
    return 0


def _measure(
    cases: Sequence[Case],
    options: argparse.Namespace,
    memory_server: servers.Server,
    start_real_server: Callable[[], servers.Server],
    comparison: Comparison | None,
) -> Report:
    """Measure all cases; write each run's figures to a file even if a later run fails."""
    started_at = time.monotonic()
    also = comparison.second_checkout if comparison else None
    is_start_wanted = not options.only or START in options.only
    starts = tuple(measure_starts(memory_server, options.repeats, also)) if is_start_wanted else ()
    runs: list[Run] = []
    try:
        for run in _measure_all(cases, options, memory_server, start_real_server):
            runs.append(run)
            _print_run(run)
    finally:
        raw = options.raw or options.into / "runs.json"
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")
    return Report(
        machine=describe_machine(),
        versions=read_versions(options.tools)
        | ({ALSO: comparison.second.version} if comparison else {}),
        scale=options.scale,
        repeats=options.repeats,
        cases=cases,
        runs=runs,
        starts=starts,
        seconds=time.monotonic() - started_at,
        comparison=comparison,
    )


def _measure_all(
    cases: Sequence[Case],
    options: argparse.Namespace,
    memory_server: servers.Server,
    start_real_server: Callable[[], servers.Server],
) -> Iterator[Run]:
    for case in cases:
        server = memory_server if case.server is Server.MEMORY else start_real_server()
        for delay_ms in case.delays_ms:
            if options.delay and delay_ms not in options.delay:
                continue
            tools = [tool for tool in case.tools if tool in options.tools or tool == ALSO]
            if tools:
                yield from measure(case, delay_ms, tools, options.repeats, server)


def _print_run(run: Run) -> None:
    print(
        f"{run.case} {run.delay_ms} ms {run.tool}: {run.wall_seconds:.2f} s, "
        f"CPU {run.cpu_seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB, {run.requests} requests",
        file=sys.stderr,
    )


def _parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="CASE",
        help=f"only these cases; {START!r} measures the start",
    )
    parser.add_argument(
        "--tools",
        nargs="+",
        default=TOOLS,
        choices=TOOLS,
        metavar="TOOL",
        help=f"only these programs: {', '.join(TOOLS)}",
    )
    parser.add_argument(
        "--also",
        type=Path,
        metavar="CHECKOUT",
        help="also measure the ci3 of a second checkout, alternating with this one",
    )
    parser.add_argument("--delay", nargs="+", type=int, metavar="MS", help="only these delays")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="rounds (%(default)s)")
    parser.add_argument(
        "--scale", type=float, default=1, help="fewer deployments, of fewer objects"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("build/bench"),
        help="the folder for performance.md and its picture (%(default)s)",
    )
    parser.add_argument("--raw", type=Path, help="the file for each run's figures, as JSON")
    parser.add_argument("--profile", action="store_true", help="show a profile of ci3 instead")
    parser.add_argument("--importtime", action="store_true", help="show import times instead")
    options = parser.parse_args(arguments)
    if options.also and (options.profile or options.importtime):
        parser.error("--also only measures: leave out --profile and --importtime")
    if options.also and options.into.resolve() == THIS.root / "docs":
        parser.error("--also does not write docs/performance.md: choose another folder with --into")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (FailedRunError, CheckoutError) as exc:
        sys.exit(str(exc))
