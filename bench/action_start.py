"""Measures how long a step takes in a container and on the runner's Python.

`CI3_IMAGE=localhost/ci3:dev python -m bench.action_start` prints the table of docs/runners.md. The
first step on Python gets the dependencies from the package index that pip is configured for.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

from bench.measure import FailedRunError
from tests.support.paths import ROOT
from tests.support.s3.local_s3 import running_local_s3
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.system.container.image import IMAGE_VARIABLE, run_action
from tools.docs.markdown_tables import format_table

ROUNDS = 5
TIMEOUT_SECONDS = 600
CONTAINER = "container, the image is on the runner"
FIRST = "Python, first step of a job"
FIRST_OFFLINE = "Python, first step, wheels in a folder"
LATER = "Python, later step of the job"


def main() -> int:
    """Measure each kind of step in turn and print the medians, and the ratios to the container."""
    if not os.environ.get(IMAGE_VARIABLE):
        sys.stderr.write(f"Set {IMAGE_VARIABLE} to an image: tests/system/container/build-image\n")
        return 2
    seconds: dict[str, list[float]] = {}
    with running_local_s3() as s3, TemporaryDirectory(prefix="ci3-bench-") as wheels:
        bucket = s3.new_bucket()
        for number in range(10):
            bucket.deploy(f"v{number}", days=10 - number)
        inputs = {"bucket": bucket.name, "endpoint-url": bucket.endpoint_url, "comment": "never"}
        download_wheels(wheels)
        for _ in range(ROUNDS):
            for name, value in _measure_round(inputs, wheels).items():
                seconds.setdefault(name, []).append(value)
    medians = {name: median(values) for name, values in seconds.items()}
    rows = [
        (name, f"{value:.1f} s", f"{value / medians[CONTAINER]:.1f}")
        for name, value in medians.items()
    ]
    sys.stdout.write(f"{format_table(('step', 'time', 'ratio'), rows)}\n")
    return 0


def download_wheels(folder: str) -> None:
    """Download the wheels of the locked dependencies."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    lock = str(ROOT / "requirements.lock")
    subprocess.run([*command, "--requirement", lock, "--dest", folder], check=True)


def _measure_round(inputs: Mapping[str, str], wheels: str) -> dict[str, float]:
    """Return the seconds of one step of each kind."""
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels}
    with (
        TemporaryDirectory(prefix="ci3-bench-") as folder,
        TemporaryDirectory(prefix="ci3-bench-") as offline_folder,
    ):
        return {
            CONTAINER: _measure(lambda: _run_container(inputs)),
            FIRST: _measure(lambda: _run_python(inputs, folder)),
            FIRST_OFFLINE: _measure(lambda: _run_python(inputs, offline_folder, offline)),
            LATER: _measure(lambda: _run_python(inputs, folder)),
        }


def _measure(run: Callable[[], "subprocess.CompletedProcess[str]"]) -> float:
    """Return the seconds that a run takes; raise FailedRunError if it prints no plan."""
    started_at = monotonic()
    result = run()
    seconds = monotonic() - started_at
    if result.returncode or "would be deleted" not in result.stdout:
        raise FailedRunError(f"exit code {result.returncode}:\n{result.stdout}\n{result.stderr}")
    return seconds


_PYTHON_STEPS = """\
: > "$GITHUB_OUTPUT"
(. "$GITHUB_ACTION_PATH/find_python.sh")
python=$(sed 's/^path=//' "$GITHUB_OUTPUT")
exec "$python" -I -S -u -X utf8 "$GITHUB_ACTION_PATH/start.py"
"""
"""The steps of `python/action.yml` on a runner that has a Python."""


def _run_container(inputs: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    variables = {f"INPUT_{name.upper()}": text for name, text in inputs.items()}
    return run_action(CREDENTIALS | variables)


def _run_python(
    inputs: Mapping[str, str], runner_temp: str, pip: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    variables = {
        "CI3_INPUTS": json.dumps(inputs),
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT / "python"),
        "GITHUB_OUTPUT": str(Path(runner_temp, "found")),
        "PIP_NO_CACHE_DIR": "1",
        "RUNNER_TEMP": runner_temp,
    }
    return subprocess.run(
        ["/bin/sh", "-e", "-c", _PYTHON_STEPS],
        cwd=runner_temp,
        env={**os.environ, **CREDENTIALS, **variables, **(pip or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
