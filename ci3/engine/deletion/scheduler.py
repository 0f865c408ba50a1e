"""The threads of an object deletion: which thread lists, deletes and collects."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from threading import BoundedSemaphore

from ci3.core.model.deployment import Deployment
from ci3.core.model.result import GuardProbe
from ci3.engine.deletion.listing_ahead import ListingAhead
from ci3.engine.deletion.object_sender import ObjectBatch, ObjectPart
from ci3.engine.deletion.required_first import Outcomes, RequiredFirst
from ci3.engine.deletion.sender import SENDERS, all_unknown
from ci3.engine.deletion.tally import Tally
from ci3.engine.inventory.listing import LISTING_THREADS
from ci3.engine.live_watch import LiveWatch
from ci3.engine.workers.run_control import RunControl
from ci3.errors import describe_error


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """Runs one object deletion in the thread that calls `delete_deployments`, and in three pools.

    - That thread compares listings with the plan, fills batches and enters outcomes into tallies.
    - `listing` threads list deployments again, ahead of their deletion.
    - `asking` threads probe which guard S3 supports, and list unfinished uploads.
    - `deleting` threads execute `delete_batch`, from when the guard is known; `required` has the
      order in which they do.

    Every request holds one of the `slots`. After a stop, batches in flight are completed.
    """

    control: RunControl
    slots: BoundedSemaphore
    listing: ListingAhead
    live: LiveWatch
    tallies: Mapping[str, Tally]
    delete_batch: Callable[[ObjectBatch], Outcomes]
    required: RequiredFirst
    probe: Callable[[BoundedSemaphore], GuardProbe]
    list_uploads: Callable[[], None] | None
    guard: GuardProbe | None = field(init=False, default=None)

    def delete_deployments(self, deployments: Sequence[Deployment]) -> None:
        """Delete the deployments that are as planned."""
        with (
            closing(self.listing.refresher),
            ThreadPoolExecutor(LISTING_THREADS, "listing") as listers,
            ThreadPoolExecutor(2, "asking") as askers,
            closing(self.listing.unchanged_parts(deployments, self.tallies, listers)) as parts,
        ):
            if deployments and not self.control.is_stopped():
                probing = askers.submit(self.probe, self.slots)
                if self.list_uploads is not None:
                    askers.submit(self.list_uploads)
                may_begin = takewhile(lambda _part: not self.live.problem, parts)
                self._delete_parts(may_begin, probing)

    def _delete_parts(self, parts: Iterable[ObjectPart], probing: Future[GuardProbe]) -> None:
        in_flight: dict[Future[Outcomes], ObjectBatch] = {}

        def has_idle_sender() -> bool:
            return sum(not future.done() for future in in_flight) < SENDERS

        with ThreadPoolExecutor(SENDERS, "deleting") as senders:
            try:
                for batch, is_required in self.required.order_batches(parts, has_idle_sender):
                    self.guard = probing.result()
                    delete = self.delete_batch if is_required else self._delete_others
                    future = senders.submit(delete, batch)
                    in_flight[future] = batch
                    if is_required:
                        self.required.add_answer(batch, future)
                    if len(in_flight) >= 2 * SENDERS:
                        self._collect(in_flight)
                    if self.control.is_stopped():
                        break
            except Exception as exc:  # noqa: BLE001 - what is in flight must be collected
                self.control.stop(describe_error(exc))
            while in_flight:
                self._collect(in_flight)
        if probing.exception() is None:
            self.guard = probing.result()

    def _delete_others(self, batch: ObjectBatch) -> Outcomes:
        """Delete a batch after the required files of its deployments."""
        parts, withheld = self.required.wait(batch)
        return {**withheld, **self.delete_batch(parts)} if withheld else self.delete_batch(parts)

    def _collect(self, in_flight: dict[Future[Outcomes], ObjectBatch]) -> None:
        """Wait for at least one batch; enter the outcomes of all that are done."""
        done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
        for future in done:
            batch = in_flight.pop(future)
            if error := future.exception():
                self.control.stop(describe_error(error))
                outcomes: Outcomes = all_unknown(
                    (stored.key for part in batch for stored in part.entries), error
                )
            else:
                outcomes = future.result()
            for part in batch:
                self.tallies[part.name].enter_known(part.entries, outcomes)
            self.control.count_done(len(outcomes))
