"""Deletes doomed deployments object by object: listed again, compared, journaled, then deleted."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome, kinds
from ci3.aws.deletion.writer import BucketWriter
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import DeleteGuard, DeploymentResult, GuardProbe, ObjectOutcome
from ci3.engine.deletion.refresh import Relisting, begin_relisting
from ci3.engine.deletion.sender import (
    SENDERS,
    Batch,
    Part,
    Sender,
    all_unknown,
    fill_batches,
    is_unsettled,
    seen_again,
)
from ci3.engine.deletion.tally import Tally
from ci3.engine.gate import Gate
from ci3.engine.inventory.folders import find_folders
from ci3.engine.inventory.listing import LISTING_WORKERS, describe_found
from ci3.engine.journal.writer import Journal
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.wait import watch
from ci3.errors import DeniedError, GateError, JournalError, ListingError, told

OVER = "the time that timeout allows is over. Run again: it goes on where this one stopped"
OBJECTS_AHEAD = 20_000
DEPLOYMENTS_AHEAD = 64
"""What is listed again ahead of its deletion, at most: what is listed long before may change."""


_Listing = Future[tuple[float, Deployment, tuple[StoredObject, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What became of each deployment, in the plan's order, and why the run ended early, if so.

    `whole` are those of which nothing is left.
    """

    results: tuple[DeploymentResult, ...]
    whole: tuple[Deployment, ...]
    stopped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What became of a batch: outcomes by key, none for what was not sent."""

    batch: Batch
    outcomes: Mapping[str, KeyOutcome]
    stopped: str


@dataclass(slots=True, kw_only=True)
class Deletion:
    """One run of deletions; every object that the plan named ends in exactly one outcome."""

    reader: BucketReader
    writer: BucketWriter
    probe: Callable[[BoundedSemaphore], GuardProbe]
    """Finds out which guard S3 gives, each request in a slot, while the deployments are listed."""
    meanwhile: Callable[[Callable[[], bool]], None] = lambda _is_stopped: None
    """Asked of S3 in a slot while the deployments are listed, unless stopped; never raises.

    It is left out where there is but one slot: the deletion would wait for it.
    """
    gate: Gate
    journal: Journal
    progress: Progress
    sleep: Callable[[float], None]
    with_versions: bool = False
    """Whether the journal is to name the versions that deletions hide."""
    is_over: Callable[[], bool] = lambda: False
    """Whether the time for this run is up."""
    concurrency: int = MAXIMUM_CONCURRENCY
    """How many requests may be out at once."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds of a clock that only goes on: how old a listing is."""
    guard: GuardProbe | None = field(init=False, default=None)
    """Which deletions S3 itself guarded, as far as that was tried."""
    _slots: BoundedSemaphore = field(init=False)
    _sender: Sender = field(init=False)
    _relisting: Relisting = field(init=False)
    _tallies: dict[str, Tally] = field(init=False, default_factory=dict)
    _stopped: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._slots = BoundedSemaphore(self.concurrency)
        self._relisting = Relisting(self.reader, None)
        self._sender = Sender(
            reader=self.reader,
            writer=self.writer,
            sleep=self.sleep,
            monotonic=self.monotonic,
            slots=self._slots,
            is_stopped=lambda: bool(self._stopped),
        )

    def run(self, due: Sequence[Decision]) -> Deleted:
        """Delete the deployments that are as the plan knew them.

        An interrupt, an unwritable journal, lost access or a bug stops the run after the requests
        that are out: what was not sent counts as failed. Whatever happens, the account comes back.
        """
        self._tallies = {
            one.name: Tally(name=one.name, planned_count=one.object_count)
            for one in (decision.deployment for decision in due)
        }
        total = sum(decision.deployment.object_count for decision in due)
        if self.is_over():
            self._stop(OVER)
        try:
            # Before the progress begins, which may have a thread of its own.
            self._relisting = begin_relisting(self.reader, [one.deployment for one in due])
            with suppress(OSError):  # whoever watches may have gone away
                self.progress.begin("Deleting objects", total)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account comes back
            self._stop(told(exc))
        self._run_uninterrupted(due)
        with suppress(OSError):
            self.progress.end()
        for tally in self._tallies.values():
            tally.close(self._stopped)
        self._look_again(due)
        results = tuple(tally.result() for tally in self._tallies.values())
        whole = tuple(
            decision.deployment
            for decision, result in zip(due, results, strict=True)
            if result.is_gone
        )
        return Deleted(results=results, whole=whole, stopped=self._stopped)

    def _run_uninterrupted(self, due: Sequence[Decision]) -> None:
        """List, compare and send in a thread of its own; an interrupt only asks it to stop."""
        with ThreadPoolExecutor(1, "deletion") as runner:
            running = runner.submit(self._list_and_send, due)
            watch((running,), look_up=self._look_up, stop=self._stop)
            if error := running.exception():
                self._stop(told(error))

    def _look_up(self) -> None:
        """Look at the clock, and show that the run is alive."""
        if self.is_over():
            self._stop(OVER)
        with suppress(OSError):
            self.progress.beat()

    def _list_and_send(self, due: Sequence[Decision]) -> None:
        with (
            closing(self._relisting),
            ThreadPoolExecutor(LISTING_WORKERS, "listing") as pool,
            ThreadPoolExecutor(2, "asking") as beside,
            closing(self._unchanged(due, pool)) as unchanged,
        ):
            if due and not self._stopped:
                probing = beside.submit(self.probe, self._slots)
                if self.concurrency > 1:
                    beside.submit(self._ask_meanwhile)
                self._send(fill_batches(unchanged), probing)

    def _ask_meanwhile(self) -> None:
        with self._slots:
            self.meanwhile(lambda: bool(self._stopped))

    def _unchanged(
        self, due: Sequence[Decision], pool: ThreadPoolExecutor
    ) -> Generator[Part, None, None]:
        """List each doomed deployment again; yield those that are as they were planned."""
        ahead: deque[tuple[Decision, _Listing]] = deque()
        waiting = iter(due)
        try:
            while not self._stopped:
                while _has_room(ahead) and (one := next(waiting, None)):
                    deployment = one.deployment
                    listing = pool.submit(self._list_ahead, deployment)
                    ahead.append((one, listing))
                if not ahead:
                    return
                decision, listing = ahead.popleft()
                if part := self._compare(decision.deployment, listing):
                    yield part
        finally:
            for _, listing in ahead:
                listing.cancel()
            if self._stopped:
                self._relisting.end()

    def _list_ahead(self, one: Deployment) -> tuple[float, Deployment, tuple[StoredObject, ...]]:
        """List a deployment that is to be deleted, unless the run is stopped meanwhile."""
        return self._list(one, lambda: bool(self._stopped))

    def _list(
        self, one: Deployment, is_stopped: Callable[[], bool] = lambda: False
    ) -> tuple[float, Deployment, tuple[StoredObject, ...]]:
        """List a deployment; give when that began, too."""
        with self._slots:
            began_at = self.monotonic()
            read = self._relisting.read(
                one, with_versions=self.with_versions, is_stopped=is_stopped
            )
        found, objects = describe_found(self.reader, one.name, one.prefix, read)
        return began_at, found, objects

    def _compare(self, planned: Deployment, listing: _Listing) -> Part | None:
        tally = self._tallies[planned.name]
        try:
            listed_at, found, objects = listing.result()
        except (DeniedError, ListingError) as exc:
            tally.enter_all(ObjectOutcome.FAILED, f"kept: {exc.message}")
            return None
        if found.fingerprint == planned.fingerprint:
            return Part(deployment=found, objects=objects, listed_at=listed_at)
        if not objects:
            tally.enter_all(ObjectOutcome.ABSENT, "")
            return None
        tally.enter_all(ObjectOutcome.CHANGED, "kept: its objects changed since the plan")
        return None

    def _send(self, batches: Iterator[Batch], probing: Future[GuardProbe]) -> None:
        """Send batches, several at once; when stopped, wait for those that are out.

        None goes out before it is known which guard S3 gives.
        """
        out: dict[Future[_Answer], Batch] = {}
        with ThreadPoolExecutor(SENDERS, "deleting") as pool:
            try:
                for batch in batches:
                    self._know_guard(probing.result())
                    out[pool.submit(self._delete, batch)] = batch
                    if len(out) >= 2 * SENDERS:
                        self._collect(out)
                    if self._stopped:
                        break
            except Exception as exc:  # noqa: BLE001 - what is out must be accounted for
                self._stop(told(exc))
            while out:
                self._collect(out)
        if probing.exception() is None:
            self._know_guard(probing.result())

    def _know_guard(self, guard: GuardProbe) -> None:
        self.guard = guard
        self._sender.is_guarded = guard.guard is DeleteGuard.ETAG

    def _collect(self, out: dict[Future[_Answer], Batch]) -> None:
        """Wait for at least one batch, take it out and enter what became of its objects."""
        done, _ = wait(out, return_when=FIRST_COMPLETED)
        for one in done:
            batch, error = out.pop(one), one.exception()
            answer = one.result() if error is None else _lost(batch, error)
            for part in answer.batch:
                self._tallies[part.deployment.name].enter_known(part.objects, answer.outcomes)
            if answer.stopped:
                self._stop(answer.stopped)
            with suppress(OSError):
                self.progress.advance(len(answer.outcomes))

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _delete(self, batch: Batch) -> _Answer:
        """Delete one batch: gate, journal, request, journal. Runs in a worker's thread."""
        if self._stopped:
            return _Answer(batch=batch, outcomes={}, stopped="")
        objects = [stored for part in batch for stored in part.objects]
        try:
            self.gate.check((part.deployment.prefix, part.objects) for part in batch)
            number = self.journal.intend((part.deployment.prefix, part.objects) for part in batch)
        except (GateError, JournalError) as exc:
            return _Answer(batch=batch, outcomes={}, stopped=told(exc))
        said = self._sender.delete(batch)
        stopped = next((one.message for one in kinds(said.values()) if one.stops_run), "")
        outcomes = self._settle(batch, said)
        try:
            self.journal.conclude(number, [outcomes[stored.key] for stored in objects])
        except JournalError as exc:
            stopped = told(exc)
        return _Answer(batch=batch, outcomes=outcomes, stopped=stopped)

    def _settle(self, batch: Batch, outcomes: dict[str, KeyOutcome]) -> dict[str, KeyOutcome]:
        """Look again at objects of which S3 did not say what became of them."""
        if not any(map(is_unsettled, kinds(outcomes.values()))):
            return outcomes
        for part in batch:
            unknown = [stored for stored in part.objects if is_unsettled(outcomes[stored.key])]
            if not unknown:
                continue
            try:
                _, _, found = self._list(part.deployment)
            except Exception:  # noqa: BLE001, S112 - what can't be looked at stays unknown
                continue
            there = {stored.key: stored for stored in found}
            for stored in unknown:
                said = outcomes[stored.key]
                outcomes[stored.key] = seen_again(stored, there.get(stored.key), said)
        return outcomes

    def _look_again(self, due: Sequence[Decision]) -> None:
        """List the folders once more: one that should be gone and is not, is told.

        Something was uploaded into it meanwhile, or this S3 says deleted and does not delete.
        """
        done = [one.deployment for one in due if not self._tallies[one.deployment.name].problem]
        try:
            parents = {one.prefix.removesuffix(f"{one.name}/") for one in done}
            there = {
                f"{parent}{name}/"
                for parent in parents
                for name in find_folders(self.reader, parent).names
            }
            for one in done:
                # Some servers show a folder for a while after its last object.
                if one.prefix in there and self._has_objects(one.prefix):
                    self._tallies[one.name].problem = "something is still in it, or new in it"
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account comes back
            self._stop(f"what is left could not be looked at: {told(exc)}")

    def _has_objects(self, prefix: str) -> bool:
        with closing(self.reader.list_pages(prefix)) as pages:
            return any(page.objects for page in pages)


def _has_room(ahead: Sequence[tuple[Decision, _Listing]]) -> bool:
    objects = sum(decision.deployment.object_count for decision, _ in ahead)
    return not ahead or (len(ahead) < DEPLOYMENTS_AHEAD and objects < OBJECTS_AHEAD)


def _lost(batch: Batch, error: BaseException) -> _Answer:
    """Answer for a batch whose own answer was lost: what became of its objects is unknown."""
    outcomes = all_unknown((stored for part in batch for stored in part.objects), error)
    return _Answer(batch=batch, outcomes=outcomes, stopped=told(error))
