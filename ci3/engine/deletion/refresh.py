"""Refreshes deployments: lists them again right before deleting, in a worker process if it pays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.core.inventory.columns import ObjectColumns
from ci3.core.model.deployment import Deployment
from ci3.engine.inventory.listing import LISTING_THREADS, FolderListing, read_folder
from ci3.engine.workers.worker_process import (
    DEFAULT_TIMING,
    OnProgress,
    WorkerProcess,
    WorkerTiming,
    start_worker,
)
from ci3.errors import ListingError

MIN_TOTAL_OBJECTS: Final = 5_000
"""Objects to refresh from which on starting a worker pays."""
MAX_DEPLOYMENT_OBJECTS: Final = 20_000
"""Maximum size of a deployment for the worker: both processes have its objects in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFolder:
    """Request to a worker: read a deployment; see `read_folder`."""

    prefix: str
    with_versions: bool
    max_objects: int
    concurrency: int = 1

    def respond(self, bucket: BucketReader, _: OnProgress, /) -> FolderListing | None:
        """Return the objects; None if the deployment has grown too large."""
        listed = read_folder(bucket, self.prefix, with_versions=self.with_versions)
        count = len(listed.keys) if isinstance(listed, ObjectColumns) else len(listed)
        return listed if count <= self.max_objects else None


class Refresher:
    """Reads deployments in full, from any thread: in the worker, or here if that fails.

    The caller compares the result with the plan, whichever process read it.
    """

    def __init__(
        self,
        bucket: BucketReader,
        worker: WorkerProcess | None,
        *,
        max_deployment_objects: int = MAX_DEPLOYMENT_OBJECTS,
    ) -> None:
        self._bucket = bucket
        self._worker = worker
        self._max_deployment_objects = max_deployment_objects

    def read(
        self,
        deployment: Deployment,
        *,
        with_versions: bool,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> FolderListing:
        """Read the current objects of a deployment; see `read_folder`.

        Raises ListingError, too, if the worker did not read it and the run is stopped.
        """
        max_objects = self._max_deployment_objects
        if self._worker is not None and deployment.object_count <= max_objects:
            request = ReadFolder(
                prefix=deployment.prefix, with_versions=with_versions, max_objects=max_objects
            )
            listed = self._worker.call(request)
            if listed is not None:
                return listed
        if is_stopped():
            raise ListingError(
                f"{deployment.prefix} was not listed again because the run was stopped", ""
            )
        return read_folder(self._bucket, deployment.prefix, with_versions=with_versions)

    def end_worker(self) -> None:
        """End the worker; reads that wait for it continue without it."""
        if self._worker is not None:
            self._worker.end()

    def close(self) -> None:
        """End the worker; no read may follow."""
        if self._worker is not None:
            self._worker.close()


def start_refresher(
    bucket: BucketReader,
    deployments: Iterable[Deployment],
    *,
    timing: WorkerTiming = DEFAULT_TIMING,
    min_total_objects: int = MIN_TOTAL_OBJECTS,
    max_deployment_objects: int = MAX_DEPLOYMENT_OBJECTS,
) -> Refresher:
    """Return a refresher, with a worker if that pays and this process has a single thread."""
    counts = [deployment.object_count for deployment in deployments]
    worker = None
    if sum(count for count in counts if count <= max_deployment_objects) >= min_total_objects:
        worker = start_worker(bucket, connections=LISTING_THREADS, timing=timing)
    return Refresher(bucket, worker, max_deployment_objects=max_deployment_objects)
