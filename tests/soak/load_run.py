"""A load run: a cleanup on a faulty S3 that is killed ten times, and then completes.

`python -m tests.soak.load_run [OBJECTS] [SEED]` deletes half of a bucket, of 200,000 objects unless
given. After each SIGKILL the run is resumed from its journal, or a new run starts.
In the end every kept object must exist, every planned object must be deleted, and the exit code of
the last run must be 0.
"""

import json

# ruff: noqa: T201 - the output of a program
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from bench.layout import Layout

OBJECTS_PER_DEPLOYMENT = 1000
KILLS = 10
DELAY_MS = 100
"""Time of each response. With two requests in flight, a run can be killed between two batches."""
RESUME_SHARE = 0.5
LIMIT_SECONDS = 600
COMMAND = (sys.executable, "-m", "ci3", "cleanup")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
    "PYTHONPATH": str(ROOT),
}


class LoadRun:
    """The runs on one bucket of a faulty S3; journals are files of the folder."""

    def __init__(self, url: str, folder: Path, objects: int, seed: str) -> None:
        self.layout = Layout(f"{objects // OBJECTS_PER_DEPLOYMENT}x{OBJECTS_PER_DEPLOYMENT}")
        self.keep_count = len(self.layout.by_age) // 2
        self.ends_at = time.monotonic() + LIMIT_SECONDS
        self._url = url
        self._folder = folder
        self._random = random.Random(seed)  # noqa: S311 - reproducible
        self._journals: list[Path] = []
        self.resumed_count = 0

    def start(self, stderr: Any) -> subprocess.Popen[bytes]:
        """Resume the last run, or start a new run, at random."""
        access = ["--endpoint-url", self._url, "--region", "us-east-1"]
        last = self._journals[-1] if self._journals else None
        can_resume = last is not None and last.exists() and b"\n" in last.read_bytes()
        if can_resume and self._random.random() < RESUME_SHARE:
            self.resumed_count += 1
            options = ["--resume", str(last), *access]
        else:
            self._journals.append(self._folder / f"{len(self._journals)}.jsonl")
            options = ["--bucket-name", self.layout.text, *access]
            options += ["--keep-count", str(self.keep_count)]
            options += ["--journal-file", str(self._journals[-1])]
        return subprocess.Popen(
            [*COMMAND, *options, "--concurrency", "2", "--auto-approve"],
            cwd=self._folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )

    def kill_during_deletion(self, process: subprocess.Popen[bytes], delete_count: int) -> bool:
        """Kill a run after it has deleted so many objects; return whether it was still running."""
        target = self.count_objects() - delete_count
        while process.poll() is None and self.count_objects() > target:
            self.check_time()
            time.sleep(0.01)
        is_killed = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        return is_killed

    def check_time(self) -> None:
        """Raise TimeoutError when the load run takes too long."""
        if time.monotonic() > self.ends_at:
            raise TimeoutError(f"the load run takes longer than {LIMIT_SECONDS} s")

    def count_objects(self) -> int:
        """Return the number of objects that exist."""
        object_count: int = self.query("objects")["objects"]
        return object_count

    def query(self, name: str) -> dict[str, Any]:
        """Return the server's answer to a control request."""
        address = f"{self._url}/-/{name}?delay={DELAY_MS}&bucket={quote(self.layout.text)}"
        with urlopen(address, timeout=60) as response:  # noqa: S310 - loopback
            answer: dict[str, Any] = json.load(response)
            return answer

    def check_bucket(self) -> None:
        """Check that each kept object exists, and no other."""
        kept = self.layout.by_age[-self.keep_count :]
        expected = {deployment.name: 0 for deployment in self.layout.deployments}
        expected |= {deployment.name: deployment.object_count for deployment in kept}
        actual = self.query("deployments")
        wrong = {
            name: f"{actual[name]}, not {count}"
            for name, count in expected.items()
            if actual[name] != count
        }
        assert not wrong, f"wrong number of objects: {wrong}"


def main(objects: int = 200_000, seed: str = "1") -> None:
    """Run, and print what happened."""
    started_at = time.monotonic()
    with _running_server(seed) as url, TemporaryDirectory(prefix="ci3-soak-") as folder:
        run = LoadRun(url, Path(folder), objects, seed)
        run.query("reset")
        share = run.count_objects() // 2 // (KILLS + 2)
        kill_count = 0
        log = Path(folder) / "log"
        with log.open("wb") as output:
            for number in range(KILLS):
                is_killed = run.kill_during_deletion(run.start(output), share)
                kill_count += is_killed
                object_count = run.count_objects()
                state = "killed" if is_killed else "ended"
                print(f"kill {number + 1}: {state}, {object_count:,} left")
            process = run.start(output)
            while process.poll() is None:
                run.check_time()
                time.sleep(0.05)
        if process.returncode:
            print(log.read_text(errors="replace")[-4000:])
        time.sleep(3)  # requests of killed runs that the server processes late
        run.check_bucket()
        assert process.returncode == 0, f"the last run ended with {process.returncode}"
        assert kill_count == KILLS, f"only {kill_count} of {KILLS} runs were killed"
        print(f"{objects:,} objects, {run.count_objects():,} kept, {run.resumed_count} resumes")
        print(f"faults: {run.query('faults')}")
        print(f"{time.monotonic() - started_at:.0f} s")


@contextmanager
def _running_server(seed: str) -> Iterator[str]:
    with TemporaryDirectory(prefix="ci3-soak-") as folder:
        port_file = Path(folder) / "port"
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.faulty_s3", str(port_file), seed], cwd=ROOT
        )
        try:
            while not port_file.exists():
                if process.poll() is not None:
                    raise RuntimeError("the faulty S3 did not start")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port_file.read_text()}"
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(*[int(argument) for argument in sys.argv[1:2]], *sys.argv[2:3])
