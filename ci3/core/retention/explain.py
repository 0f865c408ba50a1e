"""Why one deployment stays or goes: every rule and pin, and when it would go if nothing changes."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci3.core.formatting import counted, moment, span
from ci3.core.model.decision import Decision, ReasonCode
from ci3.core.model.issues import Refusal
from ci3.core.retention.decide import Judgement
from ci3.core.units import Duration

_PINS = (ReasonCode.PROTECTED, ReasonCode.CURRENT_COMMIT, ReasonCode.LIVE)
_COUNTS = (ReasonCode.KEEP_COUNT, ReasonCode.MINIMUM_KEEP_COUNT, ReasonCode.AMBIGUOUS_AGE)
_OF_RULES = (
    ReasonCode.BY_RULE,
    ReasonCode.NOT_BY_RULE,
    ReasonCode.NO_ROOM_FOR_RULE,
    ReasonCode.EXPIRING,
)
_PERIODS = {
    ReasonCode.KEEP_DAILY: "day",
    ReasonCode.KEEP_WEEKLY: "week",
    ReasonCode.KEEP_MONTHLY: "month",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One deployment's judgement, and in a sentence what will become of it."""

    judgement: Judgement
    outlook: str


def explain(
    judgement: Judgement,
    keep_within: Duration | None,
    refusals: Sequence[Refusal] = (),
    planned: Decision | None = None,
) -> Explanation:
    """Add to a judgement when the deployment would go.

    `keep_within` is the rule in force; `refusals` are what forbids to delete anything at all;
    `planned` is what a plan makes of it, where lifecycle rules have a say.
    """
    outlook = _outlook(judgement, keep_within)
    reasons = planned.reasons if planned else ()
    if of_rules := [one.message for one in reasons if one.code in _OF_RULES]:
        outlook = f"{outlook} By engine: lifecycle: {'; '.join(of_rules)}."
    if refusals:
        told = "; ".join(refusal.message for refusal in refusals)
        outlook = f"{outlook} But nothing is deleted as long as this holds: {told}."
    return Explanation(judgement=judgement, outlook=outlook)


def _outlook(judgement: Judgement, keep_within: Duration | None) -> str:
    codes = {check.code for check in judgement.matched}
    pins = [check.message for check in judgement.matched if check.code in _PINS]
    if judgement.decision.is_delete:
        outlook = "It is due now."
    elif ReasonCode.NO_OBJECTS in codes:
        outlook = "There is nothing in it that could be deleted."
    elif pins:
        outlook = f"It stays as long as this holds: {'; '.join(pins)}."
    elif ReasonCode.IN_PROGRESS in codes:
        outlook = "Once a complete one is newer, it goes by the rules like any other."
    else:
        outlook = _outlook_by_rules(judgement, codes, keep_within)
    return outlook


def _outlook_by_rules(
    judgement: Judgement, codes: set[ReasonCode], keep_within: Duration | None
) -> str:
    needs = _needs(judgement, codes)
    if ReasonCode.KEEP_WITHIN in codes and keep_within is not None:
        if judgement.follower is None:
            needs.append(f"{keep_within} more")
        else:
            ends_at = judgement.follower.done_at + keep_within.length
            when = f"{moment(ends_at)} (in {span(ends_at - judgement.now)})"
            if not needs:
                return f"If nothing changes, it goes after {when}."
            needs.append(when)
    return f"If nothing changes, it stays. It would go after {', and '.join(needs)}."


def _needs(judgement: Judgement, codes: set[ReasonCode]) -> list[str]:
    """Say what must come first: more deployments, or days that have one."""
    needs = []
    if codes & set(_COUNTS):
        missing = judgement.needed_count - judgement.newer_count
        needs.append(counted(missing, "newer complete deployment"))
    return needs + [
        f"enough newer {noun}s that have one (or a newer one in the same {noun})"
        for code, noun in _PERIODS.items()
        if code in codes
    ]
