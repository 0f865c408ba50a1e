"""Other writers during a run: deploys, live references that move, and a second run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from ci3.core.live.pins import pin_protected
from ci3.core.model.result import ApplyResult, ObjectOutcome, RunOutcome
from ci3.core.plan.target_result import TargetResult, exit_code_of_outcome
from ci3.errors import ExitCode
from ci3.pipeline.approval import approve_plan
from tests.integration.faults.conftest import OLD_NAMES
from tests.support.cleanup_run import apply, apply_plan, delete_approved, make_context
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"


def test_other_bytes_uploaded_after_the_last_listing_are_kept(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    key = "old-1/file-00001"
    proxy.call_before(
        "POST", DELETE, lambda: seeded_site.put(key, days=10, body=b"deployed again"), nth=1
    )
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-1") == {"deleted": 2, "changed": 1}
    assert seeded_site.content()[key][0] == b"deployed again"
    assert seeded_site.folders() == {"new", "old-1"}


def test_new_file_after_the_last_listing_is_kept_and_reported(
    seeded_site: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    proxy.call_before("POST", DELETE, lambda: seeded_site.put("old-1/one-more", days=10), nth=1)
    run = apply(seeded_site)
    assert run.exit_code is ExitCode.PARTIAL
    assert_screen(run.result_of("old-1").problem, is_shared=True)
    assert {key for key in seeded_site.content() if key.startswith("old")} == {
        "old-1",
        "old-1/one-more",
    }


@pytest.mark.parametrize("is_approved_by_hand", [False, True])
def test_pin_that_moves_after_the_plan_keeps_a_deployment_to_delete(
    seeded_site: MemorySite, proxy: FaultProxy, *, is_approved_by_hand: bool
) -> None:
    """The pointer is read for the plan, for the plan at approval, and right before the deletion."""
    seeded_site.put("current", days=90, body=b"new")

    def move() -> None:
        seeded_site.put("current", body=b"old-2")

    if is_approved_by_hand:
        run = apply(
            seeded_site,
            before_approval=move,
            live_from="object:current",
            changeable_keys=["current"],
        )
    else:
        proxy.call_before("GET", "/current", move, nth=2)
        run = apply(seeded_site, live_from="object:current", changeable_keys=["current"])
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"changed": 3}
    assert "live" in run.result_of("old-2").problem
    assert seeded_site.folders() == {"new", "old-2"}


def test_two_concurrent_applies_delete_only_what_both_plans_name(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    """Both runs have planned, refreshed and journaled before the first request is forwarded."""
    barrier = Barrier(2, timeout=60)
    proxy.call_before("POST", DELETE, barrier.wait)

    def plan_and_apply(name: str) -> tuple[ExitCode, ApplyResult]:
        context = make_context(seeded_site, journal_file=f"{name}.jsonl")
        reader = context.open_bucket()
        plan = context.make_plan(reader)
        assert {decision.deployment.name for decision in plan.to_delete} == set(OLD_NAMES)
        result = apply_plan(context, plan, reader, is_fresh=True)
        return exit_code_of_outcome(TargetResult(plan=plan, result=result).outcome), result

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(plan_and_apply, ["first", "second"]))

    assert seeded_site.folders() == {"new"}
    for exit_code, result in results:
        assert exit_code is ExitCode.DONE
        deleted_count = result.count_objects(ObjectOutcome.DELETED) + result.count_objects(
            ObjectOutcome.ABSENT
        )
        assert deleted_count == 9
    assert sum(result.count_objects(ObjectOutcome.DELETED) for _, result in results) == 9


def test_second_run_keeps_a_deployment_that_the_first_deleted_in_part(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    """The second run plans before the first run deletes, and refreshes afterwards."""
    second = make_context(seeded_site, journal_file="second.jsonl")
    reader = second.open_bucket()
    plan = second.make_plan(reader)
    proxy.refuse(["old-1/file-00000"], "AccessDenied")

    assert apply(seeded_site).exit_code is ExitCode.PARTIAL
    result = apply_plan(second, plan, reader, is_fresh=True)

    counts = {deployment.name: dict(deployment.counts) for deployment in result.deployments}
    assert counts["old-1"] == {ObjectOutcome.CHANGED: 3}
    assert counts["old-2"] == {ObjectOutcome.ABSENT: 3}
    assert seeded_site.folders() == {"new", "old-1"}


def test_gate_stops_a_batch_that_would_delete_a_pinned_deployment(
    seeded_site: MemorySite, proxy: FaultProxy
) -> None:
    """The gate is the last check: it stops the run before the batch is sent."""
    context = make_context(seeded_site)
    reader = context.open_bucket()
    approved = approve_plan(context, context.make_plan(reader), reader, is_fresh=True)

    result = delete_approved(context, replace(approved, pins=pin_protected(["old-2"])), reader)

    assert result.outcome is RunOutcome.PARTIAL
    assert "'old-2/'" in result.stop_reason
    assert proxy.deletions == []
    assert seeded_site.folders() == {"new", *OLD_NAMES}
