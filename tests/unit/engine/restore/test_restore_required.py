"""The required file is restored last, and only to a deployment that has all its other objects."""

import pytest

from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.restore.restore import restore_exit_code
from ci3.engine.restore.sources import source_since
from ci3.errors import ExitCode
from tests.support.cleanup_run import apply, make_context
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.version_deletion import answer_deletion
from tests.unit.engine.restore.restore_run import (
    DELETE,
    RestoreRun,
    delete_old_deployments,
    list_current_versions,
    list_markers,
)

FILE = "file-00001"
"""Neither the first file of a deployment nor the last."""
REQUIRED_KEY = f"old-1/{FILE}"
OTHER_KEY = "old-1/file-00002"


@pytest.fixture
def journal(live: Bucket) -> str:
    """The journal of a run that has deleted `old-1` and `old-2`, with a required file."""
    cleanup_run = apply(live, required_file=FILE)
    assert cleanup_run.exit_code is ExitCode.DONE
    assert live.folders() == {"new"}
    return cleanup_run.result.journal_file


def delete_all_versions(bucket: Bucket, key: str) -> None:
    """Delete all versions of a key, but not its delete markers."""
    versions = bucket.client.list_object_versions(Bucket=bucket.name, Prefix=key)["Versions"]
    for version in versions:
        bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version["VersionId"])


def list_requested_keys(proxy: FaultProxy, earlier_count: int, name: str) -> list[set[str]]:
    """Return the keys of each later request for a deployment."""
    requests = [set(request.batch_keys) for request in proxy.deletions[earlier_count:]]
    return [keys for keys in requests if any(key.startswith(f"{name}/") for key in keys)]


def test_required_file_is_restored_in_a_separate_last_request(
    live: Bucket, proxy: FaultProxy, plan_restore, journal: str
) -> None:
    restore_run = plan_restore(journal)
    earlier_count = len(proxy.deletions)
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    for name in ("old-1", "old-2"):
        others, required = list_requested_keys(proxy, earlier_count, name)
        assert others == {f"{name}/file-00000", f"{name}/file-00002"}
        assert required == {f"{name}/{FILE}"}


def test_deployment_without_required_file_is_restored_in_one_request(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    restore_run = plan_restore(delete_old_deployments(live))
    earlier_count = len(proxy.deletions)
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    assert [len(keys) for keys in list_requested_keys(proxy, earlier_count, "old-1")] == [3]


def test_restore_that_ends_before_its_last_request_leaves_an_incomplete_deployment(
    live: Bucket, proxy: FaultProxy, plan_restore, journal: str
) -> None:
    restored_keys = {"old-1/file-00000", OTHER_KEY}
    restore_run = plan_restore(journal)
    restore_run.restoration.concurrency = 1
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=2)
    result = restore_run.run()
    assert "ExpiredToken" in result.stop_reason
    assert restore_run.count_outcomes(result) == {"restored": 2, "failed": 4}
    assert {key for key in list_current_versions(live) if key.startswith("old-")} == restored_keys
    proxy.forget_rules()
    second_run = plan_restore(journal)
    assert second_run.count_outcomes(second_run.run()) == {"restored": 4, "already-there": 2}
    assert REQUIRED_KEY in list_current_versions(live)


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_required_file_stays_deleted_while_another_object_is_not_restored(
    live: Bucket, proxy: FaultProxy, plan_restore, journal: str, code: str
) -> None:
    restore_run = plan_restore(journal)
    proxy.answer_with(
        "POST", DELETE, lambda request: answer_deletion(live, request, {OTHER_KEY: code})
    )
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 4, "failed": 2}
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL
    assert code in result.deployments[0].problem
    assert FILE in result.deployments[0].problem
    assert REQUIRED_KEY not in list_current_versions(live)
    assert f"old-2/{FILE}" in list_current_versions(live)
    proxy.forget_rules()
    second_run = plan_restore(journal)
    assert restore_exit_code(second_run.plan, second_run.run()) is ExitCode.DONE
    assert REQUIRED_KEY in list_current_versions(live)


def test_unreported_removal_is_resolved_by_listing_before_the_required_file_is_restored(
    live: Bucket, proxy: FaultProxy, plan_restore, journal: str
) -> None:
    """S3 removes nothing and reports nothing, so the other objects are not current."""
    restore_run = plan_restore(journal)
    earlier_count = len(proxy.deletions)
    proxy.answer("POST", DELETE, "<DeleteResult/>")
    assert restore_run.count_outcomes(restore_run.run()) == {"failed": 6}
    assert not any(
        key.endswith(FILE)
        for keys in list_requested_keys(proxy, earlier_count, "old-1")
        for key in keys
    )


def test_required_file_stays_deleted_if_another_object_is_lost(
    live: Bucket, plan_restore, journal: str
) -> None:
    delete_all_versions(live, OTHER_KEY)
    restore_run = plan_restore(journal)
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 4, "skipped": 1, "failed": 1}
    assert FILE in result.deployments[0].problem
    assert REQUIRED_KEY not in list_current_versions(live)
    assert REQUIRED_KEY in {key for key, _ in list_markers(live)}


def test_newer_version_of_another_object_counts_as_restored(
    live: Bucket, plan_restore, journal: str
) -> None:
    live.client.put_object(Bucket=live.name, Key=OTHER_KEY, Body=b"newer")
    restore_run = plan_restore(journal)
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 5, "skipped": 1}
    assert REQUIRED_KEY in list_current_versions(live)


@pytest.mark.parametrize("required_file", [FILE, ""])
def test_restore_since_a_time_restores_a_given_required_file_last(
    live: Bucket, proxy: FaultProxy, journal: str, required_file: str
) -> None:
    delete_all_versions(live, OTHER_KEY)
    context = make_context(live)
    target = context.open_bucket().describe_target("")
    start = context.clock().replace(year=2020)
    restore_run = RestoreRun(live, source_since(target, "old-1", start, required_file))
    result = restore_run.run()
    failed = result.count_objects(ObjectRestoreOutcome.FAILED)
    assert (failed, REQUIRED_KEY in list_current_versions(live)) == (
        (1, False) if required_file else (0, True)
    )
