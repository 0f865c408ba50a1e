"""A run over its targets: they are planned and refused together and applied one after another."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.config.pattern_targets import lists_targets
from ci3.core.journal.location import require_own_journal_folder
from ci3.core.model.issues import NOT_FOUND_CODES
from ci3.core.plan.json_writer import dump_plans
from ci3.core.plan.plan import Plan
from ci3.core.plan.shared_folders import find_overlap, refuse_shared_deployments
from ci3.core.plan.target_result import TargetResult
from ci3.errors import SettingsError
from ci3.pipeline.approval import refuse_unless_applyable
from ci3.pipeline.concurrent_targets import map_targets
from ci3.pipeline.context import TargetContext
from ci3.pipeline.expansion import (
    OpenTarget,
    open_planned_targets,
    open_resumed_target,
    open_targets,
)
from ci3.pipeline.lifecycle_cleanup import reconcile_at_start
from ci3.pipeline.pattern_listing import PatternListing
from ci3.pipeline.plan_file import write_plan_file
from ci3.pipeline.shared_reads import GitHubReads, SharedReads
from ci3.pipeline.target_run import TargetRun, delete_each

if TYPE_CHECKING:
    from ci3.core.lifecycle.rule_status import Reconciliation
    from ci3.engine.journal.reader import OpenJournal
    from ci3.pipeline.resume import ResumedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run over one or more targets.

    `saved` are the saved plans that it applies, if any.
    """

    contexts: Sequence[TargetContext]
    buckets: Sequence[BucketReader]
    saved_plans: Sequence[Plan] = ()
    resumed_run: "ResumedRun | None" = None
    """The earlier run that this run resumes, if any."""

    @property
    def has_targets(self) -> bool:
        """True if a policy file or a pattern gives the targets, even if it is only one."""
        return lists_targets(self.contexts[0].settings)

    def make_plans(self) -> tuple[Plan, ...]:
        """Return a plan for every target, in order: a new one, or the saved one.

        Raises SettingsError if two targets overlap. The settings were checked for that before, but
        the AWS configuration can name an endpoint too.
        """
        if self.resumed_run is not None:
            return (self.resumed_run.make_plan(),)
        plans = tuple(self.saved_plans) or self._make_new_plans()
        if overlap := find_overlap(plans):
            outer, inner = overlap
            raise SettingsError(
                f"target {inner + 1}, {plans[inner].target.url}, is inside target "
                f"{outer + 1}, {plans[outer].target.url}",
                "Nothing was deleted. Name each folder once, or set match so that the outer "
                "target excludes the inner one.",
            )
        return refuse_shared_deployments(plans)

    def _make_new_plans(self) -> tuple[Plan, ...]:
        """Plan every target; plan again if a missing name may have been deployed since the search.

        The folders of a pattern are listed before its live sources are read.
        """
        listings, began_at = _select_listings(self.contexts), self.contexts[0].monotonic()
        for listing in listings:
            listing.prepare_plans(began_at)
        plans = self._plan_targets()
        if not any(refusal.code in NOT_FOUND_CODES for plan in plans for refusal in plan.refusals):
            return plans
        now = self.contexts[0].monotonic()
        has_changed = [listing.list_again(now, needed_after=now) for listing in listings]
        return self._plan_targets() if any(has_changed) else plans

    def _plan_targets(self) -> tuple[Plan, ...]:
        return map_targets(
            self.contexts,
            "Planning targets",
            lambda context, index: context.make_plan(self.buckets[index]),
        )

    def has_work(self, target_runs: Sequence[TargetRun]) -> bool:
        """Return True if `apply_plans` would delete something, or end a resumed run."""
        has_deletions = any(target_run.plan.to_delete for target_run in target_runs)
        return (has_deletions or self.resumed_run is not None) and all(
            target_run.plan.is_applyable and not target_run.is_blocked for target_run in target_runs
        )

    def reconcile_rules(self, plans: Sequence[Plan]) -> tuple[TargetRun, ...]:
        """Start an apply: in each target, remove managed rules that are no longer justified.

        Every apply must do this first, whatever happens later: it deletes no objects, and it stops
        S3 from deleting deployments that are to be kept now.
        """
        targets = zip(self.contexts, self.buckets, plans, strict=True)
        reads = SharedReads(began_at=self.contexts[0].monotonic())
        return tuple(
            TargetRun(
                context=context,
                bucket=bucket,
                plan=plan,
                reconciled=self._reconcile(context, bucket, plan, reads),
            )
            for context, bucket, plan in targets
        )

    def _reconcile(
        self, context: TargetContext, bucket: BucketReader, plan: Plan, reads: SharedReads
    ) -> "Reconciliation | None":
        if self.saved_plans:  # the saved plan has the rules of when it was made
            rules = reads.read(id(bucket), lambda: context.read_lifecycle_rules(bucket))
            plan = context.make_plan(bucket) if rules.managed_rules else plan
        if not plan.rules:
            return None
        return reconcile_at_start(context, bucket, plan)

    def apply_plans(
        self, target_runs: Sequence[TargetRun], *, is_fresh: bool
    ) -> tuple[TargetResult, ...]:
        """Execute the approved deletions of all plans, then revoke outdated rules.

        Nothing is deleted in any target if one of them refuses. If the run stops early in one
        target, nothing is deleted in the following ones, and their results say so.

        After an error, each target run has the revoked rules in its `target_result`.
        """
        try:
            self._delete_approved(target_runs, is_fresh=is_fresh)
        finally:
            target_results = revoke_all_rules(target_runs)
        return target_results

    def _delete_approved(self, target_runs: Sequence[TargetRun], *, is_fresh: bool) -> None:
        refuse_unless_applyable(*(target_run.plan for target_run in target_runs))
        if self.resumed_run is not None:
            resumed = target_runs[0]
            resumed.is_deleting = True
            resumed.target_result = self.resumed_run.apply_plan(resumed.plan, is_fresh=is_fresh)
            return
        is_fresh = is_fresh and not self.saved_plans
        begun = [target_run for target_run in target_runs if target_run.plan.to_delete]
        contexts = [target_run.context for target_run in target_runs]
        for listing in _select_listings(contexts) if not is_fresh else ():
            listing.prepare_plans(self.contexts[0].monotonic())
        github_reads = GitHubReads(needed_after=math.inf, monotonic=self.contexts[0].monotonic)
        approvals = map_targets(
            [replace(target_run.context, github_reads=github_reads) for target_run in begun],
            "Checking targets",
            lambda context, index: begun[index].approve_plan(context, is_fresh=is_fresh),
        )
        steps = list(zip(begun, approvals, strict=True))
        current_plans = [target_run.newer_plan or target_run.plan for target_run in target_runs]
        refuse_unless_applyable(*refuse_shared_deployments(current_plans))
        is_changed = any(approved.changed for _, approved in steps)
        if self.saved_plans and is_changed and not self.contexts[0].settings.skip_changed:
            for target_run in target_runs:
                target_run.target_result = TargetResult(plan=target_run.plan, is_stale=True)
            for target_run, approved in steps:
                target_run.target_result = replace(
                    target_run.target_result,
                    changed=approved.changed,
                    changed_settings=target_run.list_changed_settings(),
                )
            return
        delete_each(steps, github_reads)

    def save_plans(self, plans: Sequence[Plan]) -> None:
        """Write the plan file, if the setting names one.

        Raises SettingsError if that fails, or would overwrite a file that is not a plan.
        """
        if path := self.contexts[0].settings.plan_file:
            write_plan_file(dump_plans(plans, has_targets=self.has_targets), path)


def open_run(
    contexts: Sequence[TargetContext],
    saved_plans: Sequence[Plan] = (),
    open_journal: "OpenJournal | None" = None,
) -> Run:
    """Open every target's bucket for reading, and start the timeout.

    With `opened`, a journal that must stay open, the run resumes the one that wrote it. Raises
    SettingsError if a journal would be stored outside of its target's journal folder.
    """
    for context in contexts:
        settings = context.settings
        require_own_journal_folder(
            settings.journal_file, settings.bucket, settings.prefix, settings.pattern
        )
    timed = [
        replace(context, ends_at=context.clock() + context.settings.timeout.length)
        if context.settings.timeout
        else context
        for context in contexts
    ]
    resumption = None
    if open_journal is not None:
        from ci3.pipeline.resume import ResumedRun  # noqa: PLC0415 - pydantic: only a resume reads a journal

        targets: Sequence[OpenTarget] = [open_resumed_target(timed[0])]
        resumption = ResumedRun(
            context=targets[0].context, bucket=targets[0].bucket, open_journal=open_journal
        )
    else:
        targets = open_planned_targets(timed) if saved_plans else open_targets(timed)
    return Run(
        contexts=[target.context for target in targets],
        buckets=[target.bucket for target in targets],
        saved_plans=saved_plans,
        resumed_run=resumption,
    )


def revoke_all_rules(target_runs: Iterable[TargetRun]) -> tuple[TargetResult, ...]:
    """Revoke outdated rules in every target, as the last step of an apply."""
    return tuple(target_run.revoke_rules() for target_run in target_runs)


def _select_listings(contexts: Iterable[TargetContext]) -> list[PatternListing]:
    """Return the listing of each pattern, once."""
    listings = (context.pattern_listing for context in contexts)
    return list({id(listing): listing for listing in listings if listing is not None}.values())
