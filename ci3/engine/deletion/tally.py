"""The account of one deployment while it is deleted: what became of each thing that was to go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci3.aws.deletion.outcomes import DELETED, KeyOutcome
from ci3.core.model.objects import StoredObject, StoredVersion
from ci3.core.model.result import DeploymentResult, ObjectOutcome


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts outcomes; kept by one thread. `planned_count` is how many things were to go."""

    name: str
    planned_count: int
    counts: Counter[ObjectOutcome] = field(default_factory=Counter)
    bytes_deleted: int = 0
    problem: str = ""

    def enter(self, one: StoredObject | StoredVersion, said: KeyOutcome) -> None:
        """Enter what became of one object or version."""
        self.counts[said.outcome] += 1
        if said.outcome is ObjectOutcome.DELETED:
            self.bytes_deleted += one.size_bytes
        elif said.outcome is not ObjectOutcome.ABSENT:
            self.problem = self.problem or said.message

    def enter_known(
        self, objects: Sequence[StoredObject], outcomes: Mapping[str, KeyOutcome]
    ) -> None:
        """Enter what became of the objects whose outcome is known."""
        said = [outcomes.get(stored.key) for stored in objects]
        if said.count(DELETED) == len(said):
            self.counts[ObjectOutcome.DELETED] += len(said)
            self.bytes_deleted += sum(stored.size_bytes for stored in objects)
            return
        for stored, one in zip(objects, said, strict=True):
            if one is not None:
                self.enter(stored, one)

    def enter_all(self, outcome: ObjectOutcome, problem: str) -> None:
        """Enter one outcome for everything that the plan names."""
        self.counts[outcome] = self.planned_count
        self.problem = problem

    def close(self, stopped: str) -> None:
        """Enter as failed what was never sent, so that each planned thing has an outcome."""
        missing = self.planned_count - self.counts.total()
        if missing > 0:
            self.counts[ObjectOutcome.FAILED] += missing
            self.problem = self.problem or f"not deleted: {stopped}"

    def result(self) -> DeploymentResult:
        """Sum up."""
        return DeploymentResult(
            name=self.name,
            counts=dict(self.counts),
            bytes_deleted=self.bytes_deleted,
            problem=self.problem,
        )
