"""Deletes what was approved: journal, gate and engine brought together, and the account of it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.writer import BucketWriter
from ci3.config.settings import Settings
from ci3.core.journal.header import JournalHeader, note_approved
from ci3.core.journal.location import JournalPlace, is_address
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Versioning
from ci3.core.model.result import DeploymentResult, GuardProbe, ObjectOutcome, Result
from ci3.core.plan.plan import Plan
from ci3.engine.deletion.objects import ObjectDeletion
from ci3.engine.deletion.tally import DeletionResult
from ci3.engine.deletion.uploads import Uploads
from ci3.engine.deletion.versions import VersionDeletion, version_guard
from ci3.engine.gate import Gate
from ci3.engine.journal.writer import Journal
from ci3.engine.lifecycle.apply import Expiry
from ci3.engine.workers.run_control import RunControl
from ci3.errors import JournalError
from ci3.pipeline.approval import Approved
from ci3.pipeline.context import Cleanup

if TYPE_CHECKING:
    from ci3.engine.lifecycle.apply import Expired


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What each way to delete needs: where, of which plan, and what every key goes through."""

    cleanup: Cleanup
    plan: Plan
    bucket: BucketReader
    writer: BucketWriter
    gate: Gate
    journal: Journal


def delete(cleanup: Cleanup, approved: Approved, bucket: BucketReader) -> Result:
    """Delete what was approved; whatever happens then, the account of it comes back."""
    plan = approved.plan
    started_at = cleanup.clock()
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    with _open_journal(cleanup.settings, run_id, bucket) as journal:
        cleanup.tell_journal(journal.path)
        journal.begin(
            JournalHeader(
                ci3_version=__version__,
                run_id=run_id,
                plan_id=plan.plan_id,
                started_at=started_at,
                target=plan.target,
                policy=plan.policy,
                deployments=note_approved(one.deployment for one in approved.due),
            )
        )
        return delete_journaled(cleanup, approved, bucket, journal, uploads_before=plan.created_at)


def _open_journal(settings: Settings, run_id: str, bucket: BucketReader) -> Journal:
    if not is_address(settings.journal_file):
        return Journal(settings.journal_file or f"ci3-journal-{run_id}.jsonl")
    from ci3.engine.journal.s3_sink import store_lines  # noqa: PLC0415 - pydantic: few runs store their journal in S3

    place = JournalPlace.of_run(settings.bucket, settings.prefix, run_id)
    return Journal(place.url, store_lines(bucket, place))


def delete_journaled(  # noqa: PLR0913 - all that a deletion is of
    cleanup: Cleanup,
    approved: Approved,
    bucket: BucketReader,
    journal: Journal,
    *,
    uploads_before: datetime,
    gone: Sequence[str] = (),
) -> Result:
    """Delete what was approved, with a journal that was begun.

    Of what is deleted, and under the prefixes that are `gone` already, unfinished uploads are
    aborted that are older than `uploads_before`.
    """
    plan = approved.plan
    work = _open_work(cleanup, approved, bucket, journal)
    uploads = Uploads(
        reader=bucket,
        prefix=plan.target.prefix,
        doomed=[*(one.deployment.prefix for one in approved.due), *gone],
        started_before=uploads_before,
    )
    ruled = [one for one in approved.due if one.expire_days is not None]
    direct = [one for one in approved.due if one.expire_days is None]
    expired = _expire(work, ruled) if ruled else None
    if expired is not None and (expired.problem or not direct):
        why = expired.problem
        deleted = DeletionResult(results=not_begun(direct, why), fully_deleted=(), stopped=why)
        guard = None
    else:
        deleted, guard = _delete_due(work, direct, uploads)
    expiring = expired.names if expired else frozenset()
    aborted = uploads.abort(
        work.writer,
        [
            *(one.prefix for one in deleted.fully_deleted),
            *(one.deployment.prefix for one in ruled if one.deployment.name in expiring),
            *gone,
        ],
    )
    return Result(
        run_id=journal.run_id,
        journal_file=journal.path,
        deployments=(
            *(expired.results if expired else ()),
            *deleted.results,
            *_withdrawn(approved),
        ),
        stopped=_close(journal, deleted.stopped),
        guard=guard,
        uploads_aborted=aborted.count,
        uploads_problem=aborted.problem,
    )


def _open_work(
    cleanup: Cleanup, approved: Approved, bucket: BucketReader, journal: Journal
) -> _Work:
    plan = approved.plan
    return _Work(
        cleanup=cleanup,
        plan=plan,
        bucket=bucket,
        writer=bucket.open_writer(),
        gate=Gate(
            approved.due,
            approved.pins,
            cleanup.limits,
            len(plan.decisions),
            names_versions=plan.deletes_versions,
        ),
        journal=journal,
    )


def _expire(work: _Work, due: Sequence[Decision]) -> "Expired":
    """Leave deployments to S3, by lifecycle rules."""
    cleanup, plan = work.cleanup, work.plan
    expiry = Expiry(
        reader=work.bucket,
        gate=work.gate,
        journal=work.journal,
        progress=cleanup.progress,
        sleep=cleanup.sleep,
        clock=cleanup.clock,
        prefix=plan.target.prefix,
        keeps_versions=plan.target.versioning is Versioning.ENABLED,
        concurrency=cleanup.settings.concurrency,
        kept=plan.kept,
        gone=[one.rule.rule_id for one in plan.rules if one.goes],
    )
    return expiry.run(due)


def not_begun(due: Sequence[Decision], why: str) -> tuple[DeploymentResult, ...]:
    """Say of deployments that nothing of them was deleted."""
    return tuple(
        DeploymentResult(
            name=one.deployment.name,
            counts={ObjectOutcome.FAILED: one.deployment.deletion_count},
            bytes_deleted=0,
            problem=f"not begun: {why}",
        )
        for one in due
    )


def _delete_due(
    work: _Work, due: Sequence[Decision], uploads: Uploads
) -> tuple[DeletionResult, GuardProbe | None]:
    """Delete the objects, or where the plan says so all versions, and say what guarded them."""
    cleanup, writer, target = work.cleanup, work.writer, work.plan.target
    control = RunControl(progress=cleanup.progress, sleep=cleanup.sleep, is_over=cleanup.is_over)
    if work.plan.deletes_versions:
        remover = work.bucket.open_version_remover()
        if target.versioning is not Versioning.ENABLED:
            remover.leave_resending_to_caller()  # `null` may be another by then
        versions = VersionDeletion(
            reader=work.bucket,
            remover=remover,
            gate=work.gate,
            journal=work.journal,
            control=control,
            concurrency=cleanup.settings.concurrency,
        )
        return versions.run(due), version_guard(target.versioning)
    objects = ObjectDeletion(
        reader=work.bucket,
        writer=writer,
        probe=lambda slots: writer.probe(target.prefix, target.versioning, slots),
        list_uploads=uploads.look,
        gate=work.gate,
        journal=work.journal,
        control=control,
        with_versions=target.versioning is Versioning.ENABLED,
        concurrency=cleanup.settings.concurrency,
    )
    return objects.run(due), objects.guard


def _close(journal: Journal, stopped: str) -> str:
    """Write the journal's end; give why the run ended early, if it did."""
    try:
        journal.end(stopped)
    except JournalError as exc:
        return stopped or exc.told
    return stopped


def _withdrawn(approved: Approved) -> tuple[DeploymentResult, ...]:
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
            is_skipped=approved.skips_changed and name not in approved.gone,
        )
        for decision in approved.plan.doomed
        if (name := decision.deployment.name) in approved.withdrawn
    )
