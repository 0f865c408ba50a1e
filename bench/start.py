"""What starting costs: the command's help, and the action on a bucket that is empty."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.cases import Case, Work
from bench.layout import Layout
from bench.measure import Cost, FailedRunError, launch
from bench.servers import Server
from bench.tools import BIN, Place, environ

START = "start"
"""The name by which `--only` selects what starting costs."""
ENTRYPOINT = Path(__file__).parent.parent / "entrypoint.py"
EMPTY = Case(work=Work.PLAN, layout=Layout("0x0"), doomed=0, tools=(), title="empty")
_IMPORT = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_SHOWN = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A way to start: its name, its median cost, and the most CPU that it may take, if any."""

    name: str
    cpu_seconds: float
    wall_seconds: float
    at_most: float | None


def measure_starts(server: Server, repeats: int) -> Iterator[Start]:
    """Start each several times."""
    for name, (words, at_most) in _ways().items():
        costs = [_start(words, server)[0] for _ in range(max(5, repeats))]
        yield Start(
            name=name,
            cpu_seconds=median(cost.cpu_seconds for cost in costs),
            wall_seconds=median(cost.wall_seconds for cost in costs),
            at_most=at_most,
        )


def print_import_times(server: Server) -> None:
    """Print which packages' own import times make up each start."""
    for name, (words, _) in _ways().items():
        program, *rest = words
        cost, said = _start((program, "-X", "importtime", *rest), server)
        packages: Counter[str] = Counter()
        for microseconds, module in _IMPORT.findall(said):
            packages[_package(module)] += int(microseconds)
        print(
            f"\n{name}: CPU {cost.cpu_seconds:.3f} s, time {cost.wall_seconds:.3f} s, "
            f"of that time {packages.total() / 1e6:.3f} s imports"
        )
        for package, microseconds in packages.most_common(_SHOWN):
            print(f"  {microseconds / 1000:7.1f} ms  {package}")


def _ways() -> Mapping[str, tuple[Sequence[str], float | None]]:
    python = str(BIN / "python")
    return {
        "`python -c pass`, for comparison": ((python, "-c", "pass"), None),
        "`ci3 --help`": ((python, "-m", "ci3", "--help"), 0.15),
        "the action, a plan of an empty bucket, whole": ((python, str(ENTRYPOINT)), 1.0),
    }


def _start(words: Sequence[str], server: Server) -> tuple[Cost, str]:
    bucket = server.make_ready(EMPTY, 0)
    with TemporaryDirectory(prefix="ci3-bench-") as name:
        folder = Path(name)
        place = Place(url=server.url, bucket=bucket, folder=folder)
        cost = launch(words, {**environ(place), **_step(place)}, folder)
        said = (folder / "stderr").read_text()
    if cost.exit_code:
        raise FailedRunError(f"{words} ended with {cost.exit_code}:\n{said}")
    return cost, said


def _step(place: Place) -> dict[str, str]:
    """Give the environment of a step on a pushed commit; it has no token, so it can't comment."""
    for name in ("output", "summary"):
        (place.folder / name).touch()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(place.folder / "output"),
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_SHA": "a" * 40,
        "GITHUB_STEP_SUMMARY": str(place.folder / "summary"),
        "INPUT_BUCKET": place.bucket,
        "INPUT_COMMENT": "never",
        "INPUT_ENDPOINT-URL": place.url,
    }


def _package(module: str) -> str:
    top = module.partition(".")[0]
    return "Python's own" if top in sys.stdlib_module_names else top
