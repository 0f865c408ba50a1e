"""The deletions to restore: those that a journal records, or those since a time."""

from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import format_minute
from ci3.core.journal.location import is_s3_url
from ci3.core.model.deployment import Target, Versioning
from ci3.core.model.objects import StoredVersion
from ci3.core.model.policy import REQUIRED_FILE_SETTING
from ci3.core.restore.decide import (
    CLOCK_ALLOWANCE,
    RestoreAction,
    decide_entry_restore,
    decide_expired_restore,
    decide_restore_since,
)
from ci3.engine.journal.reader import JournalFile
from ci3.errors import SettingsError

Decide = Callable[[str, Iterable[StoredVersion], Versioning], tuple[RestoreAction, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSource:
    """Deletions of one target to restore."""

    target: Target
    prefixes: tuple[str, ...]
    """The prefixes of the deployments that were deleted, in full or in part."""
    description: str
    """Description of the deletions."""
    decide: Decide
    """Decides for each key of a deployment, given its prefix and the versions it has now."""
    run_id: str = ""
    """ID of the run that made the deletions, or empty."""
    notes: tuple[str, ...] = ()
    """Notes on what may be missing."""
    rule_prefixes: Collection[str] = ()
    """The prefixes for which the run created lifecycle rules."""
    late_prefixes: Collection[str] = ()
    """The prefixes where requests of the run, which was killed, may still be executed."""
    required_file: str = ""
    """Path within a deployment of the file that is restored last; empty if none is."""
    journal_url: str = ""
    """The `s3://` URL of the journal, or empty if it is not stored in the bucket."""


def source_from_journal(journal: JournalFile) -> RestoreSource:
    """Return the deletions of one run, as its journal records them."""

    def decide(
        prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[RestoreAction, ...]:
        if rule := journal.rules.get(prefix):
            return decide_expired_restore(
                prefix,
                group_by_key(versions).values(),
                approved_count=header.deployments[prefix].object_count,
                since=rule.created_at - CLOCK_ALLOWANCE,
                versioning=versioning,
            )
        entries = journal.read_entries(prefix)
        by_key = group_by_key(versions, {entry.key for entry in entries})
        return tuple(
            decide_entry_restore(
                entry,
                by_key.get(entry.key, ()),
                started_at=header.started_at,
                versioning=versioning,
            )
            for entry in entries
            if not entry.is_delete_marker
        )

    header = journal.header
    notes: tuple[str, ...] = ()
    if journal.is_truncated:
        notes = (
            "The journal's last line is incomplete. What was deleted is determined by listing.",
        )
    elif not journal.has_ended:
        note = "The journal has no end: the run crashed or is active."
        notes = (f"{note} What was deleted is determined by listing.",)
    required_file = header.policy.get(REQUIRED_FILE_SETTING)
    return RestoreSource(
        target=header.target,
        prefixes=tuple(dict.fromkeys((*journal.rules, *journal.prefixes))),
        description=f"run {header.run_id} of {format_minute(header.started_at)}",
        decide=decide,
        run_id=header.run_id,
        notes=notes,
        rule_prefixes=journal.rules.keys(),
        required_file=str(required_file.value) if required_file else "",
        late_prefixes=() if journal.has_ended else {*journal.prefixes} - journal.rules.keys(),
        journal_url=journal.source if is_s3_url(journal.source) else "",
    )


def source_since(
    target: Target, name: str, since: datetime, required_file: str = ""
) -> RestoreSource:
    """Return all deletions from one deployment since a time, by any client."""

    def decide(
        prefix: str, versions: Iterable[StoredVersion], versioning: Versioning
    ) -> tuple[RestoreAction, ...]:
        actions = (
            decide_restore_since(key_versions, since=since, versioning=versioning)
            for key, key_versions in group_by_key(versions).items()
            if key.startswith(prefix)
        )
        return tuple(action for action in actions if action is not None)

    is_versioned = target.versioning is not Versioning.DISABLED
    note = "this bucket does not keep versions: deleted objects cannot be restored"
    return RestoreSource(
        target=target,
        prefixes=(f"{target.prefix}{name}/",),
        description=f"all deletions in {name} since {format_minute(since)}",
        decide=decide,
        notes=() if is_versioned else (note,),
        required_file=required_file,
    )


def read_current_target(target: Target, bucket: BucketReader) -> Target:
    """Return the target with the bucket's current state.

    Raises SettingsError if the AWS configuration names another endpoint than the target's.
    """
    current = bucket.describe_target(target.prefix)
    if current.endpoint_url.rstrip("/") != target.endpoint_url.rstrip("/"):
        raise SettingsError(
            f"{target.url} was at {target.endpoint_url or 'AWS'}, but the AWS configuration refers "
            f"to {current.endpoint_url or 'AWS'}",
            "Remove the endpoint from the AWS configuration (AWS_ENDPOINT_URL). "
            "Nothing was restored.",
        )
    return current


def group_by_key(
    versions: Iterable[StoredVersion], keys: Container[str] | None = None
) -> dict[str, list[StoredVersion]]:
    """Group versions by key, newest first as listed; a key may span several pages."""
    by_key: dict[str, list[StoredVersion]] = {}
    for version in versions:
        if keys is None or version.key in keys:
            by_key.setdefault(version.key, []).append(version)
    for key_versions in by_key.values():
        key_versions.sort(key=lambda version: not version.is_latest)
    return by_key
