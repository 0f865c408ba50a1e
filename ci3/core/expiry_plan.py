"""Lifecycle rules as an engine: which deployments S3 may delete, by which rule, and until when.

A rule knows ages only, and would delete a later re-deploy of the same name too. Two guards keep it
from that: its days are such that only what is older than all that is kept can expire, and it is
taken away within its term, which is shorter than its days.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ci3.constants import UNDO_DAYS
from ci3.core.expiry import TERM, ExpiryRule, can_be_named
from ci3.core.lifecycle_xml import MAXIMUM_RULES
from ci3.core.model import Action, Decision, Deployment, Engine, Reason, ReasonCode
from ci3.core.pins import Pin
from ci3.core.wording import counted, moment

EXPIRING: Final = "expiring (S3 deletes it within a day or two)"
_NOT_KNOWN: Final = "it is not known what is live"
DAY: Final = timedelta(days=1)


class Fate(StrEnum):
    """What becomes of a rule of ours that stands: it goes, but for the first and the last."""

    STANDS = "stands"
    EMPTIED = "emptied"
    KEPT = "kept"
    CHANGED = "changed"
    OVERDUE = "overdue"
    DOUBTFUL = "doubtful"
    OTHER_ENGINE = "other-engine"
    HIDDEN = "hidden"


AT_STAKE: Final = (Fate.KEPT, Fate.CHANGED, Fate.DOUBTFUL)
"""Of rules by which something may go that is to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRule:
    """A rule of ours that stands, what becomes of it, and why."""

    rule: ExpiryRule
    name: str
    fate: Fate
    message: str

    @property
    def goes(self) -> bool:
        """Whether it is to be taken away."""
        return self.fate is not Fate.STANDS

    @property
    def is_expiring(self) -> bool:
        """Whether S3 is deleting a deployment by it."""
        return not self.goes and self.rule.days is not None

    def successor(self, now: datetime) -> ExpiryRule | None:
        """Give the rule that takes its place, where old versions are left: it removes them."""
        if self.fate is not Fate.HIDDEN:
            return None
        expires_at = without_microseconds(now) + timedelta(days=UNDO_DAYS) + TERM
        return replace(self.rule, days=None, noncurrent_days=UNDO_DAYS, expires_at=expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What rules are judged by.

    `others` are folders that are no deployments, by name, with the reason. `doubts` say why it is
    not known what is live. `keeps_versions` says whether what is deleted is only hidden.
    """

    prefix: str
    engine: Engine
    now: datetime
    decisions: Sequence[Decision]
    others: Mapping[str, str]
    doubts: Sequence[str]
    keeps_versions: bool


def judge_rules(rules: Iterable[ExpiryRule], sight: Sight) -> tuple[StandingRule, ...]:
    """Say of each rule of ours for a folder directly under the prefix what becomes of it."""
    by_prefix = {one.deployment.prefix: one for one in sight.decisions}
    found = []
    for rule, name in _named(rules, sight.prefix):
        judge = _judge if rule.days is not None else _judge_follower
        fate, message = judge(rule, name, by_prefix.get(rule.prefix), sight)
        found.append(StandingRule(rule=rule, name=name, fate=fate, message=message))
    return tuple(found)


def find_standing(rules: Iterable[ExpiryRule], prefix: str) -> tuple[StandingRule, ...]:
    """Give the rules of ours by which S3 deletes something directly under the prefix."""
    return tuple(
        StandingRule(rule=rule, name=name, fate=Fate.STANDS, message="")
        for rule, name in _named(rules, prefix)
        if rule.days is not None
    )


def hold_rules(
    rules: Iterable[StandingRule],
    *,
    pins: Sequence[Pin],
    doubt: str,
    kept: Iterable[Decision] = (),
    newer: Iterable[StandingRule] = (),
) -> tuple[StandingRule, ...]:
    """Let go too of the rules by which S3 deletes what is pinned or kept by now, or is in doubt.

    `doubt` says why it is not known what is live. `newer` has what a newer plan says of rules.
    """
    kept_by_prefix = {one.deployment.prefix: one for one in kept}
    at_stake = {one.rule.rule_id: one for one in newer if one.fate in AT_STAKE}
    held = []
    for one in rules:
        if not one.is_expiring:
            held.append(one)
            continue
        pinned = next((pin.reason().message for pin in pins if pin.holds(one.name)), "")
        if pinned:
            held.append(replace(one, fate=Fate.KEPT, message=f"kept now ({pinned})"))
        elif decision := kept_by_prefix.get(one.rule.prefix):
            held.append(replace(one, fate=Fate.KEPT, message=_kept_now(decision)))
        elif one.rule.rule_id in at_stake:
            held.append(at_stake[one.rule.rule_id])
        elif doubt:
            held.append(replace(one, fate=Fate.DOUBTFUL, message=f"{_NOT_KNOWN}: {doubt}"))
        else:
            held.append(one)
    return tuple(held)


def _named(rules: Iterable[ExpiryRule], prefix: str) -> Iterator[tuple[ExpiryRule, str]]:
    for rule in rules:
        name = rule.prefix.removeprefix(prefix).removesuffix("/")
        if rule.prefix.startswith(prefix) and name and "/" not in name:  # else another target's
            yield rule, name


def _kept_now(decision: Decision) -> str:
    return f"kept now ({'; '.join(one.message for one in decision.reasons)})"


def _judge(  # noqa: PLR0911 - one for each fate
    rule: ExpiryRule, name: str, decision: Decision | None, sight: Sight
) -> tuple[Fate, str]:
    if name in sight.others:
        return Fate.KEPT, f"no deployment: {sight.others[name]}"
    if decision is None or decision.deployment.newest_at is None:
        if sight.doubts:
            return Fate.DOUBTFUL, f"{_NOT_KNOWN}: {sight.doubts[0]}"
        if sight.keeps_versions or rule.noncurrent_days:  # with any engine: none else frees them
            days = counted(rule.noncurrent_days or UNDO_DAYS, "day")
            return Fate.HIDDEN, f"only old versions are left there, to be restored for {days}"
        return Fate.EMPTIED, "nothing is left there"
    if decision.is_keep:
        return Fate.KEPT, _kept_now(decision)
    if decision.deployment.newest_at + (rule.days or 0) * DAY > rule.made_at:
        return Fate.CHANGED, "something was uploaded there after the rule was made"
    if sight.doubts:
        return Fate.DOUBTFUL, f"{_NOT_KNOWN}: {sight.doubts[0]}"
    if sight.now >= rule.expires_at:
        return Fate.OVERDUE, f"the term ended on {moment(rule.expires_at)}"
    if sight.engine is not Engine.LIFECYCLE:
        return Fate.OTHER_ENGINE, f"the engine is {sight.engine} now"
    days = counted(rule.days or 0, "day")
    return Fate.STANDS, f"{EXPIRING}, by a rule for what is at least {days} old"


def _judge_follower(
    rule: ExpiryRule, name: str, decision: Decision | None, sight: Sight
) -> tuple[Fate, str]:
    is_there = decision is not None and decision.deployment.newest_at is not None
    if is_there or name in sight.others:
        return Fate.CHANGED, "something was uploaded there again"
    if sight.now >= rule.expires_at:
        return Fate.OVERDUE, "the old versions there are gone"
    return Fate.STANDS, f"old versions there go {counted(UNDO_DAYS, 'day')} after they were hidden"


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


def without_microseconds(now: datetime) -> datetime:
    """Return a time in UTC, as precise as a rule's ID records it."""
    return now.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What became of rules, before anything else was done, and at the end of it.

    `removed` are taken away. `vanished` names deployments whose rule somebody else has taken away.
    With a `problem` those that were to go may stand yet. A `doubt` says why it was not known what
    is live: then all by which S3 deletes were to go.
    """

    removed: tuple[StandingRule, ...] = ()
    vanished: tuple[str, ...] = ()
    problem: str = ""
    doubt: str = ""

    def followed_by(self, later: "Reconciled") -> "Reconciled":
        """Tell of what was done later too."""
        removed = {one.rule.rule_id: one for one in (*self.removed, *later.removed)}
        return Reconciled(
            removed=tuple(removed.values()),
            vanished=tuple(dict.fromkeys((*self.vanished, *later.vanished))),
            problem="; ".join(dict.fromkeys(filter(None, (self.problem, later.problem)))),
            doubt=later.doubt or self.doubt,
        )
