"""Status of existing managed rules: which stay active, which must be removed, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ci3.constants import UNDO_DAYS
from ci3.core.formatting import counted, moment
from ci3.core.lifecycle.rule import RULE_TERM, ExpiryRule
from ci3.core.live.pins import Pin
from ci3.core.model.decision import Decision, Engine

EXPIRING_MESSAGE: Final = "expiring (S3 deletes it within a day or two)"
_LIVE_UNKNOWN_MESSAGE: Final = "it is not known what is live"
DAY: Final = timedelta(days=1)


class Fate(StrEnum):  # its name and docstring are in the published docs/plan.schema.json
    """What becomes of a rule of ours that stands: it goes, but for the first and the last."""

    STANDS = "stands"
    EMPTIED = "emptied"
    """Nothing is left to delete."""
    KEPT = "kept"
    """The folder is kept now, or no longer counts as a deployment."""
    CHANGED = "changed"
    """Something was uploaded to the folder after the rule was created."""
    OVERDUE = "overdue"
    """The rule's lifetime has ended."""
    DOUBTFUL = "doubtful"
    """What is live could not be determined."""
    OTHER_ENGINE = "other-engine"
    """The target now deletes directly."""
    HIDDEN = "hidden"
    """Only noncurrent versions are left; a rule that deletes those replaces it."""


UNSAFE_STATUSES: Final = (Fate.KEPT, Fate.CHANGED, Fate.DOUBTFUL)
"""Statuses of rules with which S3 may delete something that must be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRule:
    """A managed rule in the bucket's configuration, for the folder `name`, with its status."""

    rule: ExpiryRule
    name: str
    fate: Fate
    message: str

    @property
    def goes(self) -> bool:
        """True if the rule must be removed."""
        return self.fate is not Fate.STANDS

    @property
    def is_expiring(self) -> bool:
        """True if S3 is deleting a deployment by this rule."""
        return not self.goes and self.rule.days is not None

    def successor(self, now: datetime) -> ExpiryRule | None:
        """Return the rule that replaces this one to delete noncurrent versions, if any are left."""
        if self.fate is not Fate.HIDDEN:
            return None
        expires_at = truncate_to_seconds(now) + timedelta(days=UNDO_DAYS) + RULE_TERM
        return replace(self.rule, days=None, noncurrent_days=UNDO_DAYS, expires_at=expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The current state of a target, against which rules are evaluated.

    `non_deployments` maps the names of folders that are not deployments to the reason.
    `live_problems` are the reasons why it is not known what is live. With `is_versioned`, deleted
    objects become noncurrent versions.
    """

    prefix: str
    engine: Engine
    now: datetime
    decisions: Sequence[Decision]
    others: Mapping[str, str]
    doubts: Sequence[str]
    keeps_versions: bool


def judge_rules(rules: Iterable[ExpiryRule], context: Sight) -> tuple[StandingRule, ...]:
    """Return the managed rules for folders directly under the prefix, each with its status."""
    decisions = {decision.deployment.prefix: decision for decision in context.decisions}
    evaluated = []
    for rule, name in _with_folder_names(rules, context.prefix):
        evaluate = _evaluate_rule if rule.days is not None else _evaluate_version_rule
        status, message = evaluate(rule, name, decisions.get(rule.prefix), context)
        evaluated.append(StandingRule(rule=rule, name=name, fate=status, message=message))
    return tuple(evaluated)


def find_standing(rules: Iterable[ExpiryRule], prefix: str) -> tuple[StandingRule, ...]:
    """Return the managed rules by which S3 deletes a folder directly under the prefix."""
    return tuple(
        StandingRule(rule=rule, name=name, fate=Fate.STANDS, message="")
        for rule, name in _with_folder_names(rules, prefix)
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
    """Return the rules; those that must not delete any more get the status to be removed.

    These are the rules for a folder that is pinned or kept now, and with `live_problem` (why it is
    not known what is live) all by which S3 deletes something. `newer_rules` are the rules of a
    newer plan, whose status counts.
    """
    kept_by_prefix = {decision.deployment.prefix: decision for decision in kept}
    unsafe_rules = {rule.rule.rule_id: rule for rule in newer if rule.fate in UNSAFE_STATUSES}
    result = []
    for rule in rules:
        if not rule.is_expiring:
            result.append(rule)
            continue
        pin_message = next((pin.reason().message for pin in pins if pin.holds(rule.name)), "")
        if pin_message:
            result.append(_with_status(rule, Fate.KEPT, f"kept now ({pin_message})"))
        elif decision := kept_by_prefix.get(rule.rule.prefix):
            result.append(_with_status(rule, Fate.KEPT, _kept_message(decision)))
        elif rule.rule.rule_id in unsafe_rules:
            result.append(unsafe_rules[rule.rule.rule_id])
        elif doubt:
            message = f"{_LIVE_UNKNOWN_MESSAGE}: {doubt}"
            result.append(_with_status(rule, Fate.DOUBTFUL, message))
        else:
            result.append(rule)
    return tuple(result)


def _with_status(existing: StandingRule, status: Fate, message: str) -> StandingRule:
    return StandingRule(rule=existing.rule, name=existing.name, fate=status, message=message)


def _with_folder_names(
    rules: Iterable[ExpiryRule], prefix: str
) -> Iterator[tuple[ExpiryRule, str]]:
    for rule in rules:
        name = rule.prefix.removeprefix(prefix).removesuffix("/")
        if rule.prefix.startswith(prefix) and name and "/" not in name:  # else another target's
            yield rule, name


def _kept_message(decision: Decision) -> str:
    return f"kept now ({'; '.join(reason.message for reason in decision.reasons)})"


def _evaluate_rule(  # noqa: PLR0911 - one return for each status
    rule: ExpiryRule, name: str, decision: Decision | None, context: Sight
) -> tuple[Fate, str]:
    """Return the status of a rule that deletes a deployment; the first match counts.

    Example: a rule with 20 days, created 1 day ago, for the folder `old`:

        newest object in `old`    condition                   status
        30 days old               to delete                   active
        21 days old               to delete                   active: 20 days when created
        20.9 days old             to delete                   changed: 19.9 days when created
        12 hours old              to delete                   changed
        30 days old               kept now                    kept
        30 days old               to delete, live unknown     live unknown
        30 days old               to delete, with 7 days      lifetime ended
                                  since the creation
        30 days old               to delete, `engine: direct` other engine
        none                      unversioned bucket          completed
        none                      versioned bucket            noncurrent versions left
        none                      live unknown                live unknown
    """
    if name in context.others:
        return Fate.KEPT, f"no deployment: {context.others[name]}"
    if decision is None or decision.deployment.newest_at is None:
        if context.doubts:
            return Fate.DOUBTFUL, f"{_LIVE_UNKNOWN_MESSAGE}: {context.doubts[0]}"
        # With any engine: no other rule deletes the noncurrent versions.
        if context.keeps_versions or rule.noncurrent_days:
            days = counted(rule.noncurrent_days or UNDO_DAYS, "day")
            return Fate.HIDDEN, f"only old versions are left there, to be restored for {days}"
        return Fate.EMPTIED, "nothing is left there"
    if decision.is_keep:
        return Fate.KEPT, _kept_message(decision)
    if decision.deployment.newest_at + (rule.days or 0) * DAY > rule.made_at:
        return Fate.CHANGED, "something was uploaded there after the rule was made"
    if context.doubts:
        return Fate.DOUBTFUL, f"{_LIVE_UNKNOWN_MESSAGE}: {context.doubts[0]}"
    if context.now >= rule.expires_at:
        return Fate.OVERDUE, f"the term ended on {moment(rule.expires_at)}"
    if context.engine is not Engine.LIFECYCLE:
        return Fate.OTHER_ENGINE, f"the engine is {context.engine} now"
    days = counted(rule.days or 0, "day")
    return Fate.STANDS, f"{EXPIRING_MESSAGE}, by a rule for what is at least {days} old"


def _evaluate_version_rule(
    rule: ExpiryRule, name: str, decision: Decision | None, context: Sight
) -> tuple[Fate, str]:
    """Return the status of a rule that only deletes noncurrent versions."""
    has_objects = decision is not None and decision.deployment.newest_at is not None
    if has_objects or name in context.others:
        return Fate.CHANGED, "something was uploaded there again"
    if context.now >= rule.expires_at:
        return Fate.OVERDUE, "the old versions there are gone"
    return Fate.STANDS, f"old versions there go {counted(UNDO_DAYS, 'day')} after they were hidden"


def truncate_to_seconds(now: datetime) -> datetime:
    """Return a time in UTC without microseconds, which a rule's ID does not record."""
    return now.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Result of reconciling rules, at the start of an apply or at its end.

    `removed` are the rules that were removed. `removed_by_others` names the deployments whose rule
    somebody else removed. With a `problem`, rules to be removed may still exist. `live_problem` is
    why it was not known what is live: then all rules by which S3 deletes had to be removed.
    """

    removed: tuple[StandingRule, ...] = ()
    vanished: tuple[str, ...] = ()
    problem: str = ""
    doubt: str = ""

    def followed_by(self, later: "Reconciled") -> "Reconciled":
        """Return this result combined with a later one of the same run."""
        removed = {rule.rule.rule_id: rule for rule in (*self.removed, *later.removed)}
        return Reconciled(
            removed=tuple(removed.values()),
            vanished=tuple(dict.fromkeys((*self.vanished, *later.vanished))),
            problem="; ".join(dict.fromkeys(filter(None, (self.problem, later.problem)))),
            doubt=later.doubt or self.doubt,
        )
