"""What a deletion rests on: it must all have been listed in full, and until then nothing goes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fading:
    """What deletions may be in the midst of, by name.

    `elsewhere` is what others may delete at any moment; `here` what this run had begun with, each
    with the fingerprint of before: where that is as it was, nothing is gone.
    """

    here: Mapping[str, str] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()

    def begun(self, deployments: Iterable[Deployment]) -> frozenset[str]:
        """Name those of which this run has deleted something."""
        return frozenset(
            one.name
            for one in deployments
            if one.name in self.here and one.fingerprint != self.here[one.name]
        )


NOTHING_FADES = Fading()

Judges = Callable[[Inventory], tuple[Judgement, ...]]
Lists = Callable[[Inventory, Collection[str]], Inventory]


def judge_for_certain(
    inventory: Inventory,
    policy: RetentionPolicy,
    judged: Judges,
    list_whole: Lists,
    fading: Fading = NOTHING_FADES,
) -> tuple[Inventory, tuple[Judgement, ...]]:
    """Judge, list in full what a deletion rests on, and judge again, until none of it is unknown.

    `list_whole` gives an inventory with the named deployments listed in full, or begun where only a
    report told of them and that is enough; one that can't be listed is a hole of it. With an
    inventory report no more goes than without it, whatever it says: see `judge_by_the_known`.
    Nothing goes on account of what is `fading`.
    """
    while True:
        judgements = judged(inventory)
        fades = fading.elsewhere | fading.here.keys()
        needed = [one for one in inventory.deployments if one.name in fades]
        needed += rests_on(judgements, policy)
        unknown = {one.name for one in needed if not one.is_whole}
        if not unknown:
            return inventory, judge_by_the_known(inventory, judgements, judged, fading)
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
    inventory: Inventory,
    judgements: Sequence[Judgement],
    judged: Judges,
    fading: Fading = NOTHING_FADES,
) -> tuple[Judgement, ...]:
    """Keep what is due only if one believes in what a report alone tells of, or what may be going.

    A deployment less never makes another go. So what goes without the reported ones would go too
    if all of them were listed, as long as they are there. And what goes without the fading ones
    goes whatever becomes of those. What this run has begun may go without what others have, and
    what others have begun is judged as it is found.
    """
    reported = {one.name for one in inventory.deployments if one.is_reported}
    begun = fading.begun(inventory.deployments)
    if not reported and not begun and not fading.elsewhere:
        return tuple(judgements)

    def judged_without(names: Set[str]) -> dict[str, Judgement]:
        rest = tuple(one for one in inventory.deployments if one.name not in names)
        found = judged(replace(inventory, deployments=rest))
        return {one.deployment.name: one for one in found}

    known = judged_without(reported | begun | fading.elsewhere)
    if begun:
        of_begun = judged_without(reported | fading.elsewhere)
        known |= {name: of_begun[name] for name in begun if name in of_begun}
    as_found = fading.elsewhere - reported
    return tuple(
        known.get(one.deployment.name) or _kept(one)
        if one.is_delete and one.deployment.name not in as_found
        else one
        for one in judgements
    )


def _is_kept_by_rules(judgement: Judgement) -> bool:
    return any(check.code in _BY_RULES for check in judgement.matched)


def _kept(judgement: Judgement) -> Judgement:
    doubt = Check(code=ReasonCode.AMBIGUOUS_AGE, is_matched=True, tell=lambda: _REPORTED)
    return replace(judgement, checks=(*judgement.checks, doubt))
