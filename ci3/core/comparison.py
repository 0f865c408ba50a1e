"""What another policy would change: which deployments change hands, and how far one can go back."""

from dataclasses import dataclass

from ci3.core.model import Decision
from ci3.core.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """Two plans of one bucket, by the old policy and by the new one.

    The decisions are the new plan's. `old` is None where there is nothing to compare with, and
    `problem` then says why.
    """

    new: Plan
    old: Plan | None = None
    problem: str = ""

    @property
    def newly_doomed(self) -> tuple[Decision, ...]:
        """What only the new policy deletes, also where the old one took it for no deployment."""
        kept = {one.deployment.name for one in self.old.doomed} if self.old else set()
        return tuple(one for one in self.new.doomed if one.deployment.name not in kept)

    @property
    def newly_kept(self) -> tuple[Decision, ...]:
        """What only the old policy deletes."""
        if self.old is None:
            return ()
        doomed = {one.deployment.name for one in self.new.doomed}
        return tuple(one for one in self.old.doomed if one.deployment.name not in doomed)
