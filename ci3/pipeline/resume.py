"""Resume a run that a crash, a timeout or lost access has ended, in the same journal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.core.formatting import format_minute
from ci3.core.journal.header import JournalHeader
from ci3.core.journal.location import RunState
from ci3.core.journal.resume import (
    ResumePlan,
    find_absent_keys,
    has_only_own_deletions,
    plan_resume,
)
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import TargetResult
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.journal.reader import OpenJournal
from ci3.engine.journal.recovery import resolve_unknown_outcomes
from ci3.engine.journal.writer import Journal
from ci3.errors import JournalError
from ci3.pipeline.apply import ApprovedDeletion, report_late_live
from ci3.pipeline.approval import approve_plan, refuse_changed_target
from ci3.pipeline.context import TargetContext


@dataclass(slots=True, kw_only=True)
class ResumedRun:
    """A run to resume: at most what its journal names as approved is deleted."""

    context: TargetContext
    bucket: BucketReader
    open_journal: OpenJournal
    _kept_reasons: Mapping[str, str] = field(init=False, default_factory=dict)
    _absent_prefixes: Sequence[str] = field(init=False, default=())

    @property
    def header(self) -> JournalHeader:
        """The header of the journal: the run that is resumed."""
        return self.open_journal.journal_file.header

    def make_plan(self) -> Plan:
        """Return a new plan, limited to what was approved; nothing is deleted or written.

        Raises RefusedError if the target's configuration has changed.
        """
        resume_plan = self._plan_resume()
        self._kept_reasons = resume_plan.kept_reasons
        self._absent_prefixes = resume_plan.absent_prefixes
        return resume_plan.plan

    def apply_plan(self, plan: Plan, *, is_fresh: bool) -> TargetResult:
        """Execute the deletions of the plan, and continue the journal.

        A deployment that was approved then and is kept now has a result that says why.
        """
        if not plan.to_delete and not self._kept_reasons and self._is_finished:
            self._mark_finished()
            return TargetResult(plan=plan)
        newer_plan = None if is_fresh else self._plan_resume().plan
        approved = approve_plan(
            self.context, plan, self.bucket, is_fresh=is_fresh, newer_plan=newer_plan
        )
        resumed_at = self.context.clock()
        with Journal.resume(
            self.open_journal, ci3_version=__version__, resumed_at=resumed_at
        ) as journal:
            self.context.on_journal_open(journal.path)
            resolve_unknown_outcomes(self.bucket, self.open_journal.journal_file, journal)
            deletion = ApprovedDeletion(
                context=self.context,
                approved=approved,
                bucket=self.bucket,
                journal=journal,
                uploads_before=self.header.started_at,
                gone_prefixes=self._absent_prefixes,
            )
            result = report_late_live(deletion.delete_deployments(), approved)
        kept = self._build_kept_results(plan)
        result = replace(result, deployments=(*result.deployments, *kept))
        has_content = result.deployments or result.stop_reason or result.uploads_aborted
        return TargetResult(plan=plan, result=result if has_content else None)

    def _mark_finished(self) -> None:
        """Record that nothing is left, in case the run ended before it could."""
        if {*self.open_journal.journal_file.prefixes}.issubset(self._absent_prefixes):
            with suppress(JournalError):  # usually, the run has done it
                self.open_journal.sink.record_state(RunState.FINISHED)

    @property
    def _is_finished(self) -> bool:
        written = self.open_journal.journal_file
        return written.has_ended and not written.stop_reason and not written.unresolved_prefixes

    def _plan_resume(self) -> ResumePlan:
        new_plan = self.context.make_plan(self.bucket, self._partly_deleted)
        refuse_changed_target(self.header.target, new_plan.target)
        unchanged, restored = self._compare_partly_deleted(new_plan)
        return plan_resume(
            new_plan,
            self.header.deployments,
            unchanged,
            run_label=f"run {self.header.run_id} of {format_minute(self.header.started_at)}",
            restored_prefixes=restored,
            limits=self.context.limits,
        )

    @property
    def _partly_deleted(self) -> dict[str, str]:
        """Fingerprints at approval, by name, of the deployments that the run started to delete."""
        started = {*self.open_journal.journal_file.prefixes}
        return {
            deployment.name: deployment.fingerprint
            for prefix, deployment in self.header.deployments.items()
            if prefix in started
        }

    def _compare_partly_deleted(self, new_plan: Plan) -> tuple[set[str], set[str]]:
        """Compare the partly deleted deployments with the journal; return two sets of prefixes.

        The first: only the run itself has changed the deployment. The second: objects that the run
        deleted exist again.
        """
        unchanged: set[str] = set()
        restored: set[str] = set()
        for decision in new_plan.to_delete:
            planned = decision.deployment
            approved = self.header.deployments.get(planned.prefix)
            entries = self.open_journal.journal_file.read_entries(planned.prefix)
            if approved is None or not entries:
                continue
            deleted_keys = find_absent_keys(entries)
            if planned.fingerprint == approved.fingerprint:
                is_restored = bool(deleted_keys)
            else:
                current, objects = list_deployment(self.bucket, planned.name, planned.prefix)
                is_as_planned = current.fingerprint == planned.fingerprint
                if not is_as_planned or not has_only_own_deletions(approved, objects, entries):
                    continue
                is_restored = any(stored.key in deleted_keys for stored in objects)
            (restored if is_restored else unchanged).add(planned.prefix)
        return unchanged, restored

    def _build_kept_results(self, plan: Plan) -> Iterator[DeploymentResult]:
        object_counts = {
            decision.deployment.name: decision.deployment.object_count
            for decision in plan.decisions
        }
        for name, reason in self._kept_reasons.items():
            approved = self.header.deployments[f"{self.header.target.prefix}{name}/"]
            count = object_counts.get(name) or approved.object_count
            yield DeploymentResult(
                name=name,
                counts={ObjectOutcome.CHANGED: count},
                bytes_deleted=0,
                problem=f"kept: {reason}",
            )
