"""Writes the figures as Markdown: the targets, and a table for each case."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.cases import ALSO, CI3, GOALS, LIMITS, Case, Goal, Limit, Server, Work
from bench.chart import Bar, Panel, render_svg
from bench.checkout import Comparison
from bench.measure import Run
from bench.start import Start

METHOD = Path(__file__).with_name("method.md")
CHART_PATH = "images/performance.svg"
_FIGURES = {
    "wall_seconds": "time",
    "cpu_seconds": "CPU time",
    "requests": "requests",
    "peak_bytes": "peak memory",
}
_CHART_HEADING = "Seconds from start to end; shorter is better. Each panel has its own scale."
_JOURNAL_KEYS = 10**6
_JOURNAL_BYTES = 100 * 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures of a benchmark run, and its settings."""

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
    def ci3_names(self) -> Sequence[str]:
        """The names of this checkout's ci3 and, if there is one, the second checkout's."""
        return (CI3, ALSO) if self.comparison else (CI3,)

    def runs_of(self, case: str, delay_ms: int, tool: str) -> list[Run]:
        """Return the runs of one program in one case at one delay."""
        return [
            run for run in self.runs if (run.case, run.delay_ms, run.tool) == (case, delay_ms, tool)
        ]

    def starts_of(self, name: str, tool: str) -> list[Start]:
        """Return the figures of one program for one way to start."""
        return [start for start in self.starts if (start.name, start.tool) == (name, tool)]


def write_report(report: Report, folder: Path) -> None:
    """Write `performance.md` and its chart into a folder."""
    (folder / CHART_PATH).parent.mkdir(parents=True, exist_ok=True)
    (folder / CHART_PATH).write_text(render_svg(_CHART_HEADING, list(_iter_panels(report))))
    (folder / "performance.md").write_text("\n".join(_iter_lines(report)) + "\n")


def _iter_lines(report: Report) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield (
        "ci3 compared with other tools that list and delete objects. Compare the ratios between "
        "programs: the times depend on the machine. Written by `make bench`."
    )
    yield ""
    yield f"![Time of each program in each case]({CHART_PATH})"
    yield ""
    yield f"- **Measured:** {datetime.now(UTC):%Y-%m-%d}; {report.machine}."
    versions = ", ".join(f"{tool} {version}" for tool, version in report.versions.items())
    yield f"- **Versions:** {versions}."
    yield (
        f"- **Repetitions:** {report.repeats} rounds, in which each program runs once, in a "
        f"different order each time; {report.seconds / 60:.0f} minutes in total. Figures are "
        "medians. A program marked * ran once."
    )
    if report.scale != 1:
        yield f"- **Reduced:** scaled by {report.scale}, so the targets are not checked."
    measured_names = {run.case for run in report.runs}
    if missing_titles := [
        _format_title(case) for case in report.cases if case.name not in measured_names
    ]:
        yield f"- **Not measured in this run:** {'; '.join(missing_titles)}."
    yield ""
    yield from _iter_goals(report)
    if report.comparison:
        yield from _iter_comparison(report, report.comparison)
    for work in Work:
        yield from _iter_cases(report, work)
    yield METHOD.read_text().rstrip()


def _iter_goals(report: Report) -> Iterator[str]:
    rows = [] if report.scale != 1 else [*_iter_goal_rows(report), *_iter_limit_rows(report)]
    rows += _iter_start_rows(report)
    if not rows:
        return
    has_also = ALSO in report.ci3_names
    yield "## Targets"
    yield ""
    yield "A limit such as *0.12 × s5cmd* is the ratio of ci3's median to that of s5cmd."
    yield ""
    yield f"| case | figure | at most | {CI3} | |{f' {ALSO} | |' * has_also}"
    yield f"|---|---|--:|--:|---|{'--:|---|' * has_also}"
    yield from rows
    yield ""


def _iter_goal_rows(report: Report) -> Iterator[str]:
    for goal in GOALS:
        peer_median = _median(report.runs_of(goal.case, goal.delay_ms, goal.peer), goal.figure)
        figures = [
            _ratio(
                _median(report.runs_of(goal.case, goal.delay_ms, tool), goal.figure), peer_median
            )
            for tool in report.ci3_names
        ]
        if figures[0] is None:
            continue
        yield _format_row(
            _describe_bound(report, goal),
            _FIGURES[goal.figure],
            f"{goal.at_most:g} × {goal.peer}",
            *_iter_verdicts(figures, "{:.2f} ×".format, goal.at_most),
        )


def _iter_limit_rows(report: Report) -> Iterator[str]:
    for limit in LIMITS:
        figures = [
            _median(report.runs_of(limit.case, limit.delay_ms, tool), limit.figure)
            for tool in report.ci3_names
        ]
        if figures[0] is None:
            continue
        format_figure = _format_megabytes if limit.figure == "peak_bytes" else "{:,.0f}".format
        yield _format_row(
            _describe_bound(report, limit),
            _FIGURES[limit.figure],
            limit.bound_text,
            *_iter_verdicts(figures, format_figure, limit.at_most),
        )
    yield from _iter_journal_rows(report)


def _iter_journal_rows(report: Report) -> Iterator[str]:
    """Yield the row about the journal's size, from the case that deleted the most objects."""
    by_name = {case.name: case for case in report.cases}
    journal_runs = [run for run in report.runs if run.journal_bytes and run.tool == CI3]
    largest = max(journal_runs, key=lambda run: by_name[run.case].delete_object_count, default=None)
    if largest is None:
        return
    delete_object_count = by_name[largest.case].delete_object_count
    journals = [report.runs_of(largest.case, largest.delay_ms, tool) for tool in report.ci3_names]
    figures = [
        _ratio(runs[0].journal_bytes, delete_object_count / _JOURNAL_KEYS) if runs else None
        for runs in journals
    ]
    yield _format_row(
        f"Journal of {_JOURNAL_KEYS:,} keys, extrapolated from {delete_object_count:,}",
        "size",
        _format_megabytes(_JOURNAL_BYTES),
        *_iter_verdicts(figures, _format_megabytes, _JOURNAL_BYTES),
    )


def _iter_start_rows(report: Report) -> Iterator[str]:
    for start in report.starts:
        if start.tool != CI3:
            continue
        figures = [
            _median(report.starts_of(start.name, tool), "cpu_seconds") for tool in report.ci3_names
        ]
        limit = "–" if start.at_most is None else f"{start.at_most:g} s"
        reached = _iter_verdicts(figures, "{:.2f} s".format, start.at_most)
        yield _format_row(f"Start: {start.name}", "CPU time", limit, *reached)


def _iter_verdicts(
    figures: Sequence[float | None], format_figure: Callable[[float], str], at_most: float | None
) -> Iterator[str]:
    """Yield two cells for each ci3: its figure, and the verdict on the bound."""
    for figure in figures:
        yield "–" if figure is None else format_figure(figure)
        yield "" if figure is None or at_most is None else _format_verdict(is_met=figure <= at_most)


def _iter_comparison(report: Report, comparison: Comparison) -> Iterator[str]:
    yield "## Comparison of the checkouts"
    yield ""
    yield f"- **{CI3}:** {comparison.this.version}, this checkout."
    yield f"- **{ALSO}:** {comparison.second.version}, the other checkout."
    if differences := list(comparison.differing_packages()):
        yield f"- **Versions that differ:** {'; '.join(differences)}."
    yield ""
    yield f"Ratios of medians, {CI3} / {ALSO}: below 1, this checkout needs less."
    yield ""
    yield f"| case | {' | '.join(_FIGURES.values())} | journal |"
    yield "|---|--:|--:|--:|--:|--:|"
    for case in report.cases:
        for delay_ms in case.delays_ms:
            first, second = (report.runs_of(case.name, delay_ms, tool) for tool in report.ci3_names)
            if first and second:
                figures = (*_FIGURES, "journal_bytes")
                ratios = _iter_ratios(figures, first, second)
                yield _format_row(_format_full_title(case, delay_ms), *ratios)
    for name in dict.fromkeys(start.name for start in report.starts):
        ratios = _iter_ratios(
            _FIGURES, *(report.starts_of(name, tool) for tool in report.ci3_names)
        )
        yield _format_row(f"Start: {name}", *ratios, "–")
    yield ""


def _iter_ratios(
    figures: Iterable[str], first: Sequence[Run | Start], second: Sequence[Run | Start]
) -> Iterator[str]:
    for figure in figures:
        ratio = _ratio(_median(first, figure), _median(second, figure))
        yield "–" if ratio is None else f"{ratio:.2f}"


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _describe_bound(report: Report, bound: Goal | Limit) -> str:
    case = next(case for case in report.cases if case.name == bound.case)
    return _format_full_title(case, bound.delay_ms)


def _format_title(case: Case) -> str:
    """Return a title such as `Delete 100 of 200 deployments, 500 objects each`."""
    deployment_count = len(case.layout.deployments)
    counts = [deployment.object_count for deployment in case.layout.deployments]
    smallest, largest = min(counts), max(counts)
    size_range = f"{largest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    deployments = f"{deployment_count:,} deployments, {size_range} objects each"
    server_note = " (SeaweedFS)" if case.server is Server.SEAWEEDFS else ""
    if case.work is Work.PLAN:
        return f"Plan {deployments}{server_note}"
    return f"Delete {case.delete_count:,} of {deployments}{server_note}"


def _format_full_title(case: Case, delay_ms: int) -> str:
    return f"{_format_title(case)}; {delay_ms} ms latency"


def _iter_cases(report: Report, work: Work) -> Iterator[str]:
    measured_names = {run.case for run in report.runs}
    cases = [case for case in report.cases if case.work is work and case.name in measured_names]
    if not cases:
        return
    yield f"## {'Planning' if work is Work.PLAN else 'Deleting'}"
    yield ""
    for case in cases:
        yield f"### {_format_title(case)}"
        yield ""
        yield _describe_case(case)
        yield ""
        yield (
            "| latency | program | time | range | CPU time | peak memory | requests | parallel | "
            "server CPU |"
        )
        yield "|--:|---|--:|--:|--:|--:|--:|--:|--:|"
        for delay_ms in case.delays_ms:
            for tool in case.tools:
                if runs := report.runs_of(case.name, delay_ms, tool):
                    yield _format_run_row(runs)
        yield ""


def _describe_case(case: Case) -> str:
    parts = [map(int, part.split("x")) for part in case.layout.text.split("-")]
    sizes = ", ".join(f"{count:,} × {objects:,}" for count, objects in parts)
    note = f" (deployments × objects: {sizes})" if len(parts) > 1 else ""
    total = f"{case.layout.total:,} objects{note}, {_name_server(case)}"
    if case.work is Work.DELETE:
        return f"{total}. {case.delete_object_count:,} objects are deleted."
    if case.server is Server.SEAWEEDFS:
        return f"{total}."
    return f"{total}. Listing them needs at least {case.layout.least_requests:,} requests."


def _name_server(case: Case) -> str:
    return "SeaweedFS" if case.server is Server.SEAWEEDFS else "in-memory server"


def _format_run_row(runs: Sequence[Run]) -> str:
    wall_seconds = [run.wall_seconds for run in runs]
    mark = "*" if len(runs) == 1 else ""
    requests, at_once = _median(runs, "requests"), _median(runs, "most_at_once")
    server_cpu_seconds = _median(runs, "server_cpu_seconds")
    return _format_row(
        f"{runs[0].delay_ms} ms",
        f"**{CI3}**{mark}" if runs[0].tool == CI3 else f"{runs[0].tool}{mark}",
        f"{median(wall_seconds):.2f} s",
        "" if mark else f"{min(wall_seconds):.2f} – {max(wall_seconds):.2f}",
        f"{_median(runs, 'cpu_seconds'):.2f} s",
        _format_megabytes(_median(runs, "peak_bytes") or 0),
        "–" if requests is None else f"{requests:,.0f}",
        f"{at_once:.0f}" if at_once else "–",
        "–" if server_cpu_seconds is None else f"{server_cpu_seconds:.2f} s",
    )


def _median(runs: Sequence[Run | Start], figure: str) -> float | None:
    values = [value for run in runs if (value := getattr(run, figure)) is not None]
    return median(values) if values else None


def _format_megabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:.0f} MB"


def _format_row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _format_verdict(*, is_met: bool) -> str:
    return "met" if is_met else "**not met**"


def _iter_panels(report: Report) -> Iterator[Panel]:
    """Yield the chart's panels: each case's medians at its longest delay."""
    for case in report.cases:
        delay_ms = max((run.delay_ms for run in report.runs if run.case == case.name), default=0)
        bars = [
            Bar(name=tool, seconds=median(run.wall_seconds for run in runs))
            for tool in case.tools
            if (runs := report.runs_of(case.name, delay_ms, tool))
        ]
        if len(bars) > 1:
            latency = f", {delay_ms} ms latency" if delay_ms else ""
            subtitle = f"{case.layout.total:,} objects, {_name_server(case)}{latency}"
            yield Panel(title=_format_title(case), subtitle=subtitle, bars=tuple(bars))
