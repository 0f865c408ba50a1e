"""Deletes all versions of doomed deployments, each by its id: what goes like this is gone for good.

Nothing is ever sent without a version's id, and nothing that was not just listed.
"""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from ci3.aws.bucket import BucketReader
from ci3.aws.outcomes import KeyOutcome
from ci3.aws.versions import VersionRemover
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.content import fingerprint
from ci3.core.gate import Gate
from ci3.core.model import (
    Decision,
    DeleteGuard,
    Deployment,
    DeploymentResult,
    GuardProbe,
    ObjectOutcome,
    StoredVersion,
    Versioning,
)
from ci3.core.versions import current_objects, in_turn, sum_up_versions
from ci3.engine.direct import NOTICE_SECONDS, OVER, RETRY_DELAYS_SECONDS, Deleted
from ci3.engine.journal import Journal
from ci3.engine.pace import Pace
from ci3.engine.progress import Progress
from ci3.engine.version_listing import list_all_versions
from ci3.errors import DeniedError, ListingError, told

DELETE_WORKERS = 8
_GONE = (ObjectOutcome.DELETED, ObjectOutcome.ABSENT)
_NOT_SENT = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: what it hides could not be deleted, and would be current then",
)
_UNSEEN = "a listing of its versions does not show what is in it"
_OVERTAKEN = KeyOutcome(outcome=ObjectOutcome.CHANGED, message="its objects changed meanwhile")

Version = tuple[str, str]
"""A version or a delete marker: its key and id."""


def version_guard(versioning: Versioning) -> GuardProbe:
    """Say what guards the deletion of versions, which no condition can be put on."""
    reason = "but what is called null, which an upload overwrites while versioning is suspended"
    is_suspended = versioning is Versioning.SUSPENDED
    return GuardProbe(guard=DeleteGuard.VERSION_ID, reason=reason if is_suspended else "")


@dataclass(slots=True, kw_only=True)
class _Account:
    """The account of one deployment; kept by the one thread that deletes it."""

    planned: Deployment
    counts: Counter[ObjectOutcome] = field(default_factory=Counter)
    bytes_deleted: int = 0
    problem: str = ""

    def enter_all(self, outcome: ObjectOutcome, problem: str) -> None:
        """Enter one outcome for everything that the plan names."""
        self.counts[outcome] = self.planned.deletion_count
        self.problem = problem

    def enter(self, one: StoredVersion, said: KeyOutcome) -> None:
        """Enter what became of one version."""
        self.counts[said.outcome] += 1
        if said.outcome is ObjectOutcome.DELETED:
            self.bytes_deleted += one.size_bytes
        elif said.outcome is not ObjectOutcome.ABSENT:
            self.problem = self.problem or said.message

    def close(self, stopped: str) -> DeploymentResult:
        """Sum up; what was never sent has failed."""
        missing = self.planned.deletion_count - self.counts.total()
        if missing > 0:
            self.counts[ObjectOutcome.FAILED] += missing
            self.problem = self.problem or f"not deleted: {stopped}"
        return DeploymentResult(
            name=self.planned.name,
            counts=dict(self.counts),
            bytes_deleted=self.bytes_deleted,
            problem=self.problem,
        )


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
    _pace: Pace = field(init=False, default_factory=lambda: Pace(DELETE_WORKERS))
    _stopped: str = field(init=False, default="")
    _steps: int = field(init=False, default=0)
    _lock: Lock = field(init=False, default_factory=Lock)

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
        workers = min(DELETE_WORKERS, self.concurrency)
        with ThreadPoolExecutor(workers, "deleting") as pool:
            running = [pool.submit(self._delete, one) for one in deployments]
            self._watch(running)
            results = tuple(one.result() for one in running)
        with suppress(OSError):
            self.progress.end()
        whole = tuple(
            one for one, result in zip(deployments, results, strict=True) if result.is_gone
        )
        return Deleted(results=results, whole=whole, stopped=self._stopped)

    def _watch(self, running: Sequence[Future[DeploymentResult]]) -> None:
        """Wait until all is done; an interrupt reaches this thread alone, and only asks to stop.

        So none can fall between a request and the account of it.
        """
        shown = 0
        left: set[Future[DeploymentResult]] = set(running)
        while left:
            try:
                left = wait(left, timeout=NOTICE_SECONDS).not_done
                if self.is_over():
                    self._stop(OVER)
                shown = self._show(shown)
            except KeyboardInterrupt:
                self._stop("it was interrupted")

    def _show(self, shown: int) -> int:
        steps = self._steps
        with suppress(OSError):
            self.progress.advance(steps - shown)
            self.progress.beat()
        return steps

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _delete(self, planned: Deployment) -> DeploymentResult:
        """Delete one deployment, whatever happens; runs in a worker's thread."""
        account = _Account(planned=planned)
        try:
            if not self._stopped:
                self._delete_listed(account)
        except Exception as exc:  # noqa: BLE001 - what was to go must be accounted for
            account.problem = account.problem or told(exc)
            if not isinstance(exc, DeniedError | ListingError):
                self._stop(told(exc))
        return account.close(self._stopped)

    def _delete_listed(self, account: _Account) -> None:
        """List again, compare, delete what is hidden and then what is current; look what is left.

        Of a key of which something hidden could not be deleted, the rest stays: the hidden would be
        current then.
        """
        planned = account.planned
        try:
            versions = list_all_versions(self.reader, planned.prefix)
        except (DeniedError, ListingError) as exc:
            account.enter_all(ObjectOutcome.FAILED, f"kept: {exc.message}")
            return
        if not versions:
            is_there = bool(self.reader.list_keys(planned.prefix))
            account.enter_all(ObjectOutcome.ABSENT, _UNSEEN if is_there else "")
            return
        if why := _what_changed(planned, versions):
            account.enter_all(ObjectOutcome.CHANGED, f"kept: {why}")
            return
        ids = {(one.key, one.version_id) for one in versions}
        hidden, markers, current = in_turn(versions)
        stuck: set[str] = set()
        for some in (hidden, markers):
            stuck |= self._delete_some(account, some, ids, stuck)
        if (hidden or markers) and current and not self._stopped:
            found = list_all_versions(self.reader, planned.prefix)
            if fingerprint(current_objects(found)) != planned.fingerprint:
                for one in current:
                    account.enter(one, _OVERTAKEN)
                return
        self._delete_some(account, current, ids, stuck)
        if not account.problem and not self._stopped:
            self._look_again(account)

    def _delete_some(
        self,
        account: _Account,
        some: Sequence[StoredVersion],
        ids: Set[Version],
        stuck: Set[str],
    ) -> set[str]:
        """Delete versions, batch by batch; give the keys of which one is not gone then."""
        for one in some:
            if one.key in stuck:
                account.enter(one, _NOT_SENT)
        free = [one for one in some if one.key not in stuck]
        gone: set[Version] = set()
        for start in range(0, len(free), DELETE_BATCH_SIZE):
            if self._stopped:
                break
            gone |= self._delete_batch(account, free[start : start + DELETE_BATCH_SIZE], ids)
        return {one.key for one in some if _id(one) not in gone}

    def _delete_batch(
        self, account: _Account, batch: Sequence[StoredVersion], ids: Set[Version]
    ) -> set[Version]:
        """Delete one batch: gate, journal, request, journal; give what is gone."""
        prefix = account.planned.prefix
        self.gate.check_versions(prefix, batch, ids)
        number = self.journal.intend_versions([(prefix, batch)])
        said = self._delete_patiently(batch)
        if why := next((one.message for one in said.values() if one.stops_run), ""):
            self._stop(why)
        self._settle(prefix, batch, said)
        outcomes = [said[_id(one)] for one in batch]
        for one, outcome in zip(batch, outcomes, strict=True):
            account.enter(one, outcome)
        with self._lock:
            self._steps += len(batch)
        self.journal.conclude(number, outcomes)
        return {_id(one) for one in batch if said[_id(one)].outcome in _GONE}

    def _delete_patiently(self, batch: Sequence[StoredVersion]) -> dict[Version, KeyOutcome]:
        """Delete versions, sending again alone those that S3 asked to send again."""
        outcomes = self._delete_in_turn([_id(one) for one in batch])
        for delay in RETRY_DELAYS_SECONDS:
            again = [one for one, said in outcomes.items() if said.can_retry]
            if not again or self._stopped:
                break
            self.sleep(delay)
            outcomes |= self._delete_in_turn(again)
        return outcomes

    def _delete_in_turn(self, versions: Sequence[Version]) -> dict[Version, KeyOutcome]:
        """Delete versions when it is their turn; S3's wish for fewer requests makes turns rarer."""
        with self._pace.turn():
            try:
                outcomes = dict(self.remover.remove(versions, may_name_null=True))
            except Exception as exc:  # noqa: BLE001 - the request may be out: look what became of it
                lost = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=told(exc), stops_run=True)
                outcomes = dict.fromkeys(versions, lost)
        if any(one.is_throttled for one in outcomes.values()):
            self._pace.slow_down()
        else:
            self._pace.go_on()
        return outcomes

    def _settle(
        self, prefix: str, batch: Sequence[StoredVersion], said: dict[Version, KeyOutcome]
    ) -> None:
        """Look again at versions of which S3 did not say what became of them."""
        unknown = [one for one in batch if _is_unsettled(said[_id(one)])]
        if not unknown:
            return
        try:
            found = {_id(one): one for one in list_all_versions(self.reader, prefix)}
        except Exception:  # noqa: BLE001 - what can't be looked at stays unknown
            return
        for one in unknown:
            said[_id(one)] = _seen_again(one, found.get(_id(one)), said[_id(one)])

    def _look_again(self, account: _Account) -> None:
        """List once more: what is still there was uploaded meanwhile, or S3 did not delete it."""
        if list_all_versions(self.reader, account.planned.prefix):
            account.problem = "something is still in it, or new in it"


def _what_changed(planned: Deployment, versions: Sequence[StoredVersion]) -> str:
    if fingerprint(current_objects(versions)) != planned.fingerprint:
        return "its objects changed since the plan"
    if sum_up_versions(versions) != planned.versions:
        return "its old versions changed since the plan"
    return ""


def _id(one: StoredVersion) -> Version:
    return one.key, one.version_id


def _is_unsettled(one: KeyOutcome) -> bool:
    """Whether the version may be there or not; an internal error can come after the deed."""
    return one.outcome is ObjectOutcome.UNKNOWN or one.can_retry


def _seen_again(asked: StoredVersion, found: StoredVersion | None, said: KeyOutcome) -> KeyOutcome:
    if found is None:
        return KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")
    if (found.etag, found.modified_at) != (asked.etag, asked.modified_at):
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it was uploaded again")
    return KeyOutcome(outcome=ObjectOutcome.FAILED, message=f"it is still there: {said.message}")
