"""Finds the deployments of a bucket and what is in each: first the folders, then each in full."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from itertools import pairwise

from ci3.aws.bucket import BucketReader
from ci3.core.model import (
    Deployment,
    Hole,
    Ignored,
    Inventory,
    StoredObject,
    describe,
)
from ci3.engine.progress import Progress
from ci3.errors import DeniedError, ListingError

LISTING_WORKERS = 16


def take_inventory(
    bucket: BucketReader, prefix: str, match: re.Pattern[str] | None, progress: Progress
) -> Inventory:
    """List a prefix's folders, and every one that can be a deployment in full.

    A deployment whose own listing is denied or can't be trusted becomes a hole. Raises AccessError
    when the folders can't be listed, or S3 can't be reached at all.
    """
    names, ignored = find_folders(bucket, prefix, match)
    deployments: list[Deployment] = []
    holes: list[Hole] = []
    with _pool() as pool, _shown(progress, "Listing deployments", len(names)):
        pending = {pool.submit(_describe, bucket, name, f"{prefix}{name}/"): name for name in names}
        for done in as_completed(pending):
            try:
                deployments.append(done.result())
            except (DeniedError, ListingError) as exc:
                holes.append(Hole(name=pending[done], reason=exc.message))
            progress.advance(1)
    return Inventory(
        deployments=tuple(sorted(deployments, key=lambda one: one.name)),
        ignored=tuple(ignored),
        holes=tuple(sorted(holes, key=lambda one: one.name)),
    )


def _describe(bucket: BucketReader, name: str, prefix: str) -> Deployment:
    """List one folder and keep only the summary: all objects at once would not fit in memory."""
    deployment, _ = list_deployment(bucket, name, prefix)
    return deployment


def list_deployment(
    bucket: BucketReader, name: str, prefix: str
) -> tuple[Deployment, tuple[StoredObject, ...]]:
    """List one folder in full: its summary, and its objects by key."""
    with closing(bucket.list_pages(prefix)) as pages:
        objects = [stored for page in pages for stored in page.objects]
    objects.sort(key=lambda stored: stored.key)
    for one, other in pairwise(objects):
        if one.key == other.key:
            raise ListingError(
                f"listing s3://{bucket.bucket}/{prefix}: {one.key!r} is named twice",
                "Nothing of it was deleted. Run again; if it stays, ask this S3.",
            )
    return describe(name, prefix, objects), tuple(objects)


def find_folders(
    bucket: BucketReader, prefix: str, match: re.Pattern[str] | None = None
) -> tuple[list[str], list[Ignored]]:
    """List the names of a prefix's folders, and what else stands beside them."""
    names: list[str] = []
    ignored: list[Ignored] = []
    for page in bucket.list_pages(prefix, delimiter="/"):
        ignored += [_outside(stored, prefix) for stored in page.objects]
        for folder in page.folders:
            name = folder.removeprefix(prefix).removesuffix("/")
            if "/" in name:
                raise ListingError(
                    f"listing s3://{bucket.bucket}/{prefix}: {folder!r} is no folder of it",
                    "Nothing was deleted. Check that the endpoint-url is an S3.",
                )
            if not name or f"{prefix}{name}/" != folder:
                ignored.append(Ignored(name=folder, reason="a folder without a name"))
            elif match is not None and not match.fullmatch(name):
                ignored.append(Ignored(name=f"{name}/", reason=f"does not match {match.pattern}"))
            else:
                names.append(name)
    return list(dict.fromkeys(names)), ignored


def _outside(stored: StoredObject, prefix: str) -> Ignored:
    if stored.key == prefix:
        return Ignored(name=stored.key, reason="the folder's own marker")
    return Ignored(name=stored.key.removeprefix(prefix), reason="a file outside every deployment")


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Give a pool that drops what has not begun when its user fails or is interrupted."""
    pool = ThreadPoolExecutor(max_workers=LISTING_WORKERS, thread_name_prefix="listing")
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
