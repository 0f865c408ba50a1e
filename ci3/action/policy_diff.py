"""What a pull request's policy file changes: a plan by the base's policy against the new one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci3.config.policy_file import read_policy_text
from ci3.config.resolve import Given
from ci3.config.settings import Settings
from ci3.config.targets import resolve_targets
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.errors import Ci3Error
from ci3.github.api import GitHubApi
from ci3.pipeline.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPolicy:
    """Where the policy file is, and of which commit its old text is asked."""

    path: str
    base_commit: str
    workspace: str
    inherited: Mapping[str, Given]
    inputs: Mapping[str, Given]

    def find_changes(
        self, run: Run, plans: Sequence[Plan], github: GitHubApi
    ) -> tuple[PolicyChange, ...]:
        """Compare each target's plan with one by the old policy; none where the file is as it was.

        What can't be compared is said in the changes: nothing is raised for it.
        """
        try:
            relative = os.path.relpath(Path(self.workspace, self.path), self.workspace)
            old_text = github.read_file(Path(relative).as_posix(), self.base_commit)
            new_text = Path(self.path).read_bytes().decode("utf-8")
            if old_text is not None and old_text.splitlines() == new_text.splitlines():
                return ()
            if old_text is None:
                why = "The base branch has no such file to compare it with."
                return tuple(PolicyChange(new=plan, problem=why) for plan in plans)
            where = f"{self.path} at {self.base_commit[:12]}"
            policy = read_policy_text(old_text, where)
            old_targets = resolve_targets(self.inherited, policy, self.inputs)
        except (Ci3Error, OSError) as exc:
            told = exc.told if isinstance(exc, Ci3Error) else str(exc.strerror)
            why = f"The old one can't be compared with it: {told}"
            return tuple(PolicyChange(new=plan, problem=why) for plan in plans)
        return tuple(_compare(run, number, plan, old_targets) for number, plan in enumerate(plans))


def _compare(run: Run, number: int, plan: Plan, old_targets: Sequence[Settings]) -> PolicyChange:
    cleanup, bucket = run.cleanups[number], run.buckets[number]
    place = _place(cleanup.settings)
    old = next((one for one in old_targets if _place(one) == place), None)
    if old is None:
        return PolicyChange(new=plan, problem="The old one has no such target.")
    try:
        old_plan = replace(cleanup, settings=old).make_plan(bucket)
    except Ci3Error as exc:
        return PolicyChange(new=plan, problem=f"There is no plan by the old one: {exc.told}")
    return PolicyChange(new=plan, old=old_plan)


def _place(settings: Settings) -> tuple[str, str, str]:
    return settings.bucket, settings.prefix, settings.endpoint_url
