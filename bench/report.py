"""Writes what was measured as Markdown: what had to be reached, and each case's table."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.cases import ALSO, CI3, GOALS, LIMITS, Case, Goal, Limit, Server, Work
from bench.chart import Bar, Panel, draw
from bench.checkout import Comparison
from bench.measure import Run
from bench.start import Start

METHOD = Path(__file__).with_name("method.md")
PICTURE = "images/performance.svg"
_FIGURES = {
    "wall_seconds": "time",
    "cpu_seconds": "CPU",
    "requests": "requests",
    "peak_bytes": "memory",
}
_JOURNAL_KEYS = 10**6
_JOURNAL_BYTES = 100 * 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was measured, and how."""

    machine: str
    versions: dict[str, str]
    scale: float
    repeats: int
    cases: Sequence[Case]
    runs: Sequence[Run]
    starts: Sequence[Start]
    seconds: float
    comparison: Comparison | None = None

    @property
    def ci3s(self) -> Sequence[str]:
        """This checkout's ci3 and, if there is one, the second checkout's."""
        return (CI3, ALSO) if self.comparison else (CI3,)

    def of(self, case: str, delay_ms: int, tool: str) -> list[Run]:
        """Give the runs of one program in one case."""
        return [
            run for run in self.runs if (run.case, run.delay_ms, run.tool) == (case, delay_ms, tool)
        ]

    def starts_of(self, name: str, tool: str) -> list[Start]:
        """Return what starting one program in one way cost."""
        return [start for start in self.starts if (start.name, start.tool) == (name, tool)]


def write_report(report: Report, folder: Path) -> None:
    """Write `performance.md` and its picture into a folder."""
    (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_text(draw(list(_panels(report))))
    (folder / "performance.md").write_text("\n".join(_document(report)) + "\n")


def _document(report: Report) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield "Written by `make bench`, which measures ci3 beside its peers. Read ratios, not seconds."
    yield ""
    yield f"![Time of each program, case by case]({PICTURE})"
    yield ""
    yield f"- **When and where:** {datetime.now(UTC):%Y-%m-%d}; {report.machine}."
    told = ", ".join(f"{tool} {version}" for tool, version in report.versions.items())
    yield f"- **Who:** {told}."
    yield (
        f"- **How often:** {report.repeats} rounds, each program once a round, in another order in "
        f"each; {report.seconds / 60:.0f} minutes in all. A program marked * ran once."
    )
    if report.scale != 1:
        yield f"- **Not in full:** scaled by {report.scale}; nothing is judged."
    measured = {run.case for run in report.runs}
    if missing := [_title(case) for case in report.cases if case.name not in measured]:
        yield f"- **Not measured in this run:** {'; '.join(missing)}."
    yield ""
    yield from _goals(report)
    if report.comparison:
        yield from _comparison(report, report.comparison)
    for work in Work:
        yield from _cases(report, work)
    yield METHOD.read_text().rstrip()


def _goals(report: Report) -> Iterator[str]:
    rows = [] if report.scale != 1 else [*_goal_rows(report), *_limit_rows(report)]
    rows += _start_rows(report)
    if not rows:
        return
    has_also = ALSO in report.ci3s
    yield "## What must be reached"
    yield ""
    yield "Ratios are ci3's median over the peer's, of one run of `make bench`."
    yield ""
    yield f"| work | figure | against | at most | reached | |{f' {ALSO} | |' * has_also}"
    yield f"|---|---|---|--:|--:|---|{'--:|---|' * has_also}"
    yield from rows
    yield ""


def _goal_rows(report: Report) -> Iterator[str]:
    for goal in GOALS:
        theirs = _median(report.of(goal.case, goal.delay_ms, goal.peer), goal.figure)
        figures = [
            _ratio(_median(report.of(goal.case, goal.delay_ms, tool), goal.figure), theirs)
            for tool in report.ci3s
        ]
        if figures[0] is None:
            continue
        yield _row(
            _told(report, goal),
            _FIGURES[goal.figure],
            goal.peer,
            f"{goal.at_most:g}",
            *_reached(figures, "{:.2f}".format, goal.at_most),
        )


def _limit_rows(report: Report) -> Iterator[str]:
    for limit in LIMITS:
        figures = [
            _median(report.of(limit.case, limit.delay_ms, tool), limit.figure)
            for tool in report.ci3s
        ]
        if figures[0] is None:
            continue
        show = _megabytes if limit.figure == "peak_bytes" else "{:,.0f}".format
        yield _row(
            _told(report, limit),
            _FIGURES[limit.figure],
            "–",
            limit.told,
            *_reached(figures, show, limit.at_most),
        )
    yield from _journal_rows(report)


def _journal_rows(report: Report) -> Iterator[str]:
    """Judge the journal by the case that deleted most."""
    by_name = {case.name: case for case in report.cases}
    written = [run for run in report.runs if run.journal_bytes and run.tool == CI3]
    largest = max(written, key=lambda run: by_name[run.case].doomed_objects, default=None)
    if largest is None:
        return
    doomed_objects = by_name[largest.case].doomed_objects
    journals = [report.of(largest.case, largest.delay_ms, tool) for tool in report.ci3s]
    figures = [
        _ratio(runs[0].journal_bytes, doomed_objects / _JOURNAL_KEYS) if runs else None
        for runs in journals
    ]
    yield _row(
        f"journal of 10^6 keys, from that of {doomed_objects:,}",
        "size",
        "–",
        _megabytes(_JOURNAL_BYTES),
        *_reached(figures, _megabytes, _JOURNAL_BYTES),
    )


def _start_rows(report: Report) -> Iterator[str]:
    for start in report.starts:
        if start.tool != CI3:
            continue
        figures = [
            _median(report.starts_of(start.name, tool), "cpu_seconds") for tool in report.ci3s
        ]
        limit = "–" if start.at_most is None else f"{start.at_most:g} s"
        reached = _reached(figures, "{:.2f} s".format, start.at_most)
        yield _row(f"start: {start.name}", "CPU", "–", limit, *reached)


def _reached(
    figures: Sequence[float | None], show: Callable[[float], str], at_most: float | None
) -> Iterator[str]:
    """Yield two cells for each ci3: its figure, and whether that is within the bound."""
    for figure in figures:
        yield "–" if figure is None else show(figure)
        yield "" if figure is None or at_most is None else _verdict(is_met=figure <= at_most)


def _comparison(report: Report, comparison: Comparison) -> Iterator[str]:
    yield "## This checkout against the other"
    yield ""
    yield f"- **{CI3}:** {comparison.this.version}, this checkout."
    yield f"- **{ALSO}:** {comparison.other.version}, the other checkout."
    if differing := list(comparison.differing_packages()):
        yield f"- **Versions that differ:** {'; '.join(differing)}."
    yield ""
    yield f"Ratios of medians, {CI3} over {ALSO}: below 1 this checkout needs less."
    yield ""
    yield f"| work | {' | '.join(_FIGURES.values())} | journal |"
    yield "|---|--:|--:|--:|--:|--:|"
    for case in report.cases:
        for delay_ms in case.delays_ms:
            ours, theirs = (report.of(case.name, delay_ms, tool) for tool in report.ci3s)
            if ours and theirs:
                figures = (*_FIGURES, "journal_bytes")
                ratios = _ratios(figures, ours, theirs)
                yield _row(f"{_title(case)} at {delay_ms} ms", *ratios)
    for name in dict.fromkeys(start.name for start in report.starts):
        ratios = _ratios(_FIGURES, *(report.starts_of(name, tool) for tool in report.ci3s))
        yield _row(f"start: {name}", *ratios, "–")
    yield ""


def _ratios(
    figures: Iterable[str], ours: Sequence[Run | Start], theirs: Sequence[Run | Start]
) -> Iterator[str]:
    for figure in figures:
        ratio = _ratio(_median(ours, figure), _median(theirs, figure))
        yield "–" if ratio is None else f"{ratio:.2f}"


def _ratio(figure: float | None, other: float | None) -> float | None:
    return figure / other if figure is not None and other else None


def _told(report: Report, one: Goal | Limit) -> str:
    case = next(case for case in report.cases if case.name == one.case)
    return f"{_title(case)} at {one.delay_ms} ms"


def _title(case: Case) -> str:
    kinds = " + ".join(
        f"{int(deployments):,} × {int(objects):,}"
        for deployments, objects in (part.split("x") for part in case.layout.text.split("-"))
    )
    where = " on SeaweedFS" if case.server is Server.SEAWEEDFS else ""
    if case.work is Work.PLAN:
        return f"plan, {kinds}{where}"
    return f"delete {case.doomed:,} of {kinds}{where}"


def _cases(report: Report, work: Work) -> Iterator[str]:
    measured = {run.case for run in report.runs}
    cases = [case for case in report.cases if case.work is work and case.name in measured]
    if not cases:
        return
    yield f"## {'Planning' if work is Work.PLAN else 'Deleting'}"
    yield ""
    for case in cases:
        yield f"### {_title(case)[0].upper()}{_title(case)[1:]}"
        yield ""
        yield _about(case)
        yield ""
        yield "| delay | program | time | from – to | CPU | memory | requests | at once | server |"
        yield "|--:|---|--:|--:|--:|--:|--:|--:|--:|"
        for delay_ms in case.delays_ms:
            for tool in case.tools:
                if runs := report.of(case.name, delay_ms, tool):
                    yield _run_row(runs)
        yield ""


def _about(case: Case) -> str:
    server = "SeaweedFS" if case.server is Server.SEAWEEDFS else "the server in memory"
    if case.work is Work.PLAN:
        text = f"{case.layout.total:,} objects, on {server}."
        if case.server is Server.MEMORY:
            text += f" The least is {case.layout.least_requests:,} requests."
        return text
    return f"{case.doomed_objects:,} of {case.layout.total:,} objects go, on {server}."


def _run_row(runs: Sequence[Run]) -> str:
    walls = [run.wall_seconds for run in runs]
    once = "*" if len(runs) == 1 else ""
    requests, at_once = _median(runs, "requests"), _median(runs, "most_at_once")
    busy = _median(runs, "server_cpu_seconds")
    return _row(
        f"{runs[0].delay_ms} ms",
        f"**{CI3}**{once}" if runs[0].tool == CI3 else f"{runs[0].tool}{once}",
        f"{median(walls):.2f} s",
        "" if once else f"{min(walls):.2f} – {max(walls):.2f}",
        f"{_median(runs, 'cpu_seconds'):.2f} s",
        _megabytes(_median(runs, "peak_bytes") or 0),
        "–" if requests is None else f"{requests:,.0f}",
        f"{at_once:.0f}" if at_once else "–",
        "–" if busy is None else f"{busy:.2f} s",
    )


def _median(runs: Sequence[Run | Start], figure: str) -> float | None:
    values = [value for run in runs if (value := getattr(run, figure)) is not None]
    return median(values) if values else None


def _megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _verdict(*, is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def _panels(report: Report) -> Iterator[Panel]:
    """Give the picture's panels: each case's medians, at its longest delay."""
    for case in report.cases:
        delay_ms = max((run.delay_ms for run in report.runs if run.case == case.name), default=0)
        bars = [
            Bar(name=tool, seconds=median(run.wall_seconds for run in runs))
            for tool in case.tools
            if (runs := report.of(case.name, delay_ms, tool))
        ]
        if len(bars) > 1:
            yield Panel(title=f"{_title(case)} at {delay_ms} ms", bars=tuple(bars))
