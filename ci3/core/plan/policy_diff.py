"""Compare two retention policies: their settings, and what they delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci3.core.model.decision import Decision
from ci3.core.model.policy import PolicyEntry
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


def list_changed_settings(
    saved: Mapping[str, PolicyEntry], current: Mapping[str, PolicyEntry]
) -> tuple[str, ...]:
    """Return each setting whose value differs: `keep-count 2 → 3`, `match v.* → not set`."""
    values = (
        (name, *(policy[name].text if name in policy else "not set" for policy in (saved, current)))
        for name in dict.fromkeys((*saved, *current))
    )
    return tuple(f"{name} {before} → {now}" for name, before, now in values if before != now)
