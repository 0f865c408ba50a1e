"""Which deployments to delete get a lifecycle rule, with how many days, and which do not.

A rule is based on age alone: it would also delete a later deployment of the same name. Two guards
prevent that. The days of a rule are so many that only objects older than everything kept expire,
and the rule is removed within its term, which is shorter than its days.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ci3.constants import UNDO_DAYS
from ci3.core.formatting import counted
from ci3.core.lifecycle.configuration import MAXIMUM_RULES
from ci3.core.lifecycle.rule import TERM, ExpiryRule, can_be_named
from ci3.core.lifecycle.rule_status import DAY, Fate, StandingRule, without_microseconds
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode
from ci3.core.model.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """The decisions with what deletes each, and how many have no room for a rule."""

    decisions: tuple[Decision, ...]
    least_days: int
    waiting_count: int


def allot(
    decisions: Sequence[Decision],
    standing: Iterable[StandingRule],
    *,
    now: datetime,
    others_count: int,
) -> Allotment:
    """Say of each doomed deployment what deletes it: a rule that stands, a new one, or ci3 itself.

    `others_count` is how many rules stand besides those of ours that are for this prefix. Where
    not all fit in, the oldest go first, and the others stay for a later run.
    """
    rules = list(standing)
    expiring = {one.rule.prefix: one for one in rules if one.is_expiring}
    least_days = _least_days(decisions, now)
    fits: list[tuple[datetime, str, int]] = []
    told: dict[str, Decision] = {}
    for one in decisions:
        place, newest_at = one.deployment.prefix, one.deployment.newest_at
        if not one.is_delete or newest_at is None:
            continue
        if place in expiring:
            told[place] = _as_expiring(one, expiring[place])
            continue
        days = (now - newest_at) // DAY
        if why := _why_not(one.deployment, days, least_days):
            reason = Reason(code=ReasonCode.NOT_BY_RULE, message=f"deleted directly: {why}")
            told[place] = replace(one, reasons=(*one.reasons, reason))
        else:
            fits.append((newest_at, place, days))
    left = sum(not one.goes or one.fate is Fate.HIDDEN for one in rules)
    room = max(0, MAXIMUM_RULES - others_count - left)
    fits.sort()
    days_of = {place: days for _, place, days in fits[:room]}
    waiting = {place for _, place, _ in fits[room:]}
    return Allotment(
        decisions=tuple(
            told.get(one.deployment.prefix) or _by_rule(one, days_of, waiting) for one in decisions
        ),
        least_days=least_days,
        waiting_count=len(waiting),
    )


def _least_days(decisions: Iterable[Decision], now: datetime) -> int:
    """Give the age in days that only what is older than all that is kept can have."""
    kept = [one.deployment.oldest_at for one in decisions if one.is_keep]
    ages = [(now - at) / DAY for at in kept if at is not None]
    return max(1, math.ceil(max(ages, default=0)))


def _why_not(one: Deployment, days: int, least_days: int) -> str:
    """Say why a deployment can't be deleted by a rule, or nothing where it can."""
    term = TERM // DAY
    if days <= term + 1:
        return f"a rule stands for {term} days, and needs what is over {term + 1} days old"
    if days < least_days:
        return "a rule needs what is older than all that is kept"
    return "" if can_be_named(one.prefix) else "a rule can't name it"


def _as_expiring(one: Decision, standing: StandingRule) -> Decision:
    reason = Reason(code=ReasonCode.EXPIRING, message=standing.message)
    return replace(
        one,
        action=Action.EXPIRING,
        reasons=(reason, *one.reasons),
        expire_days=standing.rule.days,
    )


def _by_rule(one: Decision, days_of: Mapping[str, int], waiting: set[str]) -> Decision:
    place = one.deployment.prefix
    if place in waiting:
        message = f"due, and kept for a later run: a bucket has room for {MAXIMUM_RULES:,} rules"
        reason = Reason(code=ReasonCode.NO_ROOM_FOR_RULE, message=message)
        return replace(one, action=Action.KEEP, reasons=(reason, *one.reasons))
    if place not in days_of:
        return one
    days = days_of[place]
    message = f"S3 deletes it, by a rule for what is at least {counted(days, 'day')} old"
    reason = Reason(code=ReasonCode.BY_RULE, message=message)
    return replace(one, reasons=(*one.reasons, reason), expire_days=days)


def make_rules(
    due: Iterable[Decision], *, now: datetime, keeps_versions: bool
) -> Iterator[tuple[Decision, ExpiryRule]]:
    """Make the rule of each due deployment that one is to delete.

    Raises ValueError where a guard does not hold: nothing like that may be written.
    """
    for one in due:
        if one.expire_days is None or not one.is_delete:
            continue
        newest_at, prefix = one.deployment.newest_at, one.deployment.prefix
        is_old = newest_at is not None and now - newest_at >= one.expire_days * DAY
        is_safe = one.expire_days * DAY > TERM + DAY
        is_folder = prefix.endswith(f"{one.deployment.name}/") and one.deployment.name
        if not (is_old and is_safe and is_folder):
            raise ValueError(f"no rule may be made for {prefix!r}")
        yield (
            one,
            ExpiryRule(
                prefix=prefix,
                days=one.expire_days,
                noncurrent_days=UNDO_DAYS if keeps_versions else None,
                expires_at=without_microseconds(now) + TERM,
            ),
        )
