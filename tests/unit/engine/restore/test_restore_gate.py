"""A restore may only remove delete markers that were just listed."""

import re
from dataclasses import replace

import pytest

from ci3.core.restore.decide import RestoreObject
from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.restore.restore import check_markers
from ci3.engine.restore.sources import source_since
from ci3.errors import GateError
from tests.support.cleanup_run import make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.restore_run import RestoreRun, delete_old_deployments, list_markers


def test_version_that_is_no_listed_marker_of_the_deployment_is_stopped() -> None:
    listed = {("old-1/a", "m1"), ("old-2/a", "m2")}
    check_markers([("old-1/a", "m1")], "old-1/", listed)
    for marker in (("old-1/a", "v1"), ("old-2/a", "m2"), ("old-1/b", "m1")):
        with pytest.raises(GateError):
            check_markers([("old-1/a", "m1"), marker], "old-1/", listed)


def remove_content(_prefix, versions, _versioning) -> tuple[RestoreObject, ...]:
    """Decide to remove versions that are not delete markers, which no real source does."""
    return tuple(
        RestoreObject(
            key=version.key,
            version_id=version.version_id,
            size_bytes=1,
            modified_at=version.modified_at,
            marker_version_ids=(version.version_id,),
        )
        for version in versions
        if not version.is_delete_marker
    )


def test_removal_of_content_is_stopped_before_the_request(live: Bucket, proxy: FaultProxy) -> None:
    context = make_context(live)
    target = context.open_bucket().describe_target("")
    before = live.versions()
    source = source_since(target, "old-1", context.clock())
    restore_run = RestoreRun(live, replace(source, decide=remove_content))
    result = restore_run.restoration.restore(restore_run.plan)
    assert result.count_objects(ObjectRestoreOutcome.FAILED) == 4
    assert "GateError" in result.stop_reason
    assert proxy.deletions == []
    assert live.versions() == before


def test_restore_removes_delete_markers_only(live: Bucket, proxy: FaultProxy, plan_restore) -> None:
    path = delete_old_deployments(live)
    created_markers = list_markers(live)
    earlier_count = len(proxy.deletions)
    plan_restore(path).run()
    removed = [
        (key, version_id)
        for request in proxy.deletions[earlier_count:]
        for key, version_id in re.findall(
            "<Key>(.*?)</Key><VersionId>(.*?)</VersionId>", request.body.decode()
        )
    ]
    assert len(removed) == 6
    assert set(removed) == created_markers


def test_planning_a_restore_sends_no_request_that_writes(
    live: Bucket, proxy: FaultProxy, plan_restore
):
    path = delete_old_deployments(live)
    earlier_count = len(proxy.deletions)
    plan_restore(path)
    assert len(proxy.deletions) == earlier_count
