"""Counts what happened to each deployment's objects or versions, and sums up a run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci3.aws.deletion.outcomes import DELETED, KeyOutcome
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.model.result import DeploymentResult, ObjectOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionResult:
    """The outcome of each deployment, in the plan's order, and why the run ended early, if so."""

    results: tuple[DeploymentResult, ...]
    fully_deleted: tuple[Deployment, ...]
    stopped: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts the outcomes of one deployment, in one thread; `planned_count` should be deleted."""

    name: str
    planned_count: int
    counts: Counter[ObjectOutcome] = field(default_factory=Counter)
    bytes_deleted: int = 0
    problem: str = ""

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
        self.counts[outcome] = self.planned_count
        self.problem = problem

    def close(self, stopped: str) -> None:
        """Enter as failed what was never sent, so that every planned entry has an outcome."""
        missing = self.planned_count - self.counts.total()
        if missing > 0:
            self.counts[ObjectOutcome.FAILED] += missing
            self.problem = self.problem or f"not deleted: {stopped}"

    def result(self) -> DeploymentResult:
        """Return the result of the deployment."""
        return DeploymentResult(
            name=self.name,
            counts=dict(self.counts),
            bytes_deleted=self.bytes_deleted,
            problem=self.problem,
        )


def sum_up(
    deployments: Sequence[Deployment], tallies: Mapping[str, Tally], stopped: str
) -> DeletionResult:
    """Return the result of a run whose tallies are closed."""
    results = [tallies[deployment.name].result() for deployment in deployments]
    pairs = zip(deployments, results, strict=True)
    return DeletionResult(
        results=tuple(results),
        fully_deleted=tuple(deployment for deployment, result in pairs if result.is_gone),
        stopped=stopped,
    )
