"""Each deletion is checked by the gate: refused objects are not journaled and not sent."""

import json
from pathlib import Path

import pytest

from ci3.core.model.deployment import Versioning
from ci3.core.model.result import ObjectOutcome
from ci3.engine.deletion.objects import ObjectDeletion
from ci3.engine.deletion.tally import DeletionResult
from ci3.engine.deletion.versions import VersionDeletion
from ci3.engine.gate import Gate
from ci3.engine.journal.writer import Journal
from ci3.engine.workers.progress import NoProgress
from ci3.engine.workers.run_control import RunControl
from tests.support.cleanup_run import make_context
from tests.support.s3.bucket import Bucket
from tests.support.s3.fault_proxy import FaultProxy


def delete_with_gate(site: Bucket, *, deletes_versions: bool) -> DeletionResult:
    """Delete the planned deployments with a gate that approves only `old-1`."""
    context = make_context(site, delete_versions=str(deletes_versions).lower())
    reader = context.open_bucket()
    decisions = context.make_plan(reader).to_delete
    approved = [decision for decision in decisions if decision.deployment.name == "old-1"]
    gate = Gate(approved, (), is_by_version=deletes_versions)
    control = RunControl(progress=NoProgress(), sleep=lambda _seconds: None)
    with Journal("gate.jsonl") as journal:
        if deletes_versions:
            return VersionDeletion(
                reader=reader,
                remover=reader.open_version_remover(),
                gate=gate,
                journal=journal,
                control=control,
                required_file="",
            ).delete_deployments(decisions)
        writer = reader.open_writer()
        return ObjectDeletion(
            reader=reader,
            writer=writer,
            probe=lambda slots: writer.probe_conditional_deletes("", Versioning.DISABLED, slots),
            gate=gate,
            journal=journal,
            control=control,
        ).delete_deployments(decisions)


@pytest.mark.parametrize("deletes_versions", [False, True])
def test_deployment_that_the_gate_refuses_is_neither_journaled_nor_sent(
    site: Bucket, proxy: FaultProxy, deletes_versions: bool
) -> None:
    if deletes_versions:
        site.enable_versioning()
    for days, name in enumerate(("new", "old-1", "old-2"), start=1):
        site.deploy(name, days=days)
    result = delete_with_gate(site, deletes_versions=deletes_versions)
    assert "'old-2/'" in result.stop_reason
    assert result.results[-1].name == "old-2"
    assert result.results[-1].counts == {ObjectOutcome.FAILED: 3}
    assert site.folders() >= {"new", "old-2"}
    lines = Path("gate.jsonl").read_text(encoding="utf-8").splitlines()
    assert not any("old-2" in line for line in lines if json.loads(line)["record"] == "intent")
    assert not any("old-2" in key for request in proxy.deletions for key in request.batch_keys)
