"""What one can roll back to: the complete deployments that stay behind each group's newest."""

from collections.abc import Iterable
from typing import TypeVar

from ci3.core.model.decision import Decision
from ci3.core.retention.decide import Judgement

Decided = TypeVar("Decided", Decision, Judgement)


def rollback_targets(decisions: Iterable[Decided]) -> tuple[Decided, ...]:
    """Pick them from decisions that stand newest first, as `decide` gives them; in that order."""
    served: set[str] = set()
    targets = []
    for decision in decisions:
        if not decision.is_keep or not decision.deployment.complete:
            continue
        if decision.group in served:
            targets.append(decision)
        served.add(decision.group)
    return tuple(targets)
