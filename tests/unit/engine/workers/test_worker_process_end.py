"""The worker of a single-threaded process handles interrupts and never outlives its parent."""

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


def run_script(shop: Bucket, script: str) -> subprocess.Popen[str]:
    """Run a script in a single-threaded Python process."""
    preamble = (
        "from contextlib import closing\n"
        "from types import SimpleNamespace\n"
        "from ci3.engine.workers import worker_process\n"
        "from ci3.engine.workers.worker_process import start_worker\n"
        "from tests.unit.engine.workers.test_worker_process import call_worker, make_reader\n"
        "worker_process._count_cores = lambda: 2\n"
        f"shop = SimpleNamespace(endpoint_url={shop.endpoint_url!r}, name={shop.name!r})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", preamble + script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("is_in_worker", [True, False])
def test_interrupt_during_the_fork_is_handled_only_by_the_parent(shop, is_in_worker):
    """An interrupt in the worker would run the handler of the parent a second time."""
    script = (
        "import os, signal\n"
        "interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n"
        f"os.register_at_fork({'after_in_child' if is_in_worker else 'before'}=interrupt)\n"
        "try:\n"
        "    with closing(start_worker(make_reader(shop))) as worker:\n"
        "        print(call_worker(worker, ('echo', 'here')))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    process = run_script(shop, script)
    output, errors = process.communicate(timeout=30)
    assert (output, errors) == ("here\n" if is_in_worker else "interrupted\n", "")


def make_command(url: str, name: str, *options: str) -> list[str]:
    arguments = ["--bucket-name", LARGE.layout.text, "--endpoint-url", url, "--output", "json"]
    return [sys.executable, "-m", "ci3", name, *arguments, "--keep-count", "50", *options]


@contextmanager
def run_process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a program; kill it if it still runs at the end."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **output) as process:
        try:
            yield process
        finally:
            process.kill()


def list_children(pid: int) -> set[int]:
    """Return the IDs of the running child processes of a process."""
    children = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(pid) and fields[0] != "Z":
            children.add(int(stat.parent.name))
    return children


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@needs_cores
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["plan-cleanup", "cleanup"])
def test_no_worker_outlives_its_parent(memory_server, signal_number, name, tmp_path):
    """One worker runs for the plan, and another for the refresh before the deletion."""
    memory_server.prepare_bucket(LARGE, 100)
    with run_process(
        make_command(memory_server.url, name, *(["--auto-approve"] if name == "cleanup" else [])),
        tmp_path,
    ) as process:
        if name == "cleanup":
            wait_until(lambda: [*tmp_path.glob("ci3-journal-*")] or process.poll() is not None)
        wait_until(lambda: list_children(process.pid) or process.poll() is not None)
        workers = list_children(process.pid)
        assert workers
        process.send_signal(signal_number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode
    assert "Traceback" not in errors
    wait_until(lambda: not any(Path(f"/proc/{process_id}").exists() for process_id in workers))


def test_worker_that_waits_for_s3_ends_with_its_parent(shop):
    """S3 may take minutes, and no process would receive the response."""
    process = run_script(
        shop,
        "with closing(start_worker(make_reader(shop))) as worker:\n"
        "    print(worker._process.pid, flush=True)\n"
        "    call_worker(worker, ('wait', 60.0))\n",
    )
    worker_folder = Path(f"/proc/{int(process.stdout.readline())}")
    assert worker_folder.exists()
    process.kill()
    process.communicate()
    wait_until(lambda: not worker_folder.exists(), seconds=10)
