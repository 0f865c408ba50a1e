"""A replay of a bucket's history under one policy or two: in words, in charts and in numbers."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ci3.core.formatting import counted, size, span, timestamp, visible
from ci3.core.retention.simulate import Moment, Simulation
from ci3.report.charts import BLOCKS, DOT, Chart, block_chart, day, mermaid_chart
from ci3.report.markdown_format import code

THIS_POLICY = "this policy"

_WIDEST_CHART = 100
_MERMAID_POINTS = 40
_TABLE_MOMENTS = 6
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_DAY = timedelta(days=1)
_HISTORY_NOTE = (
    "Replayed is what stands in the bucket now, with a cleanup after each deployment and once a "
    "day. What was deleted before is not known, so more may have stood there; of the pins only "
    "protected names count, since what was live in the past is not known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A policy and what its replay gave; `policy_file` is empty for the policy in force."""

    simulation: Simulation
    policy_file: str = ""

    @property
    def shown_name(self) -> str:
        """Name the policy in plain text."""
        return visible(self.policy_file) or THIS_POLICY

    @property
    def markdown_name(self) -> str:
        """Name the policy in Markdown."""
        return code(self.policy_file) if self.policy_file else THIS_POLICY


def show_simulation(console: Console, replayed: Replayed, against: Replayed | None = None) -> None:
    """Print what a policy would have done, and where there is one, another beside it."""
    sides = _sides(replayed, against)
    sentences = _sentences(sides, [side.shown_name for side in sides])
    console.print(Text("\n".join(sentences), "bold"))
    if notes := _notes(sides):
        console.print(Text("\n".join(("", *notes))))
    charts = _charts(sides)
    if charts and against is not None:
        legend = f"{BLOCKS[-1]} {replayed.shown_name}   {DOT} {against.shown_name}"
        console.print(_coloured(f"\n{legend}"), soft_wrap=True)
    for chart in charts:
        lines = block_chart(chart, min(console.width, _WIDEST_CHART))
        console.print(_coloured("\n".join(("", *lines))), soft_wrap=True)
    if rows := _rows(sides, [side.shown_name for side in sides]):
        table = _aligned([_heads(sides), *rows], _left_columns(sides))
        console.print(Text("\n".join(("", *table))), soft_wrap=True)


def simulation_markdown(replayed: Replayed, against: Replayed | None = None) -> str:
    """Render the same in GitHub's Markdown, with charts that GitHub draws."""
    sides = _sides(replayed, against)
    names = [side.markdown_name for side in sides]
    sections = [*_sentences(sides, names), "\n".join(f"- {note}" for note in _notes(sides))]
    charts = [mermaid_chart(chart, _MERMAID_POINTS) for chart in _charts(sides)]
    if charts and against is not None:
        sections.append(f"In the charts, the bars are {names[0]}, the line is {names[1]}.")
    sections += charts
    if rows := _rows(sides, names):
        left = _left_columns(sides)
        alignment = tuple(":--" if place < left else "--:" for place in range(len(_heads(sides))))
        table = (_heads(sides), alignment, *rows)
        sections.append("\n".join(f"| {' | '.join(cells)} |" for cells in table))
    return "\n\n".join(section for section in sections if section) + "\n"


def simulation_json(replayed: Replayed, against: Replayed | None = None) -> str:
    """Write every moment for programs."""
    policies = [
        {
            "policy_file": side.policy_file or None,
            "deployments": side.simulation.deployment_count,
            "left_out": side.simulation.left_out_count,
            "unreadable": side.simulation.unreadable_count,
            "possible_moments": side.simulation.possible_count,
            "sizes_are_lower_bounds": side.simulation.are_lower_bounds,
            "settled_at": next((timestamp(one.at) for one in side.simulation.settled), None),
            "mean": _summary(side.simulation.mean),
            "maximum": _summary(side.simulation.maximum),
            "moments": [_record(one) for one in side.simulation.moments],
        }
        for side in _sides(replayed, against)
    ]
    return json.dumps({"policies": policies}, indent=2, ensure_ascii=True) + "\n"


def _summary(of: Callable[[Callable[[Moment], float]], float]) -> dict[str, float]:
    return {
        "kept_count": of(lambda one: one.kept_count),
        "kept_bytes": of(lambda one: one.kept_bytes),
        "uncleaned_count": of(lambda one: one.uncleaned_count),
        "uncleaned_bytes": of(lambda one: one.uncleaned_bytes),
    }


def _record(moment: Moment) -> dict[str, str | float]:
    return {
        "at": timestamp(moment.at),
        "kept_count": moment.kept_count,
        "kept_bytes": moment.kept_bytes,
        "deleted_count": moment.deleted_count,
        "deleted_complete_count": moment.deleted_complete_count,
        "rollback_count": moment.rollback_count,
        "rollback_window_seconds": moment.rollback_window.total_seconds(),
        "uncleaned_count": moment.uncleaned_count,
        "uncleaned_bytes": moment.uncleaned_bytes,
    }


def _sides(replayed: Replayed, against: Replayed | None) -> tuple[Replayed, ...]:
    return (replayed,) if against is None else (replayed, against)


def _sentences(sides: Sequence[Replayed], names: Sequence[str]) -> list[str]:
    """Say what each policy would have done; the names are written as the reader's format wants."""
    sentences = []
    said = ""
    for side, name in zip(sides, names, strict=True):
        simulation = side.simulation
        if not simulation.moments:
            sentences.append(f"For {name} there are no deployments here: nothing to replay.")
            continue
        length = f"{span(simulation.length)} and " if simulation.length else ""
        over = f"ver {length}{counted(simulation.deployment_count, 'deployment')}, "
        opening = f"O{over}" if not said else f"Against it, {f'o{over}' if over != said else ''}"
        said = over
        sentences.append(f"{opening}{name} would have {_effect(simulation)}")
    return sentences


def _effect(simulation: Simulation) -> str:
    """Say what the policy would have kept and deleted, and how far back one could have gone."""
    now, settled = simulation.moments[-1], simulation.settled
    is_sized = not simulation.are_lower_bounds
    if not settled:
        incomplete = counted(simulation.deleted_count, "incomplete deployment")
        what = f"only {incomplete}" if simulation.deleted_count else "nothing"
        amount = f", {size(now.kept_bytes)}" if is_sized else ""
        return f"deleted {what}: {now.kept_count:,} kept{amount}. {_reach_now(now)}"
    counts = [moment.kept_count for moment in settled]
    several = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else counts[0]
    kept = f"kept {several} at a time (now {now.kept_count:,})"
    if is_sized:
        mean = size(round(simulation.mean(lambda one: one.kept_bytes)))
        uncleaned = size(round(simulation.mean(lambda one: one.uncleaned_bytes)))
        kept += f", {mean} on average instead of {uncleaned}"
    return f"{kept}. {_least_reach(settled, simulation.length)}"


def _reach_now(now: Moment) -> str:
    if not now.rollback_count:
        return "There is nothing to roll back to."
    reach = counted(now.rollback_count, "deployment")
    return f"You can roll back to {reach}, the oldest {_length(now.rollback_window)} old."


def _least_reach(settled: Sequence[Moment], length: timedelta) -> str:
    """Say how far back one could have gone at worst, once more than a lack of history limits it."""
    since = f"From its first deletion on, {day(settled[0].at, length)},"
    count = min(moment.rollback_count for moment in settled)
    window = min(moment.rollback_window for moment in settled)
    if not any(moment.rollback_count for moment in settled):
        return f"{since} there was never anything to roll back to."
    if not count:
        return f"{since} there was at times nothing to roll back to."
    reach = f"at least {counted(count, 'deployment')}, and at least {_length(window)} back"
    return f"{since} you could have rolled back to {reach}, at any time."


def _notes(sides: Sequence[Replayed]) -> list[str]:
    simulations = [side.simulation for side in sides if side.simulation.moments]
    left_out = max(side.simulation.left_out_count for side in sides)
    unreadable = max(side.simulation.unreadable_count for side in sides)
    thinned = [one for one in simulations if len(one.moments) < one.possible_count]
    notes = []
    if simulations:
        notes.append(_HISTORY_NOTE)
    if thinned:
        looked_at = min(thinned, key=lambda one: len(one.moments))
        notes.append(
            f"{len(looked_at.moments):,} of {looked_at.possible_count:,} moments were looked at, "
            "evenly spread; between them the numbers may have been higher or lower."
        )
    if any(one.are_lower_bounds for one in simulations):
        notes.append("Sizes are not known: not every deployment was listed in full.")
    if left_out:
        notes.append(f"{counted(left_out, 'folder')} without objects left out.")
    if unreadable:
        notes.append(f"{counted(unreadable, 'folder')} that could not be listed left out.")
    return notes


def _charts(sides: Sequence[Replayed]) -> list[Chart]:
    """Chart what changes over time; a single moment, or a side without any, makes no chart."""
    simulations = [side.simulation for side in sides]
    if not all(one.moments for one in simulations) or not any(one.length for one in simulations):
        return []
    kept = Chart(
        title="Deployments kept",
        unit="deployments",
        scale=1,
        lines=[[(at.at, at.kept_count) for at in one.moments] for one in simulations],
        label=lambda value: f"{value:,.0f}",
    )
    window = Chart(
        title="Roll-back window in days",
        unit="days",
        scale=1,
        lines=[[(at.at, at.rollback_window / _DAY) for at in one.moments] for one in simulations],
        is_least=True,
        label=_tenths,
    )
    if any(one.are_lower_bounds for one in simulations):
        return [kept, window]
    return [kept, _storage_chart(simulations), window]


def _storage_chart(simulations: Sequence[Simulation]) -> Chart:
    most = max(at.kept_bytes for one in simulations for at in one.moments)
    power = min((len(str(most)) - 1) // 3, len(_UNITS) - 1)
    return Chart(
        title="Storage",
        unit=_UNITS[power],
        scale=1000.0**power,
        lines=[[(at.at, at.kept_bytes) for at in one.moments] for one in simulations],
        label=lambda value: size(round(value)) if value else "0",
    )


def _coloured(drawn: str) -> Text:
    text = Text(drawn)
    text.highlight_regex(f"[{BLOCKS[1]}-{BLOCKS[-1]}]+", "cyan")
    text.highlight_regex(f"{DOT}+", "yellow")
    return text


def _heads(sides: Sequence[Replayed]) -> tuple[str, ...]:
    numbers = ("Kept", "Storage", "Roll-backs", "Window", "Without cleanup")
    return ("Date", *numbers) if len(sides) == 1 else ("Date", "Policy", *numbers)


def _left_columns(sides: Sequence[Replayed]) -> int:
    """Say how many columns hold words, which stand to the left."""
    return min(len(sides), 2)


def _rows(sides: Sequence[Replayed], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Give the numbers at a few dates, evenly spread, each side's as of then."""
    times = [moment.at for side in sides for moment in side.simulation.moments]
    if not times:
        return []
    length = max(times) - min(times)
    rows = []
    for place in range(_TABLE_MOMENTS):
        when = min(times) + length * place / (_TABLE_MOMENTS - 1)
        for side, name in zip(sides, names, strict=True):
            past = [moment for moment in side.simulation.moments if moment.at <= when]
            if past:
                who = (name,) if len(sides) > 1 else ()
                is_sized = not side.simulation.are_lower_bounds
                row = _numbers(past[-1], is_sized=is_sized)
                rows.append((day(past[-1].at, length), *who, *row))
    return list(dict.fromkeys(rows))


def _numbers(moment: Moment, *, is_sized: bool) -> tuple[str, ...]:
    uncleaned = f"{moment.uncleaned_count:,}"
    return (
        f"{moment.kept_count:,}",
        size(moment.kept_bytes) if is_sized else "?",
        f"{moment.rollback_count:,}",
        _length(moment.rollback_window) if moment.rollback_count else "–",
        f"{uncleaned}, {size(moment.uncleaned_bytes)}" if is_sized else uncleaned,
    )


def _length(window: timedelta) -> str:
    """Write a length of time with a tenth of a day, where it is that long: `2.1 days`."""
    return f"{_tenths(window / _DAY)} days" if window > _DAY else span(window)


def _tenths(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _aligned(rows: Sequence[tuple[str, ...]], left_columns: int) -> Iterable[str]:
    widths = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (
            cell + " " * (width - cell_len(cell))
            if place < left_columns
            else " " * (width - cell_len(cell)) + cell
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()
