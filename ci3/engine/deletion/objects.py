"""Deletes deployments object by object: refreshed, compared, journaled, then deleted."""

from collections.abc import Callable, Collection, Mapping, Sequence
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
from ci3.engine.deletion.required_first import RequiredFirst
from ci3.engine.deletion.scheduler import Scheduler
from ci3.engine.deletion.tally import (
    NOT_EMPTY,
    DeletionResult,
    Tally,
    enter_all_unsent,
    start_tallies,
    sum_up,
)
from ci3.engine.gate import Gate
from ci3.engine.inventory.folders import find_folders
from ci3.engine.journal.writer import Journal
from ci3.engine.live_watch import LiveWatch
from ci3.engine.workers.run_control import RunControl
from ci3.errors import GateError, JournalError, describe_error


@dataclass(slots=True, kw_only=True)
class ObjectDeletion:
    """One run of deletions; every planned object ends in exactly one outcome."""

    reader: BucketReader
    writer: BucketWriter
    probe: Callable[[BoundedSemaphore], GuardProbe]
    """Determines which guard S3 supports; each of its requests holds a slot."""
    list_uploads: Callable[[Callable[[], bool]], None] = lambda _is_stopped: None
    """Lists unfinished uploads in a slot, unless stopped; never raises.

    Not called if there is only one slot: the deletion would wait for it.
    """
    gate: Gate
    journal: Journal
    control: RunControl
    live: LiveWatch = field(default_factory=LiveWatch)
    with_versions: bool = False
    """True if the journal records the version IDs that become noncurrent."""
    required_file: str = ""
    """Path within a deployment of the file that is deleted first; see `RequiredFirst`."""
    concurrency: int = MAXIMUM_CONCURRENCY
    """Maximum number of requests in flight."""
    guard: GuardProbe | None = field(init=False, default=None)
    """The probe's result; None if the probe failed or was not needed."""

    def delete_deployments(self, decisions: Sequence[Decision]) -> DeletionResult:
        """Delete the deployments that are as planned; never raises.

        What was not sent because the run was stopped counts as failed.
        """
        control = self.control
        deployments = [decision.deployment for decision in decisions]
        tallies = start_tallies(deployments)
        scheduler = self._make_scheduler(deployments, tallies)
        control.execute(
            "Deleting objects",
            sum(deployment.object_count for deployment in deployments),
            lambda: scheduler.delete_deployments(deployments),
        )
        self.guard = scheduler.guard
        enter_all_unsent(tallies.values(), control, self.live)
        self._find_leftovers(tallies.values())
        return sum_up(tallies.values(), control.stop_reason)

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
        sender = ObjectSender(
            reader=self.reader,
            writer=self.writer,
            control=self.control,
            slots=slots,
            list_objects=lambda name: listing.list_objects(tallies[name].planned),
            live=self.live,
        )
        return Scheduler(
            control=self.control,
            slots=slots,
            listing=listing,
            live=self.live,
            tallies=tallies,
            delete_batch=partial(self._delete_batch, sender),
            required=RequiredFirst(required_file=self.required_file),
            probe=self.probe,
            list_uploads=partial(self._list_uploads, slots) if self.concurrency > 1 else None,
        )

    def _start_refresher(self, deployments: Sequence[Deployment]) -> Refresher:
        """Fork the worker process if it pays; the process must still have a single thread."""
        try:
            return start_refresher(self.reader, deployments)
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - `delete_deployments` never raises
            self.control.stop(describe_error(exc))
            return Refresher(self.reader, None)

    def _list_uploads(self, slots: BoundedSemaphore) -> None:
        with slots:
            self.list_uploads(self.control.is_stopped)

    def _delete_batch(self, sender: ObjectSender, batch: ObjectBatch) -> Mapping[str, KeyOutcome]:
        """Check, journal, send, resolve, journal; return the outcomes of what was sent."""
        batch = sender.without_live(batch)
        if not batch or self.control.is_stopped():
            return {}
        try:
            self.gate.approve_objects((part.prefix, part.entries) for part in batch)
            number = self.journal.record_intent((part.prefix, part.entries) for part in batch)
        except (GateError, JournalError) as exc:
            self.control.stop(describe_error(exc))
            return {}
        outcomes = sender.send(batch)
        sender.resolve_unknown_outcomes(batch, outcomes)
        try:
            entries = [stored for part in batch for stored in part.entries]
            self.journal.record_outcome(number, [outcomes[stored.key] for stored in entries])
        except JournalError as exc:
            self.control.stop(describe_error(exc))
        return outcomes

    def _find_leftovers(self, tallies: Collection[Tally]) -> None:
        """Enter a problem for each deployment that should be empty and is not.

        Something was uploaded during the run, or S3 reports a deletion that it did not make.
        """
        deleted = [tally for tally in tallies if not tally.problem]
        try:
            parents = {
                tally.planned.prefix.removesuffix(f"{tally.planned.name}/") for tally in deleted
            }
            folders = {
                f"{parent}{name}/"
                for parent in parents
                for name in find_folders(self.reader, parent).names
            }
            for tally in deleted:
                # Some servers show a folder for a while after its last object.
                prefix = tally.planned.prefix
                if prefix in folders and self._has_objects(prefix):
                    tally.problem = NOT_EMPTY
        except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 - `delete_deployments` never raises
            self.control.stop(
                f"could not check whether the deployments are empty: {describe_error(exc)}"
            )

    def _has_objects(self, prefix: str) -> bool:
        with closing(self.reader.list_pages(prefix)) as pages:
            return any(page.objects for page in pages)
