"""Undoes deletions: plans it by a listing of versions, removes markers, and looks what is there."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.formatting import counted
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.core.restore.decide import Skip, SkipReason, Undo, Undoing
from ci3.core.restore.plan import (
    DeploymentRestored,
    DeploymentUndo,
    Restored,
    RestoreOutcome,
    UndoOutcome,
    UndoPlan,
    sum_up_skips,
    undo_outcome,
)
from ci3.engine.lifecycle.rule_search import InTheWay, find_rules, look_for_rules
from ci3.engine.lifecycle.update import LifecycleChanger
from ci3.engine.restore.sources import RestoreSource, open_target
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.wait import Steps, watch
from ci3.errors import DeniedError, ExitCode, GateError, ListingError, RefusedError, told

WORKERS = 8
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0)
"""Pauses before the markers that S3 asked to send again go out again."""

Marker = tuple[str, str]
"""A delete marker: its key and version id."""


@dataclass(slots=True, kw_only=True)
class Restoration:
    """One undo of deletions; every object that was deleted ends in exactly one outcome."""

    reader: BucketReader
    deletions: RestoreSource
    progress: Progress
    sleep: Callable[[float], None]
    concurrency: int = MAXIMUM_CONCURRENCY
    """How many requests may be out at once."""
    _stopped: str = field(init=False, default="")
    _steps: Steps = field(init=False, default_factory=Steps)

    @property
    def _workers(self) -> int:
        return min(WORKERS, self.concurrency)

    def plan(self) -> UndoPlan:
        """List the versions that stand there now, and say what would come back; nothing is done.

        Raises AccessError where they can't be listed.
        """
        target = open_target(self.deletions.target, self.reader)
        prefixes = self.deletions.prefixes
        self.progress.begin("Listing versions", len(prefixes))
        try:
            with ThreadPoolExecutor(self._workers, "listing") as pool:
                deployments = []
                for one in pool.map(partial(self._sum_up, target), prefixes):
                    deployments.append(one)
                    self.progress.advance(1)
        finally:
            self.progress.end()
        in_the_way = self._look_for_rules()
        notes = self.deletions.notes
        return UndoPlan(
            target=target,
            told=self.deletions.told,
            run_id=self.deletions.run_id,
            notes=(*notes, in_the_way.note) if in_the_way.note else notes,
            deployments=tuple(deployments),
            rules=in_the_way.rules,
            knows_rules=not in_the_way.is_unread,
        )

    def run(self, plan: UndoPlan) -> Restored:
        """Undo what a plan showed, as far as that is still so; lifecycle rules go first.

        An interrupt, lost access or a bug stops the run after the requests that are out: what was
        not sent counts as failed. Whatever happens, the account comes back.
        """
        rules_removed = self._remove_rules(plan.rules) if plan.knows_rules else 0
        remover = self.reader.open_version_remover()
        with suppress(OSError):  # whoever watches may have gone away
            self.progress.begin("Restoring objects", plan.object_count)
        with ThreadPoolExecutor(1, "restoration") as runner:
            running = runner.submit(self._restore_all, plan, remover)
            watch((running,), look_up=lambda: self._steps.show(self.progress), stop=self._stop)
            deployments = running.result()
        self._steps.show(self.progress)
        with suppress(OSError):
            self.progress.end()
        return Restored(deployments=deployments, stopped=self._stopped, rules_removed=rules_removed)

    def _look_for_rules(self) -> InTheWay:
        """Look for our rules on all that this is about.

        Raises AccessError where a journal tells of some, and they can't be read.
        """
        return look_for_rules(
            self.reader,
            self.deletions.prefixes,
            must_be_read=bool(self.deletions.left_to_s3),
        )

    def _remove_rules(self, planned: Sequence[str]) -> int:
        """Take away the rules that were planned, and what has come since.

        Where that fails nothing else is done, since S3 would undo it.
        """
        changer = LifecycleChanger(reader=self.reader, sleep=self.sleep)
        try:
            rules = {*planned, *find_rules(self.reader, self.deletions.prefixes)}
            if not rules:
                return 0
            change = changer.change(remove=rules)
            problem = change.problem
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account comes back
            problem = told(exc)
        if problem:
            self._stop(f"the lifecycle rules may stand yet: {problem}")
            return 0
        return sum(one.rule_id in rules for one in change.before.text.rules)

    def _sum_up(self, target: Target, prefix: str) -> DeploymentUndo:
        undoings = self.deletions.decide(prefix, self._versions(prefix), target.versioning)
        undos = [one for one in undoings if isinstance(one, Undo)]
        return DeploymentUndo(
            name=_name(prefix, target),
            object_count=len(undos),
            size_bytes=sum(one.size_bytes for one in undos),
            skipped=sum_up_skips(one for one in undoings if isinstance(one, Skip)),
        )

    def _versions(self, prefix: str) -> Iterator[StoredVersion]:
        with closing(self.reader.list_versions(prefix)) as pages:
            for page in pages:
                yield from page

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _restore_all(
        self, plan: UndoPlan, remover: VersionRemover
    ) -> tuple[DeploymentRestored, ...]:
        with ThreadPoolExecutor(self._workers, "restoring") as pool:
            restore = partial(self._restore, plan.target, remover)
            return tuple(pool.map(restore, plan.deployments))

    def _restore(
        self, target: Target, remover: VersionRemover, planned: DeploymentUndo
    ) -> DeploymentRestored:
        """Restore one deployment, whatever happens; runs in a worker's thread."""
        account = _Account(planned=planned)
        try:
            if planned.object_count and not self._stopped:
                prefix = f"{target.prefix}{planned.name}/"
                self._restore_listed(prefix, account, target.versioning, remover)
        except Exception as exc:  # noqa: BLE001 - what was to come back must be accounted for
            account.problem = told(exc)
            if not isinstance(exc, DeniedError | ListingError):
                self._stop(account.problem)
        return account.close(self._stopped)

    def _restore_listed(
        self, prefix: str, account: "_Account", versioning: Versioning, remover: VersionRemover
    ) -> None:
        """List and decide again right before, remove, and look at what is current then."""
        listed = list(self._versions(prefix))
        account.begin(self.deletions.decide(prefix, listed, versioning))
        markers = {(one.key, one.version_id) for one in listed if one.is_marker}
        wanted = [(undo.key, one) for undo in account.undos for one in undo.marker_version_ids]
        said: dict[Marker, KeyOutcome] = {}
        for start in range(0, len(wanted), DELETE_BATCH_SIZE):
            if self._stopped:
                break
            batch = wanted[start : start + DELETE_BATCH_SIZE]
            check_markers(batch, prefix, markers)
            said |= self._remove(batch, versioning, remover)
            self._steps.count(len({key for key, _ in batch}))
        if said:
            keys = {undo.key for undo in account.undos}
            account.enter(said, self._current(prefix, keys))

    def _remove(
        self, batch: Sequence[Marker], versioning: Versioning, remover: VersionRemover
    ) -> Mapping[Marker, KeyOutcome]:
        """Remove one batch, sending again alone those that S3 asked to send again."""
        # Where versioning is enabled no upload takes the place of a marker called `null`.
        may_name_null = versioning is Versioning.ENABLED
        said = dict(remover.remove(batch, may_name_null=may_name_null))
        for delay in RETRY_DELAYS_SECONDS:
            again = [one for one in batch if said[one].can_retry]
            if not again:
                break
            self.sleep(delay)
            said |= remover.remove(again, may_name_null=may_name_null)
        if why := next((one.message for one in said.values() if one.stops_run), ""):
            self._stop(why)
        return said

    def _current(self, prefix: str, keys: set[str]) -> dict[str, StoredVersion]:
        return {one.key: one for one in self._versions(prefix) if one.is_latest and one.key in keys}


@dataclass(slots=True, kw_only=True)
class _Account:
    """The account of one deployment; kept by the one thread that restores it."""

    planned: DeploymentUndo
    undos: tuple[Undo, ...] = ()
    problem: str = ""
    _skips: list[Skip] = field(default_factory=list)
    _restored: list[Undo] = field(default_factory=list)
    _overtaken: list[Undo] = field(default_factory=list)
    _is_begun: bool = False

    def begin(self, undoings: Sequence[Undoing]) -> None:
        """Take what is decided right before; what is not entered as something else has failed."""
        self._is_begun = True
        self.undos = tuple(one for one in undoings if isinstance(one, Undo))
        self._skips = [one for one in undoings if isinstance(one, Skip)]

    def enter(
        self, said: Mapping[Marker, KeyOutcome], current: Mapping[str, StoredVersion]
    ) -> None:
        """Enter what became of each object: what is current now counts, not what S3 said."""
        for undo in self.undos:
            now = current.get(undo.key)
            if now is None or now.is_marker:
                self.problem = self.problem or _why_deleted_still(undo, said)
            elif now.version_id == undo.version_id:
                self._restored.append(undo)
            else:
                self._overtaken.append(undo)

    def close(self, stopped: str) -> DeploymentRestored:
        """Sum up; of what was never begun the plan's account stands, all of it failed."""
        skipped, failed = self.planned.skipped, self.planned.object_count
        if self._is_begun:
            newer = (
                Skip(key=one.key, size_bytes=one.size_bytes, reason=SkipReason.NEWER_VERSION)
                for one in self._overtaken
            )
            skipped = sum_up_skips((*self._skips, *newer))
            failed = len(self.undos) - len(self._restored) - len(self._overtaken)
        counts = Counter({RestoreOutcome.RESTORED: len(self._restored)})
        counts[RestoreOutcome.FAILED] = failed
        for one in skipped:
            is_there = one.reason is SkipReason.ALREADY_THERE
            outcome = RestoreOutcome.ALREADY_THERE if is_there else RestoreOutcome.SKIPPED
            counts[outcome] += one.object_count
        return DeploymentRestored(
            name=self.planned.name,
            counts={outcome: counts[outcome] for outcome in RestoreOutcome if counts[outcome]},
            bytes_restored=sum(one.size_bytes for one in self._restored),
            problem=self.problem or (f"not restored: {stopped}" if failed else ""),
            skipped=skipped,
        )


def check_markers(batch: Sequence[Marker], prefix: str, listed: Set[Marker]) -> None:
    """Raise GateError unless each is a delete marker of this deployment, as it was just listed.

    The last gate before a request: removing anything else by its version would destroy content.
    """
    for key, version_id in batch:
        if not key.startswith(prefix) or (key, version_id) not in listed:
            raise GateError(f"{key!r} has no delete marker {version_id!r} under {prefix!r}")


def refuse_unless_restorable(plan: UndoPlan) -> None:
    """Raise RefusedError where something was deleted and nothing of it can be brought back."""
    if undo_outcome(plan) is not UndoOutcome.REFUSED:
        return
    reasons = [reason for reason in plan.skipped if reason.is_lost]
    way = (
        "Turn versioning on again, and restore then."
        if SkipReason.NULL_MARKER in reasons
        else "What was deleted has to be uploaded again."
    )
    raise RefusedError(
        f"nothing can be brought back of {counted(plan.lost_count, 'object')}: "
        f"{'; '.join(reason.why for reason in reasons)}",
        f"Nothing was changed. {way}",
    )


def exit_code(restored: Restored) -> ExitCode:
    """Give the exit code that tells what an undo did."""
    return ExitCode.DONE if restored.is_whole else ExitCode.PARTIAL


def _name(prefix: str, target: Target) -> str:
    return prefix.removeprefix(target.prefix).removesuffix("/")


def _why_deleted_still(undo: Undo, said: Mapping[Marker, KeyOutcome]) -> str:
    for version_id in undo.marker_version_ids:
        one = said.get((undo.key, version_id))
        if one is not None and one.outcome is not ObjectOutcome.DELETED:
            return f"a delete marker is still there: {one.message}"
    return ""
