"""Deletes doomed deployments object by object: listed again, compared, journaled, then deleted."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from ci3.aws.bucket import BucketReader
from ci3.aws.outcomes import KeyOutcome
from ci3.aws.writer import BucketWriter
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.gate import Gate
from ci3.core.model import (
    Decision,
    Deployment,
    DeploymentResult,
    GuardProbe,
    ObjectOutcome,
    StoredObject,
)
from ci3.engine.folders import find_folders
from ci3.engine.inventory import LISTING_WORKERS, list_deployment
from ci3.engine.journal import Journal
from ci3.engine.pace import Pace
from ci3.engine.progress import Progress
from ci3.errors import DeniedError, GateError, JournalError, ListingError, told

DELETE_WORKERS = 8
OVER = "the time that timeout allows is over. Run again: it goes on where this one stopped"
OBJECTS_AHEAD = 20_000
"""Objects listed again ahead of their deletion: what is listed long before may change unseen."""
NOTICE_SECONDS = 0.2
"""How often an interrupt is looked for: one that comes as a wait begins would not end it."""
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Pauses before the objects that S3 asked to send again go out again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Objects of one deployment that go into one batch."""

    deployment: Deployment
    objects: tuple[StoredObject, ...]


Batch = tuple[Part, ...]
_Listing = Future[tuple[Deployment, tuple[StoredObject, ...]]]


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


@dataclass(slots=True)
class _Tally:
    """The account of one deployment; kept by the thread that runs the deletion."""

    counts: Counter[ObjectOutcome] = field(default_factory=Counter)
    bytes_deleted: int = 0
    problem: str = ""

    def enter(self, objects: Iterable[StoredObject], outcomes: Mapping[str, KeyOutcome]) -> None:
        for stored in objects:
            if (one := outcomes.get(stored.key)) is None:
                continue
            self.counts[one.outcome] += 1
            if one.outcome is ObjectOutcome.DELETED:
                self.bytes_deleted += stored.size_bytes
            elif one.outcome is not ObjectOutcome.ABSENT:
                self.problem = self.problem or one.message

    def result(self, name: str) -> DeploymentResult:
        return DeploymentResult(
            name=name,
            counts=dict(self.counts),
            bytes_deleted=self.bytes_deleted,
            problem=self.problem,
        )


@dataclass(slots=True, kw_only=True)
class Deletion:
    """One run of deletions; every object that the plan named ends in exactly one outcome."""

    reader: BucketReader
    writer: BucketWriter
    probe: Callable[[], GuardProbe]
    """Finds out which guard S3 gives; tried while the deployments are listed again."""
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
    guard: GuardProbe | None = field(init=False, default=None)
    """Which deletions S3 itself guarded, as far as that was tried."""
    _slots: BoundedSemaphore = field(init=False)
    _pace: Pace = field(init=False, default_factory=lambda: Pace(DELETE_WORKERS))
    _tallies: dict[str, _Tally] = field(init=False, default_factory=dict)
    _stopped: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self._slots = BoundedSemaphore(self.concurrency)

    def run(self, due: Sequence[Decision]) -> Deleted:
        """Delete the deployments that are as the plan knew them.

        An interrupt, an unwritable journal, lost access or a bug stops the run after the requests
        that are out: what was not sent counts as failed. Whatever happens, the account comes back.
        """
        self._tallies = {decision.deployment.name: _Tally() for decision in due}
        total = sum(decision.deployment.object_count for decision in due)
        if self.is_over():
            self._stop(OVER)
        with suppress(OSError):  # whoever watches may have gone away
            self.progress.begin("Deleting objects", total)
        self._run_uninterrupted(due)
        with suppress(OSError):
            self.progress.end()
        self._close_accounts(due)
        self._look_again(due)
        results = tuple(tally.result(name) for name, tally in self._tallies.items())
        whole = tuple(
            decision.deployment
            for decision, result in zip(due, results, strict=True)
            if result.is_gone
        )
        return Deleted(results=results, whole=whole, stopped=self._stopped)

    def _run_uninterrupted(self, due: Sequence[Decision]) -> None:
        """List, compare and send in a thread of its own; an interrupt only asks it to stop.

        Interrupts reach the main thread alone, so that none can fall between a request and the
        account of it.
        """
        with ThreadPoolExecutor(1, "deletion") as runner:
            running = runner.submit(self._list_and_send, due)
            while True:
                try:
                    while not wait((running,), timeout=NOTICE_SECONDS).done:
                        self._look_up()
                    break
                except KeyboardInterrupt:
                    self._stop("it was interrupted")
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
            ThreadPoolExecutor(LISTING_WORKERS, "listing") as pool,
            ThreadPoolExecutor(1, "probing") as prober,
            closing(self._unchanged(due, pool)) as unchanged,
        ):
            if due and not self._stopped:
                self._send(_batches(unchanged), prober.submit(self._probe))

    def _probe(self) -> GuardProbe:
        with self._slots:
            return self.probe()

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
                    listing = pool.submit(self._list, deployment)
                    ahead.append((one, listing))
                if not ahead:
                    return
                decision, listing = ahead.popleft()
                if part := self._compare(decision.deployment, listing):
                    yield part
        finally:
            for _, listing in ahead:
                listing.cancel()

    def _list(self, one: Deployment) -> tuple[Deployment, tuple[StoredObject, ...]]:
        with self._slots:
            return list_deployment(
                self.reader, one.name, one.prefix, with_versions=self.with_versions
            )

    def _compare(self, planned: Deployment, listing: _Listing) -> Part | None:
        tally = self._tallies[planned.name]
        try:
            found, objects = listing.result()
        except (DeniedError, ListingError) as exc:
            tally.counts[ObjectOutcome.FAILED] = planned.object_count
            tally.problem = f"kept: {exc.message}"
            return None
        if found.fingerprint == planned.fingerprint:
            return Part(deployment=found, objects=objects)
        if not objects:
            tally.counts[ObjectOutcome.ABSENT] = planned.object_count
            return None
        tally.counts[ObjectOutcome.CHANGED] = planned.object_count
        tally.problem = "kept: its objects changed since the plan"
        return None

    def _send(self, batches: Iterator[Batch], probing: Future[GuardProbe]) -> None:
        """Send batches, several at once; when stopped, wait for those that are out.

        None goes out before it is known which guard S3 gives.
        """
        out: dict[Future[_Answer], Batch] = {}
        with ThreadPoolExecutor(DELETE_WORKERS, "deleting") as pool:
            try:
                for batch in batches:
                    self.guard = probing.result()
                    out[pool.submit(self._delete, batch)] = batch
                    if len(out) >= 2 * DELETE_WORKERS:
                        self._collect(out)
                    if self._stopped:
                        break
            except Exception as exc:  # noqa: BLE001 - what is out must be accounted for
                self._stop(told(exc))
            while out:
                self._collect(out)
        if probing.exception() is None:
            self.guard = probing.result()

    def _collect(self, out: dict[Future[_Answer], Batch]) -> None:
        """Wait for at least one batch, take it out and enter what became of its objects."""
        done, _ = wait(out, return_when=FIRST_COMPLETED)
        for one in done:
            batch, error = out.pop(one), one.exception()
            answer = one.result() if error is None else _lost(batch, error)
            for part in answer.batch:
                self._tallies[part.deployment.name].enter(part.objects, answer.outcomes)
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
        said = self._delete_patiently(objects)
        stopped = next((one.message for one in said.values() if one.stops_run), "")
        outcomes = self._settle(batch, said)
        try:
            self.journal.conclude(number, [outcomes[stored.key] for stored in objects])
        except JournalError as exc:
            stopped = told(exc)
        return _Answer(batch=batch, outcomes=outcomes, stopped=stopped)

    def _delete_patiently(self, objects: Sequence[StoredObject]) -> dict[str, KeyOutcome]:
        """Delete objects, sending again alone those that S3 asked to send again."""
        outcomes = self._delete_in_turn(objects)
        for delay in RETRY_DELAYS_SECONDS:
            again = [stored for stored in objects if outcomes[stored.key].can_retry]
            if not again or self._stopped:
                break
            self.sleep(delay)
            outcomes |= self._delete_in_turn(again)
        return outcomes

    def _delete_in_turn(self, objects: Sequence[StoredObject]) -> dict[str, KeyOutcome]:
        """Delete objects when it is their turn; S3's wish for fewer requests makes turns rarer."""
        with self._pace.turn():
            outcomes = self._delete_once(objects)
        if any(one.is_throttled for one in outcomes.values()):
            self._pace.slow_down()
        else:
            self._pace.go_on()
        return outcomes

    def _delete_once(self, objects: Sequence[StoredObject]) -> dict[str, KeyOutcome]:
        try:
            with self._slots:
                return dict(self.writer.delete(objects))
        except Exception as exc:  # noqa: BLE001 - the request may be out: look what became of it
            return _all_unknown(objects, exc)

    def _settle(self, batch: Batch, outcomes: dict[str, KeyOutcome]) -> dict[str, KeyOutcome]:
        """Look again at objects of which S3 did not say what became of them."""
        for part in batch:
            unknown = [stored for stored in part.objects if _is_unsettled(outcomes[stored.key])]
            if not unknown:
                continue
            try:
                _, found = self._list(part.deployment)
            except Exception:  # noqa: BLE001, S112 - what can't be looked at stays unknown
                continue
            there = {stored.key: stored for stored in found}
            for stored in unknown:
                said = outcomes[stored.key]
                outcomes[stored.key] = _seen_again(stored, there.get(stored.key), said)
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

    def _close_accounts(self, due: Sequence[Decision]) -> None:
        """Enter as failed what was never sent, so that each planned object has an outcome."""
        for decision in due:
            tally = self._tallies[decision.deployment.name]
            missing = decision.deployment.object_count - tally.counts.total()
            if missing > 0:
                tally.counts[ObjectOutcome.FAILED] += missing
                tally.problem = tally.problem or f"not deleted: {self._stopped}"


def _has_room(ahead: Sequence[tuple[Decision, _Listing]]) -> bool:
    objects = sum(decision.deployment.object_count for decision, _ in ahead)
    return not ahead or (len(ahead) < LISTING_WORKERS and objects < OBJECTS_AHEAD)


def _all_unknown(objects: Iterable[StoredObject], error: BaseException) -> dict[str, KeyOutcome]:
    one = KeyOutcome(outcome=ObjectOutcome.UNKNOWN, message=told(error), stops_run=True)
    return {stored.key: one for stored in objects}


def _lost(batch: Batch, error: BaseException) -> _Answer:
    """Answer for a batch whose own answer was lost: what became of its objects is unknown."""
    outcomes = _all_unknown((stored for part in batch for stored in part.objects), error)
    return _Answer(batch=batch, outcomes=outcomes, stopped=told(error))


def _is_unsettled(one: KeyOutcome) -> bool:
    """Whether the object may be there or not; an internal error can come after the deed."""
    return one.outcome is ObjectOutcome.UNKNOWN or one.can_retry


def _seen_again(asked: StoredObject, found: StoredObject | None, said: KeyOutcome) -> KeyOutcome:
    if found is None:
        return KeyOutcome(outcome=ObjectOutcome.ABSENT, message="gone when looked at again")
    if found != asked:
        return KeyOutcome(outcome=ObjectOutcome.CHANGED, message="it changed meanwhile")
    return KeyOutcome(outcome=ObjectOutcome.FAILED, message=f"it is still there: {said.message}")


def _batches(parts: Iterable[Part]) -> Iterator[Batch]:
    """Fill batches of up to 1,000 objects, across deployments."""
    batch: list[Part] = []
    room = DELETE_BATCH_SIZE
    for part in parts:
        rest = part.objects
        while rest:
            taken, rest = rest[:room], rest[room:]
            batch.append(Part(deployment=part.deployment, objects=taken))
            room -= len(taken)
            if not room:
                yield tuple(batch)
                batch, room = [], DELETE_BATCH_SIZE
    if batch:
        yield tuple(batch)
