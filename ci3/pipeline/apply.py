"""Delete the approved deployments: connect journal, gate and engine, and build the result."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.writer import BucketWriter
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
from ci3.engine.journal.writer import Journal
from ci3.engine.lifecycle.apply import ExpiryRuleWriter
from ci3.engine.live_watch import LiveWatch, describe_partly_deleted
from ci3.engine.workers.run_control import RunControl
from ci3.errors import JournalError, describe_error
from ci3.pipeline.approval import Approval
from ci3.pipeline.context import TargetContext

if TYPE_CHECKING:
    from ci3.engine.lifecycle.apply import ExpiryResult


_GONE_OUTCOMES = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT, ObjectOutcome.UNKNOWN)
"""Outcomes of objects that the run has deleted, or may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _DeletionContext:
    """What the engines share: target, plan, clients, gate and journal."""

    context: TargetContext
    plan: Plan
    bucket: BucketReader
    writer: BucketWriter
    gate: Gate
    journal: Journal
    live: LiveWatch


def delete_approved(
    context: TargetContext, approved: Approval, bucket: BucketReader
) -> ApplyResult:
    """Delete the approved deployments in a new run.

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
        return delete_with_journal(
            context, approved, bucket, journal, uploads_before=plan.created_at
        )


def _open_journal(settings: Settings, run_id: str, bucket: BucketReader) -> Journal:
    if not is_s3_url(settings.journal_file):
        return Journal(settings.journal_file or f"ci3-journal-{run_id}.jsonl")
    from ci3.engine.journal.s3_sink import open_s3_sink  # noqa: PLC0415 - pydantic: few runs store their journal in S3

    location = JournalLocation.for_run(settings.bucket, settings.prefix, run_id)
    return Journal(location.url, open_s3_sink(bucket, location))


def delete_with_journal(  # noqa: PLR0913 - what a new run and a resumed run have in common
    context: TargetContext,
    approved: Approval,
    bucket: BucketReader,
    journal: Journal,
    *,
    uploads_before: datetime,
    gone_prefixes: Sequence[str] = (),
) -> ApplyResult:
    """Delete the approved deployments, with a journal that is already open.

    Unfinished uploads that were started before `uploads_before` are aborted under the deployments
    that are deleted, and under `gone_prefixes`, of which nothing is left to delete. Those of the
    last 24 hours never are: the same name may be deployed again right now. The live sources are
    read a last time at the end.

    Any error is raised only if nothing can have been deleted. After an intent, it ends the run
    early, and every object is unknown.
    """
    try:
        result = _delete(context, approved, bucket, journal, uploads_before, gone_prefixes)
    except (Exception, KeyboardInterrupt) as exc:
        if not journal.has_intent:
            raise
        result = _build_unknown_result(approved, journal, describe_error(exc))
    return report_late_live(result, approved)


def _delete(  # noqa: PLR0913, PLR0917 - see delete_with_journal
    context: TargetContext,
    approved: Approval,
    bucket: BucketReader,
    journal: Journal,
    uploads_before: datetime,
    gone_prefixes: Sequence[str],
) -> ApplyResult:
    plan = approved.plan
    deletion = _open_deletion(context, approved, bucket, journal)
    uploads = UnfinishedUploads(
        reader=bucket,
        prefix=plan.target.prefix,
        prefixes_to_delete=[
            *(decision.deployment.prefix for decision in approved.to_delete),
            *gone_prefixes,
        ],
        started_before=min(uploads_before, context.clock() - MAX_UPLOAD_AGE),
    )
    by_rule = [decision for decision in approved.to_delete if decision.expire_days is not None]
    direct = [decision for decision in approved.to_delete if decision.expire_days is None]
    expired = _write_rules(deletion, by_rule) if by_rule else None
    if expired is not None and (expired.problem or not direct):
        reason = expired.problem
        deleted = DeletionResult(
            results=build_not_started_results(direct, reason), fully_deleted=(), stop_reason=reason
        )
        guard = None
    else:
        deleted, guard = _delete_directly(deletion, direct, uploads)
    expiring = [
        decision.deployment.prefix
        for decision in by_rule
        if expired and decision.deployment.name in expired.expiring_names
    ]
    gone = [*(deployment.prefix for deployment in deleted.fully_deleted), *gone_prefixes]
    aborted = uploads.abort(deletion.writer, [*gone, *expiring])
    return ApplyResult(
        run_id=journal.run_id,
        journal_file=journal.path,
        deployments=(
            *(expired.results if expired else ()),
            *deleted.results,
            *_build_withdrawn_results(approved),
        ),
        stop_reason=_end_journal(journal, deleted.stop_reason, gone),
        guard=guard,
        uploads_aborted=aborted.count,
        uploads_problem=aborted.problem,
        journal_problem=journal.sharing_problem,
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


def _open_deletion(
    context: TargetContext, approved: Approval, bucket: BucketReader, journal: Journal
) -> _DeletionContext:
    plan = approved.plan
    return _DeletionContext(
        context=context,
        plan=plan,
        bucket=bucket,
        writer=bucket.open_writer(),
        gate=Gate(
            approved.to_delete,
            approved.pins,
            context.limits,
            len(plan.decisions),
            is_by_version=plan.deletes_versions,
        ),
        journal=journal,
        live=approved.live,
    )


def _write_rules(deletion: _DeletionContext, decisions: Sequence[Decision]) -> "ExpiryResult":
    """Write lifecycle rules by which S3 deletes the deployments."""
    context, plan = deletion.context, deletion.plan
    expiry = ExpiryRuleWriter(
        reader=deletion.bucket,
        gate=deletion.gate,
        journal=deletion.journal,
        progress=context.progress,
        sleep=context.sleep,
        clock=context.clock,
        prefix=plan.target.prefix,
        keeps_versions=plan.target.versioning is Versioning.ENABLED,
        concurrency=context.settings.concurrency,
        live=deletion.live,
        kept=plan.kept,
        removed_ids=[entry.rule.rule_id for entry in plan.rules if entry.should_remove],
    )
    return expiry.write_rules(decisions)


def build_not_started_results(
    decisions: Sequence[Decision], reason: str
) -> tuple[DeploymentResult, ...]:
    """Return results for deployments of which nothing was deleted."""
    return tuple(
        DeploymentResult(
            name=decision.deployment.name,
            counts={ObjectOutcome.FAILED: decision.deployment.deletion_count},
            bytes_deleted=0,
            problem=f"not begun: {reason}",
        )
        for decision in decisions
    )


def _delete_directly(
    deletion: _DeletionContext, decisions: Sequence[Decision], uploads: UnfinishedUploads
) -> tuple[DeletionResult, GuardProbe | None]:
    """Delete the objects, or all versions if the plan says so; also return the guard used."""
    context, writer, target = deletion.context, deletion.writer, deletion.plan.target
    control = RunControl(
        progress=context.progress, sleep=context.sleep, is_time_up=context.is_timed_out
    )
    if deletion.plan.deletes_versions:
        remover = deletion.bucket.open_version_remover()
        if target.versioning is not Versioning.ENABLED:
            remover.disable_retries()  # the `null` version may be a new one by then
        versions = VersionDeletion(
            reader=deletion.bucket,
            remover=remover,
            gate=deletion.gate,
            journal=deletion.journal,
            control=control,
            live=deletion.live,
            required_file=context.settings.required_file,
            concurrency=context.settings.concurrency,
        )
        return versions.delete_deployments(decisions), describe_version_guard(target.versioning)
    objects = ObjectDeletion(
        reader=deletion.bucket,
        writer=writer,
        probe=lambda slots: writer.probe_conditional_deletes(
            target.prefix, target.versioning, slots
        ),
        list_uploads=uploads.find,
        gate=deletion.gate,
        journal=deletion.journal,
        control=control,
        live=deletion.live,
        with_versions=target.versioning is Versioning.ENABLED,
        required_file=context.settings.required_file,
        concurrency=context.settings.concurrency,
    )
    return objects.delete_deployments(decisions), objects.guard


def _build_unknown_result(approved: Approval, journal: Journal, reason: str) -> ApplyResult:
    """Return the result of a run that was cut off after it had recorded an intent."""
    return ApplyResult(
        run_id=journal.run_id,
        journal_file=journal.path,
        deployments=(
            *(
                DeploymentResult(
                    name=decision.deployment.name,
                    counts={ObjectOutcome.UNKNOWN: decision.deployment.deletion_count},
                    bytes_deleted=0,
                    problem=f"it is not known what was deleted: {reason}",
                )
                for decision in approved.to_delete
            ),
            *_build_withdrawn_results(approved),
        ),
        stop_reason=reason,
        journal_problem=journal.sharing_problem,
    )


def _end_journal(journal: Journal, stopped: str, deleted_prefixes: Sequence[str]) -> str:
    """Write the last record of the journal; return why the run ended early, or an empty text.

    A failed write counts as an early end.
    """
    try:
        journal.record_end(stopped, deleted_prefixes)
    except JournalError as exc:
        return stopped or exc.full_message
    return stopped


def _build_withdrawn_results(approved: Approval) -> tuple[DeploymentResult, ...]:
    return tuple(
        DeploymentResult(
            name=name,
            counts={
                ObjectOutcome.ABSENT
                if name in approved.gone
                else ObjectOutcome.CHANGED: decision.deployment.deletion_count
            },
            bytes_deleted=0,
            problem="" if name in approved.gone else f"kept: {approved.withdrawn[name]}",
            is_skipped=approved.should_skip_changed and name not in approved.gone,
        )
        for decision in approved.plan.to_delete
        if (name := decision.deployment.name) in approved.withdrawn
    )
