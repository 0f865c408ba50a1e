"""The plan of a restore and its result, summed up by deployment."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ci3.core.model.deployment import Target
from ci3.core.restore.decide import SkipObject, SkipReason

EXAMPLES_KEPT = 3
"""Example keys for each skip reason of a deployment; a journal may have a million keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipSummary:
    """The objects of one deployment skipped for one reason; `examples` are some of the keys."""

    reason: SkipReason
    object_count: int
    size_bytes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRestorePlan:
    """The objects of one deployment to restore and to skip."""

    name: str
    object_count: int
    size_bytes: int
    skipped: tuple[SkipSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """The objects to restore; `source_label` describes the deletions, such as those of a run.

    `notes` are remarks on the journal or the bucket, such as a journal without an end.
    """

    target: Target
    source_label: str
    deployments: tuple[DeploymentRestorePlan, ...]
    run_id: str = ""
    notes: tuple[str, ...] = ()
    rule_ids: tuple[str, ...] = ()
    """The IDs of managed lifecycle rules for the deployments; they are removed first."""
    has_read_rules: bool = True
    """True if the lifecycle rules could be read, so that `rule_ids` is complete."""

    @property
    def has_work(self) -> bool:
        """True if there are objects to restore, or rules to remove."""
        return bool(self.object_count or self.rule_ids)

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
        return _count_lost(self.deployments)

    @property
    def skipped_counts(self) -> Mapping[SkipReason, int]:
        """The number of skipped objects by reason, in the order of `SkipReason`."""
        counts: Counter[SkipReason] = Counter()
        for deployment in self.deployments:
            for skipped in deployment.skipped:
                counts[skipped.reason] += skipped.object_count
        return {reason: counts[reason] for reason in SkipReason if counts[reason]}


def _count_lost(
    deployments: "Iterable[DeploymentRestorePlan | DeploymentRestoreResult]",
) -> int:
    return sum(
        skipped.object_count
        for deployment in deployments
        for skipped in deployment.skipped
        if skipped.reason.is_unrecoverable
    )


class ObjectRestoreOutcome(StrEnum):
    """The outcome for one object of a restore."""

    RESTORED = "restored"
    ALREADY_THERE = "already-there"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRestoreResult:
    """The result for one deployment: the number of objects by outcome, and the first problem."""

    name: str
    counts: Mapping[ObjectRestoreOutcome, int]
    bytes_restored: int
    problem: str = ""
    skipped: tuple[SkipSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """The result of a restore; `stop_reason` is empty unless it ended early."""

    deployments: tuple[DeploymentRestoreResult, ...]
    stop_reason: str = ""
    rules_removed: int = 0
    record_problem: str = ""
    """The reason why later plans cannot warn about deleting what was restored; or empty."""

    @property
    def restored_names(self) -> tuple[str, ...]:
        """The names of the deployments of which something is current again."""
        current = (ObjectRestoreOutcome.RESTORED, ObjectRestoreOutcome.ALREADY_THERE)
        return tuple(
            deployment.name
            for deployment in self.deployments
            if any(deployment.counts.get(outcome) for outcome in current)
        )

    def count_objects(self, outcome: ObjectRestoreOutcome) -> int:
        """Return the number of objects with this outcome."""
        return sum(deployment.counts.get(outcome, 0) for deployment in self.deployments)

    @property
    def bytes_restored(self) -> int:
        """The total size of the restored objects."""
        return sum(deployment.bytes_restored for deployment in self.deployments)

    @property
    def lost_count(self) -> int:
        """The number of deleted objects that cannot be restored."""
        return _count_lost(self.deployments)

    @property
    def is_complete(self) -> bool:
        """True if every deleted object exists again, or has a newer version."""
        failed_count = self.count_objects(ObjectRestoreOutcome.FAILED)
        return not (self.stop_reason or self.lost_count or failed_count)


_NOT_PLAIN = re.compile(r"[\s,;\"'`#*?\[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def format_protect_line(name: str) -> str:
    """Return the line of the setting `protect` that keeps a deployment.

    `?` replaces each character that is a wildcard there or would end or split the line.
    """
    return _NOT_PLAIN.sub("?", name)


class RestoreOutcome(StrEnum):
    """The outcome of a restore."""

    NOTHING_TO_RESTORE = "nothing-to-restore"
    PLANNED = "planned"
    RESTORED = "restored"
    PARTIAL = "partial"
    REFUSED = "refused"


def get_restore_outcome(plan: RestorePlan, result: RestoreResult | None = None) -> RestoreOutcome:
    """Return the outcome of a restore, or of a plan that was not executed (`result` is None)."""
    if result is not None:
        return RestoreOutcome.RESTORED if result.is_complete else RestoreOutcome.PARTIAL
    if plan.has_work:
        return RestoreOutcome.PLANNED
    if plan.skipped_counts.keys() & {SkipReason.NOT_CURRENT, SkipReason.NEWER_DELETED}:
        return RestoreOutcome.PARTIAL  # it may come back by other means
    return RestoreOutcome.REFUSED if plan.lost_count else RestoreOutcome.NOTHING_TO_RESTORE


def summarize_skips(skips: Iterable[SkipObject]) -> tuple[SkipSummary, ...]:
    """Sum up skipped objects by reason, in the order of `SkipReason`."""
    by_reason: dict[SkipReason, list[SkipObject]] = {reason: [] for reason in SkipReason}
    for skip in skips:
        by_reason[skip.reason].append(skip)
    return tuple(
        SkipSummary(
            reason=reason,
            object_count=sum(skip.object_count for skip in skips_of_reason),
            size_bytes=sum(skip.size_bytes for skip in skips_of_reason),
            examples=tuple(skip.key for skip in skips_of_reason[:EXAMPLES_KEPT]),
        )
        for reason, skips_of_reason in by_reason.items()
        if skips_of_reason
    )
