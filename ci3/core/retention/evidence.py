"""What a deletion rests on: it must all have been listed in full, and until then nothing goes."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

from ci3.core.model.decision import ReasonCode
from ci3.core.model.deployment import Deployment, Inventory
from ci3.core.retention.decide import Check, Judgement, RetentionPolicy

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
NOTHING_BEGUN: Mapping[str, str] = MappingProxyType({})
"""No deployment is half deleted."""

Judges = Callable[[Inventory], tuple[Judgement, ...]]
Lists = Callable[[Inventory, Collection[str]], Inventory]


def judge_for_certain(
    inventory: Inventory,
    policy: RetentionPolicy,
    judged: Judges,
    list_whole: Lists,
    begun: Mapping[str, str],
) -> tuple[Inventory, tuple[Judgement, ...]]:
    """Judge, list in full what a deletion rests on, and judge again, until none of it is unknown.

    `list_whole` gives an inventory with the named deployments listed in full, or begun where only a
    report told of them and that is enough; one that can't be listed is a hole of it. With an
    inventory report no more goes than without it, whatever it says: see `judge_by_the_known`.

    `begun` names the deployments whose deletion has begun, each with its fingerprint before that.
    A deployment in it whose fingerprint has changed does not supersede any other.
    """
    while True:
        judgements = judged(inventory)
        needed = [deployment for deployment in inventory.deployments if deployment.name in begun]
        needed += rests_on(judgements, policy)
        unknown = {one.name for one in needed if not one.is_whole}
        if not unknown:
            return inventory, judge_by_the_known(inventory, judgements, judged, begun)
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
    begun: Mapping[str, str],
) -> tuple[Judgement, ...]:
    """Keep what would be deleted only because of a reported or a half-deleted deployment.

    Taking a deployment out of the inventory never makes another one deletable. So whatever is
    deleted without the reported ones is deleted with them too, and whatever is deleted without the
    half-deleted ones is deleted whatever becomes of those. A half-deleted deployment itself is
    evaluated together with the others: its own deletion may be completed.
    """
    reported = {deployment.name for deployment in inventory.deployments if deployment.is_reported}
    half_deleted = {
        deployment.name
        for deployment in inventory.deployments
        if deployment.name in begun and deployment.fingerprint != begun[deployment.name]
    }
    if not reported and not half_deleted:
        return tuple(judgements)

    def judged_without(names: Set[str]) -> dict[str, Judgement]:
        rest = tuple(one for one in inventory.deployments if one.name not in names)
        found = judged(replace(inventory, deployments=rest))
        return {one.deployment.name: one for one in found}

    known = judged_without(reported | half_deleted)
    if half_deleted:
        with_half_deleted = judged_without(reported)
        known |= {
            name: with_half_deleted[name] for name in half_deleted if name in with_half_deleted
        }
    return tuple(
        known.get(judgement.deployment.name) or _kept(judgement)
        if judgement.is_delete
        else judgement
        for judgement in judgements
    )


def _is_kept_by_rules(judgement: Judgement) -> bool:
    return any(check.code in _BY_RULES for check in judgement.matched)


def _kept(judgement: Judgement) -> Judgement:
    doubt = Check(code=ReasonCode.AMBIGUOUS_AGE, is_matched=True, tell=lambda: _REPORTED)
    return replace(judgement, checks=(*judgement.checks, doubt))
