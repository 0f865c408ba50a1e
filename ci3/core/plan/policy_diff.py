"""Compare the deletions of two retention policies."""

from collections.abc import Sequence
from dataclasses import dataclass

from ci3.core.model.decision import Decision
from ci3.core.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """The plans of one target with the old and with the new policy.

    A plan with refusals deletes nothing. `old` is None if there is no policy to compare with;
    `problem` is the reason.
    """

    new: Plan
    old: Plan | None = None
    problem: str = ""

    @property
    def newly_deleted(self) -> tuple[Decision, ...]:
        """Deletions of the new policy only.

        Includes folders that were not deployments with the old policy.
        """
        return _subtract(_get_deletions(self.new), _get_deletions(self.old))

    @property
    def newly_kept(self) -> tuple[Decision, ...]:
        """Deletions of the old policy only."""
        return _subtract(_get_deletions(self.old), _get_deletions(self.new))


def _get_deletions(plan: Plan | None) -> tuple[Decision, ...]:
    return plan.to_delete if plan is not None and plan.is_applyable else ()


def _subtract(decisions: Sequence[Decision], excluded: Sequence[Decision]) -> tuple[Decision, ...]:
    excluded_names = {decision.deployment.name for decision in excluded}
    return tuple(
        decision for decision in decisions if decision.deployment.name not in excluded_names
    )
