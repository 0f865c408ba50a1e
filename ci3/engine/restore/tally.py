"""Counts what happened to each object of a deployment that is restored."""

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

Marker = tuple[str, str]
"""A delete marker: its key and version ID."""
MarkerOutcomes = dict[Marker, KeyOutcome]


@dataclass(slots=True, kw_only=True)
class RestoreTally:
    """Counts the objects of one deployment, in one thread."""

    planned: DeploymentUndo
    undos: tuple[Undo, ...] = ()
    problem: str = ""
    _skips: list[Skip] = field(default_factory=list)
    _restored: list[Undo] = field(default_factory=list)
    _replaced: list[Undo] = field(default_factory=list)
    _is_begun: bool = False

    def begin(self, undoings: Sequence[Undoing]) -> None:
        """Enter what was decided right before; what gets no other outcome has failed."""
        self._is_begun = True
        self.undos = tuple(one for one in undoings if isinstance(one, Undo))
        self._skips = [one for one in undoings if isinstance(one, Skip)]

    def enter(self, outcomes: MarkerOutcomes, current: Mapping[str, StoredVersion]) -> None:
        """Enter each object by what is current now, whatever S3 answered."""
        for undo in self.undos:
            version = current.get(undo.key)
            if version is None or version.is_marker:
                self.problem = self.problem or _why_hidden(undo, outcomes)
            elif version.version_id == undo.version_id:
                self._restored.append(undo)
            else:
                self._replaced.append(undo)

    def result(self, stopped: str) -> DeploymentRestored:
        """Return the result; if the deployment was never begun, all that was planned failed."""
        skipped, failed = self.planned.skipped, self.planned.object_count
        if self._is_begun:
            newer = (
                Skip(key=undo.key, size_bytes=undo.size_bytes, reason=SkipReason.NEWER_VERSION)
                for undo in self._replaced
            )
            skipped = sum_up_skips((*self._skips, *newer))
            failed = len(self.undos) - len(self._restored) - len(self._replaced)
        counts = Counter({RestoreOutcome.RESTORED: len(self._restored)})
        counts[RestoreOutcome.FAILED] = failed
        for skip in skipped:
            is_there = skip.reason is SkipReason.ALREADY_THERE
            outcome = RestoreOutcome.ALREADY_THERE if is_there else RestoreOutcome.SKIPPED
            counts[outcome] += skip.object_count
        return DeploymentRestored(
            name=self.planned.name,
            counts={outcome: counts[outcome] for outcome in RestoreOutcome if counts[outcome]},
            bytes_restored=sum(undo.size_bytes for undo in self._restored),
            problem=self.problem or (f"not restored: {stopped}" if failed else ""),
            skipped=skipped,
        )


def _why_hidden(undo: Undo, outcomes: MarkerOutcomes) -> str:
    for version_id in undo.marker_version_ids:
        outcome = outcomes.get((undo.key, version_id))
        if outcome is not None and outcome.outcome is not ObjectOutcome.DELETED:
            return f"a delete marker is still there: {outcome.message}"
    return ""
