"""Restores deleted objects: lists versions for a plan, removes delete markers, and verifies.

A version counts as current if the listing of versions has it as the only latest one of its key, and
a plain listing has the key too: that is what readers of the bucket see.
"""

from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from ci3.aws.bucket import BucketReader
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.formatting import pluralize
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.restore.decide import RestoreObject, SkipObject, SkipReason, find_latest
from ci3.core.restore.plan import (
    DeploymentRestorePlan,
    RestoreOutcome,
    RestorePlan,
    RestoreResult,
    get_restore_outcome,
    summarize_skips,
)
from ci3.engine.deletion.sender import BatchPart
from ci3.engine.deletion.version_sender import VersionIdentity, VersionSender, identify
from ci3.engine.lifecycle.rule_search import find_rule_ids, search_rules
from ci3.engine.lifecycle.update import ConfigurationUpdater
from ci3.engine.restore.record import write_restore_record
from ci3.engine.restore.sources import RestoreSource, group_by_key, read_current_target
from ci3.engine.restore.tally import MarkerOutcomes, RestoreTally
from ci3.engine.workers.progress import Progress, show_task
from ci3.engine.workers.run_control import RunControl
from ci3.errors import ExitCode, GateError, RefusedError, describe_error

WORKERS = 8
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0)
"""Pauses before each retry of markers that S3 asked to send again."""
SECOND_LOOK_SECONDS = 5.0
"""Pause before versions are listed again after a run that was killed.

Requests that it had sent may be executed late. A DeleteObjects request takes a few seconds at most.
"""


@dataclass(slots=True, kw_only=True)
class Restoration:
    """One restore of deletions; every object that was deleted ends in exactly one outcome."""

    reader: BucketReader
    source: RestoreSource
    progress: Progress
    sleep: Callable[[float], None]
    concurrency: int = MAXIMUM_CONCURRENCY
    """Maximum number of requests in flight."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    second_look_seconds: float = SECOND_LOOK_SECONDS
    _control: RunControl = field(init=False)

    def __post_init__(self) -> None:
        self._control = RunControl(progress=self.progress, sleep=self.sleep)

    @property
    def _workers(self) -> int:
        return min(WORKERS, self.concurrency)

    def make_plan(self) -> RestorePlan:
        """List the versions that exist now, and plan what is restored; changes nothing.

        After a run that was killed, they are listed again if there is nothing to restore.

        Raises AccessError if versions cannot be listed, or lifecycle rules cannot be read although
        the journal records some.
        """
        plan = self._make_plan()
        if self.source.late_prefixes and not plan.has_work:
            self.sleep(self.second_look_seconds)
            plan = self._make_plan()
        return plan

    def _make_plan(self) -> RestorePlan:
        target = read_current_target(self.source.target, self.reader)
        prefixes = self.source.prefixes
        deployments = []
        with (
            show_task(self.progress, "Listing versions", len(prefixes)),
            ThreadPoolExecutor(self._workers, "listing") as pool,
        ):
            for deployment in pool.map(partial(self._sum_up, target), prefixes):
                deployments.append(deployment)
                self.progress.advance(1)
        must_read_rules = bool(self.source.rule_prefixes)
        rule_search = search_rules(self.reader, prefixes, is_required=must_read_rules)
        notes = self.source.notes
        return RestorePlan(
            target=target,
            source_label=self.source.description,
            run_id=self.source.run_id,
            notes=(*notes, rule_search.note) if rule_search.note else notes,
            deployments=tuple(deployments),
            rule_ids=rule_search.rule_ids,
            has_read_rules=not rule_search.is_unreadable,
        )

    def restore(self, plan: RestorePlan) -> RestoreResult:
        """Restore what a plan shows, if that is still possible; first remove lifecycle rules.

        An interrupt, lost access or a bug stops the run after the requests in flight: what was not
        sent counts as failed. Each `restoring` thread restores one deployment at a time.
        """
        rules_removed = self._remove_rules(plan.rule_ids) if plan.has_read_rules else 0
        tallies = [RestoreTally(planned) for planned in plan.deployments]
        restore = partial(self._restore, plan.target, self._make_sender(plan.target.versioning))

        def restore_planned(tally: RestoreTally) -> None:
            if tally.planned.object_count:
                restore(tally)

        def restore_again(tally: RestoreTally) -> None:
            try:
                if not self._control.is_stopped():
                    restore(tally)
            except Exception as exc:  # noqa: BLE001 - the result must be returned
                reason = f"the current versions could not be listed again: {describe_error(exc)}"
                self._control.stop(reason)

        def restore_all() -> None:
            contained = self._control.contain_errors(restore_planned)
            with ThreadPoolExecutor(self._workers, "restoring") as pool:
                list(pool.map(contained, tallies))
                late = self._select_late(plan.target, tallies)
                if late and not self._control.is_stopped():
                    self._control.sleep(self.second_look_seconds)
                    list(pool.map(restore_again, late))

        self._control.execute("Restoring objects", plan.object_count, restore_all)
        stopped = self._control.stop_reason
        deployments = tuple(tally.result(stopped) for tally in tallies)
        result = RestoreResult(
            deployments=deployments, stop_reason=stopped, rules_removed=rules_removed
        )
        return replace(result, record_problem=self._record(plan.target, result.restored_names))

    def _record(self, target: Target, names: Sequence[str]) -> str:
        """Store what was restored next to a stored journal; return why not, or an empty string."""
        if not (names and self.source.journal_url):
            return ""
        try:
            write_restore_record(self.reader, target.prefix, names, self.clock())
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the result must be returned
            return f"later plans will not warn before they delete this again: {describe_error(exc)}"
        return ""

    def _select_late(
        self, target: Target, tallies: Sequence[RestoreTally]
    ) -> Sequence[RestoreTally]:
        """Return the deployments from which requests of a killed run may still delete."""
        return [
            tally
            for tally in tallies
            if f"{target.prefix}{tally.planned.name}/" in self.source.late_prefixes
        ]

    def _make_sender(self, versioning: Versioning) -> VersionSender:
        return VersionSender(
            reader=self.reader,
            remover=self.reader.open_version_remover(),
            control=self._control,
            retry_delays=RETRY_DELAYS_SECONDS,
            retries_unknown=False,
            # If versioning is enabled, no upload replaces a marker named `null`.
            may_name_null=versioning is Versioning.ENABLED,
            refreshes_null=False,
        )

    def _remove_rules(self, planned: Sequence[str]) -> int:
        """Remove the planned rules and those created since.

        If that fails, the run stops: the remaining rules would expire what is restored.
        """
        changer = ConfigurationUpdater(reader=self.reader, sleep=self.sleep)
        try:
            rules = {*planned, *find_rule_ids(self.reader, self.source.prefixes)}
            if not rules:
                return 0
            change = changer.update(remove=rules)
            problem = change.problem
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the result must be returned
            problem = describe_error(exc)
        if problem:
            self._control.stop(f"the lifecycle rules may still be active: {problem}")
            return 0
        return sum(rule.rule_id in rules for rule in change.before.text.rules)

    def _sum_up(self, target: Target, prefix: str) -> DeploymentRestorePlan:
        actions = self.source.decide(prefix, self._list_versions(prefix), target.versioning)
        restorable = [action for action in actions if isinstance(action, RestoreObject)]
        return DeploymentRestorePlan(
            name=prefix.removeprefix(target.prefix).removesuffix("/"),
            object_count=len(restorable),
            size_bytes=sum(action.size_bytes for action in restorable),
            skipped=summarize_skips(action for action in actions if isinstance(action, SkipObject)),
        )

    def _restore(self, target: Target, sender: VersionSender, tally: RestoreTally) -> None:
        """List and decide again, remove delete markers, and list the current versions.

        The required file follows when all other objects are current: until then the deployment must
        not count as complete.
        """
        planned = tally.planned
        prefix = f"{target.prefix}{planned.name}/"
        listed_at = self._control.monotonic()
        listed = self._list_versions(prefix)
        tally.start(self.source.decide(prefix, listed, target.versioning))
        markers = BatchPart(
            name=planned.name,
            prefix=prefix,
            entries=tuple(version for version in listed if version.is_delete_marker),
            listed_at=listed_at,
        )
        required_key = f"{prefix}{self.source.required_file}" if self.source.required_file else ""
        required = [action for action in tally.restorable if action.key == required_key]
        others = [action for action in tally.restorable if action.key != required_key]
        self._remove_markers(sender, tally, markers, others)
        if not required or self._control.is_stopped():
            return
        if tally.is_missing_only(len(required)):
            self._remove_markers(sender, tally, markers, required)
        else:
            tally.withhold(self.source.required_file)

    def _remove_markers(
        self,
        sender: VersionSender,
        tally: RestoreTally,
        listed: BatchPart[StoredVersion],
        actions: Sequence[RestoreObject],
    ) -> None:
        """Remove the listed delete markers of some objects, and enter what is current then."""
        prefix = listed.prefix
        markers = {identify(marker): marker for marker in listed.entries}
        identities = [
            (action.key, marker_id) for action in actions for marker_id in action.marker_version_ids
        ]
        outcomes: MarkerOutcomes = {}
        for start in range(0, len(identities), DELETE_BATCH_SIZE):
            if self._control.is_stopped():
                break
            batch = identities[start : start + DELETE_BATCH_SIZE]
            check_markers(batch, prefix, markers.keys())
            outcomes |= sender.send(
                [replace(listed, entries=tuple(markers[identity] for identity in batch))]
            )
            self._control.count_done(len({key for key, _ in batch}))
        if outcomes:
            current = self._list_current(prefix, {action.key for action in actions})
            tally.enter(actions, outcomes, current)

    def _list_versions(self, prefix: str) -> list[StoredVersion]:
        """List versions; one counts as the latest only if a plain listing has its key too."""
        with closing(self.reader.list_versions(prefix)) as pages:
            versions = [version for page in pages for version in page]
        if not any(version.is_latest and not version.is_delete_marker for version in versions):
            return versions
        current_keys = set(self.reader.list_keys(prefix))
        return [
            version
            if version.is_delete_marker or version.key in current_keys
            else replace(version, is_latest=False)
            for version in versions
        ]

    def _list_current(self, prefix: str, keys: Set[str]) -> dict[str, StoredVersion]:
        by_key = group_by_key(self._list_versions(prefix), keys)
        return {
            key: latest for key, versions in by_key.items() if (latest := find_latest(versions))
        }


def check_markers(
    batch: Sequence[VersionIdentity], prefix: str, listed: Set[VersionIdentity]
) -> None:
    """Raise GateError unless all are delete markers of this deployment that were just listed.

    The last check before a request: removing another version by its ID would destroy content.
    """
    for key, version_id in batch:
        if not key.startswith(prefix) or (key, version_id) not in listed:
            raise GateError(f"{key!r} has no delete marker {version_id!r} under {prefix!r}")


def refuse_unless_restorable(plan: RestorePlan) -> None:
    """Raise RefusedError if something was deleted and nothing of it can be restored."""
    if get_restore_outcome(plan) is not RestoreOutcome.REFUSED:
        return
    reasons = [reason for reason in plan.skipped_counts if reason.is_unrecoverable]
    hint = (
        "Turn versioning on again, then restore."
        if SkipReason.NULL_MARKER in reasons
        else "Upload the deleted objects again."
    )
    raise RefusedError(
        f"{pluralize(plan.lost_count, 'object')} cannot be restored: "
        f"{'; '.join(reason.description for reason in reasons)}",
        f"Nothing was changed. {hint}",
    )


def restore_exit_code(plan: RestorePlan, restored: RestoreResult | None = None) -> ExitCode:
    """Return the exit code of a restore, or of a plan that has nothing to do and is not refused."""
    is_partial = get_restore_outcome(plan, restored) is RestoreOutcome.PARTIAL
    return ExitCode.PARTIAL if is_partial else ExitCode.DONE
