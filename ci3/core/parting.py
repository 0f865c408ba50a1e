"""A plan that several shards delete at once: cut, and judged as if the others had not begun."""

from collections.abc import Sequence
from dataclasses import replace

from ci3.core.model import AllVersions, Decision, Deployment, ReasonCode
from ci3.core.objections import Limits, hold_limits
from ci3.core.plan import Plan
from ci3.core.shards import Part, Shard, share_out

_PINNED = (ReasonCode.PROTECTED, ReasonCode.CURRENT_COMMIT, ReasonCode.LIVE)


def cut(plans: Sequence[Plan], shard: Shard) -> tuple[Plan, ...]:
    """Leave of what the plans of a run doom, to one shard its part, by the plans alone.

    A deployment is never cut: it is listed, compared, journaled and resumed as one.
    """
    counts = {
        (number, decision.deployment.name): decision.deployment.deletion_count
        for number, plan in enumerate(plans)
        for decision in plan.doomed
    }
    numbers = share_out(counts, shard.count)
    return tuple(
        replace(
            plan,
            part=Part(
                shard=shard,
                others=frozenset(
                    decision.deployment.name
                    for decision in plan.doomed
                    if numbers[number, decision.deployment.name] != shard.number
                ),
            ),
        )
        for number, plan in enumerate(plans)
    )


def overlook_others(fresh: Plan, plan: Plan, limits: Limits) -> Plan:
    """Take, in a new plan, what is other shards' as it was planned, where only they need have been.

    So the whole plan is judged alike by every shard, whenever it starts: what the others delete
    meanwhile neither makes it stale nor makes room under a limit. What of theirs has more in it
    than was planned, or newer, or is pinned by now, stays as it is found. What is this shard's own
    is never overlooked.
    """
    others = plan.part.others if plan.part else frozenset()
    planned = {one.deployment.name: one for one in plan.all_doomed if one.deployment.name in others}
    decisions = [
        was if (was := planned.pop(now.deployment.name, None)) and _is_theirs(now, was) else now
        for now in fresh.decisions
    ]
    ignored = {one.name.removesuffix("/") for one in fresh.ignored}
    decisions += (one for name, one in planned.items() if name not in ignored)
    return replace(
        fresh,
        decisions=tuple(decisions),
        refusals=hold_limits(fresh.refusals, decisions, limits),
    )


def _is_theirs(now: Decision, was: Decision) -> bool:
    """Whether a deletion, done or begun, explains what has become of a deployment."""
    is_pinned = any(reason.code in _PINNED for reason in now.reasons)
    return not is_pinned and _is_less(now.deployment, was.deployment)


def _is_less(now: Deployment, was: Deployment) -> bool:
    """Whether it is as it was but for objects or versions that are gone: there is nothing newer."""
    is_within = True
    if now.oldest_at and now.newest_at and was.oldest_at and was.newest_at:
        is_within = was.oldest_at <= now.oldest_at and now.newest_at <= was.newest_at
    if not now.is_whole:
        return False
    if now.fingerprint == was.fingerprint:
        return _has_fewer_versions(now.versions, was.versions)
    is_smaller = now.object_count < was.object_count and now.size_bytes <= was.size_bytes
    return is_within and is_smaller


def _has_fewer_versions(now: AllVersions | None, was: AllVersions | None) -> bool:
    if now is None or was is None:
        return False
    return now.count < was.count and now.size_bytes <= was.size_bytes
