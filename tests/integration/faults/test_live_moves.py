"""The live pointer moves during deletions to a deployment that the plan deletes.

If its deletion has not begun, the deployment is kept; otherwise it is reported. `current` names
`new` until a test moves it.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from ci3.core.model.result import RunOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.engine.journal.reader import reopen_journal
from ci3.pipeline.approval import approve_plan
from ci3.pipeline.run import open_run
from tests.integration.faults.live_run import (
    FILES,
    Clock,
    count_objects,
    list_deployments,
    make_run,
    move_pointer,
    seed,
)
from tests.support.cleanup_run import OLD_NAMES, delete_approved, make_context
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = ("POST", r"\?delete")
POINTER = ("GET", "/current")


@pytest.fixture(autouse=True)
def pointer_to_new(site: MemorySite) -> None:
    site.put("current", body=b"new")


@pytest.fixture(params=["", "true"], ids=["objects", "versions"])
def delete_versions(request, site: MemorySite) -> str:
    if request.param:
        site.enable_versioning()
    return request.param or "false"


def test_pointer_that_moves_before_the_first_deletion_keeps_its_deployment(
    site: MemorySite, delete_versions: str, assert_screen
) -> None:
    seed(site)
    run = make_run(site, delete_versions=delete_versions)

    def wait_and_move() -> None:
        move_pointer(site, "old-3")
        run.clock.seconds += 10

    run.apply(after_approval=wait_and_move)
    assert run.outcome is RunOutcome.PARTIAL
    assert run.counts("old-3") == {"changed": FILES}
    assert_screen(run.problem("old-3"), is_shared=True)
    assert site.folders() == {"new", "old-3"}
    assert count_objects(site, "old-3") == FILES


def test_kept_deployment_has_no_intent_in_the_journal(site: MemorySite) -> None:
    seed(site)
    run = make_run(site)

    def wait_and_move() -> None:
        move_pointer(site, "old-1")
        run.clock.seconds += 10

    run.apply(after_approval=wait_and_move)
    assert '"old-1/file' not in Path(run.context.settings.journal_file).read_text(encoding="utf-8")


def test_deployment_that_becomes_live_after_a_recent_read_is_deleted_and_reported(
    site: MemorySite, proxy: FaultProxy, delete_versions: str, assert_screen
) -> None:
    seed(site)
    proxy.call_before(*DELETE, lambda: move_pointer(site, "old-2"), nth=1)
    run = make_run(site, delete_versions=delete_versions).apply()
    assert len(proxy.find_requests(*POINTER)) == 3  # plan, approval, last
    assert run.outcome is RunOutcome.PARTIAL
    assert run.counts("old-2") == {"deleted": FILES}
    assert_screen(run.problem("old-2"), is_shared=True)
    assert not run.problem("old-1")


def test_deletion_stops_if_a_partly_deleted_deployment_becomes_live(
    site: MemorySite, proxy: FaultProxy, delete_versions: str
) -> None:
    """The pointer moves while the first batch is deleted, with one request at a time."""
    seed(site)
    run = make_run(site, delete_versions=delete_versions, concurrency="1")

    def move_now() -> None:
        move_pointer(site, min(list_deployments(proxy.deletions[-1])))
        run.clock.seconds += 10

    proxy.call_before(*DELETE, move_now, nth=1)
    run.apply()
    live = site.content()["current"][0].decode()
    assert run.outcome is RunOutcome.PARTIAL
    # The batches of a deployment are sent in any order.
    deleted_count = sum(key.startswith(live) for key in proxy.deletions[0].batch_keys)
    assert run.counts(live) == {"deleted": deleted_count, "changed": FILES - deleted_count}
    assert count_objects(site, live) == FILES - deleted_count
    assert f" {deleted_count:,} " in run.problem(live)
    assert site.folders() == {"new", live}


def test_retry_is_not_sent_for_a_deployment_that_is_now_live(
    site: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    seed(site, files=3)
    run = make_run(site)

    def wait_and_move() -> None:
        move_pointer(site, "old-2")
        run.clock.seconds += 10

    proxy.refuse(["old-2/file-00001", "old-1/file-00001"], "SlowDown", nth=1)
    run.context = replace(run.context, sleep=lambda _seconds: wait_and_move())
    run.apply()
    assert run.counts("old-1") == {"deleted": 3}
    assert run.counts("old-2") == {"deleted": 2, "failed": 1}
    assert site.keys() >= {"old-2/file-00001"}
    assert_screen(run.problem("old-2"))


@pytest.mark.parametrize("fault", ["missing", "denied", "nowhere"])
def test_begun_deletions_end_and_no_other_begins_if_live_sources_cannot_be_read(
    site: MemorySite, proxy: FaultProxy, delete_versions: str, fault: str, assert_screen
) -> None:
    seed(site)
    run = make_run(site, delete_versions=delete_versions, concurrency="1")

    def fail() -> None:
        if fault == "missing":
            site.remove("current")
        elif fault == "nowhere":
            move_pointer(site, "nowhere")
        else:
            proxy.answer(*POINTER, "<Error><Code>AccessDenied</Code></Error>", status=403)
        run.clock.seconds += 10

    proxy.call_before(*DELETE, fail, nth=1)
    run.apply()
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.result.stop_reason)
    begun = list_deployments(proxy.deletions[0])
    assert site.folders() == {"new", *OLD_NAMES} - begun
    assert all(run.counts(name) == {"deleted": FILES} for name in begun)
    for name in {*OLD_NAMES} - begun:
        assert run.counts(name) == {"failed": FILES}
        assert count_objects(site, name) == FILES


def test_failure_of_the_last_live_read_is_reported(
    site: MemorySite, proxy: FaultProxy, assert_screen
) -> None:
    seed(site, files=3)
    proxy.call_before(*DELETE, lambda: site.remove("current"), nth=1)
    run = make_run(site).apply()
    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.result.stop_reason)
    assert site.folders() == {"new"}


def test_pointer_that_moves_to_a_deployment_newer_than_the_plan_is_not_a_failure(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site, files=3)

    def deploy() -> None:
        site.deploy("newer", days=0)
        move_pointer(site, "newer")

    proxy.call_before(*DELETE, deploy, nth=1)
    run = make_run(site)
    run.clock.step = 10
    assert run.apply().outcome is RunOutcome.APPLIED
    assert site.folders() == {"new", "newer"}


@pytest.mark.parametrize("deletes_versions", [False, True])
def test_pointer_that_moves_at_any_request_loses_nothing_silently(
    site: MemorySite, proxy: FaultProxy, *, deletes_versions: bool
) -> None:
    """Live sources are read before each deletion; what a request in flight deletes is reported."""
    if deletes_versions:
        site.enable_versioning()
    settings = {"delete_versions": str(deletes_versions).lower(), "concurrency": "1"}
    for number in itertools.count(1):
        site._bucket.versions.clear()
        move_pointer(site, "new")
        seed(site, files=3)
        arrivals = itertools.count(1)
        moved_at: list[int] = []

        def move_at_request(request, number=number, arrivals=arrivals, moved_at=moved_at) -> None:
            if next(arrivals) == number:
                moved_at.append(sum(not deletion.is_probe for deletion in proxy.deletions))
                move_pointer(site, "old-2")

        run = make_run(site, **settings)
        run.clock.step = 10
        run.context = replace(run.context, monotonic=run.clock)
        reader = run.context.open_bucket()
        plan = run.context.make_plan(reader)
        approved = approve_plan(run.context, plan, reader, is_fresh=True)
        proxy.requests.clear()
        proxy.on_request = move_at_request
        result = delete_approved(run.context, approved, reader)
        proxy.on_request = None
        if not moved_at:
            break
        outcome = TargetResult(plan=plan, result=result).outcome
        remaining_count = count_objects(site, "old-2")
        (deployment,) = [item for item in result.deployments if item.name == "old-2"]
        assert deployment.counts.get("deleted", 0) == 3 - remaining_count
        pointer_reads = proxy.find_requests(*POINTER)
        moved_before_last_read = number < proxy.requests.index(pointer_reads[-1]) + 2
        if remaining_count or moved_before_last_read:
            assert outcome is RunOutcome.PARTIAL, number
            assert "s3://site/current" in deployment.problem, number
        if moved_at == [0] and number < 3:
            assert remaining_count == 3, number
    assert number > 5


def test_rule_is_not_written_for_a_deployment_that_is_now_live(site: MemorySite) -> None:
    seed(site, files=3)
    run = make_run(site, engine="lifecycle")

    def wait_and_move() -> None:
        move_pointer(site, "old-2")
        run.clock.seconds += 10

    run.apply(after_approval=wait_and_move)
    assert run.outcome is RunOutcome.PARTIAL
    assert run.counts("old-2") == {"changed": 3}
    assert run.result.expiring_names == {"old-1", "old-3"}
    assert b"old-2/" not in site.lifecycle


def test_no_rule_is_written_if_live_sources_cannot_be_read(site: MemorySite) -> None:
    seed(site, files=3)
    run = make_run(site, engine="lifecycle")

    def wait_and_fail() -> None:
        site.remove("current")
        run.clock.seconds += 10

    run.apply(after_approval=wait_and_fail)
    assert run.outcome is RunOutcome.PARTIAL
    assert not run.result.expiring_names
    assert not site.lifecycle


def test_rule_is_removed_if_its_deployment_becomes_live_at_the_end(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site, files=3)
    proxy.call_before("PUT", r"\?lifecycle", lambda: move_pointer(site, "old-2"), nth=1)
    run = open_run([make_context(site, engine="lifecycle", live_from="object:current")])
    (target,) = run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
    assert target.outcome is RunOutcome.PARTIAL
    assert b"old-2/" not in site.lifecycle
    assert b"old-1/" in site.lifecycle


def test_deployment_deleted_in_an_earlier_target_is_reported_if_it_becomes_live(
    site: MemorySite, proxy: FaultProxy
) -> None:
    for prefix in ("a/", "b/"):
        for days, name in ((1, "new"), (10, "old")):
            site.put(f"{prefix}{name}/index.html", days=days)
    contexts = [
        make_context(site, prefix=f"{name}/", live_from=f"object:current-{name}") for name in "ab"
    ]
    for name in "ab":
        site.put(f"current-{name}", body=b"new")
    proxy.call_before(*DELETE, lambda: site.put("current-a", body=b"old"), nth=2)
    run = open_run(contexts)
    first, second = run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
    assert first.outcome is RunOutcome.PARTIAL
    assert "s3://site/current-a" in first.result.deployments[0].problem
    assert second.outcome is RunOutcome.APPLIED


def test_later_target_is_not_begun_if_the_last_live_read_fails(
    site: MemorySite, proxy: FaultProxy
) -> None:
    for prefix in ("a/", "b/"):
        for days, name in ((1, "new"), (10, "old")):
            site.put(f"{prefix}{name}/index.html", days=days)
    contexts = [make_context(site, prefix=f"{name}/", live_from="object:current") for name in "ab"]
    proxy.call_before(*DELETE, lambda: site.remove("current"), nth=1)
    run = open_run(contexts)
    first, second = run.apply_plans(run.reconcile_rules(run.make_plans()), is_fresh=True)
    assert first.outcome is second.outcome is RunOutcome.PARTIAL
    assert site.keys() >= {"b/old/index.html"}


def test_resumed_run_keeps_a_deployment_that_becomes_live_during_deletion(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    run = make_run(site, concurrency="1")

    def fail() -> None:
        site.remove("current")
        run.clock.seconds += 10

    proxy.call_before(*DELETE, fail, nth=1)
    run.apply()
    proxy.forget_rules()
    move_pointer(site, "new")
    begun = list_deployments(proxy.deletions[0])
    live = min({*OLD_NAMES} - begun)
    clock = Clock()

    def wait_and_move() -> None:
        move_pointer(site, live)
        clock.seconds += 10

    context = replace(run.context, monotonic=clock, on_journal_open=lambda _path: wait_and_move())
    with reopen_journal(run.context.settings.journal_file) as journal:
        resumed = open_run([context], open_journal=journal)
        target_runs = resumed.reconcile_rules(resumed.make_plans())
        (target,) = resumed.apply_plans(target_runs, is_fresh=True)
    assert target.outcome is RunOutcome.PARTIAL
    assert site.folders() == {"new", live}
    assert count_objects(site, live) == FILES
