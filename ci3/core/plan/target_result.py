"""The result of a run: plan and outcome of each target, and their sums."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from ci3.core.lifecycle.rule_status import Reconciliation
from ci3.core.model.result import ApplyResult, ObjectOutcome, RunOutcome
from ci3.core.plan.plan import Plan
from ci3.errors import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """The plan of one target, and its result if it was applied.

    `changed` maps the deployments of a saved plan that may not be deleted any more to the reason;
    if there are any and they are not to be skipped, nothing was deleted. `is_stale` is True for
    every target of such a run. `changed_settings` are its settings that differ from the saved plan,
    as `keep-count 2 → 3`. `reconciled` is what happened to the lifecycle rules of earlier
    runs, if there are any.
    """

    plan: Plan
    result: ApplyResult | None = None
    changed: Mapping[str, str] = field(default_factory=dict)
    is_stale: bool = False
    changed_settings: tuple[str, ...] = ()
    reconciled: Reconciliation | None = None

    @property
    def is_planned(self) -> bool:
        """True if the plan was neither applied nor found to be stale."""
        return self.result is None and not self.is_stale

    @property
    def expiring_count(self) -> int:
        """Number of deployments that S3 deletes by rules of earlier runs or of this run."""
        earlier = {decision.deployment.name for decision in self.plan.expiring}
        if self.reconciled is not None:
            earlier -= {rule.name for rule in self.reconciled.removed}
        return len(earlier | (self.result.expiring_names if self.result else frozenset()))

    @property
    def outcome(self) -> RunOutcome:
        """Outcome of the target; without a result, that of the plan.

        Rules that could not be reconciled make an outcome partial, unless the plan was refused.
        """
        if self.is_stale:
            return RunOutcome.STALE_PLAN
        reconciled = self.reconciled
        has_rule_problem = reconciled is not None and bool(
            reconciled.problem or reconciled.live_problem
        )
        if self.result is not None:
            return RunOutcome.PARTIAL if has_rule_problem else self.result.outcome
        if has_rule_problem and self.plan.is_applyable:
            return RunOutcome.PARTIAL
        if not self.plan.is_applyable:
            return RunOutcome.REFUSED
        return RunOutcome.PLANNED if self.plan.to_delete else RunOutcome.NOTHING_TO_DELETE

    @property
    def outputs(self) -> dict[str, str | int]:
        """Values by the names of the action's outputs."""
        plan, result = self.plan, self.result
        return {
            "outcome": self.outcome.value,
            "plan-id": plan.plan_id,
            "deployments-found": plan.totals.found,
            "deployments-kept": plan.totals.keep,
            "deployments-to-delete": plan.totals.delete,
            "deployments-expiring": self.expiring_count,
            "deployments-deleted": result.deployments_deleted if result else 0,
            "objects-deleted": result.count_objects(ObjectOutcome.DELETED) if result else 0,
            "objects-absent": result.count_objects(ObjectOutcome.ABSENT) if result else 0,
            "bytes-deleted": result.bytes_deleted if result else 0,
            "journal-file": result.journal_file if result else "",
        }


def add_reconciled(
    target_results: Sequence[TargetResult], reconciled: Sequence[Reconciliation | None]
) -> tuple[TargetResult, ...]:
    """Return the results with the rule changes made at the start of the run added to each."""
    return tuple(
        replace(target_result, reconciled=_combine(at_start, target_result.reconciled))
        for target_result, at_start in zip(target_results, reconciled, strict=True)
    )


def _combine(earlier: Reconciliation | None, later: Reconciliation | None) -> Reconciliation | None:
    if earlier is not None and later is not None:
        return earlier.combine_with(later)
    return earlier or later


_OUTCOMES_WORST_FIRST = (
    RunOutcome.FAILED,
    RunOutcome.STALE_PLAN,
    RunOutcome.PARTIAL,
    RunOutcome.REFUSED,
    RunOutcome.APPLIED,
    RunOutcome.PLANNED,
    RunOutcome.NOTHING_TO_DELETE,
)


def find_worst_outcome(target_results: Sequence[TargetResult]) -> RunOutcome:
    """Return the worst outcome; `applied` ranks before `planned` and `nothing-to-delete`."""
    outcomes = {target_result.outcome for target_result in target_results}
    return next(outcome for outcome in _OUTCOMES_WORST_FIRST if outcome in outcomes)


def sum_outputs(target_results: Sequence[TargetResult]) -> dict[str, str | int]:
    """Return the action's outputs for all targets of a run; numbers are summed.

    With several targets, `plan-id` is SHA-256 in hex over their ids, one per line, `journal-file`
    has one path per line, and `outcome` is the worst.
    """
    outputs: dict[str, str | int] = {}
    for name in target_results[0].outputs:
        values = [target_result.outputs[name] for target_result in target_results]
        numbers = [value for value in values if isinstance(value, int)]
        outputs[name] = (
            sum(numbers) if numbers else "\n".join(str(value) for value in values if value)
        )
    if len(target_results) > 1:
        ids = str(outputs["plan-id"]).encode("ascii")
        outputs["plan-id"] = hashlib.sha256(ids).hexdigest()
    outputs["outcome"] = find_worst_outcome(target_results).value
    return outputs


def list_outputs(target_results: Sequence[TargetResult]) -> list[dict[str, str | int]]:
    """Return the outputs of each target, with its bucket and prefix."""
    return [
        {
            "bucket": target_result.plan.target.bucket,
            "prefix": target_result.plan.target.prefix,
            **target_result.outputs,
        }
        for target_result in target_results
    ]


def exit_code_of_outcome(outcome: RunOutcome) -> ExitCode:
    """Return the exit code of an outcome."""
    match outcome:
        case RunOutcome.NOTHING_TO_DELETE | RunOutcome.PLANNED | RunOutcome.APPLIED:
            return ExitCode.DONE
        case RunOutcome.PARTIAL:
            return ExitCode.PARTIAL
        case RunOutcome.REFUSED:
            return ExitCode.REFUSED
        case RunOutcome.STALE_PLAN:
            return ExitCode.STALE_PLAN
        case RunOutcome.FAILED:
            return ExitCode.ACCESS
        case _:
            assert_never(outcome)
