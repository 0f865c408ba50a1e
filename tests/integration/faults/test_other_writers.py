"""Others at the same bucket in the midst of a run: deploys, pins that move, a second run."""

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


def test_other_bytes_uploaded_after_the_last_listing_survive(
    live: MemorySite, proxy: FaultProxy
) -> None:
    key = "old-1/file-00001"
    proxy.call_before("POST", DELETE, lambda: live.put(key, days=10, body=b"deployed again"), nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-1") == {"deleted": 2, "changed": 1}
    assert live.content()[key][0] == b"deployed again"
    assert live.folders() == {"new", "old-1"}


def test_file_that_is_new_after_the_last_listing_survives_and_is_told(
    live: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    proxy.call_before("POST", DELETE, lambda: live.put("old-1/one-more", days=10), nth=1)
    ran = apply(live)
    assert ran.exit_code is ExitCode.PARTIAL
    assert_screen(ran.result_of("old-1").problem, is_shared=True)
    assert {key for key in live.content() if key.startswith("old")} == {"old-1", "old-1/one-more"}


@pytest.mark.parametrize("is_approved_by_hand", [False, True])
def test_pin_that_moves_to_a_doomed_deployment_in_between_keeps_it(
    live: MemorySite, proxy: FaultProxy, *, is_approved_by_hand: bool
) -> None:
    """The pointer is read for the plan, for the plan made since, and right before the deletion."""
    live.put("current", days=90, body=b"new")

    def move() -> None:
        live.put("current", body=b"old-2")

    if is_approved_by_hand:
        ran = apply(
            live, before_approval=move, live_from="object:current", changeable_keys=["current"]
        )
    else:
        proxy.call_before("GET", "/current", move, nth=2)
        ran = apply(live, live_from="object:current", changeable_keys=["current"])
    assert ran.exit_code is ExitCode.PARTIAL
    assert ran.counts("old-2") == {"changed": 3}
    assert "live" in ran.result_of("old-2").problem
    assert live.folders() == {"new", "old-2"}


def test_two_applies_at_once_delete_what_was_due_and_nothing_else(
    live: MemorySite, proxy: FaultProxy
) -> None:
    """Both have planned, listed again and journaled when the first request passes."""
    both = Barrier(2, timeout=60)
    proxy.call_before("POST", DELETE, both.wait)

    def one(name: str) -> tuple[ExitCode, ApplyResult]:
        run = make_context(live, journal_file=f"{name}.jsonl")
        reader = run.open_bucket()
        plan = run.make_plan(reader)
        assert {decision.deployment.name for decision in plan.to_delete} == set(OLD_NAMES)
        result = apply_plan(run, plan, reader, is_fresh=True)
        return exit_code_of_outcome(TargetResult(plan=plan, result=result).outcome), result

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(one, ["first", "second"]))

    assert live.folders() == {"new"}
    for code, result in ran:
        assert code is ExitCode.DONE
        gone = result.count_objects(ObjectOutcome.DELETED) + result.count_objects(
            ObjectOutcome.ABSENT
        )
        assert gone == 9
    assert sum(result.count_objects(ObjectOutcome.DELETED) for _, result in ran) == 9


def test_run_that_comes_while_another_is_half_done_leaves_what_is_not_as_planned(
    live: MemorySite, proxy: FaultProxy
) -> None:
    """The second plans before the first deletes, and lists again after it has."""
    second = make_context(live, journal_file="second.jsonl")
    reader = second.open_bucket()
    plan = second.make_plan(reader)
    proxy.refuse(["old-1/file-00000"], "AccessDenied")

    assert apply(live).exit_code is ExitCode.PARTIAL
    result = apply_plan(second, plan, reader, is_fresh=True)

    counts = {one.name: dict(one.counts) for one in result.deployments}
    assert counts["old-1"] == {ObjectOutcome.CHANGED: 3}
    assert counts["old-2"] == {ObjectOutcome.ABSENT: 3}
    assert live.folders() == {"new", "old-1"}


def test_last_gate_stops_a_batch_that_would_delete_what_is_pinned(
    live: MemorySite, proxy: FaultProxy
) -> None:
    """Should all that stands before it fail, nothing of the batch goes out, and it is told."""
    run = make_context(live)
    reader = run.open_bucket()
    approved = approve_plan(run, run.make_plan(reader), reader, is_fresh=True)

    result = delete_approved(run, replace(approved, pins=pin_protected(["old-2"])), reader)

    assert result.outcome is RunOutcome.PARTIAL
    assert "'old-2/'" in result.stop_reason
    assert proxy.deletions == []
    assert live.folders() == {"new", *OLD_NAMES}
