"""Deletes all versions of doomed deployments, each by its id: what goes like this is gone for good.

Nothing is ever sent without a version's id, and nothing that was not just listed.
"""

import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.inventory.fingerprint import fingerprint
from ci3.core.inventory.versions import current_objects, in_turn, sum_up_versions
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import DeleteGuard, DeploymentResult, GuardProbe, ObjectOutcome
from ci3.engine.deletion.objects import OVER, Deleted
from ci3.engine.deletion.sender import SENDERS
from ci3.engine.deletion.tally import Tally
from ci3.engine.deletion.version_sender import Version, VersionSender, id_of
from ci3.engine.gate import Gate
from ci3.engine.inventory.versions import list_all_versions
from ci3.engine.journal.writer import Journal
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.wait import Steps, watch
from ci3.errors import DeniedError, ListingError, told

_GONE = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
_NOT_SENT = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: what it hides could not be deleted, and would be current then",
)
_LEFT = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: an older version could not be deleted, and nobody would see it any more",
)
_UNSEEN = "a listing of its versions does not show what is in it"
_OVERTAKEN = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="its objects changed meanwhile")


def version_guard(versioning: Versioning) -> GuardProbe:
    """Say what guards the deletion of versions, which no condition can be put on."""
    reason = "but what is called null, which an upload overwrites while versioning is suspended"
    is_suspended = versioning is Versioning.SUSPENDED
    return GuardProbe(guard=DeleteGuard.VERSION_ID, reason=reason if is_suspended else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """One deployment as it was listed right before its deletion, and the account of it."""

    prefix: str
    ids: frozenset[Version]
    listed_at: float
    tally: Tally


@dataclass(slots=True, kw_only=True)
class VersionDeletion:
    """One run of final deletions; every version that the plan named ends in exactly one outcome."""

    reader: BucketReader
    remover: VersionRemover
    gate: Gate
    journal: Journal
    progress: Progress
    sleep: Callable[[float], None]
    is_over: Callable[[], bool] = lambda: False
    """Whether the time for this run is up."""
    concurrency: int = MAXIMUM_CONCURRENCY
    """How many requests may be out at once."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that only goes on: how old a listing is."""
    _sender: VersionSender = field(init=False)
    _stopped: str = field(init=False, default="")
    _steps: Steps = field(init=False, default_factory=Steps)

    def __post_init__(self) -> None:
        self._sender = VersionSender(
            reader=self.reader,
            remover=self.remover,
            sleep=self.sleep,
            monotonic=self.monotonic,
            is_stopped=lambda: bool(self._stopped),
        )

    def run(self, due: Sequence[Decision]) -> Deleted:
        """Delete the deployments of which every version is as the plan knew it.

        An interrupt, an unwritable journal, lost access or a bug stops the run after the requests
        that are out: what was not sent counts as failed. Whatever happens, the account comes back.
        """
        deployments = [decision.deployment for decision in due]
        if self.is_over():
            self._stop(OVER)
        with suppress(OSError):  # whoever watches may have gone away
            self.progress.begin("Deleting versions", sum(one.deletion_count for one in deployments))
        workers = min(SENDERS, self.concurrency)
        with ThreadPoolExecutor(workers, "deleting") as pool:
            running = [pool.submit(self._delete, one) for one in deployments]
            watch(running, look_up=self._look_up, stop=self._stop)
            results = tuple(one.result() for one in running)
        self._steps.show(self.progress)
        with suppress(OSError):
            self.progress.end()
        whole = tuple(
            one for one, result in zip(deployments, results, strict=True) if result.is_gone
        )
        return Deleted(results=results, whole=whole, stopped=self._stopped)

    def _look_up(self) -> None:
        """Look at the clock, and show how far it is."""
        if self.is_over():
            self._stop(OVER)
        self._steps.show(self.progress)

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _delete(self, planned: Deployment) -> DeploymentResult:
        """Delete one deployment, whatever happens; runs in a worker's thread."""
        tally = Tally(name=planned.name, planned_count=planned.deletion_count)
        try:
            if not self._stopped:
                self._delete_listed(planned, tally)
        except Exception as exc:  # noqa: BLE001 - what was to go must be accounted for
            tally.problem = tally.problem or told(exc)
            if not isinstance(exc, DeniedError | ListingError):
                self._stop(told(exc))
        tally.close(self._stopped)
        return tally.result()

    def _delete_listed(self, planned: Deployment, tally: Tally) -> None:
        """List again, compare, and delete what is as it was planned."""
        listed_at = self.monotonic()
        try:
            versions = list_all_versions(self.reader, planned.prefix)
        except (DeniedError, ListingError) as exc:
            tally.enter_all(ObjectOutcome.FAILED, f"kept: {exc.message}")
            return
        if not versions:
            is_there = bool(self.reader.list_keys(planned.prefix))
            tally.enter_all(ObjectOutcome.ABSENT, _UNSEEN if is_there else "")
            return
        if why := _what_changed(planned, versions):
            tally.enter_all(ObjectOutcome.CHANGED, f"kept: {why}")
            return
        ids = frozenset(map(id_of, versions))
        listed = _Listed(prefix=planned.prefix, ids=ids, listed_at=listed_at, tally=tally)
        self._delete_unchanged(planned, listed, versions)

    def _delete_unchanged(
        self, planned: Deployment, listed: _Listed, versions: Sequence[StoredVersion]
    ) -> None:
        """Delete what is hidden and then what is current; look what is left.

        Where something hidden could not be deleted, what is current stays, all of it: of that key,
        since the hidden would be current then; of the others, since a deployment without current
        objects is none, and no later run would see what is left.
        """
        hidden, markers, current = in_turn(versions)
        stuck: set[str] = set()
        for some in (hidden, markers):
            stuck |= self._delete_some(listed, some, stuck)
        if self._stopped:
            return
        if (hidden or markers) and current:
            listed = replace(listed, listed_at=self.monotonic())
            if kept := _LEFT if stuck else self._overtaken(planned):
                for one in current:
                    listed.tally.enter(one, _NOT_SENT if one.key in stuck else kept)
                return
        self._delete_some(listed, current, stuck)
        if not listed.tally.problem and not self._stopped:
            self._look_again(listed)

    def _overtaken(self, planned: Deployment) -> KeyOutcome | None:
        """List what is current once more; give why it stays, if something was uploaded."""
        found = list_all_versions(self.reader, planned.prefix)
        is_same = fingerprint(current_objects(found)) == planned.fingerprint
        return None if is_same else _OVERTAKEN

    def _delete_some(
        self, listed: _Listed, some: Sequence[StoredVersion], stuck: Set[str]
    ) -> set[str]:
        """Delete versions, batch by batch; give the keys of which one is not gone then."""
        for one in some:
            if one.key in stuck:
                listed.tally.enter(one, _NOT_SENT)
        free = [one for one in some if one.key not in stuck]
        gone: set[Version] = set()
        for start in range(0, len(free), DELETE_BATCH_SIZE):
            if self._stopped:
                break
            gone |= self._delete_batch(listed, free[start : start + DELETE_BATCH_SIZE])
        return {one.key for one in some if id_of(one) not in gone}

    def _delete_batch(self, listed: _Listed, batch: Sequence[StoredVersion]) -> set[Version]:
        """Delete one batch: gate, journal, request, journal; give what is gone."""
        self.gate.check_versions(listed.prefix, batch, listed.ids)
        number = self.journal.intend_versions([(listed.prefix, batch)])
        said = self._sender.delete(batch, listed.listed_at)
        if why := next((one.message for one in said.values() if one.stops_run), ""):
            self._stop(why)
        self._sender.settle(batch, said)
        outcomes = [said[id_of(one)] for one in batch]
        for one, outcome in zip(batch, outcomes, strict=True):
            listed.tally.enter(one, outcome)
        self._steps.count(len(batch))
        self.journal.conclude(number, outcomes)
        return {id_of(one) for one in batch if said[id_of(one)].outcome in _GONE}

    def _look_again(self, listed: _Listed) -> None:
        """List once more: what is still there was uploaded meanwhile, or S3 did not delete it."""
        if list_all_versions(self.reader, listed.prefix):
            listed.tally.problem = "something is still in it, or new in it"


def _what_changed(planned: Deployment, versions: Sequence[StoredVersion]) -> str:
    if fingerprint(current_objects(versions)) != planned.fingerprint:
        return "its objects changed since the plan"
    if sum_up_versions(versions) != planned.versions:
        return "its old versions changed since the plan"
    return ""
