"""What an undo would bring back and what it did, summed up by deployment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ci3.core.model.deployment import Target
from ci3.core.restore.decide import Skip, SkipReason

EXAMPLES_KEPT = 3
"""Keys named for each reason of a deployment; a journal may hold a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The objects of one deployment that are left for one reason; `examples` are some keys."""

    reason: SkipReason
    object_count: int
    size_bytes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentUndo:
    """What of one deployment comes back, summed up, and what does not."""

    name: str
    object_count: int
    size_bytes: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPlan:
    """What an undo would bring back; `told` says of what it is, such as a run or a time.

    `notes` tell what is odd about where this was read.
    """

    target: Target
    told: str
    deployments: tuple[DeploymentUndo, ...]
    run_id: str = ""
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """The IDs of our lifecycle rules that stand on the deployments, and are taken away first."""
    knows_rules: bool = True
    """Whether it could be looked for them."""

    @property
    def has_work(self) -> bool:
        """Whether there is anything to bring back, or to keep from going."""
        return bool(self.object_count or self.rules)

    @property
    def object_count(self) -> int:
        """How many objects come back."""
        return sum(one.object_count for one in self.deployments)

    @property
    def size_bytes(self) -> int:
        """The size of what comes back."""
        return sum(one.size_bytes for one in self.deployments)

    @property
    def lost_count(self) -> int:
        """How many deleted objects can't be brought back."""
        return sum(
            skipped.object_count
            for one in self.deployments
            for skipped in one.skipped
            if skipped.reason.is_lost
        )

    @property
    def skipped(self) -> Mapping[SkipReason, int]:
        """How many objects are left as they are, by reason, in the reasons' order."""
        counts: Counter[SkipReason] = Counter()
        for one in self.deployments:
            for skipped in one.skipped:
                counts[skipped.reason] += skipped.object_count
        return {reason: counts[reason] for reason in SkipReason if counts[reason]}


class RestoreOutcome(StrEnum):
    """What became of one object that an undo was about."""

    RESTORED = "restored"
    ALREADY_THERE = "already-there"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRestored:
    """What became of one deployment: objects by outcome, and the first problem that was met."""

    name: str
    counts: Mapping[RestoreOutcome, int]
    bytes_restored: int
    problem: str = ""
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What an undo did; `stopped` says why it ended early, or is empty."""

    deployments: tuple[DeploymentRestored, ...]
    stopped: str = ""
    rules_removed: int = 0

    def count(self, outcome: RestoreOutcome) -> int:
        """How many objects ended so."""
        return sum(one.counts.get(outcome, 0) for one in self.deployments)

    @property
    def bytes_restored(self) -> int:
        """The size of what came back."""
        return sum(one.bytes_restored for one in self.deployments)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was deleted is back, or has a newer version."""
        is_lost = any(skip.reason.is_lost for one in self.deployments for skip in one.skipped)
        return not (self.stopped or is_lost or self.count(RestoreOutcome.FAILED))


class UndoOutcome(StrEnum):
    """What became of a whole undo."""

    NOTHING_TO_RESTORE = "nothing-to-restore"
    PLANNED = "planned"
    RESTORED = "restored"
    PARTIAL = "partial"
    REFUSED = "refused"


def undo_outcome(plan: UndoPlan, restored: Restored | None = None) -> UndoOutcome:
    """Say what became of an undo; without what it did, it was only planned."""
    if restored is not None:
        return UndoOutcome.RESTORED if restored.is_whole else UndoOutcome.PARTIAL
    if plan.has_work:
        return UndoOutcome.PLANNED
    return UndoOutcome.REFUSED if plan.lost_count else UndoOutcome.NOTHING_TO_RESTORE


def sum_up_skips(skips: Iterable[Skip]) -> tuple[Skipped, ...]:
    """Sum up by reason, in the reasons' order, with the first keys as examples."""
    by_reason: dict[SkipReason, list[Skip]] = {reason: [] for reason in SkipReason}
    for skip in skips:
        by_reason[skip.reason].append(skip)
    return tuple(
        Skipped(
            reason=reason,
            object_count=sum(one.object_count for one in some),
            size_bytes=sum(one.size_bytes for one in some),
            examples=tuple(one.key for one in some[:EXAMPLES_KEPT]),
        )
        for reason, some in by_reason.items()
        if some
    )
