"""Text timeline of a run's deployments, with a lane per outcome: deleted, kept, live and so on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ci3.core.model.decision import Action, Decision, ReasonCode
from ci3.core.plan.target_result import TargetResult
from ci3.report.charts import BLOCKS, format_day

_COLUMNS = 38
"""Width of the timeline: what a comment on a phone shows without scrolling."""
_GAPS = "-   "
"""The characters of a lane's line that are neither its title nor a cell."""
_FEWEST = 3
"""Minimum number of deployments for a timeline: fewer are clearer in the tables."""

_MARKS = {"-": "✕", "+": "●", "!": "▲"}
"""Line prefixes that a `diff` block colors red, green and orange, with the mark of a deployment."""


def draw_timeline(target_result: TargetResult) -> str:
    """Draw the deployments by age as a Markdown code block, or return "" for under three.

    Each lane is a line. Deployments have equal distances, so that an old one does not squeeze the
    others. If any cell has several deployments, the height of a cell shows how many it has.
    """
    decisions = sorted(
        (
            decision
            for decision in target_result.plan.decisions
            if decision.deployment.newest_at is not None
        ),
        key=_get_upload_time,
    )
    if len(decisions) < _FEWEST:
        return ""
    lanes = [
        (sign, title, lane)
        for sign, title, lane in _split_into_lanes(target_result, decisions)
        if lane
    ]
    margin = max(len(title) for _, title, _ in lanes)
    width = _COLUMNS - margin - len(_GAPS)
    cells = {
        decision.deployment.prefix: round(index / (len(decisions) - 1) * (width - 1))
        for index, decision in enumerate(decisions)
    }
    counts_by_lane = [
        Counter(cells[decision.deployment.prefix] for decision in lane) for _, _, lane in lanes
    ]
    highest_count = max(max(counts.values()) for counts in counts_by_lane)
    lines = [
        f"{sign} {title:<{margin}}  {_draw_lane(counts, width, highest_count, _MARKS[sign])}"
        for (sign, title, _), counts in zip(lanes, counts_by_lane, strict=True)
    ]
    starts_at, ends_at = _get_upload_time(decisions[0]), _get_upload_time(decisions[-1])
    left, right = (format_day(time, ends_at - starts_at) for time in (starts_at, ends_at))
    if len(left) + len(right) >= width:
        left, right = (date.partition("-")[2] for date in (left, right))  # without the year
    axis = f"  {'':<{margin}}  {left}{right:>{width - len(left)}}"
    return "\n".join(("```diff", *lines, axis, "```"))


def _get_upload_time(decision: Decision) -> datetime:
    assert decision.deployment.newest_at is not None  # noqa: S101 - filtered by the caller
    return decision.deployment.newest_at


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


def _draw_lane(counts: Mapping[int, int], width: int, highest_count: int, mark: str) -> str:
    if highest_count == 1:
        return "".join(mark if counts.get(cell) else " " for cell in range(width))
    full_block = len(BLOCKS) - 1
    return "".join(
        BLOCKS[max(round(count / highest_count * full_block), 1)] if count else " "
        for count in (counts.get(cell, 0) for cell in range(width))
    )
