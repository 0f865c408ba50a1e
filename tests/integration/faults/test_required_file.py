"""The required file is deleted first, so that an unfinished run leaves incomplete deployments."""

import itertools
import os
import signal
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ci3.engine.gate import Gate
from ci3.engine.journal.writer import Journal
from ci3.errors import ExitCode, GateError, JournalError, describe_error
from ci3.pipeline.approval import approve_plan
from tests.integration.faults import small_world
from tests.integration.faults.small_world import INDEX, ApplyRun, Crash, Event, World
from tests.support.cleanup_run import OLD_NAMES, CleanupRun, apply, delete_approved, make_context
from tests.support.s3.answers import error
from tests.support.s3.fault_proxy import FaultProxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
FILES = ("app.js", "b.js", "\x01")
"""Files whose keys sort before the required file; the last is deleted in a separate request."""
SETTINGS = {"required_file": INDEX}


@pytest.fixture
def _worlds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make worlds send batches of two keys one after another, without waiting batches."""
    monkeypatch.setattr(small_world, "DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.deletion.versions.DELETE_BATCH_SIZE", 2)
    monkeypatch.setattr("ci3.engine.deletion.scheduler.SENDERS", 1)
    monkeypatch.setattr("ci3.engine.deletion.required_first.MAX_BATCHES_WAITING", 0)
    with small_world.intercept_requests():
        yield


def deploy_series(*, is_versioned: bool) -> World:
    """Return a world without journals, with four complete deployments: a-4 is the newest."""
    for path in Path().glob("*.jsonl"):
        path.unlink()
    world = World(is_versioned=is_versioned, keep_count=1, has_pointer=False)
    for number in range(1, 5):
        world.pass_time(1)
        world.deploy(f"a-{number}", files=FILES)
    world.pass_time(2)
    return world


def find_complete(world: World) -> set[str]:
    """Return the deployments that have their required file; check that they have all files."""
    names = {name for name in world.list_names() if f"{name}/{INDEX}" in world.list_objects()}
    for name in names:
        assert {f"{name}/{file}" for file in FILES} <= world.list_objects().keys(), name
    return names


def apply_until_timeout(world: World, at_request: int) -> ApplyRun:
    """Apply with a timeout that passes after the request with number `at_request`."""

    def pass_timeout() -> None:
        world.pass_time(2)
        if world.control is not None:
            world.control._check_time_limit()

    return world.apply(
        world.plan(),
        is_fresh=True,
        event=lambda _: Event(at_request=at_request, act=pass_timeout),
        timeout=timedelta(hours=1),
    )


@pytest.mark.usefixtures("_worlds")
@pytest.mark.parametrize("deletes_versions", [False, True], ids=["objects", "versions"])
def test_remainder_after_a_timeout_does_not_count_as_a_complete_deployment(
    *, deletes_versions: bool
) -> None:
    """The timeout passes after each request in turn; the next plan has a larger keep-count."""
    stopped_within_count = 0
    for at in itertools.count(1):
        world = deploy_series(is_versioned=deletes_versions)
        world.settings = {"delete_versions": "true"} if deletes_versions else {}
        before = world.list_objects()
        if not apply_until_timeout(world, at).result.stop_reason:
            break
        complete = find_complete(world)
        stopped_within_count += len(complete) > 1 and len(world.list_names()) > len(complete)
        world.keep_count = 2
        plan = world.plan()
        superseded = {
            name for name in world.list_names() if sum(newer > name for newer in complete) >= 2
        }
        assert {decision.deployment.name for decision in plan.to_delete} == superseded
        if plan.to_delete:
            assert world.apply(plan, is_fresh=True).result.outcome == "applied"
        kept = tuple(f"{name}/" for name in sorted(complete)[-2:])
        assert {key for key in before if key.startswith(kept)} <= world.list_objects().keys()
        assert find_complete(world) == set(sorted(complete)[-2:])
    assert at > 8
    assert stopped_within_count > 3


@pytest.mark.usefixtures("_worlds")
@pytest.mark.parametrize(("is_versioned", "is_request_handled"), [(False, True), (True, False)])
def test_remainder_after_a_killed_run_is_incomplete_and_a_resume_deletes_it(
    *, is_versioned: bool, is_request_handled: bool
) -> None:
    for at in itertools.count(1):
        world = deploy_series(is_versioned=is_versioned)
        before = world.list_objects()
        crash = Crash(at_request=at, is_request_handled=is_request_handled)
        run = world.apply(world.plan(), is_fresh=True, crash=crash)
        if run.result is not None:
            break
        find_complete(world)
        if world.read_entries(run.journal):
            versions_after_crash = deepcopy(world.bucket.versions)
            assert world.resume(run.journal) == 0
            assert set(world.list_names()) == {"a-4"}
            world.bucket.versions = versions_after_crash
            if is_versioned:
                world.restore(run.journal)
                assert world.list_objects() == before
    assert at > 8


def seed(site: MemorySite, *, files: int = 3) -> None:
    for days, name in enumerate(("new", *OLD_NAMES), start=1):
        site.deploy(name, days=days, files=files)
        site.put(f"{name}/{INDEX}", days=days)


def count_objects(site: MemorySite, name: str) -> int:
    return sum(key.startswith(f"{name}/") for key in site.content())


def list_complete_names(site: MemorySite) -> set[str]:
    return {key.partition("/")[0] for key in site.content() if key.endswith(f"/{INDEX}")}


def apply_with_required_file(site: MemorySite, **settings: str) -> CleanupRun:
    return apply(site, **SETTINGS, **settings)


def list_sent_keys(proxy: FaultProxy) -> list[list[str]]:
    return [request.batch_keys for request in proxy.deletions]


def test_required_files_share_one_request_before_the_others(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    assert apply_with_required_file(site).exit_code is ExitCode.DONE
    first_batch, *other_batches = list_sent_keys(proxy)
    assert sorted(first_batch) == [f"{name}/{INDEX}" for name in OLD_NAMES]
    assert [len(keys) for keys in other_batches] == [9]
    assert site.folders() == {"new"}


def test_without_a_required_file_all_keys_are_in_one_request(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    assert apply(site).exit_code is ExitCode.DONE
    assert [len(keys) for keys in list_sent_keys(proxy)] == [12]


def test_deployments_with_only_or_without_the_required_file_share_a_request(
    site: MemorySite, proxy: FaultProxy
) -> None:
    site.deploy("new", days=1)
    site.put(f"new/{INDEX}", days=1)
    site.put(f"only/{INDEX}", days=9)
    site.deploy("part", days=8)
    assert apply_with_required_file(site).exit_code is ExitCode.DONE
    assert [sorted(keys)[0] for keys in list_sent_keys(proxy)] == [f"only/{INDEX}"]
    assert site.folders() == {"new"}


def test_required_file_in_a_subfolder_is_deleted_first(site: MemorySite, proxy: FaultProxy) -> None:
    for days, name in ((1, "new"), (9, "old")):
        site.deploy(name, days=days)
        site.put(f"{name}/meta/done.json", days=days)
        site.put(f"{name}/done.json", days=days)
    assert apply(site, required_file="meta/done.json").exit_code is ExitCode.DONE
    assert list_sent_keys(proxy)[0] == ["old/meta/done.json"]
    assert site.folders() == {"new"}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("AccessDenied", "denied"), ("PreconditionFailed", "changed"), ("SlowDown", "failed")],
)
def test_other_keys_are_not_sent_if_the_required_file_is_not_deleted(
    site: MemorySite, proxy: FaultProxy, code: str, outcome: str
) -> None:
    seed(site)
    proxy.refuse([f"old-2/{INDEX}"], code)
    run = apply_with_required_file(site)
    assert run.exit_code is ExitCode.PARTIAL
    rest_outcome = "changed" if outcome == "changed" else "failed"
    assert run.counts("old-2").keys() == {outcome, rest_outcome}
    assert code in run.result_of("old-2").problem
    assert count_objects(site, "old-2") == 4
    assert not any(key.startswith("old-2/file") for keys in list_sent_keys(proxy) for key in keys)


def test_throttled_required_file_is_retried_before_the_others_are_sent(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    proxy.refuse([f"old-2/{INDEX}"], "SlowDown", nth=1)
    run = apply_with_required_file(site)
    assert run.exit_code is ExitCode.DONE
    assert len(run.pauses) == 1
    assert list_sent_keys(proxy)[1] == [f"old-2/{INDEX}"]
    assert site.folders() == {"new"}


@pytest.mark.parametrize("is_request_handled", [False, True])
def test_lost_response_is_resolved_before_others_are_sent(
    site: MemorySite, proxy: FaultProxy, *, is_request_handled: bool
) -> None:
    seed(site)
    if is_request_handled:
        proxy.rewrite("POST", DELETE, lambda _: b"<DeleteResult/>", nth=1)
    else:
        proxy.answer("POST", DELETE, "<DeleteResult/>")
    run = apply_with_required_file(site)
    if is_request_handled:
        assert run.exit_code is ExitCode.DONE
        assert site.folders() == {"new"}
    else:
        assert run.exit_code is ExitCode.PARTIAL
        required = {f"{name}/{INDEX}" for name in OLD_NAMES}
        assert all(set(keys) <= required for keys in list_sent_keys(proxy))
        assert all(count_objects(site, name) == 4 for name in OLD_NAMES)


def test_unknown_outcome_keeps_the_others(site: MemorySite, proxy: FaultProxy) -> None:
    """Neither the response nor a listing shows the outcome of the required file."""
    seed(site)

    def deny_listing() -> None:
        proxy.answer("GET", "prefix=old-2%2F", error("AccessDenied"), status=403)

    proxy.answer("POST", DELETE, "<DeleteResult/>", first=deny_listing)
    run = apply_with_required_file(site)
    assert run.counts("old-2") == {"unknown": 1, "failed": 3}
    assert count_objects(site, "old-2") == 4


def test_lost_access_at_the_required_files_sends_nothing_else(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400)
    run = apply_with_required_file(site)
    assert "ExpiredToken" in run.result.stop_reason
    assert len(proxy.deletions) == 1
    assert all(run.counts(name) == {"failed": 4} for name in OLD_NAMES)


def test_lost_access_after_the_required_files_leaves_incomplete_deployments(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    proxy.answer("POST", DELETE, error("ExpiredToken"), status=400, nth=2)
    run = apply_with_required_file(site)
    assert all(run.counts(name) == {"deleted": 1, "failed": 3} for name in OLD_NAMES)
    assert list_complete_names(site) == {"new"}


def test_large_deployment_waits_for_its_required_file_in_every_batch(
    site: MemorySite, proxy: FaultProxy
) -> None:
    """Its keys are in several batches; the deletion of the required file is denied."""
    seed(site, files=1_200)
    proxy.refuse([f"old-1/{INDEX}"], "AccessDenied")
    run = apply_with_required_file(site)
    assert run.counts("old-1") == {"denied": 1, "failed": 1_200}
    assert count_objects(site, "old-1") == 1_201
    assert site.folders() == {"new", "old-1"}


def test_required_file_is_kept_if_another_object_changed_since_a_stale_listing(
    site: MemorySite, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci3.engine.deletion.sender.FRESH_SECONDS", 0.0)
    seed(site)
    upload = partial(site.put, "old-2/file-00001", body=b"newer")
    proxy.call_before("GET", "prefix=old-2%2F", upload, nth=2, late=True)
    run = apply_with_required_file(site)
    assert run.counts("old-2") == {"changed": 4}
    assert count_objects(site, "old-2") == 4
    assert site.folders() == {"new", "old-2"}


def test_object_uploaded_after_the_required_file_was_deleted_is_kept_and_reported(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    proxy.call_before("POST", DELETE, lambda: site.put("old-2/file-00001", body=b"newer"), nth=2)
    run = apply_with_required_file(site)
    assert run.exit_code is ExitCode.PARTIAL
    assert run.counts("old-2") == {"deleted": 3, "changed": 1}
    assert site.content()["old-2/file-00001"][0] == b"newer"
    assert count_objects(site, "old-2") == 1


@pytest.mark.parametrize(
    ("owner", "method", "exception"),
    [
        (Journal, "record_intent", JournalError("disk full", "")),
        (Gate, "approve_objects", GateError("no")),
    ],
)
def test_run_that_is_stopped_between_the_requests_leaves_incomplete_deployments(
    site: MemorySite,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    exception: Exception,
) -> None:
    seed(site)
    original = getattr(owner, method)
    numbers = itertools.count(1)

    def fail_at_second(self, parts):
        if next(numbers) == 2:
            raise exception
        return original(self, parts)

    monkeypatch.setattr(owner, method, fail_at_second)
    run = apply_with_required_file(site)
    assert str(exception) in run.result.stop_reason
    assert all(run.counts(name) == {"deleted": 1, "failed": 3} for name in OLD_NAMES)
    assert list_complete_names(site) == {"new"}


def test_interrupt_while_the_required_files_are_deleted_sends_nothing_else(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    is_interrupted = threading.Event()

    def raise_interrupt(*_: object) -> None:
        is_interrupted.set()
        raise KeyboardInterrupt

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert is_interrupted.wait(timeout=60)

    proxy.call_before("POST", DELETE, interrupt, nth=1)
    previous = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        run = apply_with_required_file(site)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert run.result.stop_reason == describe_error(KeyboardInterrupt())
    assert len(proxy.deletions) == 1
    assert all(run.counts(name) == {"deleted": 1, "failed": 3} for name in OLD_NAMES)


def test_deployment_that_becomes_live_after_its_required_file_was_deleted_is_reported(
    site: MemorySite, proxy: FaultProxy
) -> None:
    seed(site)
    site.put("current", body=b"new")
    seconds = 0.0
    context = replace(
        make_context(site, live_from="object:current", **SETTINGS), monotonic=lambda: seconds
    )
    reader = context.open_bucket()
    approved = approve_plan(context, context.make_plan(reader), reader, is_fresh=True)

    def move() -> None:
        nonlocal seconds
        site.put("current", body=b"old-2")
        seconds += 10

    proxy.call_before("POST", DELETE, move, nth=1)
    result = delete_approved(context, approved, reader)
    deployment = next(item for item in result.deployments if item.name == "old-2")
    assert deployment.counts == {"deleted": 1, "changed": 3}
    assert "1 of 4 objects" in deployment.problem
    assert count_objects(site, "old-2") == 3
    assert site.folders() == {"new", "old-2"}
