"""What is restored: the deletions that a journal records, or those since a time."""

from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import moment
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.restore.decide import CLOCK_ALLOWANCE, Undoing, undo_entry, undo_expiry, undo_since
from ci3.engine.journal.reader import JournalFile
from ci3.errors import SettingsError

Decide = Callable[[str, Iterable[StoredVersion], Versioning], tuple[Undoing, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSource:
    """Deletions of one target, and which of them are restored."""

    target: Target
    prefixes: tuple[str, ...]
    """The prefixes of the deployments that were deleted, or a part of them."""
    told: str
    """Describes the deletions, in words that follow `to undo`."""
    decide: Decide
    """Decides for each key of the deployment with that prefix, given the versions it has now."""
    run_id: str = ""
    """The run that made the deletions, if one is known."""
    notes: tuple[str, ...] = ()
    """What may be missing."""
    left_to_s3: Collection[str] = ()
    """The prefixes for which the run created lifecycle rules."""


def source_from_journal(journal: JournalFile) -> RestoreSource:
    """Return the deletions of one run, as its journal records them."""

    def decide(
        prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[Undoing, ...]:
        if rule := journal.rules.get(prefix):
            return undo_expiry(
                prefix,
                _by_key(versions).values(),
                approved_count=header.deployments[prefix].object_count,
                since=rule.made_at - CLOCK_ALLOWANCE,
                versioning=versioning,
            )
        entries = journal.entries(prefix)
        found = _by_key(versions, {entry.key for entry in entries})
        return tuple(
            undo_entry(
                entry,
                found.get(entry.key, ()),
                started_at=header.started_at,
                versioning=versioning,
            )
            for entry in entries
            if not entry.is_marker
        )

    header = journal.header
    notes: tuple[str, ...] = ()
    if journal.is_torn:
        notes = ("The journal's last line was cut off; what it is about is looked up.",)
    elif not journal.has_ended:
        notes = ("The journal has no end: that run crashed. What it left open is looked up.",)
    return RestoreSource(
        target=header.target,
        prefixes=tuple(dict.fromkeys((*journal.rules, *journal.prefixes))),
        told=f"the run {header.run_id} of {moment(header.started_at)}",
        decide=decide,
        run_id=header.run_id,
        notes=notes,
        left_to_s3=journal.rules.keys(),
    )


def source_since(target: Target, name: str, since: datetime) -> RestoreSource:
    """Return whatever was deleted from one deployment since a time, by whomever."""

    def decide(
        prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[Undoing, ...]:
        decided = (
            undo_since(of_key, since=since, versioning=versioning)
            for key, of_key in _by_key(versions).items()
            if key.startswith(prefix)
        )
        return tuple(undoing for undoing in decided if undoing is not None)

    is_versioned = target.versioning is not Versioning.DISABLED
    note = "this bucket keeps no versions: what was deleted from it is gone for good"
    return RestoreSource(
        target=target,
        prefixes=(f"{target.prefix}{name}/",),
        told=f"every deletion in {name} since {moment(since)}",
        decide=decide,
        notes=() if is_versioned else (note,),
    )


def open_target(target: Target, bucket: BucketReader) -> Target:
    """Return the target as the bucket is now.

    Raises SettingsError if it is at another endpoint than the target's, which the AWS configuration
    may name.
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
    """Group versions by key, newest first as listed; a key may span several pages."""
    found: dict[str, list[StoredVersion]] = {}
    for one in versions:
        if wanted is None or one.key in wanted:
            found.setdefault(one.key, []).append(one)
    return {key: sorted(some, key=lambda one: not one.is_latest) for key, some in found.items()}
