"""What a deletion rests on: it must all have been listed in full, and until then nothing goes."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from ci3.core.model import Deployment, Inventory, ReasonCode
from ci3.core.retention import Check, Judgement, RetentionPolicy

_BY_RULES = (
    ReasonCode.KEEP_COUNT,
    ReasonCode.MINIMUM_KEEP_COUNT,
    ReasonCode.AMBIGUOUS_AGE,
    ReasonCode.KEEP_DAILY,
    ReasonCode.KEEP_WEEKLY,
    ReasonCode.KEEP_MONTHLY,
)
"""Why a deployment stays that others may go for."""
_REPORTED = "only an inventory report tells how old it is"

Judges = Callable[[Inventory], tuple[Judgement, ...]]
Lists = Callable[[Inventory, Collection[str]], Inventory]


def judge_for_certain(
    inventory: Inventory, policy: RetentionPolicy, judged: Judges, list_whole: Lists
) -> tuple[Inventory, tuple[Judgement, ...]]:
    """Judge, list in full what a deletion rests on, and judge again, until none of it is unknown.

    `list_whole` gives an inventory with the named deployments listed in full, or begun where only a
    report told of them and that is enough; one that can't be listed is a hole of it. With an
    inventory report no more goes than without it, whatever it says: see `judge_by_the_known`.
    """
    while True:
        judgements = judged(inventory)
        unknown = {one.name for one in rests_on(judgements, policy) if not one.is_whole}
        if not unknown:
            return inventory, judge_by_the_known(inventory, judgements, judged)
        inventory = list_whole(inventory, unknown)


def rests_on(judgements: Sequence[Judgement], policy: RetentionPolicy) -> tuple[Deployment, ...]:
    """List the deployments whose times must be known for certain before anything is deleted.

    They are the due ones; with `keep-within` those that superseded them, whose end starts the
    clock; and with a rule of days, weeks or months all that may stand for one. Of those that only
    a report tells of, also what the rules keep: for more of them there is no need.
    """
    doomed = [one for one in judgements if one.is_delete]
    needed = [one.deployment for one in doomed]
    if policy.keep_within is not None:
        needed += [one.follower.deployment for one in doomed if one.follower is not None]
    has_periods = bool(policy.keep_daily or policy.keep_weekly or policy.keep_monthly)
    groups = {one.group for one in doomed}
    needed += [
        one.deployment
        for one in judgements
        if one.group in groups
        and one.deployment.complete
        and (_is_kept_by_rules(one) if one.deployment.is_reported else has_periods)
    ]
    return tuple(needed)


def judge_by_the_known(
    inventory: Inventory, judgements: Sequence[Judgement], judged: Judges
) -> tuple[Judgement, ...]:
    """Keep what is due only if one believes what a report alone tells of.

    A deployment less never makes another go. So what goes without the reported ones would go too
    if all of them were listed, as long as they are there.
    """
    known = tuple(one for one in inventory.deployments if not one.is_reported)
    if len(known) == len(inventory.deployments):
        return tuple(judgements)
    among_known = {
        one.deployment.name: one for one in judged(replace(inventory, deployments=known))
    }
    return tuple(
        among_known.get(one.deployment.name) or _kept(one) if one.is_delete else one
        for one in judgements
    )


def _is_kept_by_rules(judgement: Judgement) -> bool:
    return any(check.code in _BY_RULES for check in judgement.matched)


def _kept(judgement: Judgement) -> Judgement:
    doubt = Check(code=ReasonCode.AMBIGUOUS_AGE, is_matched=True, tell=lambda: _REPORTED)
    return replace(judgement, checks=(*judgement.checks, doubt))
