"""Takes the inventory of a bucket: finds the folders, then lists each deployment."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ci3.aws.bucket import BucketReader
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.inventory.columns import ObjectColumns, concatenate_columns
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.inventory.summary import DeploymentSummary, SummaryBuilder, summarize_folder
from ci3.core.inventory.versions import select_current_objects
from ci3.core.model.deployment import Deployment, Inventory, UnlistedFolder
from ci3.core.model.objects import StoredObject
from ci3.core.model.user_pattern import UserPattern
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.key_ranges import DEFAULT_THRESHOLDS, ListingThresholds
from ci3.engine.inventory.parallel_listing import ListSpans, ParallelListing
from ci3.engine.workers.progress import Progress, show_task
from ci3.engine.workers.worker_process import WorkerProcess
from ci3.errors import DeniedError, ListingError

LISTING_THREADS = 16
"""Maximum number of deployments that are listed at once, each on its own."""

FolderListing = ObjectColumns | tuple[StoredObject, ...]
"""The listed objects of a folder: without version IDs, or with them."""
_Described = tuple[tuple[Deployment, ...], tuple[UnlistedFolder, ...]]
"""The deployments that could be listed and those that could not, each by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingScope:
    """Definition of a deployment and of a complete one (see the settings), and how to list them.

    With `is_first_page_only`, one request lists up to 1,000 objects of each deployment. At most
    `concurrency` S3 requests are in flight, including those of the `worker`.
    """

    prefix: str = ""
    match: UserPattern | None = None
    required_file: str = ""
    is_first_page_only: bool = False
    concurrency: int = MAXIMUM_CONCURRENCY
    worker: WorkerProcess | None = field(default=None, compare=False)
    thresholds: ListingThresholds = DEFAULT_THRESHOLDS


def take_inventory(bucket: BucketReader, scope: ListingScope, progress: Progress) -> Inventory:
    """List a prefix's folders, and the objects of every folder that can be a deployment.

    A deployment whose own listing is denied or invalid becomes unavailable. Raises AccessError if
    the folders cannot be listed or S3 cannot be reached.
    """
    folders = find_folders(bucket, scope.prefix, scope.match)
    return list_folders(bucket, scope, folders, progress)


def list_folders(
    bucket: BucketReader, scope: ListingScope, folders: Folders, progress: Progress
) -> Inventory:
    """List the objects of the folders; see `take_inventory`."""
    if scope.is_first_page_only:
        deployments, unlisted = _list_each(bucket, scope, folders.names, progress)
    else:
        deployments, unlisted = list_in_full(bucket, scope, folders, progress)
    return Inventory(deployments=deployments, ignored=folders.ignored, unlisted=unlisted)


def list_in_full(
    bucket: BucketReader, scope: ListingScope, folders: Folders, progress: Progress
) -> _Described:
    """List the named folders in full: in parallel if this S3 lists in order, otherwise each."""
    summaries: dict[str, DeploymentSummary] = {}
    if folders.is_sorted and folders.names:
        summaries = _list_parallel(bucket, scope, folders, progress)
    rest = [name for name in folders.names if name not in summaries]
    in_full = replace(scope, is_first_page_only=False)
    described, unlisted = _list_each(bucket, in_full, rest, progress)
    deployments = (
        *described,
        *(
            summary.to_deployment(name, f"{scope.prefix}{name}/")
            for name, summary in summaries.items()
        ),
    )
    return _sort_by_name(deployments), unlisted


def _list_parallel(
    bucket: BucketReader, scope: ListingScope, folders: Folders, progress: Progress
) -> dict[str, DeploymentSummary]:
    """Return the summaries that are not in doubt, by name.

    None of them if this S3 has another order than S3, or does not list everything: listing each
    folder on its own may succeed.
    """
    request = ListSpans(
        folders=folders,
        required_file=scope.required_file,
        concurrency=scope.concurrency,
        thresholds=scope.thresholds,
    )
    listing = ParallelListing(bucket, request, scope.worker)
    try:
        with show_task(progress, "Listing deployments", len(folders.names)):
            listed = listing.list_deployments(progress.advance)
    except (DeniedError, ListingError):
        return {}
    return {
        name: summary
        for name, summary in listed.summaries.items()
        if name not in listed.doubtful_names
    }


def finish_listing(  # noqa: PLR0913 - a listing and what it continues
    bucket: BucketReader,
    scope: ListingScope,
    inventory: Inventory,
    folders: Folders,
    names: Collection[str],
    *,
    progress: Progress,
) -> Inventory:
    """List the named deployments in full that have only a first page or a report's numbers.

    `folders` are those of the inventory, so that neighbours are listed together where that pays:
    it saves at most one request for each deployment, and guesses at how to split the work may cost
    half as many as `concurrency`. With `is_first_page_only`, one request lists a deployment from a
    report, and the next call lists it in full.
    """
    reported = {
        deployment.name for deployment in inventory.deployments if deployment.is_from_report
    }
    first_page_names = [name for name in names if scope.is_first_page_only and name in reported]
    rest = tuple({*names}.difference(first_page_names))
    first_pages, unlisted = _list_each(bucket, scope, first_page_names, progress)
    if reported or len(rest) > scope.concurrency // 2:
        full, more_unlisted = list_in_full(bucket, scope, replace(folders, names=rest), progress)
    else:
        in_full = replace(scope, is_first_page_only=False)
        full, more_unlisted = _list_each(bucket, in_full, rest, progress)
    kept = (deployment for deployment in inventory.deployments if deployment.name not in names)
    return replace(
        inventory,
        deployments=_sort_by_name((*kept, *first_pages, *full)),
        unlisted=(*inventory.unlisted, *unlisted, *more_unlisted),
    )


def _list_each(
    bucket: BucketReader, scope: ListingScope, names: Collection[str], progress: Progress
) -> _Described:
    deployments: list[Deployment] = []
    unlisted: list[UnlistedFolder] = []
    if not names:
        return (), ()
    with (
        ThreadPoolExecutor(min(LISTING_THREADS, scope.concurrency), "listing") as pool,
        show_task(progress, "Listing deployments", len(names)),
    ):
        try:
            listings = {pool.submit(_list_one, bucket, name, scope): name for name in names}
            for listing in as_completed(listings):
                try:
                    deployments.append(listing.result())
                except (DeniedError, ListingError) as exc:
                    unlisted.append(UnlistedFolder(name=listings[listing], reason=exc.message))
                progress.advance(1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error or an interrupt
    return _sort_by_name(deployments), tuple(sorted(unlisted, key=lambda folder: folder.name))


def _sort_by_name(deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
    return tuple(sorted(deployments, key=lambda deployment: deployment.name))


def _list_one(bucket: BucketReader, name: str, scope: ListingScope) -> Deployment:
    """List one folder, and keep only its summary: memory does not suffice for all objects."""
    prefix = f"{scope.prefix}{name}/"
    if not scope.is_first_page_only:
        deployment, _ = list_deployment(bucket, name, prefix, scope.required_file)
        return deployment
    with closing(bucket.list_pages(prefix)) as pages:
        page = next(pages)
    first_page = summarize_folder(
        name,
        prefix,
        _sort_by_key(bucket, prefix, page.objects),
        required_file=scope.required_file,
        is_fully_listed=page.is_last,
    )
    if first_page.is_fully_listed or first_page.is_complete or not scope.required_file:
        return first_page
    return replace(first_page, is_complete=_has_file(bucket, f"{prefix}{scope.required_file}"))


def _has_file(bucket: BucketReader, key: str) -> bool:
    """Return True if the key exists: it is the first of all keys that begin with it."""
    with closing(bucket.list_pages(key)) as pages:
        return any(stored.key == key for stored in next(pages).objects)


def list_deployment(
    bucket: BucketReader, name: str, prefix: str, required_file: str = ""
) -> tuple[Deployment, tuple[StoredObject, ...]]:
    """List one folder in full: its summary, and its objects by key."""
    listed = read_folder(bucket, prefix, with_versions=False)
    return describe_listing(bucket, name, prefix, listed, required_file)


def read_folder(bucket: BucketReader, prefix: str, *, with_versions: bool) -> FolderListing:
    """Read all objects of a folder.

    With versions, each object has its version ID, unless this identity may not list versions.
    """
    if with_versions:
        with suppress(DeniedError), closing(bucket.list_versions(prefix)) as pages:
            return select_current_objects(version for page in pages for version in page)
    with closing(bucket.list_pages(prefix)) as pages:
        return concatenate_columns([page.columns for page in pages])


def describe_listing(
    bucket: BucketReader, name: str, prefix: str, listed: FolderListing, required_file: str = ""
) -> tuple[Deployment, tuple[StoredObject, ...]]:
    """Return the summary of a folder's listing, and its objects by key; raises ListingError."""
    if isinstance(listed, ObjectColumns) and is_sorted(listed.keys):
        content = SummaryBuilder(prefix, required_file)
        content.add_objects(listed)
        return content.build_deployment(name), listed.to_objects()
    unsorted = listed.to_objects() if isinstance(listed, ObjectColumns) else listed
    objects = _sort_by_key(bucket, prefix, unsorted)
    return summarize_folder(name, prefix, objects, required_file=required_file), objects


def _sort_by_key(
    bucket: BucketReader, prefix: str, objects: Iterable[StoredObject]
) -> tuple[StoredObject, ...]:
    by_key = tuple(sorted(objects, key=lambda stored: stored.key))
    for earlier, later in pairwise(by_key):
        if earlier.key == later.key:
            raise ListingError(
                f"listing s3://{bucket.bucket}/{prefix}: {earlier.key!r} is listed twice",
                "Nothing in it was deleted. Run again. If it persists, ask the S3 provider.",
            )
    return by_key
