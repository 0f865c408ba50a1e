"""The plan of a restore: which objects can be restored, and which cannot."""

from datetime import timedelta
from pathlib import Path

import pytest

from ci3.core.restore.decide import SkipReason
from ci3.engine.journal.reader import open_journal
from ci3.engine.restore.restore import refuse_unless_restorable, restore_exit_code
from ci3.engine.restore.sources import source_from_journal, source_since
from ci3.errors import AccessError, ExitCode, RefusedError, SettingsError
from tests.support.cleanup_run import make_context
from tests.support.s3.answers import error
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.restore_run import (
    VERSIONS,
    RestoreRun,
    delete_old_deployments,
    list_current_versions,
)


def test_expired_version_is_reported_in_the_plan(live: Bucket, plan_restore) -> None:
    expired_version_id = list_current_versions(live)["old-2/file-00000"]
    path = delete_old_deployments(live)
    live.client.delete_object(
        Bucket=live.name, Key="old-2/file-00000", VersionId=expired_version_id
    )
    restore_run = plan_restore(path)
    assert restore_run.plan.skipped_counts == {SkipReason.VERSION_GONE: 1}
    assert restore_run.plan.lost_count == 1
    result = restore_run.run()
    assert restore_run.count_outcomes(result) == {"restored": 5, "skipped": 1}
    assert restore_exit_code(restore_run.plan, result) is ExitCode.PARTIAL


def test_bucket_without_versions_is_refused_and_nothing_is_sent(site: Bucket, proxy: FaultProxy):
    site.deploy("new", days=1)
    site.deploy("old-1", days=9)
    path = delete_old_deployments(site)
    earlier_count = len(proxy.deletions)
    with open_journal(path) as journal:
        restore_run = RestoreRun(site, source_from_journal(journal))
    assert restore_run.plan.skipped_counts == {SkipReason.NO_VERSIONS: 3}
    with pytest.raises(RefusedError):
        refuse_unless_restorable(restore_run.plan)
    assert len(proxy.deletions) == earlier_count


def test_restore_without_objects_is_not_refused(live: Bucket, plan_restore) -> None:
    path = delete_old_deployments(live)
    plan_restore(path).run()
    refuse_unless_restorable(plan_restore(path).plan)


def test_journal_with_another_endpoint_is_refused(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    path = Path(delete_old_deployments(live))
    path.write_text(path.read_text().replace(proxy.url, "http://127.0.0.1:1"))
    with pytest.raises(SettingsError, match=r"http://127\.0\.0\.1:1\b"):
        plan_restore(str(path))


def test_failed_version_listing_fails_the_plan(
    live: Bucket, proxy: FaultProxy, plan_restore
) -> None:
    path = delete_old_deployments(live)
    proxy.answer("GET", VERSIONS, error("AccessDenied"), status=403)
    with pytest.raises(AccessError, match="AccessDenied"):
        plan_restore(path)


def test_deletions_since_a_time_are_restored_in_that_deployment_only(live: Bucket) -> None:
    before = list_current_versions(live)
    context = make_context(live)
    target = context.open_bucket().describe_target("")
    since = context.clock() - timedelta(minutes=1)
    delete_old_deployments(live)
    restore_run = RestoreRun(live, source_since(target=target, name="old-1", since=since))
    assert restore_run.plan.object_count == 3
    assert restore_run.count_outcomes(restore_run.run()) == {"restored": 3}
    assert list_current_versions(live) == {
        key: version_id for key, version_id in before.items() if not key.startswith("old-2/")
    }


def test_deletions_before_the_time_are_not_restored(live: Bucket) -> None:
    context = make_context(live)
    target = context.open_bucket().describe_target("")
    delete_old_deployments(live)
    since = context.clock() + timedelta(minutes=1)
    restore_run = RestoreRun(live, source_since(target=target, name="old-1", since=since))
    assert restore_run.plan.object_count == 0
    assert restore_run.plan.skipped_counts == {}
