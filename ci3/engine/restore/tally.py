"""Counts the outcomes of the objects of a deployment that is restored."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ci3.aws.deletion.outcomes import KeyOutcome
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import ObjectOutcome
from ci3.core.restore.decide import RestoreAction, RestoreObject, SkipObject, SkipReason
from ci3.core.restore.plan import (
    DeploymentRestorePlan,
    DeploymentRestoreResult,
    ObjectRestoreOutcome,
    summarize_skips,
)
from ci3.engine.deletion.version_sender import VersionIdentity

MarkerOutcomes = dict[VersionIdentity, KeyOutcome]
"""The outcome of removing each delete marker."""


@dataclass(slots=True)
class RestoreTally:
    """Counts the objects of one deployment, in one thread."""

    planned: DeploymentRestorePlan
    restorable: tuple[RestoreObject, ...] = field(init=False, default=())
    problem: str = field(init=False, default="")
    _skips: list[SkipObject] | None = field(init=False, default=None)
    _restored: list[RestoreObject] = field(init=False, default_factory=list)
    _failed_count: int = field(init=False)

    def __post_init__(self) -> None:
        self._failed_count = self.planned.object_count

    def start(self, actions: Sequence[RestoreAction]) -> None:
        """Enter what was decided right before; an object without another outcome has failed.

        When called again, what was restored and is still current stays restored.
        """
        self.problem = ""
        skips = [action for action in actions if isinstance(action, SkipObject)]
        current_keys = {skip.key for skip in skips if skip.reason is SkipReason.ALREADY_THERE}
        self._restored = [action for action in self._restored if action.key in current_keys]
        restored_keys = {action.key for action in self._restored}
        self.restorable = tuple(action for action in actions if isinstance(action, RestoreObject))
        self._skips = [skip for skip in skips if skip.key not in restored_keys]
        self._failed_count = len(self.restorable)

    def enter(
        self,
        actions: Iterable[RestoreObject],
        outcomes: MarkerOutcomes,
        current: Mapping[str, StoredVersion],
    ) -> None:
        """Enter each object by its current version, regardless of the marker's outcome."""
        skips = self._skips = self._skips or []
        for action in actions:
            version = current.get(action.key)
            if version is None or version.is_delete_marker:
                self.problem = self.problem or _why_hidden(action, outcomes)
                continue
            if version.version_id == action.version_id:
                self._failed_count -= 1
                self._restored.append(action)
            elif version.modified_at < action.modified_at:
                self.problem = self.problem or "the store made an older version current"
            else:
                self._failed_count -= 1
                reason = SkipReason.NEWER_VERSION
                skips.append(
                    SkipObject(key=action.key, size_bytes=action.size_bytes, reason=reason)
                )

    def is_missing_only(self, count: int) -> bool:
        """Return True if exactly `count` objects that the run deleted are not current again."""
        has_lost = any(skip.reason.is_unrecoverable for skip in self._skips or ())
        return self._failed_count == count and not has_lost

    def withhold(self, required_file: str) -> None:
        """Enter why the required file is not restored; the reason of the others comes first."""
        reason = (
            f"{required_file} is not restored: other objects are missing, and with this file the "
            "deployment would count as complete"
        )
        self.problem = f"{self.problem}; {reason}" if self.problem else reason

    def result(self, stopped: str) -> DeploymentRestoreResult:
        """Return the result; if the deployment was not started, all that was planned failed."""
        skipped = self.planned.skipped if self._skips is None else summarize_skips(self._skips)
        counts = Counter({ObjectRestoreOutcome.RESTORED: len(self._restored)})
        counts[ObjectRestoreOutcome.FAILED] = self._failed_count
        for skip in skipped:
            is_already_there = skip.reason is SkipReason.ALREADY_THERE
            outcome = (
                ObjectRestoreOutcome.ALREADY_THERE
                if is_already_there
                else ObjectRestoreOutcome.SKIPPED
            )
            counts[outcome] += skip.object_count
        return DeploymentRestoreResult(
            name=self.planned.name,
            counts={
                outcome: counts[outcome] for outcome in ObjectRestoreOutcome if counts[outcome]
            },
            bytes_restored=sum(action.size_bytes for action in self._restored),
            problem=self.problem or (f"not restored: {stopped}" if self._failed_count else ""),
            skipped=skipped,
        )


def _why_hidden(action: RestoreObject, outcomes: MarkerOutcomes) -> str:
    marker_outcomes = [
        outcomes.get((action.key, version_id)) for version_id in action.marker_version_ids
    ]
    for outcome in marker_outcomes:
        if outcome is not None and outcome.outcome is not ObjectOutcome.DELETED:
            return f"a delete marker still exists: {outcome.message}"
    if None in marker_outcomes:
        return ""
    return "the delete marker was removed, but the store does not list the version as current"
