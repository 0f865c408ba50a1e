"""A target with its settings and clients, and everything that is computed from them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.aws.client import Credentials
from ci3.aws.request_limit import RequestLimit
from ci3.config.settings import Settings
from ci3.constants import MINIMUM_KEEP_COUNT
from ci3.core.lifecycle.planning import LifecycleSnapshot
from ci3.core.live.pins import Pin, pin_live, pin_pointers, pin_protected, pin_run
from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.core.model.deployment import Inventory, NoncurrentExpiration, Target, Versioning
from ci3.core.plan.checks import Limits
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_names import NO_OTHER_TARGETS, TargetNames
from ci3.core.retention.age_order import AgeFrom
from ci3.core.retention.decide import RetentionPolicy, evaluate
from ci3.core.retention.evaluation import Evaluation
from ci3.core.retention.evidence import NO_STARTED_DELETIONS, evaluate_with_full_listings
from ci3.core.retention.explain import Explanation, explain
from ci3.core.retention.simulate import Simulation, simulate
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.listing import ListingScope, finish_listing, list_folders, take_inventory
from ci3.engine.inventory.report import ReportCache, take_inventory_from_report
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.worker_process import start_worker
from ci3.errors import AccessError, UnsupportedError
from ci3.gc_tuning import share_malloc_arena
from ci3.live.reader import Share, read_live_sources
from ci3.pipeline.expired_previews import PreviewExpiry
from ci3.pipeline.in_progress import keep_uploading_deployments
from ci3.pipeline.pattern_listing import PatternListing
from ci3.pipeline.planning import describe_others, make_plan
from ci3.pipeline.shared_reads import GitHubReads, SharedReads, read_unshared
from ci3.pipeline.target_state import TargetState
from ci3.pipeline.unfinished import read_unfinished_deletions

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetContext:
    """Settings, clients and clock for one target; those of `references` are kept.

    The references are of what the workflow run is about.
    """

    settings: Settings
    references: Sequence[Reference]
    progress: Progress
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    monotonic: Callable[[], float] = monotonic
    """The clock for the age of readings of live sources, in seconds."""
    github: "GitHubApi | None" = None
    """GitHub's API for live sources; None without a repository or a token."""
    credentials: Credentials | None = None
    """Credentials for the bucket; None for those of the default credential provider chain."""
    ca_bundle: str = ""
    """Path of a file with more authorities to trust on the web, or empty; see `ci3.ca_bundle`."""
    on_journal_open: Callable[[str], None] = lambda _path: None
    """Called with the path of the journal before the first request is sent."""
    ends_at: datetime | None = None
    """The time at which deleting stops, complete or not; None for no limit."""
    report_cache: ReportCache = field(default_factory=dict)
    """Cache of the inventory reports read so far."""
    pattern_listing: PatternListing | None = None
    """The folders of all targets of the pattern that this target was found by, if any."""
    shared_reads: SharedReads | None = None
    """What the targets of a pattern read once in this phase; None to read everything again."""
    github_reads: GitHubReads | None = None
    """The readings of GitHub that may be used again; None to read it again."""

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
            expire_closed=self.settings.expire_closed,
        )

    @property
    def limits(self) -> Limits:
        """The effective limits of a plan."""
        settings = self.settings
        return Limits(max_delete=settings.max_delete, max_delete_bytes=settings.max_delete_bytes)

    @property
    def expiry(self) -> PreviewExpiry:
        """The effective setting `expire-closed`, with GitHub's API."""
        return PreviewExpiry(
            period=self.settings.expire_closed,
            github=self.github,
            share=self.share,
            clock=self.clock,
        )

    def open_bucket(self) -> BucketReader:
        """Return a reader for the bucket; it has no method that deletes."""
        share_malloc_arena()
        return BucketReader(
            bucket=self.settings.bucket,
            region=self.settings.region,
            endpoint_url=self.settings.endpoint_url,
            addressing_style=self.settings.addressing_style,
            credentials=self.credentials,
            request_limit=RequestLimit(self.settings.concurrency),
        )

    def take_inventory(self, bucket: BucketReader) -> Inventory:
        """Return the full listing of the deployments."""
        with self._open_scope(bucket) as scope:
            return take_inventory(bucket, scope, self.progress)

    def observe(
        self, bucket: BucketReader, partly_deleted: Mapping[str, str] = NO_STARTED_DELETIONS
    ) -> TargetState:
        """Return what is known about the target, with the evaluation of each deployment.

        Deployments on which a deletion depends and that are not fully listed yet are listed, and
        all are evaluated again, until none is left. `partly_deleted` maps the names of deployments
        whose deletion has started to their fingerprints before it: they supersede no other one.
        Raises SettingsError if `expire-closed` is set, but no repository or token.
        """
        self.expiry.refuse_without_github()
        is_first_page_only = self.settings.age_from is AgeFrom.FIRST_OBJECT
        with self._open_scope(bucket) as full_scope:
            scope = replace(full_scope, is_first_page_only=is_first_page_only)
            return self._observe(bucket, scope, partly_deleted)

    def _observe(
        self, bucket: BucketReader, scope: ListingScope, partly_deleted: Mapping[str, str]
    ) -> TargetState:
        share, listed_at = self.share, self.clock()
        with ThreadPoolExecutor(1, "live") as executor:
            live_future = executor.submit(self.read_live_sources, bucket)
            rules_future = executor.submit(
                share, "lifecycle", lambda: self.read_lifecycle_rules(bucket)
            )
            versioning_future = executor.submit(
                share, "versioning", bucket.read_versioning_or_unknown
            )
            inventory, folders = self._read_inventory(bucket, scope)
            readings = live_future.result()
        rules, versioning_state = rules_future.result(), versioning_future.result()
        pins = (*self.find_local_pins(), *pin_live(readings, self.settings.prefix))
        now = self.clock()

        def list_in_full(listed: Inventory, names: Collection[str]) -> Inventory:
            return finish_listing(bucket, scope, listed, folders, names, progress=self.progress)

        unfinished = read_unfinished_deletions(
            bucket, scope.prefix, inventory, list_in_full, listed_at
        )
        pull_requests = self.expiry.read(unfinished.inventory, pins, readings, now)
        inventory, evaluations = evaluate_with_full_listings(
            unfinished.inventory,
            self.policy,
            lambda listed: evaluate(
                listed,
                self.policy,
                pins,
                now,
                MINIMUM_KEEP_COUNT,
                started_deletions=partly_deleted,
                partial_deletions=unfinished.by_other_runs(partly_deleted),
                pull_requests=pull_requests,
            ),
            list_in_full,
            partly_deleted,
        )
        target = bucket.describe_target(self.settings.prefix, versioning_state.versioning)
        target = replace(target, repository=self.expiry.repository)
        evaluations = keep_uploading_deployments(
            bucket, scope.prefix, evaluations, now, partly_deleted
        )
        return TargetState(
            target=target,
            inventory=inventory,
            readings=readings,
            pins=pins,
            now=now,
            evaluations=evaluations,
            restore_period=self._find_restore_period(target, rules, evaluations),
            rules=rules,
            needs_mfa=versioning_state.has_mfa_delete,
            journal_warnings=unfinished.warnings,
            target_names=self.select_target_names(),
            pull_requests=pull_requests,
        )

    def _find_restore_period(
        self, target: Target, rules: LifecycleSnapshot, evaluations: Iterable[Evaluation]
    ) -> NoncurrentExpiration | None:
        """Return how long what is to be deleted can be restored; None if it can't."""
        if target.versioning is not Versioning.ENABLED or self.settings.delete_versions:
            return None
        decisions = [evaluation.decision for evaluation in evaluations]
        return rules.find_noncurrent_term(
            [decision.deployment.prefix for decision in decisions if decision.is_delete]
        )

    def _read_inventory(
        self, bucket: BucketReader, scope: ListingScope
    ) -> tuple[Inventory, Folders]:
        """Return the inventory to start with, from a report if there is one, and its folders."""
        listing = self.pattern_listing
        folders = (
            listing.take_folders(scope.prefix)
            if listing is not None and listing.match == scope.match
            else find_folders(bucket, scope.prefix, scope.match)
        )
        if self.settings.inventory is None:
            return list_folders(bucket, scope, folders, self.progress), folders
        return take_inventory_from_report(
            bucket,
            scope,
            folders,
            self.settings.inventory,
            reports=self.report_cache,
            progress=self.progress,
        )

    def make_plan(
        self, bucket: BucketReader, partly_deleted: Mapping[str, str] = NO_STARTED_DELETIONS
    ) -> Plan:
        """Return a plan of the target; `partly_deleted` as in `observe`."""
        return self._plan(bucket, self.observe(bucket, partly_deleted))

    def _plan(self, bucket: BucketReader, state: TargetState) -> Plan:
        return make_plan(bucket, state, self.settings, self.limits, self.progress)

    def read_lifecycle_rules(self, bucket: BucketReader) -> LifecycleSnapshot:
        """Return the lifecycle rules of the bucket, or why they are unavailable."""
        try:
            return LifecycleSnapshot(configuration=bucket.read_lifecycle().text)
        except AccessError as exc:
            return LifecycleSnapshot(
                problem=exc.message, is_unsupported=isinstance(exc, UnsupportedError)
            )

    def explain(self, bucket: BucketReader, name: str) -> Explanation | str:
        """Return the explanation of the decision about a deployment.

        If `name` is not a deployment, return the reason instead; empty if there is no such folder.
        """
        state = self.observe(bucket)
        for evaluation in state.evaluations:
            if evaluation.deployment.name == name:
                plan = self._plan(bucket, state)
                planned = next(
                    decision for decision in plan.decisions if decision.deployment.name == name
                )
                return explain(evaluation, self.settings.keep_within, plan.refusals, planned)
        return describe_others(state.inventory, "could not be listed").get(name, "")

    def simulate(self, inventory: Inventory) -> Simulation:
        """Replay the history of an inventory with the effective policy and protected names."""
        return simulate(
            inventory,
            self.policy,
            pin_protected(self.settings.protect),
            minimum_keep_count=MINIMUM_KEEP_COUNT,
            ends_at=self.clock(),
        )

    def read_live_sources(
        self, bucket: BucketReader, sources: Sequence[LiveSource] | None = None
    ) -> tuple[LiveReading, ...]:
        """Return the reading of every live source, or of the given ones."""
        return read_live_sources(
            self.settings.live_from if sources is None else sources,
            bucket=bucket,
            prefix=self.settings.prefix,
            pattern=self.settings.pattern,
            region=self.settings.region,
            github=self.github,
            ca_bundle=self.ca_bundle,
            share=self.share,
        )

    @property
    def share(self) -> Share:
        """How to read what the targets of a run have in common."""
        read_github = read_unshared if self.github_reads is None else self.github_reads.read
        shared_reads = self.shared_reads
        if shared_reads is None:
            return read_github
        return lambda key, read: shared_reads.read(key, lambda: read_github(key, read))

    def select_target_names(self) -> TargetNames:
        """Return the names of the folders in all targets of the pattern; none without one."""
        listing = self.pattern_listing
        return NO_OTHER_TARGETS if listing is None else listing.select_names(self.settings.prefix)

    def find_local_pins(self) -> tuple[Pin, ...]:
        """Return the pins that need no request: protected names, the run's references, pointers."""
        pointers = pin_pointers(self.settings.live_from, self.settings.prefix)
        return (*pin_protected(self.settings.protect), *pin_run(self.references), *pointers)

    def is_timed_out(self) -> bool:
        """Return True if the run has reached its time limit."""
        return self.ends_at is not None and self.clock() >= self.ends_at

    @contextmanager
    def _open_scope(self, bucket: BucketReader) -> Iterator[ListingScope]:
        """Yield the scope of a full listing, with a worker process that is closed at the end."""
        # The worker holds as many requests as it may send: only one target at a time could.
        has_worker = self.settings.concurrency > 1 and self.shared_reads is None
        worker = start_worker(bucket) if has_worker else None
        with nullcontext() if worker is None else closing(worker):
            yield ListingScope(
                prefix=self.settings.prefix,
                match=self.settings.match,
                required_file=self.settings.required_file,
                concurrency=self.settings.concurrency,
                worker=worker,
            )
