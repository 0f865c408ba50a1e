"""Rollback targets: the kept complete deployments behind each group's current one."""

from collections.abc import Iterable
from typing import TypeVar

from ci3.core.model.decision import Decision
from ci3.core.retention.evaluation import Evaluation

_NEVER_CURRENT = 4

_DecisionT = TypeVar("_DecisionT", Decision, Evaluation)


def find_rollback_targets(decisions: Iterable[_DecisionT]) -> tuple[_DecisionT, ...]:
    """Return the rollback targets of decisions in `decide`'s order (newest first), in that order.

    These are the kept complete deployments behind the current one of their group. The current one
    is the first of these kinds that the group has:

    1. the newest live deployment
    2. the newest kept complete deployment that is not protected: a protected one may be a folder
       that all deployments share
    3. the newest kept complete deployment

    For example, d3 is live and all are kept: of d5, d4, d3, d2, d1, the targets are d2 and d1.
    """
    kept = [decision for decision in decisions if decision.is_keep]
    ranks: dict[str, int] = {}
    for decision in kept:
        rank = min(_rank_as_current(decision), ranks.get(decision.group, _NEVER_CURRENT))
        ranks[decision.group] = rank
    passed_groups: set[str] = set()
    targets = []
    for decision in kept:
        if decision.group in passed_groups:
            targets += [decision] if decision.deployment.is_complete else []
        elif _rank_as_current(decision) == ranks[decision.group]:
            passed_groups.add(decision.group)
    return tuple(targets)


def _rank_as_current(decision: Decision | Evaluation) -> int:
    """Return which kind of current deployment it would be; see `find_rollback_targets`."""
    if decision.is_live:
        return 1
    if decision.is_counted:
        return 2
    return 3 if decision.deployment.is_complete else _NEVER_CURRENT
