"""Goes on with a run that a crash, a timeout or lost access has ended, within its journal."""

from dataclasses import dataclass, field, replace

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.core.formatting import moment
from ci3.core.journal.header import JournalHeader
from ci3.core.journal.resume import Left, find_gone, is_as_approved, plan_what_is_left
from ci3.core.model.result import DeploymentResult, ObjectOutcome, Result
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account
from ci3.engine.inventory.listing import list_deployment
from ci3.engine.journal.reader import OpenJournal
from ci3.engine.journal.recovery import settle_open
from ci3.engine.journal.writer import Journal
from ci3.pipeline.apply import delete_journaled
from ci3.pipeline.approval import approve, refuse_other_target
from ci3.pipeline.context import Cleanup


@dataclass(slots=True, kw_only=True)
class Resumption:
    """What is left of one run: what its journal names is the most that is deleted."""

    cleanup: Cleanup
    bucket: BucketReader
    opened: OpenJournal
    _left: Left | None = field(init=False, default=None)

    @property
    def header(self) -> JournalHeader:
        """Which run this goes on with."""
        return self.opened.written.header

    def make_plan(self) -> Plan:
        """Decide anew, within what was approved; nothing is deleted or written by this.

        Raises RefusedError where the target is not as it was.
        """
        self._left = self._find_left()
        return self._left.plan

    def apply(self, plan: Plan, *, is_fresh: bool) -> Account:
        """Delete what is left, as the plan shows it, and go on with the journal.

        What was approved once and stays is told as the result of its deployment.
        """
        left = self._left or Left(plan=plan, withdrawn={}, gone=())
        if not plan.doomed and not left.withdrawn and self._is_finished:
            return Account(plan=plan)
        approved = approve(
            self.cleanup,
            plan,
            self.bucket,
            is_fresh=is_fresh,
            make_plan=lambda: self._find_left().plan,
        )
        resumed_at = self.cleanup.clock()
        with Journal.resume(self.opened, ci3_version=__version__, resumed_at=resumed_at) as journal:
            self.cleanup.tell_journal(journal.path)
            settle_open(self.bucket, self.opened.written, journal)
            result = delete_journaled(
                self.cleanup,
                approved,
                self.bucket,
                journal,
                uploads_before=self.header.started_at,
                gone=left.gone,
            )
        stay = tuple(self._stays(name, why, plan) for name, why in left.withdrawn.items())
        result = replace(result, deployments=(*result.deployments, *stay))
        return Account(plan=plan, result=result if _says_something(result) else None)

    @property
    def _is_finished(self) -> bool:
        written = self.opened.written
        return written.has_ended and not written.stopped and not written.open_prefixes

    def _find_left(self) -> Left:
        fresh = self.cleanup.make_plan(self.bucket, self._begun)
        refuse_other_target(self.header.target, fresh.target)
        unchanged, brought_back = self._look_at_begun(fresh)
        return plan_what_is_left(
            fresh,
            self.header.deployments,
            unchanged,
            told=self._told,
            brought_back=brought_back,
            limits=self.cleanup.limits,
        )

    @property
    def _begun(self) -> dict[str, str]:
        """The deployments that this run had begun with, by name, with their fingerprints before."""
        approved = self.header.deployments.values()
        written = self.opened.written
        return {one.name: one.fingerprint for one in approved if written.entries(one.prefix)}

    @property
    def _told(self) -> str:
        return f"the run {self.header.run_id} of {moment(self.header.started_at)}"

    def _look_at_begun(self, fresh: Plan) -> tuple[set[str], set[str]]:
        """List the half-deleted ones, and find those that only the run's own deletions changed.

        The others that come back are those of which something that was gone is there again.
        """
        unchanged: set[str] = set()
        brought_back: set[str] = set()
        for decision in fresh.doomed:
            planned = decision.deployment
            approved = self.header.deployments.get(planned.prefix)
            entries = self.opened.written.entries(planned.prefix)
            if approved is None or not entries:
                continue
            gone = find_gone(entries)
            if planned.fingerprint == approved.fingerprint:
                if gone:
                    brought_back.add(planned.prefix)
                continue
            found, objects = list_deployment(self.bucket, planned.name, planned.prefix)
            if found.fingerprint != planned.fingerprint:
                continue
            if is_as_approved(approved, objects, entries):
                is_back = any(one.key in gone for one in objects)
                (brought_back if is_back else unchanged).add(planned.prefix)
        return unchanged, brought_back

    def _stays(self, name: str, why: str, plan: Plan) -> DeploymentResult:
        found = {one.deployment.name: one.deployment.object_count for one in plan.decisions}
        was = self.header.deployments[f"{self.header.target.prefix}{name}/"].object_count
        return DeploymentResult(
            name=name,
            counts={ObjectOutcome.CHANGED: found.get(name) or was},
            bytes_deleted=0,
            problem=f"kept: {why}",
        )


def _says_something(result: Result) -> bool:
    return bool(result.deployments or result.stopped or result.uploads_aborted)
