"""The plan of a restore and its result, summed up by deployment."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ci3.core.model.deployment import Target
from ci3.core.restore.decide import Skip, SkipReason

EXAMPLES_KEPT = 3
"""Example keys for each skip reason of a deployment; a journal may have a million keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The objects of one deployment skipped for one reason; `examples` are some of the keys."""

    reason: SkipReason
    object_count: int
    size_bytes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentUndo:
    """The objects of one deployment to restore and to skip."""

    name: str
    object_count: int
    size_bytes: int
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPlan:
    """The objects to restore; `source_label` describes the deletions, such as those of a run.

    `notes` are remarks on the journal or the bucket, such as a journal without an end.
    """

    target: Target
    told: str
    deployments: tuple[DeploymentUndo, ...]
    run_id: str = ""
    notes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    """The IDs of managed lifecycle rules for the deployments; they are removed first."""
    knows_rules: bool = True
    """True if the lifecycle rules could be read, so that `rule_ids` is complete."""

    @property
    def has_work(self) -> bool:
        """True if there are objects to restore, or rules to remove."""
        return bool(self.object_count or self.rules)

    @property
    def object_count(self) -> int:
        """The number of objects to restore."""
        return sum(deployment.object_count for deployment in self.deployments)

    @property
    def size_bytes(self) -> int:
        """The total size of the objects to restore."""
        return sum(deployment.size_bytes for deployment in self.deployments)

    @property
    def lost_count(self) -> int:
        """The number of deleted objects that cannot be restored."""
        return sum(
            skipped.object_count
            for deployment in self.deployments
            for skipped in deployment.skipped
            if skipped.reason.is_lost
        )

    @property
    def skipped(self) -> Mapping[SkipReason, int]:
        """The number of skipped objects by reason, in the order of `SkipReason`."""
        counts: Counter[SkipReason] = Counter()
        for deployment in self.deployments:
            for skipped in deployment.skipped:
                counts[skipped.reason] += skipped.object_count
        return {reason: counts[reason] for reason in SkipReason if counts[reason]}


class RestoreOutcome(StrEnum):
    """The outcome for one object of a restore."""

    RESTORED = "restored"
    ALREADY_THERE = "already-there"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRestored:
    """The result for one deployment: the number of objects by outcome, and the first problem."""

    name: str
    counts: Mapping[RestoreOutcome, int]
    bytes_restored: int
    problem: str = ""
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The result of a restore; `stop_reason` is empty unless it ended early."""

    deployments: tuple[DeploymentRestored, ...]
    stopped: str = ""
    rules_removed: int = 0

    def count(self, outcome: RestoreOutcome) -> int:
        """Return the number of objects with this outcome."""
        return sum(deployment.counts.get(outcome, 0) for deployment in self.deployments)

    @property
    def bytes_restored(self) -> int:
        """The total size of the restored objects."""
        return sum(deployment.bytes_restored for deployment in self.deployments)

    @property
    def is_whole(self) -> bool:
        """True if every deleted object exists again, or has a newer version."""
        has_lost = any(
            skipped.reason.is_lost
            for deployment in self.deployments
            for skipped in deployment.skipped
        )
        return not (self.stopped or has_lost or self.count(RestoreOutcome.FAILED))


class UndoOutcome(StrEnum):
    """The outcome of a restore."""

    NOTHING_TO_RESTORE = "nothing-to-restore"
    PLANNED = "planned"
    RESTORED = "restored"
    PARTIAL = "partial"
    REFUSED = "refused"


def undo_outcome(plan: UndoPlan, restored: Restored | None = None) -> UndoOutcome:
    """Return the outcome of a restore, or of a plan that was not executed (`result` is None)."""
    if restored is not None:
        return UndoOutcome.RESTORED if restored.is_whole else UndoOutcome.PARTIAL
    if plan.has_work:
        return UndoOutcome.PLANNED
    return UndoOutcome.REFUSED if plan.lost_count else UndoOutcome.NOTHING_TO_RESTORE


def sum_up_skips(skips: Iterable[Skip]) -> tuple[Skipped, ...]:
    """Sum up skipped objects by reason, in the order of `SkipReason`."""
    by_reason: dict[SkipReason, list[Skip]] = {reason: [] for reason in SkipReason}
    for skip in skips:
        by_reason[skip.reason].append(skip)
    return tuple(
        Skipped(
            reason=reason,
            object_count=sum(skip.object_count for skip in skips_of_reason),
            size_bytes=sum(skip.size_bytes for skip in skips_of_reason),
            examples=tuple(skip.key for skip in skips_of_reason[:EXAMPLES_KEPT]),
        )
        for reason, skips_of_reason in by_reason.items()
        if skips_of_reason
    )
