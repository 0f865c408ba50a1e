"""Determine which deletions of a plan may be executed now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from ci3.aws.bucket import BucketReader
from ci3.core.live.pins import Pin, pin_live
from ci3.core.live.sources import LiveReading, LiveSource
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Target
from ci3.core.plan.checks import collect_folder_names
from ci3.core.plan.live_checks import find_live_refusals, find_references_elsewhere
from ci3.core.plan.plan import NO_LONGER_A_DEPLOYMENT, Plan, revalidate
from ci3.core.plan.shared_folders import label_refusals
from ci3.core.retention.closed_previews import ClosedPreviews, select_closed_previews
from ci3.core.retention.newest_pins import resolve_pins
from ci3.engine.inventory.folders import find_folders
from ci3.engine.live_watch import LiveWatch, WatchedSource
from ci3.errors import RefusedError, begin_sentence, end_sentence
from ci3.pipeline.context import TargetContext
from ci3.pipeline.in_progress import find_uploading
from ci3.pipeline.shared_reads import GitHubReads


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The deletions of a plan that may be executed now, and the reasons against the others.

    `withdrawn` maps the names of deployments that may not be deleted any more to the reason; `gone`
    are those of them of which nothing is left.
    """

    plan: Plan
    to_delete: tuple[Decision, ...]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    live: LiveWatch = field(default_factory=LiveWatch)
    """Reads the live sources again while the approved deployments are deleted."""
    live_reader: "LiveReader | None" = None
    """What `live` reads with."""
    should_skip_changed: bool = False

    @property
    def changed(self) -> dict[str, str]:
        """The withdrawn deployments that still exist, with the reason."""
        return {name: reason for name, reason in self.withdrawn.items() if name not in self.gone}

    def withdraw(self, reasons: Mapping[str, str]) -> Self:
        """Return the approval with these deployments withdrawn; `reasons` are by name."""
        remaining = (item for item in self.to_delete if item.deployment.name not in reasons)
        return replace(self, to_delete=tuple(remaining), withdrawn={**self.withdrawn, **reasons})

    def share_last_reading(self, github_reads: GitHubReads) -> None:
        """Let the last reading of the live sources use the readings of other targets."""
        if self.live_reader is not None:
            self.live_reader.share_readings(github_reads)


def make_newer_plan(context: TargetContext, plan: Plan, bucket: BucketReader) -> Plan:
    """Return a new plan to compare an older one with, for the engine that was shown."""
    settings = context.settings.with_engine(plan.engine)
    return replace(context, settings=settings).make_plan(bucket)


def approve_plan(
    context: TargetContext,
    plan: Plan,
    bucket: BucketReader,
    *,
    is_fresh: bool,
    newer_plan: Plan | None = None,
) -> Approval:
    """Return which deletions of a plan may be executed now; nothing is deleted.

    The live sources are read again. A plan that is not fresh, because a person took time to read
    it, is also compared with `newer_plan`, or else with a new one. Raises RefusedError if the plan
    may not be applied.
    """
    refuse_unless_applyable(plan)
    skips_changed = context.settings.skip_changed
    approved = Approval(plan=plan, to_delete=plan.to_delete, should_skip_changed=skips_changed)
    if not is_fresh:
        newer_plan = newer_plan or make_newer_plan(context, plan, bucket)
        approved = _revalidate_with(newer_plan, approved)
    return recheck_uploads(context, recheck_live(context, approved, bucket), bucket)


def recheck_uploads(context: TargetContext, approved: Approval, bucket: BucketReader) -> Approval:
    """Withdraw the incomplete deployments into which something may be uploaded by now."""
    prefix = approved.plan.target.prefix
    return approved.withdraw(find_uploading(bucket, prefix, approved.to_delete, context.clock()))


def recheck_live(context: TargetContext, approved: Approval, bucket: BucketReader) -> Approval:
    """Read the live sources again, and withdraw the deployments that are live now.

    Those on GitHub are not read again if the context has a reading of them that may be used.
    Previews whose pull request is not known to be closed any more are withdrawn, too. Raises
    RefusedError if the live sources cannot be read.
    """
    live_sources = context.settings.live_from
    sources: Sequence[WatchedSource] = (*live_sources, *select_closed_previews(approved.to_delete))
    reader = LiveReader(context=context, plan=approved.plan, bucket=bucket)
    shared_reads, github_reads = context.shared_reads, context.github_reads
    read_at = context.monotonic() if shared_reads is None else shared_reads.began_at
    pins, problem = reader.read_pins(sources)
    # The watch reads everything again.
    reader.context = replace(context, shared_reads=None, github_reads=None)
    if problem:
        raise RefusedError(problem, "Nothing was deleted. Create and check a new plan.")
    pinned = {
        decision.deployment.name: pin.build_reason(decision.deployment.name).message
        for decision in approved.to_delete
        for pin in pins
        if pin.matches(decision.deployment.name)
    }
    return replace(
        approved.withdraw(pinned),
        pins=pins,
        live_reader=reader,
        live=LiveWatch(
            sources=sources,
            read_pins=reader.read_pins_within_budget,
            read_at=read_at,
            earlier_read_at={} if github_reads is None else github_reads.find_times(live_sources),
            approved_pins=pins,
            monotonic=context.monotonic,
            problem=reader.find_shortage(reading_count=1)
            if any(source.is_on_github for source in live_sources)
            else "",
        ),
    )


@dataclass(slots=True, kw_only=True)
class LiveReader:
    """Reads live sources of a target again, within GitHub's rate limit."""

    context: TargetContext
    plan: Plan
    bucket: BucketReader
    _github_cost: int = field(init=False, default=0)
    """The number of requests of the last reading of the sources on GitHub."""

    def share_readings(self, github_reads: GitHubReads) -> None:
        """Use the readings of other targets from now on."""
        self.context = replace(self.context, github_reads=github_reads)

    def read_pins(self, sources: Sequence[WatchedSource]) -> tuple[tuple[Pin, ...], str]:
        """Read sources; return their pins and the local ones, and a problem or ""."""
        read_at = self.context.monotonic()
        live_sources, previews = _split_sources(sources)
        readings = self.context.read_live_sources(self.bucket, live_sources)
        pins, problem = _find_pins(self.context, self.plan, self.bucket, readings, read_at)
        preview_pins, preview_cost = self._read_preview_pins(previews)
        if any(source.is_on_github for source in sources):
            live_cost = sum(reading.request_count for reading in readings)
            self._github_cost = live_cost + preview_cost
        return pins + preview_pins, problem

    def _read_preview_pins(self, previews: Sequence[ClosedPreviews]) -> tuple[tuple[Pin, ...], int]:
        """Return the pins of previews that may not be deleted, and how many requests it took."""
        github = self.context.github
        count_before = github.transport.request_count if github else 0
        pins = self.context.expiry.read_pins(previews)
        return pins, github.transport.request_count - count_before if github else 0

    def read_pins_within_budget(
        self, sources: Sequence[WatchedSource], reading_count: int
    ) -> tuple[tuple[Pin, ...], str]:
        """Read sources; those on GitHub only if its rate limit allows so many readings."""
        github_reads = self.context.github_reads
        live_sources, _ = _split_sources(sources)
        shared = {} if github_reads is None else github_reads.find_times(live_sources)
        on_github = [source for source in sources if source.is_on_github]
        needs_requests = any(source not in shared for source in on_github)
        shortage = self.find_shortage(reading_count=reading_count) if needs_requests else ""
        if not shortage:
            return self.read_pins(sources)
        pins, problem = self.read_pins([source for source in sources if not source.is_on_github])
        missing_live, missing_previews = _split_sources(on_github)
        pins += self.context.expiry.read_pins(missing_previews, shortage)
        return pins, "; ".join(filter(None, (shortage if missing_live else "", problem)))

    def find_shortage(self, *, reading_count: int) -> str:
        """Return why GitHub does not allow so many more readings now, or ""."""
        github = self.context.github
        return github.transport.find_shortage(reading_count * self._github_cost) if github else ""


def _split_sources(
    sources: Sequence[WatchedSource],
) -> tuple[list[LiveSource], list[ClosedPreviews]]:
    live_sources = [source for source in sources if isinstance(source, LiveSource)]
    return live_sources, [source for source in sources if isinstance(source, ClosedPreviews)]


def read_all_pins(
    context: TargetContext, plan: Plan, bucket: BucketReader
) -> tuple[tuple[Pin, ...], str]:
    """Read the live sources again; return all pins, and a problem with the sources or `""`."""
    return LiveReader(context=context, plan=plan, bucket=bucket).read_pins(
        context.settings.live_from
    )


def _find_pins(
    context: TargetContext,
    plan: Plan,
    bucket: BucketReader,
    readings: Sequence[LiveReading],
    read_at: float,
) -> tuple[tuple[Pin, ...], str]:
    prefix = plan.target.prefix
    deployments = [decision.deployment for decision in plan.decisions]
    names = collect_folder_names(deployments, plan.ignored)
    if context.pattern_listing is not None:
        shared_reads = context.shared_reads
        needed_after = read_at if shared_reads is None else shared_reads.began_at
        for references in find_references_elsewhere(readings, names, prefix):
            now = context.monotonic()
            context.pattern_listing.confirm_match(references, now, needed_after=needed_after)
    if find_live_refusals(readings, names, context.select_target_names()):
        # The live deployment may be newer than the plan.
        folders = find_folders(bucket, prefix)
        names = [*folders.names, *collect_folder_names((), folders.ignored)]
        if context.pattern_listing is not None:
            context.pattern_listing.list_again(context.monotonic(), needed_after=read_at)
    refusals = find_live_refusals(readings, names, context.select_target_names())
    pins = resolve_pins(
        (*context.find_local_pins(), *pin_live(readings, prefix)),
        deployments,
        group_by=context.policy.group_by,
        age_from=context.policy.age_from,
        superseding={decision.deployment.name for decision in plan.kept},
    )
    return pins, "; ".join(refusal.message for refusal in refusals)


def refuse_unless_applyable(*plans: Plan) -> None:
    """Raise RefusedError with the refusals of all plans, if there are any."""
    refusals = [f"{label}{refusal.message}" for label, refusal in label_refusals(plans)]
    if refusals:
        sentences = [end_sentence(begin_sentence(refusal)) for refusal in refusals]
        raise RefusedError(
            refusals[0] if len(refusals) == 1 else " ".join(sentences),
            "Nothing was deleted. Fix the problems listed in the plan and run again.",
        )


def refuse_changed_target(planned: Target, current: Target) -> None:
    """Raise RefusedError if the target differs from the planned one, or its versioning changed."""
    names = ("bucket", "region", "prefix", "endpoint_url", "versioning", "repository")
    for name in names:
        was, now = getattr(planned, name), getattr(current, name)
        if was != now:
            raise RefusedError(
                f"{planned.url} has changed since the plan was created: its "
                f"{name.replace('_', '-')} was {was or 'the default'}, is {now or 'the default'}",
                "Nothing was deleted. Create and check a new plan.",
            )


def _revalidate_with(new_plan: Plan, approved: Approval) -> Approval:
    plan = approved.plan
    refuse_unless_applyable(new_plan)
    refuse_changed_target(plan.target, new_plan.target)
    revalidation = revalidate(plan, new_plan)
    current_names = {decision.deployment.name for decision in new_plan.decisions}
    ignored_names = {*collect_folder_names((), new_plan.ignored)}
    return replace(
        approved,
        to_delete=revalidation.to_delete,
        withdrawn={
            name: NO_LONGER_A_DEPLOYMENT if name in ignored_names else reason
            for name, reason in revalidation.withdrawn.items()
        },
        gone=frozenset(revalidation.withdrawn) - current_names - ignored_names,
    )
