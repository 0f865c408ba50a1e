"""Lists doomed deployments again: a copy of this Python reads, while this one deletes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.core.model import Deployment
from ci3.engine.fork import Fork, Say, fork_beside
from ci3.engine.inventory import LISTING_WORKERS, Found, read_whole

WORTH_A_COPY: Final = 5_000
"""Objects to be listed again from which on a copy of this Python is worth it."""
LARGEST: Final = 20_000
"""Objects of a deployment that is left to it: for a while, both hold them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The prefix of a deployment that is to be listed; see `read_whole`."""

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

    def read(self, one: Deployment, *, with_versions: bool) -> Found:
        """Read what stands in a deployment by now; see `read_whole`."""
        found = None
        if self._fork is not None and _is_for_a_copy(one):
            found = self._ask(self._fork, Asked(prefix=one.prefix, with_versions=with_versions))
        if found is None:
            return read_whole(self._bucket, one.prefix, with_versions=with_versions)
        return found

    def close(self) -> None:
        """Let go of the copy; nothing may be read any longer."""
        if self._fork is not None:
            self._fork.close()

    def _ask(self, fork: Fork, asked: Asked) -> Found | None:
        with fork.line() as line:
            said = line.hear() if line.ask(asked) else None
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
    try:
        found = read_whole(bucket, asked.prefix, with_versions=asked.with_versions)
    except Exception:  # noqa: BLE001 - the other Python reads it then, and tells what is wrong
        say(Answered(found=None))
        return
    say(Answered(found=found))
