"""Work on several targets of a prefix pattern at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, TypeVar

from ci3.aws.bucket import BucketReader
from ci3.engine.workers.progress import NoProgress, Progress, show_task
from ci3.pipeline.context import TargetContext
from ci3.pipeline.pattern_listing import stop_pool
from ci3.pipeline.shared_reads import SharedReads

TARGETS_AT_ONCE: Final = 8
"""Targets of a pattern that are worked on at once, all within the limit of their bucket."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _BeatOnly(NoProgress):
    """The progress of one of several targets: it only shows that the run is alive."""

    progress: Progress

    def beat(self) -> None:
        """Show that the run is alive."""
        self.progress.beat()


def map_targets(
    contexts: Sequence[TargetContext], task: str, work: Callable[[TargetContext, int], _T]
) -> tuple[_T, ...]:
    """Return the result of `work` for each context, with its index, in order.

    Targets of one pattern are worked on at the same time, as one phase of the run: what they have
    in common is read once. All others are worked on one after another, because each limits its
    requests alone. An error or interrupt is raised once the requests in flight have ended.
    """
    results: list[_T] = []
    groups = groupby(enumerate(contexts), key=lambda item: _identify_pattern(*item))
    for _, group in groups:
        items = list(group)
        first_index, first = items[0]
        if first.pattern_listing is not None and len(items) > 1:
            contexts_of_pattern = [context for _, context in items]
            bucket = first.pattern_listing.bucket
            results += _work_concurrently(contexts_of_pattern, bucket, task, work, first_index)
        else:
            results += [work(context, index) for index, context in items]
    return tuple(results)


def _identify_pattern(index: int, context: TargetContext) -> tuple[str, int]:
    listing = context.pattern_listing
    return ("target", index) if listing is None else ("pattern", id(listing))


def _work_concurrently(
    contexts: Sequence[TargetContext],
    bucket: BucketReader,
    task: str,
    work: Callable[[TargetContext, int], _T],
    first_index: int,
) -> list[_T]:
    progress = contexts[0].progress
    shared_reads = SharedReads(began_at=contexts[0].monotonic())
    quiet = [
        replace(context, progress=_BeatOnly(progress), shared_reads=shared_reads)
        for context in contexts
    ]
    size = min(TARGETS_AT_ONCE, contexts[0].settings.concurrency)
    pool = ThreadPoolExecutor(size, thread_name_prefix="target")
    try:
        with show_task(progress, task, len(contexts)):
            futures = [
                pool.submit(work, context, index)
                for index, context in enumerate(quiet, first_index)
            ]
            for future in as_completed(futures):
                future.result()
                progress.advance(1)
            return [future.result() for future in futures]
    except BaseException:
        stop_pool(pool, bucket)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
