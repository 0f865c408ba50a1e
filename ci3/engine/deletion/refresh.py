"""Lists doomed deployments again: a copy of this Python reads, while this one deletes."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.core.inventory.columns import Listed
from ci3.core.model.deployment import Deployment
from ci3.engine.inventory.listing import LISTING_WORKERS, Found, read_folder
from ci3.engine.workers.worker_process import Fork, Say, fork_beside
from ci3.errors import ListingError

WORTH_A_COPY: Final = 5_000
"""Objects to be listed again from which on a copy of this Python is worth it."""
LARGEST: Final = 20_000
"""Objects of a deployment that is left to it: for a while, both hold them."""
BEAT_SECONDS: Final = 5.0
STILL_AT_IT: Final = "still at it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The prefix of a deployment that is to be listed; see `read_folder`."""

    prefix: str
    with_versions: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What stands there; None where that could not be found out."""

    found: Found | None


class Relisting:
    """Reads deployments in full, from any thread: by a copy of this Python, or where it fails here.

    What it reads is judged by this one, as if it had read it.
    """

    def __init__(self, bucket: BucketReader, fork: Fork | None) -> None:
        self._bucket = bucket
        self._fork = fork

    def read(
        self,
        one: Deployment,
        *,
        with_versions: bool,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Found:
        """Read what stands in a deployment by now; see `read_folder`.

        Raises ListingError too where the copy failed, and nobody wants it any longer.
        """
        found = None
        if self._fork is not None and _is_for_a_copy(one):
            found = self._ask(self._fork, Asked(prefix=one.prefix, with_versions=with_versions))
        if found is not None:
            return found
        if is_stopped():
            raise ListingError(f"{one.prefix} was not listed again: the run has been stopped", "")
        return read_folder(self._bucket, one.prefix, with_versions=with_versions)

    def end(self) -> None:
        """End the copy; who waits for it goes on."""
        if self._fork is not None:
            self._fork.end()

    def close(self) -> None:
        """Let go of the copy; nothing may be read any longer."""
        if self._fork is not None:
            self._fork.close()

    def _ask(self, fork: Fork, asked: Asked) -> Found | None:
        with fork.line() as line:
            said = line.hear() if line.ask(asked) else None
            while said == STILL_AT_IT:
                said = line.hear()
        return said.found if isinstance(said, Answered) else None


def begin_relisting(bucket: BucketReader, due: Iterable[Deployment]) -> Relisting:
    """Prepare to list deployments again; to be done while this Python has but one thread."""
    fork = None
    if sum(one.object_count for one in due if _is_for_a_copy(one)) >= WORTH_A_COPY:
        fork = fork_beside(bucket, _answer, lines=LISTING_WORKERS)
    return Relisting(bucket, fork)


def _is_for_a_copy(one: Deployment) -> bool:
    return one.object_count <= LARGEST


def _answer(bucket: BucketReader, asked: Asked, say: Say) -> None:
    """Read, and say now and then that it goes on: S3 may be slow."""
    with ThreadPoolExecutor(1, "reading") as pool:
        reading = pool.submit(read_folder, bucket, asked.prefix, with_versions=asked.with_versions)
        while wait((reading,), timeout=BEAT_SECONDS).not_done:
            say(STILL_AT_IT)
    found = None if reading.exception() else reading.result()
    if found is not None and _count(found) > LARGEST:
        found = None  # it has grown
    say(Answered(found=found))


def _count(found: Found) -> int:
    return len(found.keys) if isinstance(found, Listed) else len(found)
