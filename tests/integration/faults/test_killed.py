"""A run that is killed at any request, before or after the deed: the next one converges."""

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
    """The site as it is reached from another process."""
    with running_proxy(site.answer) as proxy:
        site.endpoint_url, site.proxy = proxy.url, proxy
        yield proxy


def killed(site: MemorySite, proxy: FaultProxy, at: int, *, is_done: bool) -> None:
    """Clean up in a process that is killed while the batch of that number is out."""
    started = Event()
    processes: list[subprocess.Popen] = []

    def kill() -> None:
        started.wait(timeout=60)
        os.kill(processes[0].pid, signal.SIGKILL)
        processes[0].wait(timeout=60)

    def kill_after(body: bytes) -> bytes:
        kill()
        return body

    if is_done:
        proxy.rewrite("POST", DELETE, kill_after, nth=at)
    else:
        proxy.answer("POST", DELETE, status=500, nth=at, first=kill)
    command = ["cleanup", *site.options(), "--keep-count", "1", "--match", ".*", "--auto-approve"]
    processes.append(
        subprocess.Popen(
            [sys.executable, "-c", CHILD, *command, "--journal-file", str(JOURNAL)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    started.set()
    assert processes[0].wait(timeout=120) == -signal.SIGKILL


def run(*arguments: str) -> int:
    return main([*arguments, "--auto-approve"])


@pytest.mark.parametrize("at", range(1, BATCHES + 1))
@pytest.mark.parametrize("is_done", [False, True], ids=["before the deed", "after it"])
def test_run_killed_at_any_batch_converges_by_resume_and_by_a_plain_second_run(
    site: MemorySite, proxy: FaultProxy, at: int, *, is_done: bool
) -> None:
    if at % 2:
        site.enable_versioning()
    site.put("index.html", days=90)
    site.deploy("new", days=1)
    for days, name in enumerate(("old-1", "old-2"), start=10):
        site.deploy(name, days=days, files=FILES)
    before, versions = site.content(), site.current_versions()
    stays = {key: one for key, one in before.items() if not key.startswith("old")}

    killed(site, proxy, at, is_done=is_done)

    proxy.forget_rules()
    gone = before.keys() - site.keys()
    said = read_journal_outcomes(JOURNAL)
    assert gone <= said.keys()
    assert {key for key, one in said.items() if one is ObjectOutcome.DELETED} <= gone
    assert stays.items() <= site.content().items()
    as_killed = site.save_bucket()

    assert run("cleanup", *site.options(), "--keep-count", "1", "--match", ".*") == 0
    assert site.content() == stays

    site.restore_bucket(as_killed)
    assert run("cleanup", "--resume", str(JOURNAL)) == 0
    assert site.content() == stays
    if site.keeps_versions:
        assert run("restore", str(JOURNAL)) == 0
        assert site.current_versions() == versions


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("is_done", [False, True], ids=["before the deed", "after it"])
def test_run_that_dies_at_any_request_converges(*, is_versioned: bool, is_done: bool) -> None:
    """Each request of a run in turn; some objects go in requests of their own."""
    with small_world.reached():
        at = 1
        while check_death(Crash(at_request=at, is_after_deed=is_done), is_versioned=is_versioned):
            at += 1
    assert at > 8


def check_death(crash: Crash, *, is_versioned: bool) -> bool:
    """Let a run die, and undo it, go on with it and run again; False where it has not died."""
    for path in Path().glob("*.jsonl"):
        path.unlink()
    world = World(is_versioned=is_versioned, keep_count=1, has_pointer=True)
    for name in ("a-1", "a-2", "a-3"):
        world.pass_time(1)
        world.deploy(name, files=("app.js", "\x01"))
    world.pass_time(2)  # what is incomplete and younger may still be uploading
    world.point_to("a-3")
    before = world.current()
    stays = {key: one for key, one in before.items() if not key.startswith(("a-1", "a-2"))}
    died = world.apply(world.plan(), is_fresh=True, crash=crash)
    path, as_died = died.journal, deepcopy(world.bucket.versions)
    said = world.journaled(path)
    assert before.keys() - world.current().keys() <= said.keys()
    if said:
        assert world.resume(path) == 0
        assert world.current() == stays
        world.bucket.versions = deepcopy(as_died)
    if is_versioned and Path(path).exists():
        world.restore(path)
        assert world.current() == before
        world.bucket.versions = as_died
    world.pass_time(25)  # outside AWS, what is incomplete and younger may still be uploading
    plan = world.plan()
    if plan.to_delete:
        assert world.apply(plan, is_fresh=True).result.outcome == "applied"
    assert world.current() == stays
    return died.result is None
