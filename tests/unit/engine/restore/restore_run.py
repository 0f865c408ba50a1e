"""Plan and run a restore on the in-process S3, and list its effects with another client."""

from ci3.core.restore.plan import ObjectRestoreOutcome, RestorePlan, RestoreResult
from ci3.engine.restore.restore import Restoration
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
VERSIONS = r"\?versions"
OLD_NAMES = ("old-1", "old-2")


def list_current_versions(bucket: Bucket) -> dict[str, str]:
    """Return the version id of each current object."""
    response = bucket.client.list_object_versions(Bucket=bucket.name)
    versions = response.get("Versions", ())
    return {version["Key"]: version["VersionId"] for version in versions if version["IsLatest"]}


def list_markers(bucket: Bucket) -> set[tuple[str, str]]:
    """Return the key and version id of each delete marker."""
    response = bucket.client.list_object_versions(Bucket=bucket.name)
    return {(marker["Key"], marker["VersionId"]) for marker in response.get("DeleteMarkers", ())}


class RestoreRun:
    """A planned restore that records its pauses instead of sleeping."""

    def __init__(self, bucket: Bucket | MemorySite, source, progress=None) -> None:
        self.pauses: list[float] = []
        self.restoration = Restoration(
            reader=make_context(bucket).open_bucket(),
            source=source,
            progress=progress or NoProgress(),
            sleep=self.pauses.append,
        )
        self.plan: RestorePlan = self.restoration.make_plan()

    def run(self) -> RestoreResult:
        result = self.restoration.restore(self.plan)
        for planned, actual in zip(self.plan.deployments, result.deployments, strict=True):
            skipped = sum(skip.object_count for skip in planned.skipped)
            assert sum(actual.counts.values()) == planned.object_count + skipped
        return result

    def count_outcomes(self, result: RestoreResult) -> dict[str, int]:
        counts = {outcome: result.count_objects(outcome) for outcome in ObjectRestoreOutcome}
        return {str(outcome): count for outcome, count in counts.items() if count}


def delete_old_deployments(bucket: Bucket) -> str:
    """Delete the old deployments and return the journal's path."""
    cleanup_run = apply(bucket)
    assert cleanup_run.exit_code is ExitCode.DONE
    assert bucket.folders() == {"new"}
    return cleanup_run.result.journal_file
