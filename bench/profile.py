"""Profiles ci3's functions with py-spy, by samples of the thread that holds the GIL."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import CI3, Case
from bench.measure import FailedRunError, launch
from bench.servers import Server
from bench.tools import PEERS, RunContext, make_command, make_environment

_SAMPLES_PER_SECOND = 250
_MAX_ROWS = 25


def print_profiles(cases: Iterable[Case], server: Server) -> None:
    """Run ci3 once in each case under py-spy, at the longest delay, and print the profiles."""
    for case in cases:
        if CI3 in case.tools:
            delay_ms = max(case.delays_ms)
            print(f"\n=== {case.name} at {delay_ms} ms")
            _print_stacks(_sample(case, delay_ms, server))


def _sample(case: Case, delay_ms: int, server: Server) -> list[tuple[list[str], int]]:
    """Return the sampled stacks, outermost frame first, with their numbers of samples."""
    bucket = server.prepare_bucket(case, delay_ms)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        context = RunContext(url=server.url, bucket=bucket, folder=Path(name))
        stacks = context.folder / "stacks"
        ci3_command = make_command(CI3, case, context)
        options = [
            "record",
            "--gil",
            "--rate",
            str(_SAMPLES_PER_SECOND),
            "--format",
            "raw",
            "--output",
        ]
        argv = [str(PEERS / "bin/py-spy"), *options, str(stacks), "--", *ci3_command]
        cost = launch(argv, make_environment(context), context.folder)
        if cost.exit_code or not stacks.exists():
            raise FailedRunError(
                f"py-spy failed:\n{(context.folder / 'stderr').read_text()[-2000:]}"
            )
        lines = (line.rpartition(" ") for line in stacks.read_text().splitlines())
        return [(stack.split(";"), int(count)) for stack, _, count in lines]


def _print_stacks(stacks: Sequence[tuple[list[str], int]]) -> None:
    own_counts: Counter[str] = Counter()
    total_counts: Counter[str] = Counter()
    for frames, count in stacks:
        functions = [_format_function(frame) for frame in frames]
        own_counts[functions[-1]] += count
        total_counts.update(dict.fromkeys(set(functions), count))
    total = own_counts.total()
    print(f"{total} samples, {total / _SAMPLES_PER_SECOND:.2f} s")
    print("\n  own   with callees")
    for function, count in own_counts.most_common(_MAX_ROWS):
        print(f"{count / total:6.1%} {total_counts[function] / total:6.1%}  {function}")
    print("\nwith callees, of ci3's own")
    ci3_counts = [entry for entry in total_counts.most_common() if "(ci3/" in entry[0]]
    for function, count in ci3_counts[:_MAX_ROWS]:
        print(f"{count / total:6.1%}  {function}")


def _format_function(frame: str) -> str:
    """Drop the line from a frame such as `decide (ci3/core/retention/decide.py:12)`."""
    name, _, location = frame.rpartition(" (")
    path = location.rstrip(")").rpartition(":")[0] or location.rstrip(")")
    return f"{name} ({path.partition('site-packages/')[2] or path})"
