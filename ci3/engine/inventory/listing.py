"""Finds the deployments of a bucket and what is in each: first the folders, then each in full."""

import re
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ci3.aws.bucket import BucketReader
from ci3.constants import MAXIMUM_CONCURRENCY
from ci3.core.inventory.columns import Listed, join_runs
from ci3.core.inventory.keyspace import is_sorted
from ci3.core.inventory.summary import Content, Sum, describe
from ci3.core.model.deployment import Deployment, Hole, Inventory
from ci3.core.model.objects import StoredObject
from ci3.engine.inventory.folders import Folders, find_folders
from ci3.engine.inventory.parallel_listing import FlatListing, ListSpans
from ci3.engine.workers.progress import Progress
from ci3.engine.workers.worker_process import WorkerProcess
from ci3.errors import DeniedError, ListingError

LISTING_WORKERS = 16
"""Deployments that are listed at once where each is listed alone."""

Found = Listed | list[StoredObject]
"""What a folder holds, as it was listed: with versions, or without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is a deployment, and when it is complete; see the settings of these names.

    With `is_begun` a deployment is only begun to be listed: one request, of up to 1,000 objects.
    No more requests are out at once than `concurrency` says, those of the `worker` included.
    """

    prefix: str = ""
    match: re.Pattern[str] | None = None
    required_file: str = ""
    is_begun: bool = False
    concurrency: int = MAXIMUM_CONCURRENCY
    worker: WorkerProcess | None = field(default=None, compare=False)


def take_inventory(bucket: BucketReader, scope: Scope, progress: Progress) -> Inventory:
    """List a prefix's folders, and every one that can be a deployment.

    A deployment whose own listing is denied or can't be trusted becomes a hole. Raises AccessError
    when the folders can't be listed, or S3 can't be reached at all.
    """
    found = find_folders(bucket, scope.prefix, scope.match)
    if scope.is_begun:
        deployments, holes = _describe_all(bucket, scope, found.names, progress)
    else:
        deployments, holes = list_whole(bucket, scope, found, progress)
    return Inventory(deployments=deployments, ignored=found.ignored, holes=holes)


def list_whole(
    bucket: BucketReader, scope: Scope, found: Folders, progress: Progress
) -> tuple[tuple[Deployment, ...], tuple[Hole, ...]]:
    """List in full what `found` names, neighbours together where this S3 lists in order."""
    listed: dict[str, Sum] = {}
    if found.is_sorted and found.names:
        listed = _list_flat(bucket, scope, found, progress)
    rest = [name for name in found.names if name not in listed]
    described, holes = _describe_all(bucket, replace(scope, is_begun=False), rest, progress)
    deployments = (
        *described,
        *(one.describe(name, f"{scope.prefix}{name}/") for name, one in listed.items()),
    )
    return tuple(sorted(deployments, key=lambda one: one.name)), holes


def _list_flat(
    bucket: BucketReader, scope: Scope, found: Folders, progress: Progress
) -> dict[str, Sum]:
    """List the deployments together, and give what stands in each of which that is sure.

    None is where this S3 lists in another order than S3, or not everything: each alone may do.
    """
    spans = ListSpans(found=found, required_file=scope.required_file, ceiling=scope.concurrency)
    listing = FlatListing(bucket, spans, scope.worker)
    try:
        with _shown(progress, "Listing deployments", len(found.names)):
            listed = listing.run(progress.advance)
    except (DeniedError, ListingError):
        return {}
    return {name: total for name, total in listed.sums.items() if name not in listed.doubtful}


def finish_listing(  # noqa: PLR0913 - as above, and where the folders are among others
    bucket: BucketReader,
    scope: Scope,
    inventory: Inventory,
    names: Collection[str],
    progress: Progress,
    *,
    found: Folders | None = None,
) -> Inventory:
    """List in full what was only begun to be listed, or only told by a report.

    Where to begin is enough, what a report told of is only begun, until it is asked for again.
    Neighbours are listed together where `found` is given.
    """
    reported = {one.name for one in inventory.deployments if one.is_reported}
    begun = [name for name in names if scope.is_begun and name in reported]
    rest = tuple({*names}.difference(begun))
    described, holes = _describe_all(bucket, scope, begun, progress)
    if found is not None:
        whole, more = list_whole(bucket, scope, replace(found, names=rest), progress)
    else:
        whole, more = _describe_all(bucket, replace(scope, is_begun=False), rest, progress)
    others = (one for one in inventory.deployments if one.name not in names)
    return replace(
        inventory,
        deployments=tuple(sorted((*others, *described, *whole), key=lambda one: one.name)),
        holes=(*inventory.holes, *holes, *more),
    )


def _describe_all(
    bucket: BucketReader, scope: Scope, names: Collection[str], progress: Progress
) -> tuple[tuple[Deployment, ...], tuple[Hole, ...]]:
    deployments: list[Deployment] = []
    holes: list[Hole] = []
    if not names:
        return (), ()
    with _pool(scope.concurrency) as pool, _shown(progress, "Listing deployments", len(names)):
        pending = {pool.submit(_describe, bucket, name, scope): name for name in names}
        for done in as_completed(pending):
            try:
                deployments.append(done.result())
            except (DeniedError, ListingError) as exc:
                holes.append(Hole(name=pending[done], reason=exc.message))
            progress.advance(1)
    return (
        tuple(sorted(deployments, key=lambda one: one.name)),
        tuple(sorted(holes, key=lambda one: one.name)),
    )


def _describe(bucket: BucketReader, name: str, scope: Scope) -> Deployment:
    """List one folder and keep only the summary: all objects at once would not fit in memory."""
    prefix = f"{scope.prefix}{name}/"
    if not scope.is_begun:
        deployment, _ = list_deployment(bucket, name, prefix, scope.required_file)
        return deployment
    with closing(bucket.list_pages(prefix)) as pages:
        page = next(pages)
    begun = describe(
        name,
        prefix,
        _by_key(bucket, prefix, page.objects),
        required_file=scope.required_file,
        is_whole=page.is_last,
    )
    if begun.is_whole or begun.complete or not scope.required_file:
        return begun
    return replace(begun, complete=_has_file(bucket, f"{prefix}{scope.required_file}"))


def _has_file(bucket: BucketReader, key: str) -> bool:
    """Look for one key; it stands before all others that begin like it."""
    with closing(bucket.list_pages(key)) as pages:
        return any(stored.key == key for stored in next(pages).objects)


def list_deployment(
    bucket: BucketReader, name: str, prefix: str, required_file: str = ""
) -> tuple[Deployment, tuple[StoredObject, ...]]:
    """List one folder in full: its summary, and its objects by key."""
    found = read_folder(bucket, prefix, with_versions=False)
    return describe_found(bucket, name, prefix, found, required_file)


def read_folder(bucket: BucketReader, prefix: str, *, with_versions: bool) -> Found:
    """Read all objects of a folder.

    With versions, each object has its version's id, unless this identity may not list versions.
    """
    versions = _current_versions(bucket, prefix) if with_versions else None
    if versions is not None:
        return versions
    with closing(bucket.list_pages(prefix)) as pages:
        return join_runs([page.listed for page in pages])


def describe_found(
    bucket: BucketReader, name: str, prefix: str, found: Found, required_file: str = ""
) -> tuple[Deployment, tuple[StoredObject, ...]]:
    """Sum up what was read of one folder, and give its objects by key; raises ListingError."""
    if not isinstance(found, Listed):
        objects = _by_key(bucket, prefix, found)
        return describe(name, prefix, objects, required_file=required_file), objects
    if not is_sorted(found.keys):
        found = Listed.of(_by_key(bucket, prefix, found.objects()))
    content = Content(prefix, required_file)
    content.add(found)
    return content.describe(name), found.objects()


def _current_versions(bucket: BucketReader, prefix: str) -> list[StoredObject] | None:
    try:
        with closing(bucket.list_versions(prefix)) as pages:
            return [
                StoredObject(
                    key=version.key,
                    etag=version.etag,
                    size_bytes=version.size_bytes,
                    modified_at=version.modified_at,
                    version_id=version.version_id,
                )
                for page in pages
                for version in page
                if version.is_latest and not version.is_marker
            ]
    except DeniedError:
        return None


def _by_key(
    bucket: BucketReader, prefix: str, listed: Iterable[StoredObject]
) -> tuple[StoredObject, ...]:
    objects = tuple(sorted(listed, key=lambda stored: stored.key))
    for one, other in pairwise(objects):
        if one.key == other.key:
            raise ListingError(
                f"listing s3://{bucket.bucket}/{prefix}: {one.key!r} is named twice",
                "Nothing of it was deleted. Run again; if it stays, ask this S3.",
            )
    return objects


@contextmanager
def _pool(concurrency: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool that drops what has not begun when its user fails or is interrupted."""
    pool = ThreadPoolExecutor(
        max_workers=min(LISTING_WORKERS, concurrency), thread_name_prefix="listing"
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _shown(progress: Progress, task: str, total: int) -> Iterator[None]:
    progress.begin(task, total)
    try:
        yield
    finally:
        progress.end()
