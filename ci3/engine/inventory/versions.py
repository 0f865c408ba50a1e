"""List all versions of the deployments to delete, so that a plan can count them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from ci3.aws.bucket import BucketReader
from ci3.core.inventory.versions import summarize_versions
from ci3.core.model.decision import Decision
from ci3.core.model.deployment import UnlistedFolder
from ci3.core.model.objects import StoredVersion
from ci3.engine.workers.progress import Progress, show_task
from ci3.errors import DeniedError, ListingError

VERSION_WORKERS = 8


def list_all_versions(bucket: BucketReader, prefix: str) -> list[StoredVersion]:
    """List every version and delete marker under a prefix."""
    with closing(bucket.list_versions(prefix)) as pages:
        return [version for page in pages for version in page]


def add_versions(
    bucket: BucketReader, decisions: Sequence[Decision], progress: Progress
) -> tuple[tuple[Decision, ...], tuple[UnlistedFolder, ...]]:
    """Add the versions of the deployments to delete to their decisions.

    Also returns the deployments that could not be listed; their decisions are unchanged.
    """
    to_delete = [decision for decision in decisions if decision.is_delete]
    if not to_delete:
        return tuple(decisions), ()
    extended: dict[str, Decision] = {}
    unlisted: list[UnlistedFolder] = []
    with (
        show_task(progress, "Listing versions", len(to_delete)),
        ThreadPoolExecutor(VERSION_WORKERS, "versions") as pool,
    ):
        listings = [pool.submit(_add_versions, bucket, decision) for decision in to_delete]
        for decision, listing in zip(to_delete, listings, strict=True):
            name = decision.deployment.name
            try:
                extended[name] = listing.result()
            except (DeniedError, ListingError) as exc:
                unlisted.append(UnlistedFolder(name=name, reason=exc.message))
            progress.advance(1)
    result = tuple(extended.get(decision.deployment.name, decision) for decision in decisions)
    return result, tuple(unlisted)


def _add_versions(bucket: BucketReader, decision: Decision) -> Decision:
    versions = summarize_versions(list_all_versions(bucket, decision.deployment.prefix))
    return replace(decision, deployment=replace(decision.deployment, versions=versions))
