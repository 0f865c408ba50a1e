"""The worker of a single-threaded process: interrupts, and that it never outlives its parent."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.cases import Case, Work
from bench.layout import Layout
from ci3.engine.workers import worker_process
from tests.support.paths import ROOT
from tests.support.s3.bucket import Bucket

LARGE = Case(work=Work.PLAN, layout=Layout("100x1000"), delete_count=50, tools=(), title="large")
needs_cores = pytest.mark.skipif(
    worker_process._count_cores() < 2, reason="one core: no worker is started"
)


@pytest.fixture
def interrupts():
    """Have started programs handle SIGINT, which a background shell makes this process ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run_script(shop: Bucket, script: str) -> subprocess.Popen[str]:
    """Run a Python that has but one thread."""
    begin = (
        "from contextlib import closing\n"
        "from types import SimpleNamespace\n"
        "from ci3.engine.workers import worker_process\n"
        "from ci3.engine.workers.worker_process import start_worker\n"
        "from tests.unit.engine.workers.test_worker_process import ask, reader_of\n"
        "worker_process._count_cores = lambda: 2\n"
        f"shop = SimpleNamespace(endpoint_url={shop.endpoint_url!r}, name={shop.name!r})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", begin + script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.usefixtures("interrupts")
def test_interrupt_during_the_fork_reaches_the_parent_alone(shop, there):
    """In the worker, it would run the parent's handler a second time."""
    script = (
        "import os, signal\n"
        "interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        f"os.register_at_fork({'after_in_child' if there else 'before'}=interrupt)\n"
        "try:\n"
        "    with closing(start_worker(reader_of(shop))) as worker:\n"
        "        print(ask(worker, ('say', 'here')))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    ran = run_script(shop, script)
    said, complaint = ran.communicate(timeout=30)
    assert (said, complaint) == ("here\n" if there else "interrupted\n", "")


def command(url: str, name: str, *options: str) -> list[str]:
    where = ["--bucket-name", LARGE.layout.text, "--endpoint-url", url, "--output", "json"]
    return [sys.executable, "-m", "ci3", name, *where, "--keep-count", "50", *options]


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program; kill it if it still runs at the end."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **output) as process:
        try:
            yield process
        finally:
            process.kill()


def children_of(pid: int) -> set[int]:
    """Give the processes that one started, as long as they run."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[1] == str(pid) and words[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def wait_until(is_so: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@needs_cores
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["plan-cleanup", "cleanup"])
@pytest.mark.usefixtures("interrupts")
def test_no_worker_outlives_its_parent(memory_server, sent, name, tmp_path):
    """One is there while a plan is made, and another while what is doomed is listed again."""
    memory_server.prepare_bucket(LARGE, 100)
    with running(
        command(memory_server.url, name, *(["--auto-approve"] if name == "cleanup" else [])),
        tmp_path,
    ) as ran:
        if name == "cleanup":
            wait_until(lambda: [*tmp_path.glob("ci3-journal-*")] or ran.poll() is not None)
        wait_until(lambda: children_of(ran.pid) or ran.poll() is not None)
        workers = children_of(ran.pid)
        assert workers
        ran.send_signal(sent)
        _, said = ran.communicate(timeout=30)
    assert ran.returncode
    assert "Traceback" not in said
    wait_until(lambda: not any(Path(f"/proc/{process_id}").exists() for process_id in workers))


def test_worker_that_waits_for_s3_ends_with_its_parent(shop):
    """Nobody would hear its answer, and S3 may take minutes."""
    ran = run_script(
        shop,
        "with closing(start_worker(reader_of(shop))) as worker:\n"
        "    print(worker._process.pid, flush=True)\n"
        "    ask(worker, ('wait', 60.0))\n",
    )
    worker_folder = Path(f"/proc/{int(ran.stdout.readline())}")
    assert worker_folder.exists()
    ran.kill()
    ran.communicate()
    wait_until(lambda: not worker_folder.exists(), seconds=10)
