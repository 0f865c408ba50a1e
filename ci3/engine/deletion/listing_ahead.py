"""Lists planned deployments again ahead of their deletion, and compares them with the plan."""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore

from ci3.aws.bucket import BucketReader
from ci3.core.model.deployment import Deployment
from ci3.core.model.objects import StoredObject
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.object_sender import ObjectPart
from ci3.engine.deletion.refresh import Refresher
from ci3.engine.deletion.sender import BatchPart
from ci3.engine.deletion.tally import Tally
from ci3.engine.inventory.listing import describe_listing
from ci3.engine.workers.run_control import RunControl
from ci3.errors import DeniedError, ListingError

OBJECTS_AHEAD = 20_000
DEPLOYMENTS_AHEAD = 64
"""Maximum that is listed ahead of its deletion: an old listing may be outdated."""

_Listing = tuple[float, Deployment, tuple[StoredObject, ...]]
"""When the listing began, its summary, and its objects by key."""


@dataclass(slots=True, kw_only=True)
class ListingAhead:
    """Lists deployments in any thread, each in one of the `slots`."""

    reader: BucketReader
    refresher: Refresher
    control: RunControl
    slots: BoundedSemaphore
    with_versions: bool

    def unchanged_parts(
        self,
        deployments: Sequence[Deployment],
        tallies: Mapping[str, Tally],
        pool: ThreadPoolExecutor,
    ) -> Generator[ObjectPart, None, None]:
        """Yield the deployments that are as planned; enter the outcomes of the others."""
        ahead: deque[tuple[Deployment, Future[_Listing]]] = deque()
        waiting = iter(deployments)
        try:
            while not self.control.is_stopped():
                while _has_room(ahead) and (deployment := next(waiting, None)):
                    listing = pool.submit(self._list, deployment, self.control.is_stopped)
                    ahead.append((deployment, listing))
                if not ahead:
                    return
                planned, listing = ahead.popleft()
                if part := _compare(planned, listing, tallies[planned.name]):
                    yield part
        finally:
            for _, listing in ahead:
                listing.cancel()
            if self.control.is_stopped():
                self.refresher.end_worker()

    def list_objects(self, deployment: Deployment) -> tuple[StoredObject, ...]:
        """List a deployment, even if the run has been stopped."""
        _, _, objects = self._list(deployment)
        return objects

    def _list(
        self, deployment: Deployment, is_stopped: Callable[[], bool] = lambda: False
    ) -> _Listing:
        with self.slots:
            began_at = self.control.monotonic()
            listed = self.refresher.read(
                deployment, with_versions=self.with_versions, is_stopped=is_stopped
            )
        current, objects = describe_listing(self.reader, deployment.name, deployment.prefix, listed)
        return began_at, current, objects


def _compare(planned: Deployment, listing: Future[_Listing], tally: Tally) -> ObjectPart | None:
    try:
        listed_at, current, objects = listing.result()
    except (DeniedError, ListingError) as exc:
        tally.enter_all(ObjectOutcome.FAILED, f"kept: {exc.message}")
        return None
    change = planned.find_change(current.fingerprint, planned.versions)
    if not change:
        return BatchPart(
            name=current.name, prefix=current.prefix, entries=objects, listed_at=listed_at
        )
    if objects:
        tally.enter_all(ObjectOutcome.CHANGED, f"kept: {change}")
    else:
        tally.enter_all(ObjectOutcome.ABSENT, "")
    return None


def _has_room(ahead: Sequence[tuple[Deployment, Future[_Listing]]]) -> bool:
    object_count = sum(deployment.object_count for deployment, _ in ahead)
    return not ahead or (len(ahead) < DEPLOYMENTS_AHEAD and object_count < OBJECTS_AHEAD)
