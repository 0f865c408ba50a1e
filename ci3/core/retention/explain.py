"""Explanation of one deployment: the check of every rule and pin, and when it would be deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci3.core.formatting import format_duration, format_minute, pluralize
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import Refusal
from ci3.core.retention.evaluation import COUNT_REASONS, Evaluation
from ci3.core.units import Duration

_PIN_REASONS = (ReasonCode.PROTECTED, ReasonCode.CURRENT_COMMIT, ReasonCode.LIVE)
_LIFECYCLE_REASONS = (
    ReasonCode.BY_RULE,
    ReasonCode.NOT_BY_RULE,
    ReasonCode.NO_ROOM_FOR_RULE,
    ReasonCode.EXPIRING,
)
_PERIOD_NOUNS = {
    ReasonCode.KEEP_DAILY: "day",
    ReasonCode.KEEP_WEEKLY: "week",
    ReasonCode.KEEP_MONTHLY: "month",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One deployment's evaluation, with sentences about when it will be deleted."""

    evaluation: Evaluation
    outlook: str


def explain(
    evaluation: Evaluation,
    keep_within: Duration | None,
    refusals: Sequence[Refusal] = (),
    planned: Decision | None = None,
) -> Explanation:
    """Add to an evaluation when its deployment would be deleted.

    `keep_within` is the effective setting. `refusals` are those of the plan, which prevent every
    deletion. `planned` is the plan's decision, whose reasons include those of lifecycle rules.
    """
    outlook = _outlook(evaluation, keep_within)
    reasons = planned.reasons if planned else ()
    if messages := [reason.message for reason in reasons if reason.code in _LIFECYCLE_REASONS]:
        outlook = f"{outlook} By engine: lifecycle: {'; '.join(messages)}."
    if refusals:
        obstacles = "; ".join(refusal.message for refusal in refusals)
        outlook = f"{outlook} But nothing is deleted as long as this holds: {obstacles}."
    return Explanation(evaluation=evaluation, outlook=outlook)


def _outlook(evaluation: Evaluation, keep_within: Duration | None) -> str:
    codes = {check.code for check in evaluation.keeping_checks}
    pins = [check.message for check in evaluation.keeping_checks if check.code in _PIN_REASONS]
    if evaluation.is_delete:
        return "It is due now."
    if ReasonCode.NO_OBJECTS in codes:
        return "There is nothing in it that could be deleted."
    if pins:
        return f"It stays as long as this holds: {'; '.join(pins)}."
    if ReasonCode.PARTLY_DELETED in codes:
        return (
            "It stays until all of it is deployed again, or that run has ended and its journal is "
            "removed."
        )
    if ReasonCode.IN_PROGRESS in codes:
        is_newest = evaluation.successor is None
        condition = "a complete one is newer" if is_newest else "nothing is uploaded into it"
        return f"Once {condition}, it goes by the rules like any other."
    return _outlook_by_rules(evaluation, codes, keep_within)


def _outlook_by_rules(
    evaluation: Evaluation, codes: set[ReasonCode], keep_within: Duration | None
) -> str:
    conditions = _conditions(evaluation, codes)
    if ReasonCode.KEEP_WITHIN in codes and keep_within is not None:
        if evaluation.successor is None:
            conditions.append(f"{keep_within} more")
        else:
            ends_at = evaluation.successor.completed_at + keep_within.length
            when = f"{format_minute(ends_at)} (in {format_duration(ends_at - evaluation.now)})"
            if not conditions:
                return f"If nothing changes, it goes after {when}."
            conditions.append(when)
    return f"If nothing changes, it stays. It would go after {', and '.join(conditions)}."


def _conditions(evaluation: Evaluation, codes: set[ReasonCode]) -> list[str]:
    """Return what must happen first: more deployments, or periods that have one."""
    conditions = []
    if codes & set(COUNT_REASONS):
        missing = evaluation.required_count - evaluation.newer_count
        noun = "newer complete deployment"
        if evaluation.is_ordered_by_name:
            noun = "complete deployment with a higher name of the same form"
        conditions.append(pluralize(missing, noun))
    return conditions + [
        f"enough newer {noun}s that have one (or a newer one in the same {noun})"
        for code, noun in _PERIOD_NOUNS.items()
        if code in codes
    ]
