"""Explanation of one deployment: the check of every rule and pin, and when it would be deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci3.core.formatting import format_duration, format_minute, pluralize
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import Refusal
from ci3.core.retention.evaluation import COUNT_REASONS, Evaluation
from ci3.core.units import Duration
from ci3.errors import end_sentence

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
    if planned is not None and planned.is_keep and evaluation.is_delete:
        outlook = f"Kept: {'; '.join(reason.message for reason in reasons)}."
    if messages := [reason.message for reason in reasons if reason.code in _LIFECYCLE_REASONS]:
        outlook = f"{outlook} With the lifecycle engine: {'; '.join(messages)}."
    if refusals:
        problems = " ".join(end_sentence(refusal.message) for refusal in refusals)
        outlook = f"{outlook} But the plan cannot be applied: {problems}"
    return Explanation(evaluation=evaluation, outlook=outlook)


def _outlook(evaluation: Evaluation, keep_within: Duration | None) -> str:
    codes = {check.code for check in evaluation.keeping_checks}
    pins = [check.message for check in evaluation.keeping_checks if check.code in _PIN_REASONS]
    if evaluation.is_delete:
        return "Would be deleted now."
    if ReasonCode.NO_OBJECTS in codes:
        return "There is nothing to delete."
    if pins:
        return f"Kept as long as this applies: {'; '.join(pins)}."
    if ReasonCode.PARTLY_DELETED in codes:
        return (
            "Kept until it is deployed again completely, or that run has ended and its journal is "
            "removed."
        )
    if ReasonCode.IN_PROGRESS in codes:
        is_newest = evaluation.successor is None
        condition = "there is a newer complete one" if is_newest else "uploads to it have ended"
        return f"Kept for now. The keep rules apply once {condition}."
    outlook = _outlook_by_rules(evaluation, codes, keep_within)
    if ReasonCode.EXPIRE_CLOSED in codes:
        outlook = "Kept while the state of its pull request is unknown."
    elif evaluation.expiry is not None:
        outlook = f"{outlook} expire-closed may delete it earlier."
    return outlook


def _outlook_by_rules(
    evaluation: Evaluation, codes: set[ReasonCode], keep_within: Duration | None
) -> str:
    conditions = _conditions(evaluation, codes)
    if ReasonCode.KEEP_WITHIN in codes and keep_within is not None:
        if evaluation.successor is None:
            conditions.append(f"another {keep_within}")
        else:
            ends_at = evaluation.successor.completed_at + keep_within.length
            when = f"{format_minute(ends_at)} (in {format_duration(ends_at - evaluation.now)})"
            if not conditions:
                return f"Will be deleted after {when}, unless something changes."
            conditions.append(when)
    return f"Kept unless something changes. Will be deleted after {', and '.join(conditions)}."


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
        f"enough newer {noun}s with a deployment (or a newer deployment in the same {noun})"
        for code, noun in _PERIOD_NOUNS.items()
        if code in codes
    ]
