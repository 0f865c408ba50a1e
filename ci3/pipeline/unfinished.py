"""Find the deployments that unfinished runs have partly deleted, by the journals in the bucket."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ci3.aws.bucket import BucketReader
from ci3.core.formatting import pluralize
from ci3.core.journal.location import JournalLocation, get_journals_prefix, select_unfinished_runs
from ci3.core.model.deployment import Deployment, Inventory, UnlistedFolder
from ci3.core.model.issues import PlanWarning, WarningCode
from ci3.core.retention.in_progress import MAX_CLOCK_DIFFERENCE
from ci3.core.retention.unfinished import (
    NO_PARTIAL_DELETIONS,
    PartialDeletion,
    UnfinishedRun,
    find_partial_deletions,
    may_have_changed,
)
from ci3.errors import AccessError, DeniedError, ListingError, SettingsError, end_sentence

if TYPE_CHECKING:
    from ci3.core.journal.header import JournalHeader

MAX_RUNS = 1000
"""The headers of so many unfinished runs are read, the newest ones."""
READ_WORKERS = 16

ListInFull = Callable[[Inventory, Collection[str]], Inventory]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedDeletions:
    """The inventory with the deployments in question listed in full, and what is known of them."""

    inventory: Inventory
    partial_deletions: Mapping[str, PartialDeletion] = field(
        default_factory=lambda: NO_PARTIAL_DELETIONS
    )
    warnings: tuple[PlanWarning, ...] = ()

    def by_other_runs(self, own_names: Collection[str]) -> dict[str, PartialDeletion]:
        """Return those of deployments whose deletion is not continued by this run."""
        return {
            name: partial_deletion
            for name, partial_deletion in self.partial_deletions.items()
            if name not in own_names
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredRun:
    """An unfinished run: its header, or the problem if that cannot be read."""

    location: JournalLocation
    header: "JournalHeader | None" = None
    problem: str = ""


def read_unfinished_deletions(
    bucket: BucketReader,
    prefix: str,
    inventory: Inventory,
    list_in_full: ListInFull,
    listed_at: datetime,
) -> UnfinishedDeletions:
    """Read the journals of unfinished runs; no request without a `.ci3/` folder.

    `listed_at` is when the listing of the inventory began, by the clock of this machine.

    Without unfinished runs, one request lists the journals. Otherwise, the header of each is read,
    and more only if it names a deployment that has changed since. If the journals cannot be listed,
    the inventory says so, and the plan cannot be applied.
    """
    if not inventory.has_journal_folder:
        return UnfinishedDeletions(inventory=inventory)
    try:
        run_ids = _list_unfinished_runs(bucket, prefix, listed_at)
        stored_runs = _read_headers(bucket, prefix, run_ids)
        inventory = _list_named_in_full(inventory, stored_runs, list_in_full)
        runs = [
            run
            for stored_run in stored_runs
            if (run := _read_run(bucket, stored_run, inventory.deployments)) is not None
        ]
    except (DeniedError, ListingError) as exc:
        folder = UnlistedFolder(name=get_journals_prefix(""), reason=exc.message)
        return UnfinishedDeletions(
            inventory=replace(inventory, unlisted=(*inventory.unlisted, folder))
        )
    return UnfinishedDeletions(
        inventory=inventory,
        partial_deletions=find_partial_deletions(inventory.deployments, runs, listed_at),
        warnings=_find_warnings(stored_runs),
    )


def _list_unfinished_runs(bucket: BucketReader, prefix: str, listed_at: datetime) -> list[str]:
    """Return the IDs of unfinished runs, newest first."""
    journals_prefix = get_journals_prefix(prefix)
    folders: list[str] = []
    objects: dict[str, datetime] = {}
    for page in bucket.list_pages(journals_prefix, delimiter="/"):
        folders += [name.removeprefix(journals_prefix).removesuffix("/") for name in page.folders]
        for stored in page.objects:
            objects[stored.key.removeprefix(journals_prefix)] = stored.modified_at
    return select_unfinished_runs(folders, objects, listed_at - MAX_CLOCK_DIFFERENCE)


def _read_headers(
    bucket: BucketReader, prefix: str, run_ids: Sequence[str]
) -> tuple[_StoredRun, ...]:
    """Read the headers of the newest runs; the first of the others has that as its problem.

    The others were begun before that one: what they may have left is older than it, too.
    """
    locations = [
        JournalLocation(bucket=bucket.bucket, prefix=prefix, run_id=run_id) for run_id in run_ids
    ]
    if not locations:
        return ()
    with ThreadPoolExecutor(READ_WORKERS, "reading-journal") as pool:
        stored_runs = list(
            pool.map(lambda location: _read_header(bucket, location), locations[:MAX_RUNS])
        )
    if len(locations) > MAX_RUNS:
        problem = f"only the newest {MAX_RUNS:,} of {len(locations):,} unfinished runs are read"
        stored_runs.append(_StoredRun(location=locations[MAX_RUNS], problem=problem))
    return tuple(stored_runs)


def _read_header(bucket: BucketReader, location: JournalLocation) -> _StoredRun:
    from ci3.engine.journal.unfinished import read_stored_header  # noqa: PLC0415 - pydantic: few plans read journals

    try:
        return _StoredRun(location=location, header=read_stored_header(bucket, location))
    except (AccessError, SettingsError) as exc:
        return _StoredRun(location=location, problem=exc.message)


def _list_named_in_full(
    inventory: Inventory, stored_runs: Sequence[_StoredRun], list_in_full: ListInFull
) -> Inventory:
    """List the deployments in full that the runs name, or all if a header is not known."""
    named = {
        name
        for stored_run in stored_runs
        if stored_run.header is not None
        for name in _collect_fingerprints(stored_run.header)
    }
    is_header_missing = any(stored_run.header is None for stored_run in stored_runs)
    while names := {
        deployment.name
        for deployment in inventory.deployments
        if not deployment.is_fully_listed and (is_header_missing or deployment.name in named)
    }:
        inventory = list_in_full(inventory, names)
    return inventory


def _read_run(
    bucket: BucketReader, stored_run: _StoredRun, deployments: Sequence[Deployment]
) -> UnfinishedRun | None:
    """Return what is known of a run; None if no deployment can be affected."""
    from ci3.engine.journal.unfinished import (  # noqa: PLC0415 - pydantic: few plans read journals
        list_written_parts,
        read_started_names,
    )

    header, location = stored_run.header, stored_run.location
    approved = None if header is None else _collect_fingerprints(header)
    if not any(may_have_changed(deployment, approved) for deployment in deployments):
        return None
    parts = list_written_parts(bucket, location)
    if parts is None:
        return None
    started = None
    if header is not None:
        started = read_started_names(bucket, location, header, parts.size_bytes)
    return UnfinishedRun(
        run_id=location.run_id,
        first_written_at=parts.first_at,
        last_written_at=parts.last_at,
        approved=approved,
        started=started,
    )


def _collect_fingerprints(header: "JournalHeader") -> dict[str, str]:
    return {deployment.name: deployment.fingerprint for deployment in header.deployments.values()}


def _find_warnings(stored_runs: Sequence[_StoredRun]) -> tuple[PlanWarning, ...]:
    """Return a warning about journals that could not be read."""
    without_header = [stored_run for stored_run in stored_runs if stored_run.problem]
    if not without_header:
        return ()
    newest, runs = without_header[0], pluralize(len(without_header), "unfinished run")
    problem = end_sentence(f"the journal of {runs} could not be read: {newest.problem}")
    message = (
        f"{problem} Deployments older than {newest.location.url} are kept and not "
        "counted: they may be partly deleted. Allow s3:GetObject on it (`ci3 iam-policy plan`), "
        "or, once the runs have ended, resume them or delete their journals"
    )
    return (PlanWarning(code=WarningCode.UNFINISHED_RUN, message=message),)
