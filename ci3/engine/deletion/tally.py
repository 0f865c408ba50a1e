"""Counts the outcomes of each deployment's objects or versions, and sums up a run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ci3.aws.deletion.outcomes import DELETED, KeyOutcome
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.model.result import DeploymentResult, ObjectOutcome
from ci3.engine.live_watch import LiveWatch, describe_partly_deleted
from ci3.engine.workers.run_control import RunControl

NOT_EMPTY: Final = "not empty: something was uploaded during the run, or S3 did not delete it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionResult:
    """The result of each deployment, in the plan's order; `stopped` is why the run ended early."""

    results: tuple[DeploymentResult, ...]
    fully_deleted: tuple[Deployment, ...]
    stop_reason: str


@dataclass(slots=True)
class Tally:
    """Counts the outcomes of one deployment, in one thread."""

    planned: Deployment
    counts: Counter[ObjectOutcome] = field(init=False, default_factory=Counter)
    bytes_deleted: int = field(init=False, default=0)
    problem: str = field(init=False, default="")

    def enter(self, entry: StoredObject | StoredVersion, outcome: KeyOutcome) -> None:
        """Enter the outcome of one object or version."""
        self.counts[outcome.outcome] += 1
        if outcome.outcome is ObjectOutcome.DELETED:
            self.bytes_deleted += entry.size_bytes
        elif outcome.outcome is not ObjectOutcome.ABSENT:
            self.problem = self.problem or outcome.message

    def enter_known(
        self, objects: Sequence[StoredObject], outcomes: Mapping[str, KeyOutcome]
    ) -> None:
        """Enter the outcomes of those objects that have one."""
        known = [outcomes.get(stored.key) for stored in objects]
        if known.count(DELETED) == len(known):
            self.counts[ObjectOutcome.DELETED] += len(known)
            self.bytes_deleted += sum(stored.size_bytes for stored in objects)
            return
        for stored, outcome in zip(objects, known, strict=True):
            if outcome is not None:
                self.enter(stored, outcome)

    def enter_all(self, outcome: ObjectOutcome, problem: str) -> None:
        """Enter one outcome for everything that the plan names."""
        self.counts[outcome] = self.planned.deletion_count
        self.problem = problem

    def enter_kept(self, reason: str) -> None:
        """Enter as changed what was not sent because the deployment has become live."""
        planned_count = self.planned.deletion_count
        self.counts[ObjectOutcome.CHANGED] += max(planned_count - self.counts.total(), 0)
        deleted_count = self.counts[ObjectOutcome.DELETED]
        self.problem = "kept: " + (
            describe_partly_deleted(reason, deleted_count, planned_count)
            if deleted_count
            else reason
        )

    def enter_unsent(self, stopped: str) -> None:
        """Enter as failed what was not sent, so that everything planned has an outcome."""
        missing_count = self.planned.deletion_count - self.counts.total()
        if missing_count > 0:
            self.counts[ObjectOutcome.FAILED] += missing_count
            self.problem = self.problem or f"not deleted: {stopped}"


def start_tallies(deployments: Iterable[Deployment]) -> dict[str, Tally]:
    """Return an empty tally for each deployment, by name."""
    return {deployment.name: Tally(deployment) for deployment in deployments}


def enter_all_unsent(tallies: Iterable[Tally], control: RunControl, live: LiveWatch) -> None:
    """Enter what was not sent: kept because it is live, else failed as the run was stopped."""
    if live.problem:
        control.stop(live.problem)
    for tally in tallies:
        if reason := live.kept.get(tally.planned.name):
            tally.enter_kept(reason)
        tally.enter_unsent(control.stop_reason)


def sum_up(tallies: Iterable[Tally], stopped: str) -> DeletionResult:
    """Return the result of a run whose tallies have an outcome for everything planned."""
    results, fully_deleted = [], []
    for tally in tallies:
        result = DeploymentResult(
            name=tally.planned.name,
            counts=dict(tally.counts),
            bytes_deleted=tally.bytes_deleted,
            problem=tally.problem,
        )
        results.append(result)
        if result.is_fully_deleted:
            fully_deleted.append(tally.planned)
    return DeletionResult(
        results=tuple(results), fully_deleted=tuple(fully_deleted), stop_reason=stopped
    )
