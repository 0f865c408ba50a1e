"""What another policy would change: which deployments change hands, and how far one can go back."""

from dataclasses import dataclass

from ci3.core.model.decision import Decision
from ci3.core.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """Two plans of one bucket, by the old policy and by the new one.

    A plan that may not be applied deletes nothing. `old` is None where there is nothing to compare
    with, and `problem` then says why.
    """

    new: Plan
    old: Plan | None = None
    problem: str = ""

    @property
    def newly_doomed(self) -> tuple[Decision, ...]:
        """What only the new policy deletes, also where the old one took it for no deployment."""
        doomed = {one.deployment.name for one in _deleted(self.old)}
        return tuple(one for one in _deleted(self.new) if one.deployment.name not in doomed)

    @property
    def newly_kept(self) -> tuple[Decision, ...]:
        """What only the old policy deletes."""
        doomed = {one.deployment.name for one in _deleted(self.new)}
        return tuple(one for one in _deleted(self.old) if one.deployment.name not in doomed)


def _deleted(plan: Plan | None) -> tuple[Decision, ...]:
    """List what a plan deletes: nothing where something forbids applying it."""
    return plan.doomed if plan is not None and plan.applyable else ()
