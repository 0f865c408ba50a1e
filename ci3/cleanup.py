"""The one road that both faces take: inventory, pins, decision, plan, apply, result."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.explanation import Explanation, explain
from ci3.core.gate import Gate
from ci3.core.live import Reading
from ci3.core.model import (
    Decision,
    DeploymentResult,
    Inventory,
    ObjectOutcome,
    Outcome,
    Result,
    Target,
)
from ci3.core.objections import Limits, against_readings, find_refusals, find_warnings
from ci3.core.pins import Pin, pin_commits, pin_live, protect
from ci3.core.plan import Plan, compare
from ci3.core.retention import Judgement, RetentionPolicy, judge, rests_on
from ci3.core.simulation import Simulation, simulate
from ci3.core.succession import AgeFrom
from ci3.engine.direct import Deletion
from ci3.engine.inventory import Scope, finish_listing, take_inventory
from ci3.engine.journal import Journal
from ci3.engine.live import read_live_sources
from ci3.engine.progress import Progress
from ci3.errors import ExitCode, JournalError, RefusedError
from ci3.github.api import GitHubApi
from ci3.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that a decision rests on, and the judgement of each deployment."""

    target: Target
    inventory: Inventory
    readings: tuple[Reading, ...]
    pins: tuple[Pin, ...]
    now: datetime
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What of a plan may be deleted now; of the rest, why not, and what is gone already."""

    plan: Plan
    due: tuple[Decision, ...]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Settings and surroundings of one target; `commits` are those that the run is about."""

    settings: Settings
    commits: Sequence[str]
    progress: Progress
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    github: GitHubApi | None = None
    """Asked for live sources; None where there is no repository or no token."""
    tell_journal: Callable[[str], None] = lambda _path: None
    """Told where the journal is before the first request goes out."""

    @property
    def policy(self) -> RetentionPolicy:
        """The rules in force."""
        return RetentionPolicy(
            keep_count=self.settings.keep_count,
            keep_within=self.settings.keep_within,
            keep_daily=self.settings.keep_daily,
            keep_weekly=self.settings.keep_weekly,
            keep_monthly=self.settings.keep_monthly,
            group_by=self.settings.group_by,
            age_from=self.settings.age_from,
        )

    def open_bucket(self) -> BucketReader:
        """Open the bucket for reading; nothing that this returns can delete."""
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
        )

    def take_inventory(self, bucket: BucketReader) -> Inventory:
        """List the deployments in full, without deciding anything."""
        return take_inventory(bucket, self._scope(is_begun=False), self.progress)

    def look(self, bucket: BucketReader) -> Seen:
        """Read all that is to be known, and judge each deployment.

        Where one request for each was enough so far, those that a deletion rests on are listed in
        full, and all are judged again, until none is left.
        """
        scope = self._scope(is_begun=self.settings.age_from is AgeFrom.FIRST_OBJECT)
        with ThreadPoolExecutor(1, "live") as beside:
            asked = beside.submit(self._read_live_sources, bucket)
            inventory = take_inventory(bucket, scope, self.progress)
            readings = asked.result()
        pins = (*self._pins(), *pin_live(readings))
        now = self.clock()
        while True:
            judgements = judge(inventory, self.policy, pins, now, MINIMUM_KEEP_COUNT)
            unknown = {one.name for one in rests_on(judgements, self.policy) if not one.is_whole}
            if not unknown:
                break
            inventory = finish_listing(bucket, scope, inventory, unknown, self.progress)
        return Seen(
            target=bucket.target(self.settings.prefix),
            inventory=inventory,
            readings=readings,
            pins=pins,
            now=now,
            judgements=judgements,
        )

    def make_plan(self, bucket: BucketReader) -> Plan:
        """Decide what would be deleted, and why."""
        seen = self.look(bucket)
        decisions = tuple(judgement.decision for judgement in seen.judgements)
        limits = Limits(
            max_delete=self.settings.max_delete, max_delete_bytes=self.settings.max_delete_bytes
        )
        return Plan(
            ci3_version=__version__,
            created_at=seen.now,
            target=seen.target,
            policy=self.settings.recorded,
            decisions=decisions,
            ignored=seen.inventory.ignored,
            refusals=find_refusals(seen.inventory, decisions, seen.pins, seen.readings, limits),
            warnings=find_warnings(
                seen.inventory,
                seen.pins,
                seen.readings,
                seen.target.versioning,
                group_by=self.settings.group_by,
                required_file=self.settings.required_file,
            ),
        )

    def explain(self, bucket: BucketReader, name: str) -> Explanation | None:
        """Explain the decision about one deployment, or give None where there is none such."""
        for judgement in self.look(bucket).judgements:
            if judgement.deployment.name == name:
                return explain(judgement, self.settings.keep_within)
        return None

    def simulate(self, inventory: Inventory) -> Simulation:
        """Replay a bucket's history under the rules in force, with what they protect."""
        return simulate(
            inventory,
            self.policy,
            protect(self.settings.protect),
            minimum_keep_count=MINIMUM_KEEP_COUNT,
            ends_at=self.clock(),
        )

    def approve(self, plan: Plan, bucket: BucketReader, *, is_fresh: bool) -> Approved:
        """Say what of a plan may be deleted now; nothing is deleted by this.

        What is live is read once more. A plan that is not fresh, because a person took time to
        look at it, is also held against a new one. Raises RefusedError for what may not be applied.
        """
        refuse_unless_applyable(plan)
        approved = Approved(plan=plan, due=plan.doomed)
        if not is_fresh:
            approved = self._hold_against_new_plan(approved, bucket)
        readings = self._read_live_sources(bucket)
        names = [
            *(decision.deployment.name for decision in plan.decisions),
            *(ignored.name.removesuffix("/") for ignored in plan.ignored),
        ]
        if refusals := against_readings(readings, names):
            raise RefusedError(
                "; ".join(refusal.message for refusal in refusals),
                "Nothing was deleted. Look at a new plan.",
            )
        pins = (*self._pins(), *pin_live(readings))
        held = {
            decision.deployment.name: pin.reason().message
            for decision in approved.due
            for pin in pins
            if pin.holds(decision.deployment.name)
        }
        return replace(
            approved,
            due=tuple(one for one in approved.due if one.deployment.name not in held),
            withdrawn={**approved.withdrawn, **held},
            pins=pins,
        )

    def _hold_against_new_plan(self, approved: Approved, bucket: BucketReader) -> Approved:
        plan, new_plan = approved.plan, self.make_plan(bucket)
        refuse_unless_applyable(new_plan)
        if new_plan.target != plan.target:
            raise RefusedError(
                f"{plan.target.url} is not as it was when the plan was shown: "
                f"versioning was {plan.target.versioning}, is {new_plan.target.versioning}",
                "Nothing was deleted. Look at a new plan.",
            )
        still_due = compare(plan, new_plan)
        left = {decision.deployment.name for decision in new_plan.decisions}
        return replace(
            approved,
            due=still_due.due,
            withdrawn=still_due.withdrawn,
            gone=frozenset(still_due.withdrawn) - left,
        )

    def delete(self, approved: Approved, bucket: BucketReader) -> Result:
        """Delete what was approved; whatever happens then, the account of it comes back."""
        plan = approved.plan
        started_at = self.clock()
        run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        path = self.settings.journal_file or f"ci3-journal-{run_id}.jsonl"
        gate = Gate(approved.due, approved.pins)
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
            deleted = deletion.run(approved.due)
            stopped = _close(journal, deleted.stopped)
        return Result(
            run_id=run_id,
            journal_file=path,
            deployments=(*deleted.results, *_withdrawn(approved)),
            stopped=stopped,
        )

    def _scope(self, *, is_begun: bool) -> Scope:
        return Scope(
            prefix=self.settings.prefix,
            match=self.settings.match,
            required_file=self.settings.required_file,
            is_begun=is_begun,
        )

    def _read_live_sources(self, bucket: BucketReader) -> tuple[Reading, ...]:
        return read_live_sources(
            self.settings.live_from,
            bucket=bucket,
            prefix=self.settings.prefix,
            region=self.settings.region,
            github=self.github,
        )

    def _pins(self) -> tuple[Pin, ...]:
        return (*protect(self.settings.protect), *pin_commits(self.commits))


def refuse_unless_applyable(*plans: Plan) -> None:
    """Raise RefusedError, with everything that forbids it, unless all plans may be applied."""
    refusals = [refusal.message for plan in plans for refusal in plan.refusals]
    if refusals:
        raise RefusedError(
            "; ".join(refusals), "Nothing was deleted. Mend what the plan says, and run again."
        )


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
                else ObjectOutcome.CHANGED: decision.deployment.object_count
            },
            bytes_deleted=0,
            problem="" if name in approved.gone else f"kept: {approved.withdrawn[name]}",
        )
        for decision in approved.plan.doomed
        if (name := decision.deployment.name) in approved.withdrawn
    )


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
        case _:
            assert_never(outcome)
