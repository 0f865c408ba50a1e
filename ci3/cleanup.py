"""The one road that both faces take: inventory, pins, decision, plan, apply, result."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.aws.writer import BucketWriter
from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.explanation import Explanation, explain
from ci3.core.gate import Gate
from ci3.core.journal_place import JournalPlace, is_address
from ci3.core.live import Reading
from ci3.core.model import (
    Decision,
    DeploymentResult,
    GuardProbe,
    Inventory,
    NoncurrentTerm,
    ObjectOutcome,
    Result,
    Target,
    Versioning,
)
from ci3.core.objections import (
    Limits,
    against_readings,
    against_versioning,
    find_refusals,
    find_warnings,
    folder_names,
    warn_of_undo_term,
)
from ci3.core.pins import Pin, pin_commits, pin_live, pin_pointers, protect
from ci3.core.plan import Plan, Refusal, compare
from ci3.core.resumption import note_approved
from ci3.core.retention import Judgement, RetentionPolicy, judge, rests_on
from ci3.core.simulation import Simulation, simulate
from ci3.core.succession import AgeFrom
from ci3.engine.direct import Deleted, Deletion
from ci3.engine.inventory import Scope, finish_listing, take_inventory
from ci3.engine.journal import Journal
from ci3.engine.journal_file import JournalHeader
from ci3.engine.live import read_live_sources
from ci3.engine.progress import Progress
from ci3.engine.stored_journal import store_lines
from ci3.engine.uploads import abort_uploads
from ci3.engine.version_deletion import VersionDeletion, version_guard
from ci3.engine.version_listing import with_versions
from ci3.errors import JournalError, RefusedError
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
    undo_term: NoncurrentTerm | None
    """How long old versions stay, where the bucket keeps any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What of a plan may be deleted now; of the rest, why not, and what is gone already."""

    plan: Plan
    due: tuple[Decision, ...]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    skips_changed: bool = False

    @property
    def changed(self) -> dict[str, str]:
        """What is still there and can't be deleted any more, and why."""
        return {name: why for name, why in self.withdrawn.items() if name not in self.gone}


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
    credentials: Credentials | None = None
    """As whom the bucket is opened; None stands for whom the AWS configuration names."""
    tell_journal: Callable[[str], None] = lambda _path: None
    """Told where the journal is before the first request goes out."""
    ends_at: datetime | None = None
    """When deleting stops, done or not."""

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

    @property
    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(max_delete=settings.max_delete, max_delete_bytes=settings.max_delete_bytes)

    def open_bucket(self) -> BucketReader:
        """Open the bucket for reading; nothing that this returns can delete."""
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
            credentials=self.credentials,
            connections=self.settings.concurrency,
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
        target = bucket.target(self.settings.prefix)
        keeps_versions = (
            target.versioning is Versioning.ENABLED and not self.settings.delete_versions
        )
        return Seen(
            target=target,
            inventory=inventory,
            readings=readings,
            pins=pins,
            now=now,
            judgements=judgements,
            undo_term=bucket.noncurrent_term(target.prefix) if keeps_versions else None,
        )

    def make_plan(self, bucket: BucketReader) -> Plan:
        """Decide what would be deleted, and why."""
        return self._plan(self.look(bucket), bucket)

    def _plan(self, seen: Seen, bucket: BucketReader) -> Plan:
        decisions = tuple(judgement.decision for judgement in seen.judgements)
        inventory, versioning = seen.inventory, seen.target.versioning
        refusals: tuple[Refusal, ...] = ()
        if self.settings.delete_versions:
            refusals = against_versioning(versioning)
            if versioning.may_hold_versions:
                decisions, holes = with_versions(bucket, decisions, self.progress)
                inventory = replace(inventory, holes=(*inventory.holes, *holes))
        return Plan(
            ci3_version=__version__,
            created_at=seen.now,
            target=seen.target,
            policy=self.settings.recorded,
            decisions=decisions,
            ignored=seen.inventory.ignored,
            refusals=(
                *refusals,
                *find_refusals(inventory, decisions, seen.pins, seen.readings, self._limits),
            ),
            warnings=(
                *find_warnings(
                    seen.inventory,
                    seen.pins,
                    seen.readings,
                    seen.target.versioning,
                    group_by=self.settings.group_by,
                    required_file=self.settings.required_file,
                ),
                *warn_of_undo_term(seen.undo_term),
            ),
        )

    def explain(self, bucket: BucketReader, name: str) -> Explanation | str:
        """Explain the decision about one deployment, or say why there is none to explain."""
        seen = self.look(bucket)
        for judgement in seen.judgements:
            if judgement.deployment.name == name:
                plan = self._plan(seen, bucket)
                return explain(judgement, self.settings.keep_within, plan.refusals)
        reasons = {one.name.removesuffix("/"): one.reason for one in seen.inventory.ignored}
        reasons |= {one.name: f"could not be listed: {one.reason}" for one in seen.inventory.holes}
        return reasons.get(name, "")

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
        skips_changed = self.settings.skip_changed
        approved = Approved(plan=plan, due=plan.doomed, skips_changed=skips_changed)
        if not is_fresh:
            approved = self._hold_against_new_plan(approved, bucket)
        return self.hold_what_is_live(approved, bucket)

    def hold_what_is_live(self, approved: Approved, bucket: BucketReader) -> Approved:
        """Read once more what is live, and take it out of what may be deleted.

        Raises RefusedError where that can't be read.
        """
        plan = approved.plan
        readings = self._read_live_sources(bucket)
        deployments = [decision.deployment for decision in plan.decisions]
        names = folder_names(deployments, plan.ignored)
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
        refuse_other_target(plan.target, new_plan.target)
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
        with self._open_journal(run_id, bucket) as journal:
            self.tell_journal(journal.path)
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
            return self.delete_journaled(approved, bucket, journal, uploads_before=plan.created_at)

    def _open_journal(self, run_id: str, bucket: BucketReader) -> Journal:
        settings = self.settings
        if not is_address(settings.journal_file):
            return Journal(settings.journal_file or f"ci3-journal-{run_id}.jsonl")
        place = JournalPlace.of_run(settings.bucket, settings.prefix, run_id)
        return Journal(place.url, store_lines(bucket, place))

    def delete_journaled(
        self,
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
        writer = bucket.open_writer()
        gate = Gate(
            approved.due,
            approved.pins,
            self._limits,
            len(plan.decisions),
            names_versions=plan.deletes_versions,
        )
        deleted, guard = self._delete_due(approved, bucket, writer, gate, journal)
        aborted = abort_uploads(
            bucket,
            writer,
            prefix=plan.target.prefix,
            doomed=[*(one.prefix for one in deleted.whole), *gone],
            started_before=uploads_before,
        )
        return Result(
            run_id=journal.run_id,
            journal_file=journal.path,
            deployments=(*deleted.results, *_withdrawn(approved)),
            stopped=_close(journal, deleted.stopped),
            guard=guard,
            uploads_aborted=aborted.count,
            uploads_problem=aborted.problem,
        )

    def _delete_due(
        self,
        approved: Approved,
        bucket: BucketReader,
        writer: BucketWriter,
        gate: Gate,
        journal: Journal,
    ) -> tuple[Deleted, GuardProbe | None]:
        """Delete the objects, or where the plan says so all versions, and say what guarded them."""
        target = approved.plan.target
        deletion: Deletion | VersionDeletion
        guard: GuardProbe | None
        if approved.plan.deletes_versions:
            guard = version_guard(target.versioning)
            deletion = VersionDeletion(
                reader=bucket,
                remover=bucket.open_version_remover(),
                gate=gate,
                journal=journal,
                progress=self.progress,
                sleep=self.sleep,
                is_over=self._is_over,
            )
        else:
            guard = writer.probe(target.prefix, target.versioning) if approved.due else None
            deletion = Deletion(
                reader=bucket,
                writer=writer,
                gate=gate,
                journal=journal,
                progress=self.progress,
                sleep=self.sleep,
                with_versions=target.versioning is Versioning.ENABLED,
                is_over=self._is_over,
            )
        return deletion.run(approved.due), guard

    def _is_over(self) -> bool:
        return self.ends_at is not None and self.clock() >= self.ends_at

    def _scope(self, *, is_begun: bool) -> Scope:
        return Scope(
            prefix=self.settings.prefix,
            match=self.settings.match,
            required_file=self.settings.required_file,
            is_begun=is_begun,
            concurrency=self.settings.concurrency,
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
        pointers = pin_pointers(self.settings.live_from, self.settings.prefix)
        return (*protect(self.settings.protect), *pin_commits(self.commits), *pointers)


def refuse_unless_applyable(*plans: Plan) -> None:
    """Raise RefusedError, with everything that forbids it, unless all plans may be applied."""
    refusals = [
        f"{plan.target.url}: {refusal.message}" if len(plans) > 1 else refusal.message
        for plan in plans
        for refusal in plan.refusals
    ]
    if refusals:
        raise RefusedError(
            "; ".join(refusals), "Nothing was deleted. Mend what the plan says, and run again."
        )


def refuse_other_target(planned: Target, found: Target) -> None:
    """Raise RefusedError where a plan was made for another place, or the place has changed."""
    names = ("bucket", "region", "prefix", "endpoint_url", "versioning")
    for name in names:
        was, now = getattr(planned, name), getattr(found, name)
        if was != now:
            raise RefusedError(
                f"{planned.url} is not as it was when the plan was made: its "
                f"{name.replace('_', '-')} was {was or 'the default'}, is {now or 'the default'}",
                "Nothing was deleted. Look at a new plan.",
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
                else ObjectOutcome.CHANGED: decision.deployment.deletion_count
            },
            bytes_deleted=0,
            problem="" if name in approved.gone else f"kept: {approved.withdrawn[name]}",
            is_skipped=approved.skips_changed and name not in approved.gone,
        )
        for decision in approved.plan.doomed
        if (name := decision.deployment.name) in approved.withdrawn
    )
