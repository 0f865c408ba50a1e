"""Rollback targets: the kept complete deployments behind each group's newest one."""

from collections.abc import Iterable
from typing import TypeVar

from ci3.core.model.decision import Decision
from ci3.core.retention.evaluation import Evaluation

_DecisionT = TypeVar("_DecisionT", Decision, Evaluation)


def find_rollback_targets(decisions: Iterable[_DecisionT]) -> tuple[_DecisionT, ...]:
    """Return the rollback targets of decisions in `decide`'s order (newest first), in that order.

    The newest kept complete deployment of each group is not a target: it is the current one. A
    protected one is not taken for it unless the group has no other, and one that is newer is no
    target either: it may be a folder that all deployments share.
    """
    kept = [
        decision for decision in decisions if decision.is_keep and decision.deployment.is_complete
    ]
    counted_groups = {decision.group for decision in kept if decision.is_counted}
    seen_groups: set[str] = set()
    targets = []
    for decision in kept:
        if decision.group in seen_groups:
            targets.append(decision)
        elif decision.is_counted or decision.group not in counted_groups:
            seen_groups.add(decision.group)
    return tuple(targets)
