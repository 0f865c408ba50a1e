"""What an undo may send: the removal of delete markers that were just listed, and nothing else."""

import re
from dataclasses import replace

import pytest

from ci3.core.restore.decide import RestoreObject as UndoOne
from ci3.core.restore.plan import ObjectRestoreOutcome
from ci3.engine.restore.restore import check_markers
from ci3.engine.restore.sources import source_since
from ci3.errors import GateError
from tests.support.cleanup_run import make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy
from tests.unit.engine.restore.undo import Undo, deleted, markers


def test_gate_stops_what_is_no_marker_of_the_deployment() -> None:
    listed = {("old-1/a", "m1"), ("old-2/a", "m2")}
    check_markers([("old-1/a", "m1")], "old-1/", listed)
    for marker in (("old-1/a", "v1"), ("old-2/a", "m2"), ("old-1/b", "m1")):
        with pytest.raises(GateError):
            check_markers([("old-1/a", "m1"), marker], "old-1/", listed)


def remove_content(_prefix, versions, _versioning) -> tuple[UndoOne, ...]:
    """Decide, against all rules, to remove versions that are no markers."""
    return tuple(
        UndoOne(
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
    run = make_context(live)
    target = run.open_bucket().describe_target("")
    before = live.versions()
    source = source_since(target, "old-1", run.clock())
    one = Undo(live, replace(source, decide=remove_content))
    restored = one.restoration.restore(one.plan)
    assert restored.count_objects(ObjectRestoreOutcome.FAILED) == 4
    assert "GateError" in restored.stop_reason
    assert proxy.deletions == []
    assert live.versions() == before


def test_undo_names_delete_markers_and_nothing_else(live: Bucket, proxy: FaultProxy, undo) -> None:
    path = deleted(live)
    made = markers(live)
    sent = len(proxy.deletions)
    undo(path).run()
    removed = [
        (key, version_id)
        for request in proxy.deletions[sent:]
        for key, version_id in re.findall(
            "<Key>(.*?)</Key><VersionId>(.*?)</VersionId>", request.body.decode()
        )
    ]
    assert len(removed) == 6
    assert set(removed) == made


def test_planning_an_undo_sends_no_request_that_writes(live: Bucket, proxy: FaultProxy, undo):
    path = deleted(live)
    sent = len(proxy.deletions)
    undo(path)
    assert len(proxy.deletions) == sent
