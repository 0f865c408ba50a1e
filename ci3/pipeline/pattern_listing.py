"""The first level under each target of a prefix pattern, as it was listed last."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from ci3.aws.bucket import BucketReader
from ci3.core.live.sources import LiveReference
from ci3.core.model.user_pattern import UserPattern
from ci3.core.plan.checks import collect_folder_names
from ci3.core.plan.target_names import TargetNames
from ci3.engine.inventory.folders import Folders, find_folders

LISTING_THREADS: Final = 16
"""Folders of a pattern that are listed at the same time."""
MAXIMUM_AGE_SECONDS: Final = 10.0
"""Age from which on a listing is made again before it is used for a plan."""


@dataclass(slots=True, kw_only=True)
class PatternListing:
    """The folders of all targets of a pattern, shared by their contexts; for any thread.

    `folders` are the listings by the prefix of each target.
    """

    bucket: BucketReader
    match: UserPattern | None
    folders: dict[str, Folders]
    listed_at: float
    """When the last listing of all targets began, on the monotonic clock."""
    _unused: set[str] = field(init=False)
    """The targets whose listing no plan has used yet."""
    _names: dict[str, tuple[str, ...]] = field(init=False, default_factory=dict)
    _excluded_names: dict[str, Collection[str]] = field(init=False, default_factory=dict)
    """The deployments that this run has begun to delete: no live reference may rely on them."""
    _confirmed_at: dict[Hashable, float] = field(init=False, default_factory=dict)
    """When each live reference was last found in a new listing, on the monotonic clock."""
    _known_matches: dict[Hashable, bool] = field(init=False, default_factory=dict)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        self._unused = {*self.folders}
        self._set_names(*self.folders)

    def take_folders(self, prefix: str) -> Folders:
        """Return the folders of a target for a plan: each listing is used for one plan only."""
        with self._lock:
            is_unused = prefix in self._unused
            self._unused.discard(prefix)
        if not is_unused:
            self.folders[prefix] = find_folders(self.bucket, prefix, self.match)
            self._set_names(prefix)
        return self.folders[prefix]

    def list_again(self, now: float, *, needed_after: float) -> bool:
        """List the folders of all targets, unless another thread has after `needed_after`.

        Return True if this has changed the names of the folders.
        """
        with self._lock:
            if self.listed_at >= needed_after:
                return False
            names_before = dict(self._names)
            self.folders |= list_all_folders(self.bucket, self.match, [*self.folders])
            self.listed_at = now
            self._unused = {*self.folders}
            self._set_names(*self.folders)
            return self._names != names_before

    def prepare_plans(self, now: float) -> None:
        """List the folders again unless no plan has used the last listing and it is recent."""
        is_unused = len(self._unused) == len(self.folders)
        if not is_unused or now - self.listed_at > MAXIMUM_AGE_SECONDS:
            self.list_again(now, needed_after=now)

    def exclude_names(self, prefix: str, names: Collection[str]) -> None:
        """Stop counting deployments of a target, whether they are still listed or not."""
        with self._lock:
            self._excluded_names[prefix] = names
            self._confirmed_at = {}
            self._set_names(prefix)

    def confirm_match(
        self, references: Iterable[LiveReference], now: float, *, needed_after: float
    ) -> None:
        """List the targets again that have a reference, until a new listing has one of them.

        A reference that was in a listing after `needed_after` is not searched again.
        """
        with self._lock:
            for live in references:
                key = (live.reference, live.prefix)
                if self._confirmed_at.get(key, needed_after) > needed_after:
                    return
                for prefix in self._find_prefixes(live):
                    self.folders[prefix] = find_folders(self.bucket, prefix, self.match)
                    self._set_names(prefix)
                    if any(map(live.reference.matches_exactly, self._names[prefix])):
                        self._confirmed_at[key] = now
                        return

    def _find_prefixes(self, live: LiveReference) -> list[str]:
        candidates = [live.prefix] if live.prefix else [*self._names]
        return [
            prefix
            for prefix in candidates
            if any(map(live.reference.matches_exactly, self._names.get(prefix, ())))
        ]

    def select_names(self, prefix: str) -> TargetNames:
        """Return the names of the folders in all targets, for the checks of one of them."""
        return TargetNames(prefix=prefix, by_prefix=self._names, known_matches=self._known_matches)

    def _set_names(self, *prefixes: str) -> None:
        for prefix in prefixes:
            folders = self.folders[prefix]
            excluded_names = self._excluded_names.get(prefix, ())
            names = (*folders.names, *collect_folder_names((), folders.ignored))
            self._names[prefix] = tuple(name for name in names if name not in excluded_names)
        self._known_matches = {}  # a new one: another thread may still use the old one


def list_all_folders(
    bucket: BucketReader, match: UserPattern | None, prefixes: Sequence[str]
) -> dict[str, Folders]:
    """List the first level under each prefix; raises AccessError if one listing fails."""
    with open_listing_pool(bucket) as pool:
        listings = pool.map(lambda prefix: find_folders(bucket, prefix, match), prefixes)
        return dict(zip(prefixes, listings, strict=True))


@contextmanager
def open_listing_pool(bucket: BucketReader) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool for listings; after an error, those that have not begun are not sent.

    An interrupt also stops those that have begun, after the page that was requested last.
    """
    size = min(LISTING_THREADS, bucket.request_limit.maximum)
    pool = ThreadPoolExecutor(size, thread_name_prefix="folders")
    try:
        yield pool
    except KeyboardInterrupt:
        stop_pool(pool, bucket)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def stop_pool(pool: ThreadPoolExecutor, bucket: BucketReader) -> None:
    """Wait for the threads of a pool, which can send no more requests to the bucket.

    If a second interrupt ends the wait, the requests stay stopped: the process waits for its
    threads when it exits.
    """
    bucket.request_limit.stop_requests()
    pool.shutdown(cancel_futures=True)
    bucket.request_limit.allow_requests()
