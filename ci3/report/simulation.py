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
from ci3.report.terminal_format import print_columns, print_line

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
    """Print charts, a table, notes, and last what a policy would have done, or two to compare."""
    names = [replay.display_name for replay in replays]
    charts = _build_charts(replays)
    if charts and len(replays) > 1:
        legend = f"{BLOCKS[-1]} {names[0]}   {DOT} {names[1]}\n"
        console.print(_color_chart(legend), soft_wrap=True)
    for chart in charts:
        lines = draw_block_chart(chart, min(console.width, _WIDEST_CHART))
        console.print(_color_chart("\n".join((*lines, ""))), soft_wrap=True)
    if rows := _build_rows(replays, names):
        print_columns(console, _list_columns(replays), [(row, "") for row in rows], head_style="")
        console.print()
    notes = _list_notes(replays)
    for note in notes:
        print_line(console, note)
    if notes:
        console.print()
    for sentence in _describe_replays(replays, names):
        print_line(console, sentence, "bold")


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
    """Return simulations as JSON, with every simulated state.

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
        "empty_folders": simulation.empty_count,
        "unreadable_folders": simulation.unreadable_count,
        "possible_states": simulation.possible_state_count,
        "sizes_are_lower_bounds": simulation.has_partial_listings,
        "first_deletion_at": next(
            (format_timestamp(state.at) for state in simulation.steady_states), None
        ),
        "mean": _summarize(simulation.mean),
        "maximum": _summarize(simulation.maximum),
        "states": [_build_record(state) for state in simulation.states],
    }


def _summarize(aggregate: Callable[[Callable[[SimulatedState], float]], float]) -> dict[str, float]:
    names = ("kept_count", "kept_bytes", "without_cleanup_count", "without_cleanup_bytes")
    return {name: aggregate(attrgetter(name)) for name in names}


def _build_record(state: SimulatedState) -> dict[str, str | float]:
    return {
        "at": format_timestamp(state.at),
        "kept_count": state.kept_count,
        "kept_bytes": state.kept_bytes,
        "deleted_count": state.deleted_count,
        "deleted_complete_count": state.deleted_complete_count,
        "rollback_count": state.rollback_count,
        "rollback_window_seconds": state.rollback_window.total_seconds(),
        "without_cleanup_count": state.without_cleanup_count,
        "without_cleanup_bytes": state.without_cleanup_bytes,
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
    effect = f"deleted {pluralize(simulation.deleted_count, 'deployment')}"
    if is_sized:
        mean = format_size(round(simulation.mean(lambda state: state.kept_bytes)))
        full_mean = format_size(round(simulation.mean(lambda state: state.without_cleanup_bytes)))
        effect += f" and stored {mean} on average instead of {full_mean}"
    return f"{effect}. {_describe_steady_states(steady_states, simulation.duration)}"


def _describe_current_reach(last_moment: SimulatedState) -> str:
    if not last_moment.rollback_count:
        return "There are no rollback targets."
    reach = pluralize(last_moment.rollback_count, "deployment")
    window = _format_window(last_moment.rollback_window)
    return f"You can roll back to {reach}, the oldest {window} old."


def _describe_steady_states(states: Sequence[SimulatedState], total_length: timedelta) -> str:
    """Describe how many deployments were kept since the first deletion, and the rollback reach.

    Earlier states are left out: the short history limits them, not the policy.
    """
    counts = [state.kept_count for state in states]
    fewest, most = min(counts), max(counts)
    kept = f"{fewest:,} to {most:,} deployments" if fewest < most else pluralize(most, "deployment")
    return (
        f"Since its first deletion ({format_day(states[0].at, total_length)}): {kept} kept at a "
        f"time (now {counts[-1]:,}), {_describe_least_reach(states)}."
    )


def _describe_least_reach(states: Sequence[SimulatedState]) -> str:
    count = min(state.rollback_count for state in states)
    if not any(state.rollback_count for state in states):
        return "never a rollback target"
    if not count:
        return "at times no rollback target"
    window = min(state.rollback_window for state in states)
    targets = pluralize(count, "rollback target")
    return f"always at least {targets}, reaching back at least {_format_window(window)}"


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
    """Return the charts; none if a replay has no states or all have a single state."""
    simulations = [replay.simulation for replay in replays]
    if not all(simulation.states for simulation in simulations) or not any(
        simulation.duration for simulation in simulations
    ):
        return []
    kept = Chart(
        title="Deployments kept",
        unit="deployments",
        scale=1,
        series=_build_series(simulations, lambda state: state.kept_count),
        format_value=lambda value: f"{value:,.0f}",
    )
    window = Chart(
        title="Rollback window in days",
        unit="days",
        scale=1,
        series=_build_series(simulations, lambda state: state.rollback_window / _DAY),
        is_minimum=True,
        format_value=_format_tenths,
    )
    if any(simulation.has_partial_listings for simulation in simulations):
        return [kept, window]
    return [kept, _build_storage_chart(simulations), window]


def _build_storage_chart(simulations: Sequence[Simulation]) -> Chart:
    maximum = max(state.kept_bytes for simulation in simulations for state in simulation.states)
    power = min((len(str(maximum)) - 1) // 3, len(_UNITS) - 1)
    return Chart(
        title="Storage",
        unit=_UNITS[power],
        scale=1000.0**power,
        series=_build_series(simulations, lambda state: state.kept_bytes),
        format_value=lambda value: format_size(round(value)) if value else "0",
    )


def _build_series(
    simulations: Sequence[Simulation], measure: Callable[[SimulatedState], float]
) -> list[Points]:
    return [
        [(state.at, measure(state)) for state in simulation.states] for simulation in simulations
    ]


def _color_chart(chart: str) -> Text:
    text = Text(chart)
    text.highlight_regex(f"[{BLOCKS[1]}-{BLOCKS[-1]}]+", "cyan")
    text.highlight_regex(f"{DOT}+", "yellow")
    return text


def _list_columns(replays: Sequence[PolicySimulation]) -> tuple[str, ...]:
    numbers = ("Kept>", "Storage>", "Rollbacks>", "Window>")
    is_comparison = len(replays) > 1
    return ("Date", "Policy", *numbers) if is_comparison else ("Date", *numbers, "No cleanup>")


def _build_rows(replays: Sequence[PolicySimulation], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return rows for a few evenly spread dates, with each replay's last state by then."""
    times = [state.at for replay in replays for state in replay.simulation.states]
    if not times:
        return []
    total_length = max(times) - min(times)
    rows = []
    for index in range(_TABLE_MOMENTS):
        time = min(times) + total_length * index / (_TABLE_MOMENTS - 1)
        for replay, name in zip(replays, names, strict=True):
            past_states = [state for state in replay.simulation.states if state.at <= time]
            if past_states:
                date = format_day(past_states[-1].at, total_length)
                is_sized = not replay.simulation.has_partial_listings
                *cells, no_cleanup = _format_state_cells(past_states[-1], is_sized=is_sized)
                is_comparison = len(replays) > 1
                rows.append((date, name, *cells) if is_comparison else (date, *cells, no_cleanup))
    return list(dict.fromkeys(rows))


def _format_state_cells(state: SimulatedState, *, is_sized: bool) -> tuple[str, ...]:
    no_cleanup = f"{state.without_cleanup_count:,}"
    return (
        f"{state.kept_count:,}",
        format_size(state.kept_bytes) if is_sized else "?",
        f"{state.rollback_count:,}",
        _format_window(state.rollback_window) if state.rollback_count else "–",
        f"{no_cleanup}, {format_size(state.without_cleanup_bytes)}" if is_sized else no_cleanup,
    )


def _format_window(window: timedelta) -> str:
    """Format a duration over a day in tenths of a day: `2.1 days`."""
    return f"{_format_tenths(window / _DAY)} days" if window > _DAY else format_duration(window)


def _format_tenths(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
