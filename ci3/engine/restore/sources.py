"""What is to be undone: the deletions that a journal tells of, or those since a time."""

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import moment
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.restore.decide import CLOCK_ALLOWANCE, Undoing, undo_entry, undo_expiry, undo_since
from ci3.engine.journal.reader import JournalFile
from ci3.errors import SettingsError


class Deletions(Protocol):
    """Deletions of one target, and which of them are to be undone."""

    @property
    def target(self) -> Target:
        """Where they were made."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of the deployments that they are in."""

    @property
    def told(self) -> str:
        """Which ones they are, in words that follow `to undo`."""

    @property
    def run_id(self) -> str:
        """The run that made them, or nothing where no run is known."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about where they are told."""

    @property
    def left_to_s3(self) -> Collection[str]:
        """The prefixes of those that S3 was to make, by lifecycle rules."""

    def decide(
        self, prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[Undoing, ...]:
        """Decide of each key of a deployment, given the versions that stand there now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournaledDeletions:
    """The deletions of one run, as its journal tells them."""

    journal: JournalFile

    @property
    def target(self) -> Target:
        """The target of the journal's header."""
        return self.journal.header.target

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The deployments that the run was about to delete or to leave to S3, or a part of."""
        return tuple(dict.fromkeys((*self.left_to_s3, *self.journal.prefixes)))

    @property
    def left_to_s3(self) -> Collection[str]:
        """Those that the journal has a lifecycle rule for."""
        return self.journal.rules.keys()

    @property
    def told(self) -> str:
        """The run and when it began."""
        header = self.journal.header
        return f"the run {header.run_id} of {moment(header.started_at)}"

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.journal.header.run_id

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where the journal breaks off."""
        if self.journal.is_torn:
            return ("The journal's last line was cut off; what it is about is looked up.",)
        if not self.journal.has_ended:
            return ("The journal has no end: that run crashed. What it left open is looked up.",)
        return ()

    def decide(
        self, prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[Undoing, ...]:
        """Decide of each journaled key; of what was left to S3, of each that it has hidden."""
        if rule := self.journal.rules.get(prefix):
            return undo_expiry(
                prefix,
                _by_key(versions).values(),
                approved_count=self.journal.header.deployments[prefix].object_count,
                since=rule.made_at - CLOCK_ALLOWANCE,
                versioning=versioning,
            )
        entries = self.journal.entries(prefix)
        found = _by_key(versions, {entry.key for entry in entries})
        started_at = self.journal.header.started_at
        return tuple(
            undo_entry(
                entry, found.get(entry.key, ()), started_at=started_at, versioning=versioning
            )
            for entry in entries
            if not entry.is_marker  # no object, and nothing that was there for anyone
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionsSince:
    """Whatever was deleted under one deployment since a time, by whomever."""

    target: Target
    name: str
    since: datetime

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The one deployment's prefix."""
        return (f"{self.target.prefix}{self.name}/",)

    @property
    def told(self) -> str:
        """The deployment and the time."""
        return f"every deletion in {self.name} since {moment(self.since)}"

    @property
    def run_id(self) -> str:
        """Nothing: no run is known."""
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Where there are no versions, that nothing found does not mean that nothing is lost."""
        if self.target.versioning is not Versioning.DISABLED:
            return ()
        return ("this bucket keeps no versions: what was deleted from it is gone for good",)

    @property
    def left_to_s3(self) -> Collection[str]:
        """None: no run is known."""
        return ()

    def decide(
        self, prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[Undoing, ...]:
        """Decide of each key whose newest is a delete marker of that time."""
        decided = (
            undo_since(some, since=self.since, versioning=versioning)
            for key, some in _by_key(versions).items()
            if key.startswith(prefix)
        )
        return tuple(one for one in decided if one is not None)


def open_target(target: Target, bucket: BucketReader) -> Target:
    """Describe a bucket as it is now.

    Raises SettingsError where it is not at the S3 that the target names: the AWS configuration may
    lead elsewhere.
    """
    found = bucket.target(target.prefix)
    if found.endpoint_url.rstrip("/") != target.endpoint_url.rstrip("/"):
        raise SettingsError(
            f"{target.url} was at {target.endpoint_url or 'AWS'}, and the AWS configuration leads "
            f"to {found.endpoint_url or 'AWS'}",
            "Take the endpoint out of the AWS configuration (AWS_ENDPOINT_URL). "
            "Nothing was restored.",
        )
    return found


def _by_key(
    versions: Iterable[StoredVersion], wanted: Container[str] | None = None
) -> dict[str, list[StoredVersion]]:
    """Group versions by key, newest first as they are listed; a key may go over several pages."""
    found: dict[str, list[StoredVersion]] = {}
    for one in versions:
        if wanted is None or one.key in wanted:
            found.setdefault(one.key, []).append(one)
    return {key: sorted(some, key=lambda one: not one.is_latest) for key, some in found.items()}
