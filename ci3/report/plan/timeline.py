"""A run's deployments over time, in lanes of text: what goes, what stays, what is live."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from ci3.core.model.decision import Action, Decision, ReasonCode
from ci3.core.plan.target_result import Account
from ci3.report.charts import BLOCKS, day

_CELLS = 64
_FEWEST = 3
"""Deployments from which on a picture says more than the tables."""

_MARKS = {"-": "✕", "+": "●", "!": "▲"}
"""The signs that a `diff` block paints red, green and orange, and the mark of one deployment."""


def timeline(account: Account) -> str:
    """Draw when deployments were uploaded as a block of Markdown, or nothing for a few.

    Each lane is a line; a cell stands for the same time in all of them. Where there are several in
    a cell, its height says how many.
    """
    decisions = [one for one in account.plan.decisions if one.deployment.newest_at is not None]
    if len(decisions) < _FEWEST:
        return ""
    times = [one.deployment.newest_at for one in decisions if one.deployment.newest_at]
    starts_at, length = min(times), max(times) - min(times)
    lanes = [
        (sign, title, _counts(members, starts_at, length))
        for sign, title, members in _lanes(account, decisions)
        if members
    ]
    top = max(max(counts) for _, _, counts in lanes)
    margin = max(len(title) for _, title, _ in lanes)
    lines = [
        f"{sign} {title:<{margin}}  {_drawn(counts, top, _MARKS[sign])}"
        for sign, title, counts in lanes
    ]
    left, right = day(starts_at, length), day(starts_at + length, length)
    axis = f"  {'':<{margin}}  {left}{right:>{_CELLS - len(left)}}"
    return "\n".join(("```diff", *lines, axis, "```"))


def _lanes(
    account: Account, decisions: Sequence[Decision]
) -> Iterator[tuple[str, str, list[Decision]]]:
    """Part decisions into lanes: a sign, a title and what is in it."""
    result = account.result
    doomed = [one for one in decisions if one.is_delete]
    gone = {one.name for one in result.deployments if one.is_gone} if result else set()
    if result is None:
        yield "-", "not deleted" if account.is_stale else "to delete", doomed
    else:
        yield "-", "deleted", [one for one in doomed if one.deployment.name in gone]
        left = gone | result.expiring
        yield "!", "not deleted", [one for one in doomed if one.deployment.name not in left]
    yield "-", "expiring", [one for one in decisions if _is_expiring(one, account)]
    yield "+", "kept", [one for one in decisions if one.is_keep]
    yield "!", "live", [one for one in decisions if _is_live(one)]


def _is_live(decision: Decision) -> bool:
    return any(reason.code is ReasonCode.LIVE for reason in decision.reasons)


def _is_expiring(decision: Decision, account: Account) -> bool:
    is_new = account.result is not None and decision.deployment.name in account.result.expiring
    return is_new or decision.action is Action.EXPIRING


def _counts(members: Iterable[Decision], starts_at: datetime, length: timedelta) -> list[int]:
    counts = [0] * _CELLS
    for member in members:
        newest_at = member.deployment.newest_at
        if newest_at is not None:
            place = (newest_at - starts_at) / length if length else 0.5
            counts[round(place * (_CELLS - 1))] += 1
    return counts


def _drawn(counts: Iterable[int], top: int, mark: str) -> str:
    if top == 1:
        return "".join(mark if count else " " for count in counts)
    highest = len(BLOCKS) - 1
    return "".join(
        BLOCKS[max(round(count / top * highest), 1)] if count else " " for count in counts
    )
