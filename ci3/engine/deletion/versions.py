"""Deletes all versions of deployments, each by its version ID: permanently.

Each request names version IDs, and only those that were just listed.
"""

from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ci3.aws.bucket import BucketReader
from ci3.aws.deletion.outcomes import DELETED_OUTCOMES, KeyOutcome
from ci3.aws.deletion.version_remover import VersionRemover
from ci3.constants import DELETE_BATCH_SIZE, MAXIMUM_CONCURRENCY
from ci3.core.inventory.fingerprint import compute_fingerprint
from ci3.core.inventory.versions import deletion_phases, select_current_objects, summarize_versions
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Deployment, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.model.result import DeleteGuard, GuardProbe, ObjectOutcome
from ci3.engine.deletion.required_first import keep_with_required
from ci3.engine.deletion.sender import SENDERS, BatchPart
from ci3.engine.deletion.tally import (
    NOT_EMPTY,
    DeletionResult,
    Tally,
    enter_all_unsent,
    start_tallies,
    sum_up,
)
from ci3.engine.deletion.version_sender import VersionIdentity, VersionSender, identify
from ci3.engine.gate import Gate
from ci3.engine.inventory.versions import list_all_versions
from ci3.engine.journal.writer import Journal
from ci3.engine.live_watch import LiveWatch
from ci3.engine.workers.run_control import RunControl
from ci3.errors import DeniedError, ListingError

_HIDES_UNDELETED = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: an older version was not deleted and would become current",
)
_LAST_VISIBLE = KeyOutcome(
    outcome=ObjectOutcome.FAILED,
    message="not sent: without current objects no later run would find the remaining versions",
)
_UNLISTED = "its objects are missing in the listing of versions"
_CHANGED = KeyOutcome(
    outcome=ObjectOutcome.CHANGED, message="its objects changed during the deletion"
)


def describe_version_guard(versioning: Versioning) -> GuardProbe:
    """Return the guard of version deletions, which cannot be conditional."""
    reason = "except the version null, which an upload replaces while versioning is suspended"
    is_suspended = versioning is Versioning.SUSPENDED
    return GuardProbe(guard=DeleteGuard.VERSION_ID, reason=reason if is_suspended else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedDeployment:
    """A deployment's tally, and the listing of its versions right before the deletion."""

    tally: Tally
    identities: frozenset[VersionIdentity]
    listed_at: float


@dataclass(slots=True, kw_only=True)
class VersionDeletion:
    """One run of permanent deletions; every planned version ends in exactly one outcome.

    Each `deleting` thread deletes one deployment at a time.
    """

    reader: BucketReader
    remover: VersionRemover
    gate: Gate
    journal: Journal
    control: RunControl
    live: LiveWatch = field(default_factory=LiveWatch)
    required_file: str
    """Path within a deployment of the file of which the current version is deleted first."""
    concurrency: int = MAXIMUM_CONCURRENCY
    """Maximum number of requests in flight."""
    _sender: VersionSender = field(init=False)

    def __post_init__(self) -> None:
        self._sender = VersionSender(
            reader=self.reader, remover=self.remover, control=self.control, live=self.live
        )

    def delete_deployments(self, decisions: Sequence[Decision]) -> DeletionResult:
        """Delete the deployments whose versions are all as planned; never raises.

        What was not sent because the run was stopped counts as failed.
        """
        deployments = [decision.deployment for decision in decisions]
        tallies = start_tallies(deployments).values()
        version_count = sum(deployment.deletion_count for deployment in deployments)

        def delete_all() -> None:
            delete = self.control.contain_errors(self._delete)
            with ThreadPoolExecutor(min(SENDERS, self.concurrency), "deleting") as pool:
                list(pool.map(delete, tallies))

        self.control.execute("Deleting versions", version_count, delete_all)
        enter_all_unsent(tallies, self.control, self.live)
        return sum_up(tallies, self.control.stop_reason)

    def _delete(self, tally: Tally) -> None:
        """List again, compare, and delete what is as planned."""
        planned = tally.planned
        if self.live.is_withheld(planned.name):
            return
        listed_at = self.control.monotonic()
        try:
            versions = list_all_versions(self.reader, planned.prefix)
        except (DeniedError, ListingError) as exc:
            tally.enter_all(ObjectOutcome.FAILED, f"kept: {exc.message}")
            return
        if not versions:
            has_objects = bool(self.reader.list_keys(planned.prefix))
            tally.enter_all(ObjectOutcome.ABSENT, _UNLISTED if has_objects else "")
            return
        fingerprint = compute_fingerprint(select_current_objects(versions))
        if change := planned.find_change(fingerprint, summarize_versions(versions)):
            tally.enter_all(ObjectOutcome.CHANGED, f"kept: {change}")
            return
        identities = frozenset(map(identify, versions))
        listed = _ListedDeployment(tally=tally, identities=identities, listed_at=listed_at)
        self._delete_unchanged(listed, versions)

    def _delete_unchanged(
        self, listed: _ListedDeployment, versions: Sequence[StoredVersion]
    ) -> None:
        """Delete noncurrent versions, then delete markers, then current versions, then list again.

        If a noncurrent version could not be deleted, no current version is deleted. That of the
        same key is kept since the noncurrent version would become current; the others are kept
        since a deployment without current objects is not listed, and no later run would find it.
        Until then the deployment is complete if it was: noncurrent versions do not count for that.
        """
        noncurrent, markers, current = deletion_phases(versions)
        undeleted_keys: set[str] = set()
        for phase in (noncurrent, markers):
            undeleted_keys |= self._delete_phase(listed, phase, undeleted_keys)
        if self._is_ended(listed):
            return
        if (noncurrent or markers) and current:
            listed = replace(listed, listed_at=self.control.monotonic())
            outcome = _LAST_VISIBLE if undeleted_keys else self._find_change(listed.tally.planned)
            if outcome:
                for version in current:
                    is_hiding = version.key in undeleted_keys
                    listed.tally.enter(version, _HIDES_UNDELETED if is_hiding else outcome)
                return
        self._delete_current(listed, current)
        if not listed.tally.problem and not self._is_ended(listed):
            self._find_leftovers(listed)

    def _delete_current(self, listed: _ListedDeployment, versions: Sequence[StoredVersion]) -> None:
        """Delete current versions: that of the required file first, and the others after it.

        If it is not deleted, nor are the others: what is left must not count as complete.
        """
        key = f"{listed.tally.planned.prefix}{self.required_file}"
        required = [version for version in versions if self.required_file and version.key == key]
        if required and len(versions) > 1:
            outcome = self._delete_batch(listed, required).get(identify(required[0]))
            versions = [version for version in versions if version.key != key]
            if outcome is None:
                return
            if outcome.outcome not in DELETED_OUTCOMES:
                for version in versions:
                    listed.tally.enter(version, keep_with_required(outcome))
                return
        self._delete_phase(listed, versions, frozenset())

    def _is_ended(self, listed: _ListedDeployment) -> bool:
        """Return True if nothing more of a deployment may be sent."""
        return self.control.is_stopped() or self.live.is_withheld(listed.tally.planned.name)

    def _find_change(self, planned: Deployment) -> KeyOutcome | None:
        """List current objects again; return the outcome of all if they have changed."""
        versions = list_all_versions(self.reader, planned.prefix)
        is_same = compute_fingerprint(select_current_objects(versions)) == planned.fingerprint
        return None if is_same else _CHANGED

    def _delete_phase(
        self, listed: _ListedDeployment, versions: Sequence[StoredVersion], undeleted_keys: Set[str]
    ) -> set[str]:
        """Delete versions in batches; return the keys with a version that was not deleted."""
        for version in versions:
            if version.key in undeleted_keys:
                listed.tally.enter(version, _HIDES_UNDELETED)
        free = [version for version in versions if version.key not in undeleted_keys]
        deleted: set[VersionIdentity] = set()
        for start in range(0, len(free), DELETE_BATCH_SIZE):
            if self._is_ended(listed):
                break
            outcomes = self._delete_batch(listed, free[start : start + DELETE_BATCH_SIZE])
            deleted |= {
                identity
                for identity, outcome in outcomes.items()
                if outcome.outcome in DELETED_OUTCOMES
            }
        return {version.key for version in versions if identify(version) not in deleted}

    def _delete_batch(
        self, listed: _ListedDeployment, versions: Sequence[StoredVersion]
    ) -> Mapping[VersionIdentity, KeyOutcome]:
        """Check, journal, send, resolve, journal; return the outcomes of what was sent."""
        name, prefix = listed.tally.planned.name, listed.tally.planned.prefix
        batch = self._sender.without_live(
            [
                BatchPart(
                    name=name, prefix=prefix, entries=tuple(versions), listed_at=listed.listed_at
                )
            ]
        )
        if not batch or self.control.is_stopped():
            return {}
        self.gate.approve_versions(prefix, versions, listed.identities)
        number = self.journal.record_version_intent([(prefix, versions)])
        outcomes = self._sender.send(batch)
        self._sender.resolve_unknown_outcomes(batch, outcomes)
        for version in versions:
            listed.tally.enter(version, outcomes[identify(version)])
        self.control.count_done(len(versions))
        self.journal.record_outcome(number, [outcomes[identify(version)] for version in versions])
        return outcomes

    def _find_leftovers(self, listed: _ListedDeployment) -> None:
        """List again: what exists was uploaded during the run, or S3 did not delete it."""
        if list_all_versions(self.reader, listed.tally.planned.prefix):
            listed.tally.problem = NOT_EMPTY
