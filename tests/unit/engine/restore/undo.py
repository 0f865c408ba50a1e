"""An undo on the in-process S3, and what another client sees of it."""

from ci3.core.restore.plan import ObjectRestoreOutcome, RestorePlan, RestoreResult
from ci3.engine.restore.restore import Restoration
from ci3.engine.workers.progress import NoProgress
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
VERSIONS = r"\?versions"
DOOMED = ("old-1", "old-2")


def current(bucket: Bucket) -> dict[str, str]:
    """The version id of each current object, as another client lists it."""
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {one["Key"]: one["VersionId"] for one in answer.get("Versions", ()) if one["IsLatest"]}


def markers(bucket: Bucket) -> set[tuple[str, str]]:
    answer = bucket.client.list_object_versions(Bucket=bucket.name)
    return {(one["Key"], one["VersionId"]) for one in answer.get("DeleteMarkers", ())}


class Undo:
    """An undo of a journal, with the pauses noted instead of made."""

    def __init__(self, bucket: Bucket | MemorySite, deletions, progress=None) -> None:
        self.pauses: list[float] = []
        self.restoration = Restoration(
            reader=make_context(bucket).open_bucket(),
            source=deletions,
            progress=progress or NoProgress(),
            sleep=self.pauses.append,
        )
        self.plan: RestorePlan = self.restoration.make_plan()

    def run(self) -> RestoreResult:
        restored = self.restoration.restore(self.plan)
        for planned, one in zip(self.plan.deployments, restored.deployments, strict=True):
            skipped = sum(skip.object_count for skip in planned.skipped)
            assert sum(one.counts.values()) == planned.object_count + skipped
        return restored

    def outcomes(self, restored: RestoreResult) -> dict[str, int]:
        counts = {outcome: restored.count_objects(outcome) for outcome in ObjectRestoreOutcome}
        return {str(outcome): number for outcome, number in counts.items() if number}


def deleted(bucket: Bucket) -> str:
    """Apply, and give the journal's path."""
    ran = apply(bucket)
    assert ran.exit_code is ExitCode.DONE
    assert bucket.folders() == {"new"}
    return ran.result.journal_file
