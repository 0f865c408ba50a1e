"""One target with its settings and clients: its inventory, its pins, its decisions, its plan."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ci3 import __version__
from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.config.settings import Settings
from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.lifecycle.planning import RulesSeen, Ruling, rule
from ci3.core.lifecycle.rule_status import Sight
from ci3.core.live.pins import Pin, pin_commits, pin_live, pin_pointers, protect
from ci3.core.live.sources import Reading
from ci3.core.model.decision import Decision, Engine
from ci3.core.model.deployment import (
    Inventory,
    NoncurrentTerm,
    Target,
    Versioning,
    VersioningState,
)
from ci3.core.model.issues import Refusal
from ci3.core.plan.checks import (
    Limits,
    against_limits,
    against_versioning,
    find_refusals,
    find_warnings,
    tell_report,
    warn_of_undo_term,
)
from ci3.core.plan.engine_choice import choose_engine
from ci3.core.plan.plan import Plan
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import Judgement, RetentionPolicy, judge
from ci3.core.retention.evidence import NOTHING_BEGUN, judge_for_certain
from ci3.core.retention.explain import explain
from ci3.core.retention.simulate import simulate
from ci3.engine.inventory.folders import Folders
from ci3.engine.inventory.listing import Scope, finish_listing, take_inventory
from ci3.engine.inventory.report import take_reported_inventory
from ci3.engine.inventory.versions import with_versions
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.worker_process import start_worker
from ci3.errors import AccessError, LackingError
from ci3.gc_tuning import keep_one_heap
from ci3.live.reader import read_live_sources

if TYPE_CHECKING:
    from ci3.core.retention.explain import Explanation
    from ci3.core.retention.simulate import Simulation
    from ci3.engine.inventory.report import Reports
    from ci3.github.api import GitHubApi


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
    rules: RulesSeen
    """The bucket's lifecycle rules, among them perhaps some of ours."""
    needs_mfa: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Settings and surroundings of one target; `commits` are those that the run is about."""

    settings: Settings
    commits: Sequence[str]
    progress: Progress
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    github: "GitHubApi | None" = None
    """Asked for live sources; None where there is no repository or no token."""
    credentials: Credentials | None = None
    """As whom the bucket is opened; None stands for whom the AWS configuration names."""
    tell_journal: Callable[[str], None] = lambda _path: None
    """Told where the journal is before the first request goes out."""
    ends_at: datetime | None = None
    """When deleting stops, done or not."""
    reports: "Reports" = field(default_factory=dict)
    """Inventory reports that were read already."""

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
    def limits(self) -> Limits:
        """The limits that the user set."""
        settings = self.settings
        return Limits(max_delete=settings.max_delete, max_delete_bytes=settings.max_delete_bytes)

    def open_bucket(self) -> BucketReader:
        """Open the bucket for reading; nothing that this returns can delete."""
        keep_one_heap()
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
            credentials=self.credentials,
            connections=self.settings.concurrency,
        )

    def take_inventory(self, bucket: BucketReader) -> Inventory:
        """List the deployments in full, without deciding anything."""
        with self._scope(bucket, is_begun=False) as scope:
            return take_inventory(bucket, scope, self.progress)

    def look(self, bucket: BucketReader, begun: Mapping[str, str] = NOTHING_BEGUN) -> Seen:
        """Read all that is to be known, and judge each deployment.

        Where one request for each was enough so far, those that a deletion rests on are listed in
        full, and all are judged again, until none is left. `begun` names the deployments whose
        deletion has begun, with their fingerprints before: they supersede nothing.
        """
        is_begun = self.settings.age_from is AgeFrom.FIRST_OBJECT
        with self._scope(bucket, is_begun=is_begun) as scope:
            return self._look(bucket, scope, begun)

    def _look(self, bucket: BucketReader, scope: Scope, begun: Mapping[str, str]) -> Seen:
        with ThreadPoolExecutor(1, "live") as beside:
            asked = beside.submit(self.read_live_sources, bucket)
            is_beside = self.settings.concurrency > 1  # it would be the second request at once
            configured = beside.submit(self._read_configuration, bucket) if is_beside else None
            inventory, found = self._take_inventory(bucket, scope)
            readings = asked.result()
        rules, state = configured.result() if configured else self._read_configuration(bucket)
        pins = (*self.pins(), *pin_live(readings))
        now = self.clock()
        inventory, judgements = judge_for_certain(
            inventory,
            self.policy,
            lambda some: judge(some, self.policy, pins, now, MINIMUM_KEEP_COUNT),
            lambda some, names: finish_listing(
                bucket, scope, some, names, self.progress, found=found
            ),
            begun,
        )
        target = bucket.target(self.settings.prefix, state.versioning)
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
            undo_term=rules.noncurrent_term(target.prefix) if keeps_versions else None,
            rules=rules,
            needs_mfa=state.needs_mfa,
        )

    def _take_inventory(
        self, bucket: BucketReader, scope: Scope
    ) -> tuple[Inventory, Folders | None]:
        """Find out what the decision begins with: by listing, or with an inventory report."""
        if self.settings.inventory is None:
            return take_inventory(bucket, scope, self.progress), None
        return take_reported_inventory(
            bucket, scope, self.settings.inventory, self.reports, self.progress
        )

    def make_plan(self, bucket: BucketReader, begun: Mapping[str, str] = NOTHING_BEGUN) -> Plan:
        """Decide what would be deleted, and why; `begun` is as for `look`."""
        return self._plan(self.look(bucket, begun), bucket)

    def _plan(self, seen: Seen, bucket: BucketReader) -> Plan:
        decisions = tuple(judgement.decision for judgement in seen.judgements)
        inventory, versioning = seen.inventory, seen.target.versioning
        refusals: tuple[Refusal, ...] = ()
        if self.settings.delete_versions:
            refusals = against_versioning(versioning)
            if versioning.may_hold_versions:
                decisions, holes = with_versions(bucket, decisions, self.progress)
                inventory = replace(inventory, holes=(*inventory.holes, *holes))
        doubts = find_refusals(inventory, decisions, seen.pins, seen.readings)
        ruling, engine, choice = self._choose(
            decisions, lambda engine: self._rule(seen, inventory, decisions, doubts, engine)
        )
        return Plan(
            ci3_version=__version__,
            created_at=seen.now,
            target=seen.target,
            policy=self.settings.with_engine(engine).recorded,
            decisions=ruling.decisions,
            ignored=seen.inventory.ignored,
            refusals=(
                *refusals,
                *doubts,
                *against_limits(ruling.decisions, self.limits),
                *ruling.refusals,
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
                *tell_report(seen.inventory, seen.now),
                *ruling.warnings,
            ),
            rules=ruling.rules,
            choice=choice,
        )

    def _choose(
        self, decisions: Sequence[Decision], rule_with: Callable[[Engine], Ruling]
    ) -> tuple[Ruling, Engine, tuple[str, ...]]:
        """Take the engine that is asked for, or the one that is fit; say how that was chosen."""
        asked = self.settings.engine
        if asked is not Engine.AUTO:
            return rule_with(asked), asked, ()
        by_rules = rule_with(Engine.LIFECYCLE)
        direct = {one.deployment.name for one in by_rules.decisions if one.is_direct}
        counts: tuple[list[int], list[int]] = [], []
        for one in decisions:
            if one.is_delete:
                counts[one.deployment.name in direct].append(one.deployment.deletion_count)
        obstacle = "; ".join(one.message for one in by_rules.refusals)
        choice = choose_engine(*counts, obstacle=obstacle)
        is_by_rules = choice.engine is Engine.LIFECYCLE
        ruling = by_rules if is_by_rules else rule_with(Engine.DIRECT)
        return ruling, choice.engine, choice.sentences

    def _rule(
        self,
        seen: Seen,
        inventory: Inventory,
        decisions: Sequence[Decision],
        doubts: Sequence[Refusal],
        engine: Engine,
    ) -> Ruling:
        """Say what of the bucket's lifecycle rules goes into the plan."""
        others = {one.name.removesuffix("/"): one.reason for one in inventory.ignored}
        others |= {one.name: f"it could not be listed: {one.reason}" for one in inventory.holes}
        return rule(
            seen.rules,
            Sight(
                prefix=seen.target.prefix,
                engine=engine,
                now=seen.now,
                decisions=decisions,
                others=others,
                doubts=[one.message for one in doubts],
                keeps_versions=seen.target.versioning is Versioning.ENABLED,
            ),
            versioning=seen.target.versioning,
            needs_mfa=seen.needs_mfa,
            delete_versions=self.settings.delete_versions,
        )

    def read_rules(self, bucket: BucketReader) -> RulesSeen:
        """Read the bucket's lifecycle rules, or say what stands in the way."""
        try:
            return RulesSeen(configuration=bucket.read_lifecycle().text)
        except AccessError as exc:
            return RulesSeen(problem=exc.message, is_lacking=isinstance(exc, LackingError))

    def _read_configuration(self, bucket: BucketReader) -> tuple[RulesSeen, VersioningState]:
        """Read what the bucket itself is set to do with old and deleted objects."""
        return self.read_rules(bucket), bucket.known_versioning()

    def explain(self, bucket: BucketReader, name: str) -> "Explanation | str":
        """Explain the decision about one deployment, or say why there is none to explain."""
        seen = self.look(bucket)
        for judgement in seen.judgements:
            if judgement.deployment.name == name:
                plan = self._plan(seen, bucket)
                planned = next(one for one in plan.decisions if one.deployment.name == name)
                return explain(judgement, self.settings.keep_within, plan.refusals, planned)
        reasons = {one.name.removesuffix("/"): one.reason for one in seen.inventory.ignored}
        reasons |= {one.name: f"could not be listed: {one.reason}" for one in seen.inventory.holes}
        return reasons.get(name, "")

    def simulate(self, inventory: Inventory) -> "Simulation":
        """Replay a bucket's history under the rules in force, with what they protect."""
        return simulate(
            inventory,
            self.policy,
            protect(self.settings.protect),
            minimum_keep_count=MINIMUM_KEEP_COUNT,
            ends_at=self.clock(),
        )

    def read_live_sources(self, bucket: BucketReader) -> tuple[Reading, ...]:
        """Ask every live source what is live."""
        return read_live_sources(
            self.settings.live_from,
            bucket=bucket,
            prefix=self.settings.prefix,
            region=self.settings.region,
            github=self.github,
        )

    def pins(self) -> tuple[Pin, ...]:
        """Give what forbids deletion without anybody being asked."""
        pointers = pin_pointers(self.settings.live_from, self.settings.prefix)
        return (*protect(self.settings.protect), *pin_commits(self.commits), *pointers)

    def is_over(self) -> bool:
        """Say whether the time that this run may take is up."""
        return self.ends_at is not None and self.clock() >= self.ends_at

    @contextmanager
    def _scope(self, bucket: BucketReader, *, is_begun: bool) -> Iterator[Scope]:
        """Return what to list, with a worker process that is closed at the end."""
        worker = start_worker(bucket) if self.settings.concurrency > 1 else None
        with nullcontext() if worker is None else closing(worker):
            yield Scope(
                prefix=self.settings.prefix,
                match=self.settings.match,
                required_file=self.settings.required_file,
                is_begun=is_begun,
                concurrency=self.settings.concurrency,
                worker=worker,
            )
