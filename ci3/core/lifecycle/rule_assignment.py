"""Assignment of lifecycle rules: which deployments to delete get a rule, and with how many days.

A lifecycle rule compares ages only: it would also delete a later deployment with the same name.
Two guards prevent that:

1. A rule's days are at least the age of the oldest object that is kept, so that only objects
   older than everything kept expire.
2. A rule is removed when its lifetime (7 days) ends, and its days are more than 8. An object that
   is uploaded to the folder after the rule was created does not reach that age in time.

A deployment that `expire-closed` deletes gets no rule either: its pull request may be reopened
before S3 deletes it.

Example. The oldest object that is kept is 20.5 days old, so that a rule needs at least 21 days:

    newest object    days of the rule    result
    25.9 days        25                  rule: S3 deletes what is at least 25 days old
    20.9 days        20                  deleted directly: not older than everything kept
    8.9 days         8                   deleted directly: not more than 8 days
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ci3.constants import RESTORE_WINDOW_DAYS
from ci3.core.formatting import pluralize
from ci3.core.lifecycle.configuration import MAXIMUM_RULES
from ci3.core.lifecycle.rule import RULE_TERM, ManagedRule, can_express_prefix
from ci3.core.lifecycle.rule_status import DAY, ExistingRule, RuleStatus, truncate_to_seconds
from ci3.core.model.decision import Action, Decision, Reason, ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAssignment:
    """The decisions with their rules; `deferred_count` is for how many the bucket has no room."""

    decisions: tuple[Decision, ...]
    deferred_count: int


def assign_rules(
    decisions: Sequence[Decision],
    existing: Iterable[ExistingRule],
    *,
    now: datetime,
    other_rules_count: int,
) -> RuleAssignment:
    """Assign to each deployment to delete an existing rule, a new rule or direct deletion.

    `other_rules_count` is the number of rules in the bucket except managed ones of this prefix.
    If not all new rules fit below S3's limit, the oldest deployments get one, and the others are
    kept until a later run.
    """
    rules = list(existing)
    expiring = {rule.rule.prefix: rule for rule in rules if rule.is_expiring}
    newest_times = {
        decision.deployment.prefix: newest_at
        for decision in decisions
        if decision.is_delete and (newest_at := decision.deployment.newest_at) is not None
    }
    minimum_days = _minimum_days(decisions, now)
    days = {prefix: (now - newest_at) // DAY for prefix, newest_at in newest_times.items()}
    obstacles = {prefix: _find_obstacle(prefix, days[prefix], minimum_days) for prefix in days}
    obstacles |= {
        decision.deployment.prefix: "its pull request may be reopened before a lifecycle rule acts"
        for decision in decisions
        if decision.is_expired
    }
    oldest_first = sorted(
        (prefix for prefix in days if prefix not in expiring and not obstacles[prefix]),
        key=lambda prefix: (newest_times[prefix], prefix),
    )
    # A rule that is removed makes room, unless a rule for noncurrent versions replaces it.
    remaining_count = sum(
        not rule.should_remove or rule.status is RuleStatus.NONCURRENT_LEFT for rule in rules
    )
    capacity = max(0, MAXIMUM_RULES - other_rules_count - remaining_count)
    deferred = set(oldest_first[capacity:])

    def assign(decision: Decision) -> Decision:
        prefix = decision.deployment.prefix
        if prefix not in newest_times:
            return decision
        if prefix in expiring:
            return _mark_expiring(decision, expiring[prefix])
        if obstacles[prefix]:
            message = f"deleted directly: {obstacles[prefix]}"
            return _add_reason(decision, ReasonCode.NOT_BY_RULE, message)
        if prefix in deferred:
            return _defer(decision)
        age = pluralize(days[prefix], "day")
        message = f"S3 deletes it by a lifecycle rule for objects at least {age} old"
        by_rule = _add_reason(decision, ReasonCode.BY_RULE, message)
        return replace(by_rule, expire_days=days[prefix])

    return RuleAssignment(
        decisions=tuple(assign(decision) for decision in decisions), deferred_count=len(deferred)
    )


def _minimum_days(decisions: Iterable[Decision], now: datetime) -> int:
    """Return the age of the oldest kept object in days, rounded up, and at least 1."""
    oldest_times = [decision.deployment.oldest_at for decision in decisions if decision.is_keep]
    ages = [(now - oldest_at) / DAY for oldest_at in oldest_times if oldest_at is not None]
    return max(1, math.ceil(max(ages, default=0)))


def _find_obstacle(prefix: str, days: int, minimum_days: int) -> str:
    """Return why a rule must not delete a deployment, or ""."""
    term = RULE_TERM // DAY
    if days <= term + 1:
        return f"a lifecycle rule would need an age of more than {term + 1} days"
    if days < minimum_days:
        return "a lifecycle rule would need it to be older than everything kept"
    return "" if can_express_prefix(prefix) else "a lifecycle rule cannot express its name"


def _mark_expiring(decision: Decision, rule: ExistingRule) -> Decision:
    reason = Reason(code=ReasonCode.EXPIRING, message=rule.message)
    return replace(
        decision,
        action=Action.EXPIRING,
        reasons=(reason, *decision.reasons),
        expire_days=rule.rule.days,
    )


def _defer(decision: Decision) -> Decision:
    message = f"kept for a later run: a bucket can have at most {MAXIMUM_RULES:,} lifecycle rules"
    reason = Reason(code=ReasonCode.NO_ROOM_FOR_RULE, message=message)
    return replace(decision, action=Action.KEEP, reasons=(reason, *decision.reasons))


def _add_reason(decision: Decision, code: ReasonCode, message: str) -> Decision:
    return replace(decision, reasons=(*decision.reasons, Reason(code=code, message=message)))


def build_rules(
    decisions: Iterable[Decision], *, now: datetime, is_versioned: bool
) -> Iterator[tuple[Decision, ManagedRule]]:
    """Yield each decision to delete by a rule, with the new rule.

    `is_versioned` is True if the bucket creates versions. Raises ValueError if a rule would
    violate a guard: it must never be written.
    """
    for decision in decisions:
        if decision.expire_days is None or not decision.is_delete:
            continue
        deployment, age = decision.deployment, decision.expire_days * DAY
        newest_at, prefix = deployment.newest_at, deployment.prefix
        is_old = newest_at is not None and now - newest_at >= age
        is_safe = age > RULE_TERM + DAY
        is_folder = prefix.endswith(f"{deployment.name}/") and deployment.name
        if not (is_old and is_safe and is_folder):
            raise ValueError(f"no rule may be created for {prefix!r}")
        yield (
            decision,
            ManagedRule(
                prefix=prefix,
                days=decision.expire_days,
                noncurrent_days=RESTORE_WINDOW_DAYS if is_versioned else None,
                expires_at=truncate_to_seconds(now) + RULE_TERM,
            ),
        )
