"""What a run's results contain that is worth a comment on the pull request, or an open issue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ci3.core.formatting import format_json
from ci3.core.model.issues import SETUP_WARNINGS
from ci3.core.model.result import RunOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.report.plan.lifecycle_text import format_rule_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What is new in a run's results.

    `is_comment_worthy`: something is or would be deleted, the plan is blocked, or the setup is
    wrong. `needs_action`: the same, except what this run has done. `digest_text` differs if other
    deployments are to be deleted, or if other problems need attention.
    """

    is_comment_worthy: bool
    needs_action: bool
    digest_text: str

    @classmethod
    def from_results(
        cls, target_results: Sequence[TargetResult], *, has_policy_changes: bool
    ) -> Self:
        """Find what is new in the results of all targets."""
        return cls(
            is_comment_worthy=has_policy_changes or any(map(_has_news, target_results)),
            needs_action=any(map(_needs_action, target_results)),
            digest_text=format_json([_list_news(result) for result in target_results], indent=None),
        )


def _has_news(target_result: TargetResult) -> bool:
    plan = target_result.plan
    has_changes = bool(plan.to_delete) or not plan.is_applyable
    has_changes = has_changes or bool(_list_setup_warnings(target_result))
    return has_changes or bool(format_rule_changes([target_result]))


def _needs_action(target_result: TargetResult) -> bool:
    if target_result.outcome is RunOutcome.NOTHING_TO_DELETE:
        return bool(_list_setup_warnings(target_result))
    return target_result.outcome is not RunOutcome.APPLIED


def _list_news(target_result: TargetResult) -> list[object]:
    plan = target_result.plan
    return [
        plan.target.bucket,
        plan.target.prefix,
        sorted(decision.deployment.name for decision in plan.to_delete),
        sorted({refusal.code for refusal in plan.refusals}),
        _list_setup_warnings(target_result),
    ]


def _list_setup_warnings(target_result: TargetResult) -> list[str]:
    warnings = target_result.plan.warnings
    return sorted({warning.code for warning in warnings if warning.code in SETUP_WARNINGS})
