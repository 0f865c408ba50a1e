"""Deletes deployments object by object: refreshed, compared, journaled, then deleted."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.aws.deletion.writer import BucketWriter
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment
from ci3.core.model.result import GuardProbe
from ci3.engine.deletion.listing_ahead import ListingAhead
from ci3.engine.deletion.object_sender import ObjectBatch, ObjectSender
from ci3.engine.deletion.refresh import Refresher, start_refresher
from ci3.engine.deletion.scheduler import Scheduler
from ci3.engine.deletion.tally import DeletionResult, Tally, sum_up
from ci3.engine.gate import Gate
from ci3.engine.inventory.folders import find_folders
from ci3.engine.journal.writer import Journal
from ci3.engine.workers.run_control import RunControl
from ci3.errors import GateError, JournalError, told


@dataclass(slots=True, kw_only=True)
class ObjectDeletion:
    """One run of deletions; every object that the plan named ends in exactly one outcome."""

    reader: BucketReader
    writer: BucketWriter
    probe: Callable[[BoundedSemaphore], GuardProbe]
    """Finds out which guard S3 gives; each of its requests holds a slot."""
    list_uploads: Callable[[Callable[[], bool]], None] = lambda _is_stopped: None
    """Lists unfinished uploads in a slot, unless stopped; never raises.

    Left out if there is only one slot: the deletion would wait for it.
    """
    gate: Gate
    journal: Journal
    control: RunControl
    with_versions: bool = False
    """Whether the journal names the versions that deletions hide."""
    concurrency: int = MAXIMUM_CONCURRENCY
    """How many requests may be in flight at once."""
    guard: GuardProbe | None = field(init=False, default=None)
    """Which deletions S3 guarded, if the probe has found that out."""

    def run(self, decisions: Sequence[Decision]) -> DeletionResult:
        """Delete the deployments that are as planned; never raises: the account comes back.

        What was not sent because the run was stopped counts as failed.
        """
        control = self.control
        deployments = [decision.deployment for decision in decisions]
        tallies = {
            deployment.name: Tally(name=deployment.name, planned_count=deployment.object_count)
            for deployment in deployments
        }
        scheduler = self._make_scheduler(deployments, tallies)
        control.execute(
            "Deleting objects",
            sum(deployment.object_count for deployment in deployments),
            lambda: scheduler.run(deployments),
        )
        self.guard = scheduler.guard
        for tally in tallies.values():
            tally.close(control.stop_reason)
        self._find_leftovers(deployments, tallies)
        return sum_up(deployments, tallies, control.stop_reason)

    def _make_scheduler(
        self, deployments: Sequence[Deployment], tallies: Mapping[str, Tally]
    ) -> Scheduler:
        slots = BoundedSemaphore(self.concurrency)
        listing = ListingAhead(
            reader=self.reader,
            refresher=self._start_refresher(deployments),
            control=self.control,
            slots=slots,
            with_versions=self.with_versions,
        )
        by_name = {deployment.name: deployment for deployment in deployments}
        sender = ObjectSender(
            reader=self.reader,
            writer=self.writer,
            control=self.control,
            slots=slots,
            list_objects=lambda name: listing.list_objects(by_name[name]),
        )
        return Scheduler(
            control=self.control,
            slots=slots,
            listing=listing,
            sender=sender,
            tallies=tallies,
            delete_batch=partial(self._delete_batch, sender),
            probe=self.probe,
            list_uploads=partial(self._list_uploads, slots) if self.concurrency > 1 else None,
        )

    def _start_refresher(self, deployments: Sequence[Deployment]) -> Refresher:
        """Fork the worker process if it pays; to be called while there are no other threads."""
        try:
            return start_refresher(self.reader, deployments)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account must come back
            self.control.stop(told(exc))
            return Refresher(self.reader, None)

    def _list_uploads(self, slots: BoundedSemaphore) -> None:
        with slots:
            self.list_uploads(self.control.is_stopped)

    def _delete_batch(self, sender: ObjectSender, batch: ObjectBatch) -> Mapping[str, KeyOutcome]:
        """Check, journal, send, resolve, journal; return the outcomes of what was sent."""
        if self.control.is_stopped():
            return {}
        try:
            self.gate.check((part.prefix, part.entries) for part in batch)
            number = self.journal.intend((part.prefix, part.entries) for part in batch)
        except (GateError, JournalError) as exc:
            self.control.stop(told(exc))
            return {}
        outcomes = sender.send(batch)
        sender.resolve_unknown_outcomes(batch, outcomes)
        try:
            entries = [stored for part in batch for stored in part.entries]
            self.journal.conclude(number, [outcomes[stored.key] for stored in entries])
        except JournalError as exc:
            self.control.stop(told(exc))
        return outcomes

    def _find_leftovers(
        self, deployments: Sequence[Deployment], tallies: Mapping[str, Tally]
    ) -> None:
        """List the folders once more; note a problem for each that should be empty and is not.

        Something was uploaded meanwhile, or this S3 reports a deletion that it did not make.
        """
        deleted = [one for one in deployments if not tallies[one.name].problem]
        try:
            parents = {one.prefix.removesuffix(f"{one.name}/") for one in deleted}
            listed = {
                f"{parent}{name}/"
                for parent in parents
                for name in find_folders(self.reader, parent).names
            }
            for deployment in deleted:
                # Some servers show a folder for a while after its last object.
                if deployment.prefix in listed and self._has_objects(deployment.prefix):
                    tallies[deployment.name].problem = "something is still in it, or new in it"
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - the account must come back
            self.control.stop(f"what is left could not be looked at: {told(exc)}")

    def _has_objects(self, prefix: str) -> bool:
        with closing(self.reader.list_pages(prefix)) as pages:
            return any(page.objects for page in pages)
