"""Rollback targets: the kept complete deployments behind each group's newest one."""

from collections.abc import Iterable
from typing import TypeVar

from ci3.core.model.decision import Decision
from ci3.core.retention.decide import Evaluation

_DecisionT = TypeVar("_DecisionT", Decision, Evaluation)


def find_rollback_targets(decisions: Iterable[_DecisionT]) -> tuple[_DecisionT, ...]:
    """Return the rollback targets of decisions in `decide`'s order (newest first), in that order.

    The newest kept complete deployment of each group is not a target: it is the current one.
    """
    seen_groups: set[str] = set()
    targets = []
    for decision in decisions:
        if not decision.is_keep or not decision.deployment.is_complete:
            continue
        if decision.group in seen_groups:
            targets.append(decision)
        seen_groups.add(decision.group)
    return tuple(targets)
