"""Text timeline of a run's deployments, with a lane per outcome: deleted, kept, live and so on."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from ci3.core.model.decision import Action, Decision, ReasonCode
from ci3.core.plan.target_result import TargetResult
from ci3.report.charts import BLOCKS, format_day

_CELLS = 64
_FEWEST = 3
"""Minimum number of deployments for a timeline: fewer are clearer in the tables."""

_MARKS = {"-": "✕", "+": "●", "!": "▲"}
"""Line prefixes that a `diff` block colors red, green and orange, with the mark of a deployment."""


def draw_timeline(target_result: TargetResult) -> str:
    """Draw upload times as a Markdown code block, or return an empty string for under three.

    Each lane is a line. A cell is the same period in all lanes. If any cell has several
    deployments, the height of a cell shows how many it has.
    """
    decisions = [
        decision
        for decision in target_result.plan.decisions
        if decision.deployment.newest_at is not None
    ]
    if len(decisions) < _FEWEST:
        return ""
    times = [
        decision.deployment.newest_at for decision in decisions if decision.deployment.newest_at
    ]
    starts_at, length = min(times), max(times) - min(times)
    lanes = [
        (sign, title, _count_per_cell(lane, starts_at, length))
        for sign, title, lane in _split_into_lanes(target_result, decisions)
        if lane
    ]
    highest_count = max(max(counts) for _, _, counts in lanes)
    margin = max(len(title) for _, title, _ in lanes)
    lines = [
        f"{sign} {title:<{margin}}  {_draw_lane(counts, highest_count, _MARKS[sign])}"
        for sign, title, counts in lanes
    ]
    left, right = format_day(starts_at, length), format_day(starts_at + length, length)
    axis = f"  {'':<{margin}}  {left}{right:>{_CELLS - len(left)}}"
    return "\n".join(("```diff", *lines, axis, "```"))


def _split_into_lanes(
    target_result: TargetResult, decisions: Sequence[Decision]
) -> Iterator[tuple[str, str, list[Decision]]]:
    """Yield each lane's line prefix, title and decisions, from top to bottom."""
    result = target_result.result
    to_delete = [decision for decision in decisions if decision.is_delete]
    expiring_names = result.expiring_names if result else frozenset[str]()
    if result is None:
        yield "-", "not deleted" if target_result.is_stale else "to delete", to_delete
    else:
        deleted_names = {item.name for item in result.deployments if item.is_fully_deleted}
        handled_names = deleted_names | expiring_names
        yield "-", "deleted", [item for item in to_delete if item.deployment.name in deleted_names]
        not_deleted = [item for item in to_delete if item.deployment.name not in handled_names]
        yield "!", "not deleted", not_deleted
    expiring = [
        decision
        for decision in decisions
        if decision.action is Action.EXPIRING or decision.deployment.name in expiring_names
    ]
    yield "-", "expiring", expiring
    yield "+", "kept", [decision for decision in decisions if decision.is_keep]
    yield "!", "live", [decision for decision in decisions if decision.has_reason(ReasonCode.LIVE)]


def _count_per_cell(
    decisions: Iterable[Decision], starts_at: datetime, length: timedelta
) -> list[int]:
    counts = [0] * _CELLS
    for decision in decisions:
        newest_at = decision.deployment.newest_at
        if newest_at is not None:
            position = (newest_at - starts_at) / length if length else 0.5
            counts[round(position * (_CELLS - 1))] += 1
    return counts


def _draw_lane(counts: Iterable[int], highest_count: int, mark: str) -> str:
    if highest_count == 1:
        return "".join(mark if count else " " for count in counts)
    full_block = len(BLOCKS) - 1
    return "".join(
        BLOCKS[max(round(count / highest_count * full_block), 1)] if count else " "
        for count in counts
    )
