"""What becomes of the lifecycle rules of earlier runs: which stay, which are removed, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ci3.constants import UNDO_DAYS
from ci3.core.formatting import counted, moment
from ci3.core.lifecycle.rule import TERM, ExpiryRule
from ci3.core.live.pins import Pin
from ci3.core.model.decision import Decision, Engine

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
