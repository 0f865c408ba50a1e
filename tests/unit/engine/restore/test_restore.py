"""Which objects a restore returns, and which it leaves alone."""

from pathlib import Path

import pytest

from ci3.core.restore.decide import SkipReason
from ci3.engine.restore.restore import restore_exit_code
from ci3.errors import ExitCode
from tests.support.golden import assert_messages
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.restore_run import (
    delete_old_deployments,
    list_current_versions,
    list_markers,
)


def test_restore_after_apply_returns_all_current_versions(live: Bucket, plan_restore) -> None:
    before = list_current_versions(live)
    restore_run = plan_restore(delete_old_deployments(live))
    assert (restore_run.plan.object_count, restore_run.plan.size_bytes) == (6, 6)
    result = restore_run.run()
    assert list_current_versions(live) == before
    assert list_markers(live) == set()
    assert restore_run.count_outcomes(result) == {"restored": 6}
    assert result.bytes_restored == 6
    assert restore_exit_code(restore_run.plan, result) is ExitCode.DONE


def test_second_restore_changes_nothing(live: Bucket, plan_restore) -> None:
    path = delete_old_deployments(live)
    plan_restore(path).run()
    second_run = plan_restore(path)
    assert second_run.plan.skipped_counts == {SkipReason.ALREADY_THERE: 6}
    assert second_run.count_outcomes(second_run.run()) == {"already-there": 6}


def test_markers_stacked_by_a_retry_are_all_removed(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    """A lost response makes boto3 repeat the request, which gives each key a second marker."""
    before = list_current_versions(live)
    path = delete_old_deployments(live)
    for key in before.keys() - list_current_versions(live).keys():
        live.client.delete_object(Bucket=live.name, Key=key)
    restore_run = plan_restore(path)
    assert len(list_markers(live)) == 12
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    assert list_current_versions(live) == before
    assert list_markers(live) == set()


def test_newer_version_is_kept_and_the_other_objects_are_restored(
    live: Bucket, plan_restore
) -> None:
    path = delete_old_deployments(live)
    live.client.put_object(Bucket=live.name, Key="old-1/file-00001", Body=b"newer")
    newer = list_current_versions(live)["old-1/file-00001"]
    restore_run = plan_restore(path)
    assert restore_run.plan.skipped_counts == {SkipReason.NEWER_VERSION: 1}
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 5, "skipped": 1}
    assert list_current_versions(live)["old-1/file-00001"] == newer
    assert restore_exit_code(restore_run.plan, result) is ExitCode.DONE


def test_object_deleted_before_the_run_stays_deleted(live: Bucket, plan_restore) -> None:
    live.client.delete_object(Bucket=live.name, Key="old-1/file-00002")
    earlier_markers = list_markers(live)
    path = delete_old_deployments(live)
    plan_restore(path).run()
    assert list_markers(live) == earlier_markers
    assert "old-1/file-00002" not in list_current_versions(live)
    assert len(list_current_versions(live)) == 4 + 5


@pytest.mark.parametrize(
    "name", ["a+b", "a%2Fb", "é 😀", "a&b<c>", "...", "' \"", "[bold]x[/bold]"]
)
def test_keys_with_special_characters_are_restored(live: Bucket, plan_restore, name: str) -> None:
    live.put(f"{name}/x  y#?", days=20)
    live.deploy(name, days=20)
    before = list_current_versions(live)
    plan_restore(delete_old_deployments(live)).run()
    assert list_current_versions(live) == before


def test_more_objects_than_fit_in_a_batch_are_restored(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    live.deploy("old-2", days=11, files=1001)
    before = live.keys()
    path = delete_old_deployments(live)
    earlier_count = len(proxy.deletions)
    restore_run = plan_restore(path)
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 1004}
    assert live.keys() == before
    sizes = [len(request.batch_keys) for request in proxy.deletions[earlier_count:]]
    assert sorted(sizes) == [1, 3, 1000]


def test_truncated_journal_restores_objects_without_a_recorded_outcome(
    live: Bucket, plan_restore
) -> None:
    before = list_current_versions(live)
    path = Path(delete_old_deployments(live))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][: len(lines[2]) // 2])
    restore_run = plan_restore(str(path))
    assert_messages(__file__, [("a journal that is cut off", restore_run.plan.notes)])
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 6}
    assert list_current_versions(live) == before
