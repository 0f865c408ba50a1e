"""Status of existing managed rules: which stay active, which must be removed, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ci3.constants import RESTORE_WINDOW_DAYS
from ci3.core.formatting import format_minute, pluralize
from ci3.core.lifecycle.rule import RULE_TERM, ManagedRule
from ci3.core.live.pins import Pin
from ci3.core.model.decision import Decision, Engine

EXPIRING_MESSAGE: Final = "expiring (S3 deletes it within a day or two)"
DAY: Final = timedelta(days=1)


class RuleStatus(StrEnum):  # its name and docstring are in the published docs/plan.schema.json
    """Status of a managed rule: `active`, or why an apply removes or replaces it first."""

    ACTIVE = "active"
    COMPLETED = "completed"
    """Nothing is left to delete."""
    KEPT = "kept"
    """The folder is kept now, or no longer counts as a deployment."""
    CHANGED = "changed"
    """Something was uploaded to the folder after the rule was created."""
    LIFETIME_ENDED = "lifetime-ended"
    """The rule's lifetime has ended."""
    LIVE_UNKNOWN = "live-unknown"
    """What is live could not be determined."""
    OTHER_ENGINE = "other-engine"
    """The target now deletes directly."""
    NONCURRENT_LEFT = "noncurrent-left"
    """Only noncurrent versions are left; a rule that deletes those replaces it."""


UNSAFE_STATUSES: Final = (RuleStatus.KEPT, RuleStatus.CHANGED, RuleStatus.LIVE_UNKNOWN)
"""Statuses of rules with which S3 may delete something that must be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRule:
    """A managed rule in the bucket's configuration, for the folder `name`, with its status."""

    rule: ManagedRule
    name: str
    status: RuleStatus
    message: str

    @property
    def should_remove(self) -> bool:
        """True if the rule must be removed."""
        return self.status is not RuleStatus.ACTIVE

    @property
    def is_expiring(self) -> bool:
        """True if S3 is deleting a deployment by this rule."""
        return not self.should_remove and self.rule.days is not None

    def build_replacement(self, now: datetime) -> ManagedRule | None:
        """Return the rule that replaces this one to delete noncurrent versions, if any are left."""
        if self.status is not RuleStatus.NONCURRENT_LEFT:
            return None
        expires_at = truncate_to_seconds(now) + timedelta(days=RESTORE_WINDOW_DAYS) + RULE_TERM
        return replace(
            self.rule, days=None, noncurrent_days=RESTORE_WINDOW_DAYS, expires_at=expires_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """The current state of a target, against which rules are evaluated.

    `non_deployments` maps the names of folders that are not deployments to the reason.
    `live_problems` are the reasons why it is not known what is live. With `is_versioned`, deleted
    objects become noncurrent versions.
    """

    prefix: str
    engine: Engine
    now: datetime
    decisions: Sequence[Decision]
    non_deployments: Mapping[str, str]
    live_problems: Sequence[str]
    is_versioned: bool


def evaluate_rules(rules: Iterable[ManagedRule], context: RuleContext) -> tuple[ExistingRule, ...]:
    """Return the managed rules for folders directly under the prefix, each with its status."""
    decisions = {decision.deployment.prefix: decision for decision in context.decisions}
    evaluated = []
    for rule, name in _with_folder_names(rules, context.prefix):
        evaluate = _evaluate_rule if rule.days is not None else _evaluate_version_rule
        status, message = evaluate(rule, name, decisions.get(rule.prefix), context)
        evaluated.append(ExistingRule(rule=rule, name=name, status=status, message=message))
    return tuple(evaluated)


def find_expiring_rules(rules: Iterable[ManagedRule], prefix: str) -> tuple[ExistingRule, ...]:
    """Return the managed rules by which S3 deletes a folder directly under the prefix."""
    return tuple(
        ExistingRule(rule=rule, name=name, status=RuleStatus.ACTIVE, message="")
        for rule, name in _with_folder_names(rules, prefix)
        if rule.days is not None
    )


def mark_rules_to_remove(
    rules: Iterable[ExistingRule],
    *,
    pins: Sequence[Pin],
    live_problem: str,
    kept_decisions: Iterable[Decision] = (),
    newer_rules: Iterable[ExistingRule] = (),
) -> tuple[ExistingRule, ...]:
    """Return the rules; those that must not delete any more get the status to be removed.

    These are the rules for a folder that is pinned or kept now, and with `live_problem` (why it is
    not known what is live) all by which S3 deletes something. `newer_rules` are the rules of a
    newer plan, whose status counts.
    """
    kept_by_prefix = {decision.deployment.prefix: decision for decision in kept_decisions}
    unsafe_rules = {
        rule.rule.rule_id: rule for rule in newer_rules if rule.status in UNSAFE_STATUSES
    }

    def reevaluate(rule: ExistingRule) -> ExistingRule:
        if not rule.is_expiring:
            return rule
        pin_messages = (
            pin.build_reason(rule.name).message for pin in pins if pin.matches(rule.name)
        )
        if pin_message := next(pin_messages, ""):
            return replace(rule, status=RuleStatus.KEPT, message=f"kept now ({pin_message})")
        if decision := kept_by_prefix.get(rule.rule.prefix):
            return replace(rule, status=RuleStatus.KEPT, message=_kept_message(decision))
        if unsafe_rule := unsafe_rules.get(rule.rule.rule_id):
            return unsafe_rule
        if live_problem:
            status, message = _live_unknown(live_problem)
            return replace(rule, status=status, message=message)
        return rule

    return tuple(reevaluate(rule) for rule in rules)


def _with_folder_names(
    rules: Iterable[ManagedRule], prefix: str
) -> Iterator[tuple[ManagedRule, str]]:
    for rule in rules:
        name = rule.prefix.removeprefix(prefix).removesuffix("/")
        if rule.prefix.startswith(prefix) and name and "/" not in name:  # else another target's
            yield rule, name


def _kept_message(decision: Decision) -> str:
    return f"kept now ({'; '.join(reason.message for reason in decision.reasons)})"


def _live_unknown(problem: str) -> tuple[RuleStatus, str]:
    return RuleStatus.LIVE_UNKNOWN, f"it is not known what is live: {problem}"


def _evaluate_rule(  # noqa: PLR0911 - one return for each status
    rule: ManagedRule, name: str, decision: Decision | None, context: RuleContext
) -> tuple[RuleStatus, str]:
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
        30 days old               to delete by              other engine
                                  `expire-closed`
        none                      unversioned bucket          completed
        none                      versioned bucket            noncurrent versions left
        none                      live unknown                live unknown
    """
    if name in context.non_deployments:
        return RuleStatus.KEPT, f"not a deployment: {context.non_deployments[name]}"
    if decision is None or decision.deployment.newest_at is None:
        if context.live_problems:
            return _live_unknown(context.live_problems[0])
        # With any engine: no other rule deletes the noncurrent versions.
        if context.is_versioned or rule.noncurrent_days:
            days = pluralize(rule.noncurrent_days or RESTORE_WINDOW_DAYS, "day")
            return RuleStatus.NONCURRENT_LEFT, f"only noncurrent versions remain, for {days}"
        return RuleStatus.COMPLETED, "nothing remains there"
    if decision.is_keep:
        return RuleStatus.KEPT, _kept_message(decision)
    if decision.deployment.newest_at + (rule.days or 0) * DAY > rule.created_at:
        return RuleStatus.CHANGED, "something was uploaded after the rule was created"
    if context.live_problems:
        return _live_unknown(context.live_problems[0])
    if context.now >= rule.expires_at:
        return (
            RuleStatus.LIFETIME_ENDED,
            f"the rule's lifetime ended on {format_minute(rule.expires_at)}",
        )
    if context.engine is not Engine.LIFECYCLE or decision.is_expired:
        engine = f"the engine is now {context.engine}"
        preview = "the preview of a closed pull request is deleted directly"
        return RuleStatus.OTHER_ENGINE, preview if decision.is_expired else engine
    days = pluralize(rule.days or 0, "day")
    return (
        RuleStatus.ACTIVE,
        f"{EXPIRING_MESSAGE}, by a lifecycle rule for objects at least {days} old",
    )


def _evaluate_version_rule(
    rule: ManagedRule, name: str, decision: Decision | None, context: RuleContext
) -> tuple[RuleStatus, str]:
    """Return the status of a rule that only deletes noncurrent versions."""
    has_objects = decision is not None and decision.deployment.newest_at is not None
    if has_objects or name in context.non_deployments:
        return RuleStatus.CHANGED, "something was uploaded again"
    if context.now >= rule.expires_at:
        return (
            RuleStatus.LIFETIME_ENDED,
            f"the rule's lifetime ended on {format_minute(rule.expires_at)}",
        )
    return (
        RuleStatus.ACTIVE,
        f"S3 deletes versions {pluralize(RESTORE_WINDOW_DAYS, 'day')} after they became noncurrent",
    )


def truncate_to_seconds(now: datetime) -> datetime:
    """Return a time in UTC without microseconds, which a rule's ID does not record."""
    return now.astimezone(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Result of reconciling rules, at the start of an apply or at its end.

    `removed` are the rules that were removed. `removed_by_others` names the deployments whose rule
    somebody else removed. With a `problem`, rules to be removed may still exist. `live_problem` is
    why it was not known what is live: then all rules by which S3 deletes had to be removed.
    """

    removed: tuple[ExistingRule, ...] = ()
    removed_by_others: tuple[str, ...] = ()
    problem: str = ""
    live_problem: str = ""

    def combine_with(self, later: "Reconciliation") -> "Reconciliation":
        """Return this result combined with a later one of the same run."""
        removed = {rule.rule.rule_id: rule for rule in (*self.removed, *later.removed)}
        return Reconciliation(
            removed=tuple(removed.values()),
            removed_by_others=tuple(
                dict.fromkeys((*self.removed_by_others, *later.removed_by_others))
            ),
            problem="; ".join(dict.fromkeys(filter(None, (self.problem, later.problem)))),
            live_problem=later.live_problem or self.live_problem,
        )
