"""Writes what was measured as Markdown: what had to be reached, and each case's table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.cases import CI3, GOALS, LIMITS, TOOLS, Case, Goal, Limit, Server, Work
from bench.chart import Bar, Panel, draw
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

    def of(self, case: str, delay_ms: int, tool: str) -> list[Run]:
        """Give the runs of one program in one case."""
        return [
            run for run in self.runs if (run.case, run.delay_ms, run.tool) == (case, delay_ms, tool)
        ]


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
    for work in Work:
        yield from _cases(report, work)
    yield METHOD.read_text().rstrip()


def _goals(report: Report) -> Iterator[str]:
    rows = [] if report.scale != 1 else [*_goal_rows(report), *_limit_rows(report)]
    rows += _start_rows(report)
    if not rows:
        return
    yield "## What must be reached"
    yield ""
    yield "Ratios are ci3's median over the peer's, of one run of `make bench`."
    yield ""
    yield "| work | figure | against | at most | reached | |"
    yield "|---|---|---|--:|--:|---|"
    yield from rows
    yield ""


def _goal_rows(report: Report) -> Iterator[str]:
    for goal in GOALS:
        ours = _median(report.of(goal.case, goal.delay_ms, CI3), goal.figure)
        theirs = _median(report.of(goal.case, goal.delay_ms, goal.peer), goal.figure)
        if ours is None or not theirs:
            continue
        yield _row(
            _told(report, goal),
            _FIGURES[goal.figure],
            goal.peer,
            f"{goal.at_most:g}",
            f"{ours / theirs:.2f}",
            _verdict(is_met=ours / theirs <= goal.at_most),
        )


def _limit_rows(report: Report) -> Iterator[str]:
    for limit in LIMITS:
        ours = _median(report.of(limit.case, limit.delay_ms, CI3), limit.figure)
        if ours is None:
            continue
        shown = f"{ours / 1e6:.0f} MB" if limit.figure == "peak_bytes" else f"{ours:,.0f}"
        yield _row(
            _told(report, limit),
            _FIGURES[limit.figure],
            "–",
            limit.told,
            shown,
            _verdict(is_met=ours <= limit.at_most),
        )
    yield from _journal_rows(report)


def _journal_rows(report: Report) -> Iterator[str]:
    """Judge the journal by the case that deleted most."""
    written = [run for run in report.runs if run.journal_bytes]
    by_name = {case.name: case for case in report.cases}
    largest = max(written, key=lambda run: by_name[run.case].doomed_objects, default=None)
    if largest is None or largest.journal_bytes is None:
        return
    each = largest.journal_bytes / by_name[largest.case].doomed_objects
    yield _row(
        f"journal of 10^6 keys, from that of {by_name[largest.case].doomed_objects:,}",
        "size",
        "–",
        f"{_JOURNAL_BYTES / 1e6:.0f} MB",
        f"{each * _JOURNAL_KEYS / 1e6:.0f} MB",
        _verdict(is_met=each * _JOURNAL_KEYS <= _JOURNAL_BYTES),
    )


def _start_rows(report: Report) -> Iterator[str]:
    for start in report.starts:
        limit = "–" if start.at_most is None else f"{start.at_most:g} s"
        verdict = (
            "" if start.at_most is None else _verdict(is_met=start.cpu_seconds <= start.at_most)
        )
        yield _row(f"start: {start.name}", "CPU", "–", limit, f"{start.cpu_seconds:.2f} s", verdict)


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
        f"{(_median(runs, 'peak_bytes') or 0) / 1e6:.0f} MB",
        "–" if requests is None else f"{requests:,.0f}",
        f"{at_once:.0f}" if at_once else "–",
        "–" if busy is None else f"{busy:.2f} s",
    )


def _median(runs: Sequence[Run], figure: str) -> float | None:
    values = [value for run in runs if (value := getattr(run, figure)) is not None]
    return median(values) if values else None


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
            for tool in TOOLS
            if (runs := report.of(case.name, delay_ms, tool))
        ]
        if len(bars) > 1:
            yield Panel(title=f"{_title(case)} at {delay_ms} ms", bars=tuple(bars))
