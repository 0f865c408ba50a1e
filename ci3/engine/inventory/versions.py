"""Lists all versions of what is doomed, so that a plan can say what goes with them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from ci3.aws.bucket import BucketReader
from ci3.core.inventory.versions import sum_up_versions
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import Hole
from ci3.core.model.objects import StoredVersion
from ci3.engine.workers.progress import Progress
from ci3.errors import DeniedError, ListingError

VERSION_WORKERS = 8


def list_all_versions(bucket: BucketReader, prefix: str) -> list[StoredVersion]:
    """List every version and delete marker under a prefix."""
    with closing(bucket.list_versions(prefix)) as pages:
        return [one for page in pages for one in page]


def with_versions(
    bucket: BucketReader, decisions: Sequence[Decision], progress: Progress
) -> tuple[tuple[Decision, ...], tuple[Hole, ...]]:
    """Give the decisions with the versions of what is doomed, and what could not be listed."""
    doomed = [one for one in decisions if one.is_delete]
    if not doomed:
        return tuple(decisions), ()
    found: dict[str, Decision] = {}
    holes: list[Hole] = []
    progress.begin("Listing versions", len(doomed))
    try:
        with ThreadPoolExecutor(VERSION_WORKERS, "versions") as pool:
            listings = [pool.submit(_with_versions, bucket, one) for one in doomed]
            for one, listing in zip(doomed, listings, strict=True):
                name = one.deployment.name
                try:
                    found[name] = listing.result()
                except (DeniedError, ListingError) as exc:
                    holes.append(Hole(name=name, reason=exc.message))
                progress.advance(1)
    finally:
        progress.end()
    return tuple(found.get(one.deployment.name, one) for one in decisions), tuple(holes)


def _with_versions(bucket: BucketReader, decision: Decision) -> Decision:
    versions = sum_up_versions(list_all_versions(bucket, decision.deployment.prefix))
    return replace(decision, deployment=replace(decision.deployment, versions=versions))
