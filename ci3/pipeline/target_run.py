"""One target in an apply, and the deletions in all targets, one after another."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.core.model.decision import Engine
from ci3.core.model.result import ApplyResult
from ci3.core.plan.plan import Plan
from ci3.core.plan.policy_diff import list_changed_settings
from ci3.core.plan.target_result import TargetResult
from ci3.errors import (
    JOURNAL_HINT,
    Ci3Error,
    InterruptedApplyError,
    InterruptedRunError,
    describe_error,
)
from ci3.pipeline.apply import build_not_started_result, delete_approved, report_late_live
from ci3.pipeline.approval import (
    Approval,
    approve_plan,
    make_newer_plan,
    recheck_live,
    recheck_uploads,
)
from ci3.pipeline.context import TargetContext
from ci3.pipeline.lifecycle_cleanup import revoke_at_end
from ci3.pipeline.shared_reads import REUSE_SECONDS, GitHubReads

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import Reconciliation


@dataclass(slots=True, kw_only=True)
class TargetRun:
    """The state of one target in an apply: its plan, and its result so far."""

    context: TargetContext
    bucket: BucketReader
    plan: Plan
    reconciled: "Reconciliation | None"
    """What happened to the lifecycle rules of earlier runs; None if there were none."""
    newer_plan: Plan | None = None
    """A newer plan that this run has made, if any."""
    approval: Approval | None = None
    """What may be deleted, once the deletion has started."""
    is_deleting: bool = False
    """True once the deletion has started, whatever its result."""
    target_result: TargetResult = field(init=False)

    def __post_init__(self) -> None:
        self.target_result = TargetResult(plan=self.plan)

    @property
    def is_blocked(self) -> bool:
        """True if no rules may be written because those of earlier runs could not be reconciled."""
        has_rule_problem = self.reconciled is not None and bool(self.reconciled.problem)
        return has_rule_problem and self.plan.engine is Engine.LIFECYCLE

    def approve_plan(self, context: TargetContext, *, is_fresh: bool) -> Approval:
        """Return which deletions of the plan may be executed now; raises RefusedError.

        `context` is that of the target in this phase of the run.
        """
        if not is_fresh:
            self.newer_plan = make_newer_plan(context, self.plan, self.bucket)
        return approve_plan(
            context, self.plan, self.bucket, is_fresh=is_fresh, newer_plan=self.newer_plan
        )

    def list_changed_settings(self) -> tuple[str, ...]:
        """Return the settings that differ from those of a saved plan."""
        newer_plan = self.newer_plan or self.plan
        return list_changed_settings(self.plan.policy, newer_plan.policy)

    def delete_approved(self, approved: Approval) -> ApplyResult:
        """Delete the approved deployments; see `ci3.pipeline.apply`."""
        self.approval, self.is_deleting = approved, True
        try:
            return delete_approved(self.context, approved, self.bucket)
        finally:
            if self.context.pattern_listing is not None:
                prefix = self.context.settings.prefix
                self.context.pattern_listing.exclude_names(prefix, approved.live.begun_names)

    def revoke_rules(self) -> TargetResult:
        """Revoke the rules for deployments that are live, pinned or kept now; return the result.

        Rules are only searched if there can be any: there were managed rules at the start or in a
        plan of this run, or this run has written rules, or may have.
        """
        had_rules = self.reconciled is not None or bool((self.newer_plan or self.plan).rules)
        may_have_written = self.is_deleting and self.plan.engine is Engine.LIFECYCLE
        if had_rules or may_have_written:
            self.target_result = revoke_at_end(
                self.context, self.bucket, self.target_result, self.newer_plan
            )
        return self.target_result


def describe_interrupt(target_runs: Iterable[TargetRun]) -> Ci3Error:
    """Return the error for an interrupt of an apply: whether something may have been deleted."""
    if any(target_run.is_deleting for target_run in target_runs):
        return InterruptedApplyError("interrupted", JOURNAL_HINT)
    return InterruptedRunError("interrupted", "Nothing was deleted.")


def delete_each(steps: Sequence[tuple[TargetRun, Approval]], github_reads: GitHubReads) -> None:
    """Delete in one target after another, until one stops early; then read what is live now."""
    stopped = ""
    for index, (target_run, approved) in enumerate(steps):
        if stopped:
            result = build_not_started_result(target_run.plan, stopped)
        elif index == 0:
            result = target_run.delete_approved(approved)
        else:
            result = _delete_later_target(target_run, approved, github_reads)
        target_run.target_result = TargetResult(plan=target_run.plan, result=result)
        live_problem = target_run.approval.live.problem if target_run.approval else ""
        stopped = result.stop_reason or live_problem
    last_reads = GitHubReads(needed_after=-math.inf, monotonic=github_reads.monotonic)
    for target_run, _ in steps:
        earlier, approval = target_run.target_result, target_run.approval
        if earlier.result is not None and approval is not None:
            approval.share_last_reading(last_reads)
            reported = report_late_live(earlier.result, approval)
            target_run.target_result = replace(earlier, result=reported)


def _delete_later_target(
    target_run: TargetRun, approved: Approval, github_reads: GitHubReads
) -> ApplyResult:
    """Delete in a target after the first: live sources and uploads are read again before.

    Any error becomes a result: the results of the earlier targets must still be reported. None is
    raised once something may have been deleted.
    """
    try:
        recent = github_reads.view_since(github_reads.monotonic() - REUSE_SECONDS)
        context, bucket = replace(target_run.context, github_reads=recent), target_run.bucket
        rechecked = recheck_live(context, approved, bucket)
        rechecked = recheck_uploads(context, rechecked, bucket)
        return target_run.delete_approved(rechecked)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - as above
        return build_not_started_result(target_run.plan, describe_error(exc))
