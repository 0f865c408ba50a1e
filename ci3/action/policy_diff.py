"""Effect of a pull request's policy file: plans by the base branch's policy and by the new one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci3.config.pattern_targets import bind_target
from ci3.config.policy_file import read_policy_text
from ci3.config.resolve import RawSetting
from ci3.config.settings import Settings
from ci3.config.targets import resolve_targets
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import PolicyChange
from ci3.errors import Ci3Error
from ci3.github.api import GitHubApi
from ci3.pipeline.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePolicy:
    """The policy file at the base commit, with the inputs that override it.

    `path` is absolute or relative to `workspace`, the repository's working directory.
    """

    path: str
    base_commit: str
    workspace: str
    inherited: Mapping[str, RawSetting]
    inputs: Mapping[str, RawSetting]

    def compare_plans(
        self, run: Run, plans: Sequence[Plan], github: GitHubApi
    ) -> tuple[PolicyChange, ...]:
        """Compare each target's plan with one by the old policy; empty if the file is unchanged.

        Errors are reported in the changes' `problem` instead of being raised.
        """
        try:
            relative = os.path.relpath(Path(self.workspace, self.path), self.workspace)
            old_text = github.read_file(Path(relative).as_posix(), self.base_commit)
            new_text = Path(self.path).read_bytes().decode("utf-8")
            if old_text is not None and old_text.splitlines() == new_text.splitlines():
                return ()
            if old_text is None:
                problem = "The base branch does not have this policy file."
                return tuple(PolicyChange(new=plan, problem=problem) for plan in plans)
            origin = f"{self.path} at {self.base_commit[:12]}"
            policy = read_policy_text(old_text, origin)
            old_targets = resolve_targets(self.inherited, policy, self.inputs)
        except (Ci3Error, OSError) as exc:
            message = exc.full_message if isinstance(exc, Ci3Error) else str(exc.strerror)
            problem = f"The old policy cannot be compared: {message}"
            return tuple(PolicyChange(new=plan, problem=problem) for plan in plans)
        return tuple(_compare(run, index, plan, old_targets) for index, plan in enumerate(plans))


def _compare(run: Run, index: int, plan: Plan, old_targets: Sequence[Settings]) -> PolicyChange:
    target_context, bucket = run.contexts[index], run.buckets[index]
    try:
        old_settings = _find_old_settings(target_context.settings, old_targets)
        if old_settings is None:
            return PolicyChange(new=plan, problem="The old policy does not have this target.")
        old_plan = replace(target_context, settings=old_settings).make_plan(bucket)
    except Ci3Error as exc:
        return PolicyChange(
            new=plan, problem=f"Cannot plan with the old policy: {exc.full_message}"
        )
    return PolicyChange(new=plan, old=old_plan)


def _find_old_settings(settings: Settings, old_targets: Sequence[Settings]) -> Settings | None:
    """Return the old settings of a target; of several of the same folder, those with its match."""
    bound = (bind_target(old, settings.prefix) for old in old_targets)
    candidates = [
        old
        for old in bound
        if old is not None and _identify_target(old) == _identify_target(settings)
    ]
    if len(candidates) == 1:
        return candidates[0]
    return next((old for old in candidates if old.match == settings.match), None)


def _identify_target(settings: Settings) -> tuple[str, str, str]:
    return settings.bucket, settings.prefix, settings.endpoint_url
