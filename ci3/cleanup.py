"""The one road that both faces take: inventory, pins, decision, plan, apply, result."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.gate import Gate
from ci3.core.model import (
    Decision,
    DeploymentResult,
    Inventory,
    ObjectOutcome,
    Outcome,
    Result,
)
from ci3.core.pins import Pin, pin_commits, protect
from ci3.core.plan import Plan, compare, find_refusals, find_warnings
from ci3.core.planfile import dump_plan
from ci3.core.retention import RetentionPolicy, decide
from ci3.engine.direct import Deletion
from ci3.engine.inventory import take_inventory
from ci3.engine.journal import Journal
from ci3.engine.progress import Progress
from ci3.errors import ExitCode, JournalError, RefusedError, SettingsError
from ci3.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Settings and surroundings of one run; `commits` are those that the run is about."""

    settings: Settings
    commits: Sequence[str]
    progress: Progress
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    tell_journal: Callable[[str], None] = lambda _path: None
    """Told where the journal is before the first request goes out."""

    def open_bucket(self) -> BucketReader:
        """Open the bucket for reading; nothing that this returns can delete."""
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
        )

    def take_inventory(self, bucket: BucketReader) -> Inventory:
        """List the deployments, without deciding anything."""
        return take_inventory(bucket, self.settings.prefix, self.settings.match, self.progress)

    def make_plan(self, bucket: BucketReader) -> Plan:
        """Decide what would be deleted, and why."""
        inventory = self.take_inventory(bucket)
        target = bucket.target(self.settings.prefix)
        pins = self._pins()
        now = self.clock()
        policy = RetentionPolicy(keep_count=self.settings.keep_count)
        decisions = decide(inventory, policy, pins, now, MINIMUM_KEEP_COUNT)
        return Plan(
            ci3_version=__version__,
            created_at=now,
            target=target,
            policy=self.settings.recorded,
            decisions=decisions,
            ignored=inventory.ignored,
            refusals=find_refusals(inventory, decisions, pins, self.settings.max_delete),
            warnings=find_warnings(inventory, pins, target.versioning),
        )

    def apply(self, plan: Plan, bucket: BucketReader, *, is_fresh: bool) -> Result:
        """Delete what the plan names and is still due.

        A plan that is not fresh, because a person took time to approve it, is held against a new
        one first. Raises RefusedError for a plan that may not be applied.
        """
        refuse_unless_applyable(plan)
        due, withdrawn, gone = plan.doomed, dict[str, str](), frozenset[str]()
        if not is_fresh:
            new_plan = self.make_plan(bucket)
            refuse_unless_applyable(new_plan)
            if new_plan.target != plan.target:
                raise RefusedError(
                    f"{plan.target.url} is not as it was when the plan was shown: "
                    f"versioning was {plan.target.versioning}, is {new_plan.target.versioning}",
                    "Nothing was deleted. Look at a new plan.",
                )
            still_due = compare(plan, new_plan)
            due, withdrawn = still_due.due, dict(still_due.withdrawn)
            left = {decision.deployment.name for decision in new_plan.decisions}
            gone = frozenset(withdrawn) - left
        started_at = self.clock()
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        path = self.settings.journal_file or f"ci3-journal-{run_id}.jsonl"
        gate = Gate(due, self._pins())
        with Journal(path) as journal:
            self.tell_journal(path)
            journal.begin(
                ci3_version=__version__,
                run_id=run_id,
                plan_id=plan.plan_id,
                started_at=started_at,
                target=plan.target,
            )
            deletion = Deletion(
                reader=bucket,
                writer=bucket.open_writer(),
                gate=gate,
                journal=journal,
                progress=self.progress,
                sleep=self.sleep,
            )
            deleted = deletion.run(due)
            stopped = _close(journal, deleted.stopped)
        return Result(
            run_id=run_id,
            journal_file=path,
            deployments=(*deleted.results, *_withdrawn(plan.doomed, withdrawn, gone)),
            stopped=stopped,
        )

    def _pins(self) -> tuple[Pin, ...]:
        return (*protect(self.settings.protect), *pin_commits(self.commits))


def refuse_unless_applyable(plan: Plan) -> None:
    """Raise RefusedError, with everything that forbids it, for a plan that may not be applied."""
    if not plan.applyable:
        raise RefusedError(
            "; ".join(refusal.message for refusal in plan.refusals),
            "Nothing was deleted. Mend what the plan says, and run again.",
        )


def _close(journal: Journal, stopped: str) -> str:
    """Write the journal's end; give why the run ended early, if it did."""
    try:
        journal.end(stopped)
    except JournalError as exc:
        return stopped or exc.told
    return stopped


def _withdrawn(
    approved: Sequence[Decision], withdrawn: dict[str, str], gone: frozenset[str]
) -> tuple[DeploymentResult, ...]:
    return tuple(
        DeploymentResult(
            name=name,
            counts={
                ObjectOutcome.ABSENT
                if name in gone
                else ObjectOutcome.CHANGED: decision.deployment.object_count
            },
            bytes_deleted=0,
            problem="" if name in gone else f"kept: {withdrawn[name]}",
        )
        for decision in approved
        if (name := decision.deployment.name) in withdrawn
    )


def outcome(plan: Plan, result: Result | None) -> Outcome:
    """Say what became of a run; without a result it was only planned."""
    if result is not None:
        return result.outcome
    if not plan.applyable:
        return Outcome.REFUSED
    return Outcome.PLANNED if plan.doomed else Outcome.NOTHING_TO_DELETE


def exit_code(outcome: Outcome) -> ExitCode:
    """Give the exit code that tells an outcome."""
    match outcome:
        case Outcome.NOTHING_TO_DELETE | Outcome.PLANNED | Outcome.APPLIED:
            return ExitCode.DONE
        case Outcome.PARTIAL:
            return ExitCode.PARTIAL
        case Outcome.REFUSED:
            return ExitCode.REFUSED
        case Outcome.STALE_PLAN:
            return ExitCode.STALE_PLAN
        case Outcome.FAILED:
            return ExitCode.ACCESS


def save_plan(plan: Plan, path: str, *, is_to_be_applied: bool) -> None:
    """Write a plan file.

    Raises SettingsError when that is impossible, and where it would overwrite something else than
    a plan, or in an apply a plan that somebody may have approved: an apply makes its own.
    """
    try:
        beginning = b""
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                beginning = file.read(100)
        if beginning and (is_to_be_applied or b'"format": "ci3-plan/' not in beginning):
            what = "a plan" if is_to_be_applied else "a file that is no plan"
            raise SettingsError(
                f"the plan file {path} is there already, {what}: it is not overwritten",
                "Name another plan-file. Nothing was deleted.",
            )
        Path(path).write_text(dump_plan(plan), encoding="utf-8")
    except OSError as exc:
        raise SettingsError(
            f"the plan file {path} can't be written: {exc.strerror}",
            "Name a plan-file in a folder that can be written. Nothing was deleted.",
        ) from exc


def report_numbers(plan: Plan, result: Result | None) -> dict[str, str | int]:
    """List a run's numbers under the names of the action's outputs."""
    return {
        "outcome": outcome(plan, result).value,
        "plan-id": plan.plan_id,
        "deployments-found": plan.totals.found,
        "deployments-kept": plan.totals.keep,
        "deployments-to-delete": plan.totals.delete,
        "deployments-deleted": result.deployments_deleted if result else 0,
        "objects-deleted": result.count(ObjectOutcome.DELETED) if result else 0,
        "bytes-deleted": result.bytes_deleted if result else 0,
        "journal-file": result.journal_file if result else "",
    }
