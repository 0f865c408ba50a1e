"""Delete the approved deployments: connect journal, gate and engine, and build the result."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.writer import BucketWriter
from ci3.config.pattern_targets import add_label, label_folder
from ci3.config.settings import Settings
from ci3.core.journal.header import JournalHeader, approved_by_prefix
from ci3.core.journal.location import JournalLocation, is_s3_url
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ApplyResult, DeploymentResult, GuardProbe, ObjectOutcome
from ci3.core.plan.plan import Plan
from ci3.core.retention.in_progress import MAX_UPLOAD_AGE
from ci3.engine.deletion.objects import ObjectDeletion
from ci3.engine.deletion.tally import DeletionResult
from ci3.engine.deletion.uploads import UnfinishedUploads
from ci3.engine.deletion.versions import VersionDeletion, describe_version_guard
from ci3.engine.gate import Gate
from ci3.engine.journal.file_sink import refuse_existing_journal
from ci3.engine.journal.writer import Journal
from ci3.engine.lifecycle.apply import ExpiryResult, ExpiryRuleWriter
from ci3.engine.live_watch import describe_partly_deleted
from ci3.engine.workers.run_control import RunControl
from ci3.errors import JournalError, describe_error
from ci3.pipeline.approval import Approval
from ci3.pipeline.context import TargetContext

_GONE_OUTCOMES = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT, ObjectOutcome.UNKNOWN)
"""Outcomes of objects that the run has deleted, or may have."""


def delete_approved(
    context: TargetContext, approved: Approval, bucket: BucketReader
) -> ApplyResult:
    """Delete the approved deployments in a new run; `report_late_live` must follow.

    A run that stops early returns a result as well.
    """
    plan = approved.plan
    started_at = context.clock()
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    with _open_journal(context.settings, run_id, bucket) as journal:
        context.on_journal_open(journal.path)
        journal.write_header(
            JournalHeader(
                ci3_version=__version__,
                run_id=run_id,
                plan_id=plan.plan_id,
                started_at=started_at,
                target=plan.target,
                policy=plan.policy,
                deployments=approved_by_prefix(
                    decision.deployment for decision in approved.to_delete
                ),
            )
        )
        deletion = ApprovedDeletion(
            context=context,
            approved=approved,
            bucket=bucket,
            journal=journal,
            uploads_before=plan.created_at,
        )
        return deletion.delete_deployments()


def refuse_existing_journals(contexts: Iterable[TargetContext]) -> None:
    """Raise SettingsError if the journal file of a target exists.

    For a new run, before its plans: otherwise the error would follow only after their approval.
    """
    for context in contexts:
        path = context.settings.journal_file
        if path and not is_s3_url(path):
            refuse_existing_journal(path)


def _open_journal(settings: Settings, run_id: str, bucket: BucketReader) -> Journal:
    if not is_s3_url(settings.journal_file):
        default_file = f"ci3-journal-{run_id}.jsonl"
        if settings.folder:
            default_file = add_label(default_file, label_folder(settings.folder))
        return Journal(settings.journal_file or default_file)
    from ci3.engine.journal.s3_sink import open_s3_sink  # noqa: PLC0415 - pydantic: few runs store their journal in S3

    location = JournalLocation.for_run(settings.bucket, settings.prefix, run_id)
    return Journal(location.url, open_s3_sink(bucket, location))


@dataclass(slots=True, kw_only=True)
class ApprovedDeletion:
    """The deletion of the approved deployments with an open journal, in a new or a resumed run.

    Unfinished uploads that were started before `uploads_before` are aborted under the deployments
    that are deleted, and under `gone_prefixes`, of which nothing is left to delete. Those of the
    last 24 hours never are: the same name may be deployed again right now.
    """

    context: TargetContext
    approved: Approval
    bucket: BucketReader
    journal: Journal
    uploads_before: datetime
    gone_prefixes: Sequence[str] = ()
    _plan: Plan = field(init=False)
    _writer: BucketWriter = field(init=False)
    _gate: Gate = field(init=False)

    def __post_init__(self) -> None:
        self._plan = self.approved.plan
        self._writer = self.bucket.open_writer()
        self._gate = Gate(
            self.approved.to_delete,
            self.approved.pins,
            self.context.limits,
            len(self._plan.decisions),
            is_by_version=self._plan.deletes_versions,
        )

    def delete_deployments(self) -> ApplyResult:
        """Delete the deployments; the caller reads the live sources a last time.

        Any error is raised only if nothing can have been deleted. After an intent, it ends the run
        early, and every object is unknown.
        """
        try:
            return self._delete()
        except (Exception, KeyboardInterrupt) as exc:
            if not self.journal.has_intent:
                raise
            reason = describe_error(exc)
            problem = f"it is not known what was deleted: {reason}"
            unknown = _make_results(self.approved.to_delete, ObjectOutcome.UNKNOWN, problem)
            return self._make_result(unknown, reason)

    def _delete(self) -> ApplyResult:
        to_delete = self.approved.to_delete
        uploads = UnfinishedUploads(
            reader=self.bucket,
            prefix=self._plan.target.prefix,
            prefixes_to_delete=[
                *(decision.deployment.prefix for decision in to_delete),
                *self.gone_prefixes,
            ],
            started_before=min(self.uploads_before, self.context.clock() - MAX_UPLOAD_AGE),
        )
        by_rule = [decision for decision in to_delete if decision.expire_days is not None]
        direct = [decision for decision in to_delete if decision.expire_days is None]
        expired = self._write_rules(by_rule) if by_rule else ExpiryResult(results=())
        if by_rule and (expired.problem or not direct):
            reason = expired.problem
            not_started = _build_not_started_results(direct, reason)
            deleted = DeletionResult(results=not_started, fully_deleted=(), stop_reason=reason)
            guard = None
        else:
            deleted, guard = self._delete_directly(direct, uploads)
        expiring_names = expired.expiring_names
        expiring = [
            decision.deployment.prefix
            for decision in by_rule
            if decision.deployment.name in expiring_names
        ]
        removed_prefixes = [
            *(deployment.prefix for deployment in deleted.fully_deleted),
            *self.gone_prefixes,
        ]
        aborted = uploads.abort(self._writer, [*removed_prefixes, *expiring])
        stop_reason = self._end_journal(deleted.stop_reason, removed_prefixes)
        return replace(
            self._make_result((*expired.results, *deleted.results), stop_reason),
            guard=guard,
            uploads_aborted=aborted.count,
            uploads_problem=aborted.problem,
        )

    def _write_rules(self, decisions: Sequence[Decision]) -> ExpiryResult:
        context, plan = self.context, self._plan
        expiry = ExpiryRuleWriter(
            reader=self.bucket,
            gate=self._gate,
            journal=self.journal,
            progress=context.progress,
            sleep=context.sleep,
            clock=context.clock,
            prefix=plan.target.prefix,
            keeps_versions=plan.target.versioning is Versioning.ENABLED,
            concurrency=context.settings.concurrency,
            live=self.approved.live,
            kept=plan.kept,
            removed_ids=[entry.rule.rule_id for entry in plan.rules if entry.should_remove],
        )
        return expiry.write_rules(decisions)

    def _delete_directly(
        self, decisions: Sequence[Decision], uploads: UnfinishedUploads
    ) -> tuple[DeletionResult, GuardProbe | None]:
        """Delete the objects, or all versions if the plan says so; also return the guard used."""
        context, target = self.context, self._plan.target
        control = RunControl(
            progress=context.progress, sleep=context.sleep, is_time_up=context.is_timed_out
        )
        if self._plan.deletes_versions:
            remover = self.bucket.open_version_remover()
            if target.versioning is not Versioning.ENABLED:
                remover.disable_retries()  # the `null` version may be a new one by then
            versions = VersionDeletion(
                reader=self.bucket,
                remover=remover,
                gate=self._gate,
                journal=self.journal,
                control=control,
                live=self.approved.live,
                required_file=context.settings.required_file,
                concurrency=context.settings.concurrency,
            )
            return versions.delete_deployments(decisions), describe_version_guard(target.versioning)
        objects = ObjectDeletion(
            reader=self.bucket,
            writer=self._writer,
            probe=lambda slots: self._writer.probe_conditional_deletes(
                target.prefix, target.versioning, slots
            ),
            list_uploads=uploads.find,
            gate=self._gate,
            journal=self.journal,
            control=control,
            live=self.approved.live,
            with_versions=target.versioning is Versioning.ENABLED,
            required_file=context.settings.required_file,
            concurrency=context.settings.concurrency,
        )
        return objects.delete_deployments(decisions), objects.guard

    def _end_journal(self, stopped: str, deleted_prefixes: Sequence[str]) -> str:
        """Write the last record of the journal; return why the run ended early, or an empty text.

        A write that fails or is interrupted counts as an early end.
        """
        try:
            self.journal.record_end(stopped, deleted_prefixes)
        except (JournalError, KeyboardInterrupt) as exc:
            return stopped or describe_error(exc)
        return stopped

    def _make_result(self, results: Iterable[DeploymentResult], stop_reason: str) -> ApplyResult:
        return ApplyResult(
            run_id=self.journal.run_id,
            journal_file=self.journal.path,
            deployments=(*results, *_make_withdrawn_results(self.approved)),
            stop_reason=stop_reason,
            journal_problem=self.journal.sharing_problem,
        )


def report_late_live(result: ApplyResult, approved: Approval) -> ApplyResult:
    """Read the live sources a last time; return the result with what became live too late.

    Nothing is read if nothing was deleted. A failed reading is the reason of an early end: it is
    not known whether something live was deleted.
    """
    deleted_counts = {
        deployment.name: sum(deployment.counts.get(outcome, 0) for outcome in _GONE_OUTCOMES)
        for deployment in result.deployments
    }
    if not any(deleted_counts.values()):
        return result
    live = approved.live
    live.read_last()
    planned_counts = {
        decision.deployment.name: decision.deployment.deletion_count
        for decision in approved.plan.to_delete
    }
    problems = {
        name: describe_partly_deleted(reason, count, planned_counts[name])
        for name, count in deleted_counts.items()
        if count and name not in live.kept and (reason := live.find_reason(name))
    }
    return replace(
        result,
        deployments=tuple(
            replace(deployment, problem=problems.get(deployment.name, deployment.problem))
            for deployment in result.deployments
        ),
        stop_reason=result.stop_reason or live.problem,
    )


def build_not_started_result(plan: Plan, reason: str) -> ApplyResult:
    """Return the result of a target in which nothing was deleted."""
    return ApplyResult(
        run_id="",
        journal_file="",
        deployments=_build_not_started_results(plan.to_delete, reason),
        stop_reason=reason,
    )


def _build_not_started_results(
    decisions: Iterable[Decision], reason: str
) -> tuple[DeploymentResult, ...]:
    return _make_results(decisions, ObjectOutcome.FAILED, f"not started: {reason}")


def _make_results(
    decisions: Iterable[Decision], outcome: ObjectOutcome, problem: str
) -> tuple[DeploymentResult, ...]:
    deployments = (decision.deployment for decision in decisions)
    return tuple(DeploymentResult.with_outcome(item, outcome, problem) for item in deployments)


def _make_withdrawn_results(approved: Approval) -> Iterator[DeploymentResult]:
    for planned in (decision.deployment for decision in approved.plan.to_delete):
        reason = approved.withdrawn.get(planned.name)
        if planned.name in approved.gone:
            yield DeploymentResult.with_outcome(planned, ObjectOutcome.ABSENT, "")
        elif reason is not None:
            kept = DeploymentResult.with_outcome(planned, ObjectOutcome.CHANGED, f"kept: {reason}")
            yield replace(kept, is_skipped=approved.should_skip_changed)
