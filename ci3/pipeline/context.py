"""A target with its settings and clients, and everything that is computed from them."""

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
    """What is known about a target, and the evaluation of each deployment."""

    target: Target
    inventory: Inventory
    readings: tuple[Reading, ...]
    pins: tuple[Pin, ...]
    now: datetime
    judgements: tuple[Judgement, ...]
    undo_term: NoncurrentTerm | None
    """How long noncurrent versions are kept; None unless deletions can be restored."""
    rules: RulesSeen
    """The lifecycle rules of the bucket, including managed rules."""
    needs_mfa: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """Settings, clients and clock for one target.

    `commits` are the commits of the current run, whose deployments are protected.
    """

    settings: Settings
    commits: Sequence[str]
    progress: Progress
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    github: "GitHubApi | None" = None
    """GitHub's API for live sources; None without a repository or a token."""
    credentials: Credentials | None = None
    """Credentials for the bucket; None for those of the default credential provider chain."""
    tell_journal: Callable[[str], None] = lambda _path: None
    """Called with the path of the journal before the first request is sent."""
    ends_at: datetime | None = None
    """The time at which deleting stops, complete or not; None for no limit."""
    reports: "Reports" = field(default_factory=dict)
    """Cache of the inventory reports read so far."""

    @property
    def policy(self) -> RetentionPolicy:
        """The effective retention policy."""
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
        """The effective limits of a plan."""
        settings = self.settings
        return Limits(max_delete=settings.max_delete, max_delete_bytes=settings.max_delete_bytes)

    def open_bucket(self) -> BucketReader:
        """Return a reader for the bucket; it has no method that deletes."""
        keep_one_heap()
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
            credentials=self.credentials,
            connections=self.settings.concurrency,
        )

    def take_inventory(self, bucket: BucketReader) -> Inventory:
        """Return the full listing of the deployments."""
        with self._open_scope(bucket, is_begun=False) as scope:
            return take_inventory(bucket, scope, self.progress)

    def look(self, bucket: BucketReader, partly_deleted: Mapping[str, str] = NOTHING_BEGUN) -> Seen:
        """Return what is known about the target, with the evaluation of each deployment.

        Deployments on which a deletion depends and that are not fully listed yet are listed, and
        all are evaluated again, until none is left. `partly_deleted` maps the names of deployments
        whose deletion has started to their fingerprints before it: they supersede no other one.
        """
        has_first_page_only = self.settings.age_from is AgeFrom.FIRST_OBJECT
        with self._open_scope(bucket, is_begun=has_first_page_only) as scope:
            return self._observe(bucket, scope, partly_deleted)

    def _observe(
        self, bucket: BucketReader, scope: Scope, partly_deleted: Mapping[str, str]
    ) -> Seen:
        with ThreadPoolExecutor(1, "live") as executor:
            live_future = executor.submit(self.read_live_sources, bucket)
            # With a concurrency of 1, this would be a second request in flight.
            is_concurrent = self.settings.concurrency > 1
            configuration_future = (
                executor.submit(self._read_configuration, bucket) if is_concurrent else None
            )
            inventory, folders = self._read_inventory(bucket, scope)
            readings = live_future.result()
        rules, versioning_state = (
            configuration_future.result()
            if configuration_future
            else self._read_configuration(bucket)
        )
        pins = (*self.pins(), *pin_live(readings))
        now = self.clock()
        inventory, judgements = judge_for_certain(
            inventory,
            self.policy,
            lambda listed: judge(listed, self.policy, pins, now, MINIMUM_KEEP_COUNT),
            lambda listed, names: finish_listing(
                bucket, scope, listed, names, self.progress, found=folders
            ),
            partly_deleted,
        )
        target = bucket.target(self.settings.prefix, versioning_state.versioning)
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
            needs_mfa=versioning_state.needs_mfa,
        )

    def _read_inventory(
        self, bucket: BucketReader, scope: Scope
    ) -> tuple[Inventory, Folders | None]:
        """Return the inventory to start with, by listing or from an inventory report.

        With a report, the folders found by listing are returned too.
        """
        if self.settings.inventory is None:
            return take_inventory(bucket, scope, self.progress), None
        return take_reported_inventory(
            bucket, scope, self.settings.inventory, self.reports, self.progress
        )

    def make_plan(
        self, bucket: BucketReader, partly_deleted: Mapping[str, str] = NOTHING_BEGUN
    ) -> Plan:
        """Return a plan of the target; `partly_deleted` as in `observe`."""
        return self._plan(self.look(bucket, partly_deleted), bucket)

    def _plan(self, state: Seen, bucket: BucketReader) -> Plan:
        decisions = tuple(judgement.decision for judgement in state.judgements)
        inventory, versioning = state.inventory, state.target.versioning
        refusals: tuple[Refusal, ...] = ()
        if self.settings.delete_versions:
            refusals = against_versioning(versioning)
            if versioning.may_hold_versions:
                decisions, holes = with_versions(bucket, decisions, self.progress)
                inventory = replace(inventory, holes=(*inventory.holes, *holes))
        safety_refusals = find_refusals(inventory, decisions, state.pins, state.readings)
        lifecycle_plan, engine, choice = self._choose_engine(
            decisions,
            lambda engine: self._plan_lifecycle(
                state, inventory, decisions, safety_refusals, engine
            ),
        )
        return Plan(
            ci3_version=__version__,
            created_at=state.now,
            target=state.target,
            policy=self.settings.with_engine(engine).recorded,
            decisions=lifecycle_plan.decisions,
            ignored=state.inventory.ignored,
            refusals=(
                *refusals,
                *safety_refusals,
                *against_limits(lifecycle_plan.decisions, self.limits),
                *lifecycle_plan.refusals,
            ),
            warnings=(
                *find_warnings(
                    state.inventory,
                    state.pins,
                    state.readings,
                    state.target.versioning,
                    group_by=self.settings.group_by,
                    required_file=self.settings.required_file,
                ),
                *warn_of_undo_term(state.undo_term),
                *tell_report(state.inventory, state.now),
                *lifecycle_plan.warnings,
            ),
            rules=lifecycle_plan.rules,
            choice=choice,
        )

    def _choose_engine(
        self, decisions: Sequence[Decision], plan_lifecycle: Callable[[Engine], Ruling]
    ) -> tuple[Ruling, Engine, tuple[str, ...]]:
        """Return the lifecycle plan, the engine, and the explanation of an automatic choice."""
        engine = self.settings.engine
        if engine is not Engine.AUTO:
            return plan_lifecycle(engine), engine, ()
        with_rules = plan_lifecycle(Engine.LIFECYCLE)
        direct_names = {
            decision.deployment.name for decision in with_rules.decisions if decision.is_direct
        }
        rule_counts: list[int] = []
        direct_counts: list[int] = []
        for decision in decisions:
            if decision.is_delete:
                is_direct = decision.deployment.name in direct_names
                counts = direct_counts if is_direct else rule_counts
                counts.append(decision.deployment.deletion_count)
        obstacle = "; ".join(refusal.message for refusal in with_rules.refusals)
        choice = choose_engine(rule_counts, direct_counts, obstacle=obstacle)
        uses_rules = choice.engine is Engine.LIFECYCLE
        lifecycle_plan = with_rules if uses_rules else plan_lifecycle(Engine.DIRECT)
        return lifecycle_plan, choice.engine, choice.sentences

    def _plan_lifecycle(
        self,
        state: Seen,
        inventory: Inventory,
        decisions: Sequence[Decision],
        safety_refusals: Sequence[Refusal],
        engine: Engine,
    ) -> Ruling:
        """Return the lifecycle rules of the plan, and how they affect it."""
        reasons = {item.name.removesuffix("/"): item.reason for item in inventory.ignored}
        reasons |= {item.name: f"it could not be listed: {item.reason}" for item in inventory.holes}
        return rule(
            state.rules,
            Sight(
                prefix=state.target.prefix,
                engine=engine,
                now=state.now,
                decisions=decisions,
                others=reasons,
                doubts=[refusal.message for refusal in safety_refusals],
                keeps_versions=state.target.versioning is Versioning.ENABLED,
            ),
            versioning=state.target.versioning,
            needs_mfa=state.needs_mfa,
            delete_versions=self.settings.delete_versions,
        )

    def read_rules(self, bucket: BucketReader) -> RulesSeen:
        """Return the lifecycle rules of the bucket, or why they are unavailable."""
        try:
            return RulesSeen(configuration=bucket.read_lifecycle().text)
        except AccessError as exc:
            return RulesSeen(problem=exc.message, is_lacking=isinstance(exc, LackingError))

    def _read_configuration(self, bucket: BucketReader) -> tuple[RulesSeen, VersioningState]:
        """Return lifecycle rules and versioning state of the bucket."""
        return self.read_rules(bucket), bucket.known_versioning()

    def explain(self, bucket: BucketReader, name: str) -> "Explanation | str":
        """Return the explanation of the decision about a deployment.

        If `name` is not a deployment, return the reason instead; empty if there is no such folder.
        """
        state = self.look(bucket)
        for judgement in state.judgements:
            if judgement.deployment.name == name:
                plan = self._plan(state, bucket)
                planned = next(
                    decision for decision in plan.decisions if decision.deployment.name == name
                )
                return explain(judgement, self.settings.keep_within, plan.refusals, planned)
        reasons = {item.name.removesuffix("/"): item.reason for item in state.inventory.ignored}
        reasons |= {
            item.name: f"could not be listed: {item.reason}" for item in state.inventory.holes
        }
        return reasons.get(name, "")

    def simulate(self, inventory: Inventory) -> "Simulation":
        """Replay the history of an inventory with the effective policy and protected names."""
        return simulate(
            inventory,
            self.policy,
            protect(self.settings.protect),
            minimum_keep_count=MINIMUM_KEEP_COUNT,
            ends_at=self.clock(),
        )

    def read_live_sources(self, bucket: BucketReader) -> tuple[Reading, ...]:
        """Return the reading of every live source."""
        return read_live_sources(
            self.settings.live_from,
            bucket=bucket,
            prefix=self.settings.prefix,
            region=self.settings.region,
            github=self.github,
        )

    def pins(self) -> tuple[Pin, ...]:
        """Return the pins that need no request: protected names, commits and pointer objects."""
        pointers = pin_pointers(self.settings.live_from, self.settings.prefix)
        return (*protect(self.settings.protect), *pin_commits(self.commits), *pointers)

    def is_over(self) -> bool:
        """Return True if the run has reached its time limit."""
        return self.ends_at is not None and self.clock() >= self.ends_at

    @contextmanager
    def _open_scope(self, bucket: BucketReader, *, is_begun: bool) -> Iterator[Scope]:
        """Yield the parameters of a listing, with a worker process that is closed at the end."""
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
