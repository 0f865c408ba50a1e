"""A run that is killed at any request, before or after S3 handles it: the next run completes it."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from threading import Event

import pytest

from ci3.cli.main import main
from ci3.core.model.result import ObjectOutcome
from tests.integration.faults import small_world
from tests.integration.faults.small_world import Crash, World
from tests.support.invariants import read_journal_outcomes
from tests.support.s3.fault_proxy import FaultProxy, running_proxy
from tests.support.s3.memory_site import MemorySite

DELETE = r"\?delete"
JOURNAL = Path("killed.jsonl")
BATCHES = 3
FILES = 5
CHILD = """
import sys

from ci3.cli.main import main
from ci3.engine.deletion import sender

sender.DELETE_BATCH_SIZE = 4
sys.exit(main(sys.argv[1:]))
"""
"""A ci3 that deletes two deployments of FILES objects in BATCHES batches."""


@pytest.fixture
def proxy(site: MemorySite) -> Iterator[FaultProxy]:
    """Serve the site on loopback, so that another process can use it."""
    with running_proxy(site.answer) as proxy:
        site.endpoint_url, site.proxy = proxy.url, proxy
        yield proxy


def run_killed_cleanup(
    site: MemorySite, proxy: FaultProxy, at: int, *, is_request_handled: bool
) -> None:
    """Clean up in a process that is killed while the batch with number `at` is in flight."""
    started = Event()

    def kill() -> None:
        started.wait(timeout=60)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)

    def kill_after(body: bytes) -> bytes:
        kill()
        return body

    if is_request_handled:
        proxy.rewrite("POST", DELETE, kill_after, nth=at)
    else:
        proxy.answer("POST", DELETE, status=500, nth=at, first=kill)
    command = ["cleanup", *site.options(), "--keep-count", "1", "--match", ".*", "--auto-approve"]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *command, "--journal-file", str(JOURNAL)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started.set()
    assert process.wait(timeout=120) == -signal.SIGKILL


def run_command(*arguments: str) -> int:
    return main([*arguments, "--auto-approve"])


@pytest.mark.parametrize("at", range(1, BATCHES + 1))
@pytest.mark.parametrize("is_request_handled", [False, True], ids=["not handled", "handled"])
def test_run_killed_at_any_batch_is_completed_by_a_resume_or_a_second_run(
    site: MemorySite, proxy: FaultProxy, at: int, *, is_request_handled: bool
) -> None:
    if at % 2:
        site.enable_versioning()
    site.put("index.html", days=90)
    site.deploy("new", days=1)
    for days, name in enumerate(("old-1", "old-2"), start=10):
        site.deploy(name, days=days, files=FILES)
    before, versions = site.content(), site.current_versions()
    kept = {key: content for key, content in before.items() if not key.startswith("old")}

    run_killed_cleanup(site, proxy, at, is_request_handled=is_request_handled)

    proxy.forget_rules()
    deleted_keys = before.keys() - site.keys()
    outcomes = read_journal_outcomes(JOURNAL)
    assert deleted_keys <= outcomes.keys()
    recorded_keys = {key for key, outcome in outcomes.items() if outcome is ObjectOutcome.DELETED}
    assert recorded_keys <= deleted_keys
    assert kept.items() <= site.content().items()
    bucket_after_kill = site.save_bucket()

    assert run_command("cleanup", *site.options(), "--keep-count", "1", "--match", ".*") == 0
    assert site.content() == kept

    site.restore_bucket(bucket_after_kill)
    assert run_command("cleanup", "--resume", str(JOURNAL)) == 0
    assert site.content() == kept
    if site.keeps_versions:
        assert run_command("restore", str(JOURNAL)) == 0
        assert site.current_versions() == versions


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("is_request_handled", [False, True], ids=["not handled", "handled"])
def test_run_that_crashes_at_any_request_is_completed(
    *, is_versioned: bool, is_request_handled: bool
) -> None:
    """The run crashes at each request in turn; some objects are deleted in separate requests."""
    with small_world.intercept_requests():
        for at in itertools.count(1):
            crash = Crash(at_request=at, is_request_handled=is_request_handled)
            if not check_crash(crash, is_versioned=is_versioned):
                break
    assert at > 8


def check_crash(crash: Crash, *, is_versioned: bool) -> bool:
    """Let a run crash, then resume, restore and repeat it; return False if it did not crash."""
    for path in Path().glob("*.jsonl"):
        path.unlink()
    world = World(is_versioned=is_versioned, keep_count=1, has_pointer=True)
    for name in ("a-1", "a-2", "a-3"):
        world.pass_time(1)
        world.deploy(name, files=("app.js", "\x01"))
    world.pass_time(2)  # younger incomplete deployments may still be uploading
    world.point_to("a-3")
    before = world.list_objects()
    kept = {key: before[key] for key in before if not key.startswith(("a-1", "a-2"))}
    run = world.apply(world.plan(), is_fresh=True, crash=crash)
    path, versions_after_crash = run.journal, deepcopy(world.bucket.versions)
    entries = world.read_entries(path)
    assert before.keys() - world.list_objects().keys() <= entries.keys()
    if entries:
        assert world.resume(path) == 0
        assert world.list_objects() == kept
        world.bucket.versions = deepcopy(versions_after_crash)
    if is_versioned and Path(path).exists():
        world.restore(path)
        assert world.list_objects() == before
        world.bucket.versions = versions_after_crash
    world.pass_time(25)  # outside AWS, younger incomplete deployments may still be uploading
    plan = world.plan()
    if plan.to_delete:
        assert world.apply(plan, is_fresh=True).result.outcome == "applied"
    assert world.list_objects() == kept
    return run.result is None
