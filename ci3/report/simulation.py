"""Simulations of a bucket's history under one or two policies, as text, Markdown and JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter

from rich.console import Console
from rich.text import Text

from ci3.core.formatting import (
    escape_control_chars,
    format_duration,
    format_json,
    format_size,
    format_timestamp,
    pluralize,
)
from ci3.core.retention.simulate import SimulatedState, Simulation
from ci3.report.charts import (
    BLOCKS,
    DOT,
    Chart,
    Points,
    draw_block_chart,
    draw_mermaid_chart,
    format_day,
)
from ci3.report.markdown_format import format_code, format_document, format_table
from ci3.report.terminal_format import print_columns

THIS_POLICY = "this policy"

_WIDEST_CHART = 100
_MERMAID_POINTS = 40
_TABLE_MOMENTS = 6
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_DAY = timedelta(days=1)
_HISTORY_NOTE = (
    "Based on the current bucket contents, with a simulated cleanup after each deployment and "
    "once a day. Deployments that were deleted earlier are not included. What was live in the past "
    "is unknown: protect is applied, live-from is not."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySimulation:
    """A policy and its simulation; `policy_file` is empty for the effective policy."""

    simulation: Simulation
    policy_file: str = ""

    @property
    def display_name(self) -> str:
        """Name of the policy for plain text."""
        return escape_control_chars(self.policy_file) or THIS_POLICY

    @property
    def markdown_name(self) -> str:
        """Name of the policy for Markdown."""
        return format_code(self.policy_file) if self.policy_file else THIS_POLICY


def show_simulation(console: Console, *replays: PolicySimulation) -> None:
    """Print what a policy would have done, or two of them to compare."""
    names = [replay.display_name for replay in replays]
    console.print(Text("\n".join(_describe_replays(replays, names)), "bold"))
    if notes := _list_notes(replays):
        console.print(Text("\n".join(("", *notes))))
    charts = _build_charts(replays)
    if charts and len(replays) > 1:
        legend = f"\n{BLOCKS[-1]} {names[0]}   {DOT} {names[1]}"
        console.print(_color_chart(legend), soft_wrap=True)
    for chart in charts:
        lines = draw_block_chart(chart, min(console.width, _WIDEST_CHART))
        console.print(_color_chart("\n".join(("", *lines))), soft_wrap=True)
    if rows := _build_rows(replays, names):
        console.print()
        print_columns(console, _list_columns(replays), [(row, "") for row in rows], head_style="")


def render_simulation_markdown(*replays: PolicySimulation) -> str:
    """Render the simulation of one or two policies as GitHub's Markdown, with Mermaid charts."""
    names = [replay.markdown_name for replay in replays]
    sections = [
        *_describe_replays(replays, names),
        "\n".join(f"- {note}" for note in _list_notes(replays)),
    ]
    charts = [draw_mermaid_chart(chart, _MERMAID_POINTS) for chart in _build_charts(replays)]
    if charts and len(replays) > 1:
        sections.append(f"In the charts, bars show {names[0]} and the line shows {names[1]}.")
    sections += charts
    if rows := _build_rows(replays, names):
        sections.append(format_table(_list_columns(replays), rows))
    return format_document(*sections)


def render_simulations_json(
    comparisons: Sequence[tuple[str, Sequence[PolicySimulation]]], *, has_targets: bool
) -> str:
    """Return simulations as JSON, with every simulated moment.

    `comparisons` are a target's address and its simulations. If a policy file names the targets,
    they are under `targets`.
    """
    targets = [
        {"url": url, "policies": [_build_policy_record(replay) for replay in replays]}
        for url, replays in comparisons
    ]
    content: object = {"targets": targets} if has_targets else targets[0]
    return format_json(content)


def _build_policy_record(replay: PolicySimulation) -> dict[str, object]:
    simulation = replay.simulation
    return {
        "policy_file": replay.policy_file or None,
        "deployments": simulation.deployment_count,
        "left_out": simulation.empty_count,
        "unreadable": simulation.unreadable_count,
        "possible_moments": simulation.possible_state_count,
        "sizes_are_lower_bounds": simulation.has_partial_listings,
        "settled_at": next(
            (format_timestamp(moment.at) for moment in simulation.steady_states), None
        ),
        "mean": _summarize(simulation.mean),
        "maximum": _summarize(simulation.maximum),
        "moments": [_build_record(moment) for moment in simulation.states],
    }


def _summarize(aggregate: Callable[[Callable[[SimulatedState], float]], float]) -> dict[str, float]:
    names = ("kept_count", "kept_bytes", "uncleaned_count", "uncleaned_bytes")
    return {name: aggregate(attrgetter(name)) for name in names}


def _build_record(moment: SimulatedState) -> dict[str, str | float]:
    return {
        "at": format_timestamp(moment.at),
        "kept_count": moment.kept_count,
        "kept_bytes": moment.kept_bytes,
        "deleted_count": moment.deleted_count,
        "deleted_complete_count": moment.deleted_complete_count,
        "rollback_count": moment.rollback_count,
        "rollback_window_seconds": moment.rollback_window.total_seconds(),
        "uncleaned_count": moment.uncleaned_count,
        "uncleaned_bytes": moment.uncleaned_bytes,
    }


def _describe_replays(replays: Sequence[PolicySimulation], names: Sequence[str]) -> list[str]:
    """Return a sentence per policy; `names` are already escaped for the output format."""
    sentences = []
    previous_scope = ""
    for replay, name in zip(replays, names, strict=True):
        simulation = replay.simulation
        if not simulation.states:
            sentences.append(f"No deployments to simulate with {name}.")
            continue
        length = f"{format_duration(simulation.duration)} and " if simulation.duration else ""
        scope = f"ver {length}{pluralize(simulation.deployment_count, 'deployment')}, "
        opening = (
            f"O{scope}"
            if not previous_scope
            else f"In comparison, {f'o{scope}' if scope != previous_scope else ''}"
        )
        previous_scope = scope
        sentences.append(f"{opening}{name} would have {_describe_effect(simulation)}")
    return sentences


def _describe_effect(simulation: Simulation) -> str:
    last_moment, steady_states = simulation.states[-1], simulation.steady_states
    is_sized = not simulation.has_partial_listings
    if not steady_states:
        incomplete = pluralize(simulation.deleted_count, "incomplete deployment")
        deleted = f"only {incomplete}" if simulation.deleted_count else "nothing"
        amount = f", {format_size(last_moment.kept_bytes)}" if is_sized else ""
        reach = _describe_current_reach(last_moment)
        return f"deleted {deleted}: {last_moment.kept_count:,} kept{amount}. {reach}"
    counts = [moment.kept_count for moment in steady_states]
    kept_range = f"{min(counts):,} to {max(counts):,}" if min(counts) < max(counts) else counts[0]
    kept = f"kept {kept_range} at a time (now {last_moment.kept_count:,})"
    if is_sized:
        mean = format_size(round(simulation.mean(lambda moment: moment.kept_bytes)))
        uncleaned_mean = format_size(round(simulation.mean(lambda moment: moment.uncleaned_bytes)))
        kept += f", {mean} on average instead of {uncleaned_mean}"
    return f"{kept}. {_describe_least_reach(steady_states, simulation.duration)}"


def _describe_current_reach(last_moment: SimulatedState) -> str:
    if not last_moment.rollback_count:
        return "There are no rollback targets."
    reach = pluralize(last_moment.rollback_count, "deployment")
    window = _format_window(last_moment.rollback_window)
    return f"You can roll back to {reach}, the oldest {window} old."


def _describe_least_reach(steady_states: Sequence[SimulatedState], total_length: timedelta) -> str:
    """Describe the shortest rollback reach since the first deletion.

    Before the first deletion, the reach is limited by the short history, not by the policy.
    """
    since = f"After its first deletion ({format_day(steady_states[0].at, total_length)}),"
    count = min(moment.rollback_count for moment in steady_states)
    window = min(moment.rollback_window for moment in steady_states)
    if not any(moment.rollback_count for moment in steady_states):
        return f"{since} there was never a rollback target."
    if not count:
        return f"{since} there was sometimes no rollback target."
    targets = f"at least {pluralize(count, 'rollback target')}"
    verb = "was" if count == 1 else "were"
    window_note = f"reaching back at least {_format_window(window)}"
    return f"{since} there {verb} always {targets}, {window_note}."


def _list_notes(replays: Sequence[PolicySimulation]) -> list[str]:
    simulations = [replay.simulation for replay in replays if replay.simulation.states]
    left_out = max(replay.simulation.empty_count for replay in replays)
    unreadable = max(replay.simulation.unreadable_count for replay in replays)
    thinned = [
        simulation
        for simulation in simulations
        if len(simulation.states) < simulation.possible_state_count
    ]
    notes = []
    if simulations:
        notes.append(_HISTORY_NOTE)
    if thinned:
        thinnest = min(thinned, key=lambda simulation: len(simulation.states))
        notes.append(
            f"Only {len(thinnest.states):,} of {thinnest.possible_state_count:,} cleanups were "
            "simulated, evenly spread. Between them, the numbers may be higher or lower."
        )
    if any(simulation.has_partial_listings for simulation in simulations):
        notes.append("Sizes are unknown: not every deployment was fully listed.")
    if left_out:
        notes.append(f"Skipped {pluralize(left_out, 'folder')} without objects.")
    if unreadable:
        notes.append(f"Skipped {pluralize(unreadable, 'folder')} that could not be listed.")
    return notes


def _build_charts(replays: Sequence[PolicySimulation]) -> list[Chart]:
    """Return the charts; none if a replay has no moments or all have a single moment."""
    simulations = [replay.simulation for replay in replays]
    if not all(simulation.states for simulation in simulations) or not any(
        simulation.duration for simulation in simulations
    ):
        return []
    kept = Chart(
        title="Deployments kept",
        unit="deployments",
        scale=1,
        series=_build_series(simulations, lambda moment: moment.kept_count),
        format_value=lambda value: f"{value:,.0f}",
    )
    window = Chart(
        title="Rollback window in days",
        unit="days",
        scale=1,
        series=_build_series(simulations, lambda moment: moment.rollback_window / _DAY),
        is_minimum=True,
        format_value=_format_tenths,
    )
    if any(simulation.has_partial_listings for simulation in simulations):
        return [kept, window]
    return [kept, _build_storage_chart(simulations), window]


def _build_storage_chart(simulations: Sequence[Simulation]) -> Chart:
    maximum = max(moment.kept_bytes for simulation in simulations for moment in simulation.states)
    power = min((len(str(maximum)) - 1) // 3, len(_UNITS) - 1)
    return Chart(
        title="Storage",
        unit=_UNITS[power],
        scale=1000.0**power,
        series=_build_series(simulations, lambda moment: moment.kept_bytes),
        format_value=lambda value: format_size(round(value)) if value else "0",
    )


def _build_series(
    simulations: Sequence[Simulation], measure: Callable[[SimulatedState], float]
) -> list[Points]:
    return [
        [(moment.at, measure(moment)) for moment in simulation.states] for simulation in simulations
    ]


def _color_chart(chart: str) -> Text:
    text = Text(chart)
    text.highlight_regex(f"[{BLOCKS[1]}-{BLOCKS[-1]}]+", "cyan")
    text.highlight_regex(f"{DOT}+", "yellow")
    return text


def _list_columns(replays: Sequence[PolicySimulation]) -> tuple[str, ...]:
    numbers = ("Kept>", "Storage>", "Rollbacks>", "Window>", "Without cleanup>")
    return ("Date", *numbers) if len(replays) == 1 else ("Date", "Policy", *numbers)


def _build_rows(replays: Sequence[PolicySimulation], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return rows for a few evenly spread dates, with each replay's last moment by then."""
    times = [moment.at for replay in replays for moment in replay.simulation.states]
    if not times:
        return []
    total_length = max(times) - min(times)
    rows = []
    for index in range(_TABLE_MOMENTS):
        time = min(times) + total_length * index / (_TABLE_MOMENTS - 1)
        for replay, name in zip(replays, names, strict=True):
            past_moments = [moment for moment in replay.simulation.states if moment.at <= time]
            if past_moments:
                policy_cell = (name,) if len(replays) > 1 else ()
                is_sized = not replay.simulation.has_partial_listings
                row = _format_moment_cells(past_moments[-1], is_sized=is_sized)
                rows.append((format_day(past_moments[-1].at, total_length), *policy_cell, *row))
    return list(dict.fromkeys(rows))


def _format_moment_cells(moment: SimulatedState, *, is_sized: bool) -> tuple[str, ...]:
    uncleaned = f"{moment.uncleaned_count:,}"
    return (
        f"{moment.kept_count:,}",
        format_size(moment.kept_bytes) if is_sized else "?",
        f"{moment.rollback_count:,}",
        _format_window(moment.rollback_window) if moment.rollback_count else "–",
        f"{uncleaned}, {format_size(moment.uncleaned_bytes)}" if is_sized else uncleaned,
    )


def _format_window(window: timedelta) -> str:
    """Format a duration over a day in tenths of a day: `2.1 days`."""
    return f"{_format_tenths(window / _DAY)} days" if window > _DAY else format_duration(window)


def _format_tenths(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
