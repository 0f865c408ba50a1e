"""Shows where ci3's time goes: its functions, by samples of the thread that holds the GIL."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.cases import CI3, Case
from bench.measure import FailedRunError, launch
from bench.servers import Server
from bench.tools import PEERS, Place, command, environ

_RATE = 250
_SHOWN = 25


def print_profiles(cases: Iterable[Case], server: Server) -> None:
    """Run ci3 once in each case, at its longest delay, under py-spy."""
    for case in cases:
        if CI3 in case.tools:
            delay_ms = max(case.delays_ms)
            print(f"\n=== {case.name} at {delay_ms} ms")
            _print_stacks(_sample(case, delay_ms, server))


def _sample(case: Case, delay_ms: int, server: Server) -> list[tuple[list[str], int]]:
    """Give the stacks that were seen, outermost frame first, and how often."""
    bucket = server.make_ready(case, delay_ms)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        place = Place(url=server.url, bucket=bucket, folder=Path(name))
        stacks = place.folder / "stacks"
        watched = command(CI3, case, place)
        watching = ["record", "--gil", "--rate", str(_RATE), "--format", "raw", "--output"]
        words = [str(PEERS / "bin/py-spy"), *watching, str(stacks), "--", *watched]
        cost = launch(words, environ(place), place.folder)
        if cost.exit_code or not stacks.exists():
            raise FailedRunError(f"py-spy failed:\n{(place.folder / 'stderr').read_text()[-2000:]}")
        lines = (line.rpartition(" ") for line in stacks.read_text().splitlines())
        return [(stack.split(";"), int(count)) for stack, _, count in lines]


def _print_stacks(stacks: Sequence[tuple[list[str], int]]) -> None:
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for frames, count in stacks:
        functions = [_function(frame) for frame in frames]
        own[functions[-1]] += count
        below.update(dict.fromkeys(set(functions), count))
    total = own.total()
    print(f"{total} samples, {total / _RATE:.2f} s")
    print("\n  own   with callees")
    for function, count in own.most_common(_SHOWN):
        print(f"{count / total:6.1%} {below[function] / total:6.1%}  {function}")
    print("\nwith callees, of ci3's own")
    ours = [one for one in below.most_common() if "(ci3/" in one[0]]
    for function, count in ours[:_SHOWN]:
        print(f"{count / total:6.1%}  {function}")


def _function(frame: str) -> str:
    """Drop the line from a frame such as `decide (ci3/core/retention/decide.py:12)`."""
    name, _, where = frame.rpartition(" (")
    path = where.rstrip(")").rpartition(":")[0] or where.rstrip(")")
    return f"{name} ({path.partition('site-packages/')[2] or path})"
