"""Counts the outcomes of the objects of a deployment that is restored."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.core.restore.decide import Skip, SkipReason, Undo, Undoing
from ci3.core.restore.plan import (
    DeploymentRestored,
    DeploymentUndo,
    RestoreOutcome,
    sum_up_skips,
)
from ci3.engine.deletion.version_sender import VersionIdentity

MarkerOutcomes = dict[VersionIdentity, KeyOutcome]
"""The outcome of removing each delete marker."""


@dataclass(slots=True)
class RestoreTally:
    """Counts the objects of one deployment, in one thread."""

    planned: DeploymentUndo
    restorable: tuple[Undo, ...] = field(init=False, default=())
    problem: str = field(init=False, default="")
    _skips: list[Skip] | None = field(init=False, default=None)
    _restored: list[Undo] = field(init=False, default_factory=list)
    _failed_count: int = field(init=False)

    def __post_init__(self) -> None:
        self._failed_count = self.planned.object_count

    def start(self, actions: Sequence[Undoing]) -> None:
        """Enter what was decided right before; an object without another outcome has failed."""
        self.restorable = tuple(action for action in actions if isinstance(action, Undo))
        self._skips = [action for action in actions if isinstance(action, Skip)]
        self._failed_count = len(self.restorable)

    def enter(self, outcomes: MarkerOutcomes, current: Mapping[str, StoredVersion]) -> None:
        """Enter each object by its current version, regardless of the marker's outcome."""
        skips = self._skips = self._skips or []
        for action in self.restorable:
            version = current.get(action.key)
            if version is None or version.is_marker:
                self.problem = self.problem or _why_hidden(action, outcomes)
                continue
            self._failed_count -= 1
            if version.version_id == action.version_id:
                self._restored.append(action)
            else:
                reason = SkipReason.NEWER_VERSION
                skips.append(Skip(key=action.key, size_bytes=action.size_bytes, reason=reason))

    def result(self, stopped: str) -> DeploymentRestored:
        """Return the result; if the deployment was not started, all that was planned failed."""
        skipped = self.planned.skipped if self._skips is None else sum_up_skips(self._skips)
        counts = Counter({RestoreOutcome.RESTORED: len(self._restored)})
        counts[RestoreOutcome.FAILED] = self._failed_count
        for skip in skipped:
            is_already_there = skip.reason is SkipReason.ALREADY_THERE
            outcome = RestoreOutcome.ALREADY_THERE if is_already_there else RestoreOutcome.SKIPPED
            counts[outcome] += skip.object_count
        return DeploymentRestored(
            name=self.planned.name,
            counts={outcome: counts[outcome] for outcome in RestoreOutcome if counts[outcome]},
            bytes_restored=sum(action.size_bytes for action in self._restored),
            problem=self.problem or (f"not restored: {stopped}" if self._failed_count else ""),
            skipped=skipped,
        )


def _why_hidden(action: Undo, outcomes: MarkerOutcomes) -> str:
    for version_id in action.marker_version_ids:
        outcome = outcomes.get((action.key, version_id))
        if outcome is not None and outcome.outcome is not ObjectOutcome.DELETED:
            return f"a delete marker is still there: {outcome.message}"
    return ""
