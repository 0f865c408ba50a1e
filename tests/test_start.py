"""What starting costs: which modules a command and a step load, and what is left to do at the end.

Names, since times vary; only of the shortest command is the time taken too.
"""

import os
import subprocess
import sys

from tests.action.reports import ENTRYPOINT
from tests.github.fake_runner import FakeStep
from tests.s3 import Bucket

COMMAND = "from ci3.cli import main; main(sys.argv[1:])"
STEP = "import entrypoint; entrypoint.main((), ['GITHUB_ACTIONS'])"


def run_child(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, timeout=60, check=True, env=env
    )


def in_step(bucket: Bucket, step: FakeStep, **inputs: str) -> dict[str, str]:
    """Give the environment of a step without a token."""
    variables = {**os.environ, **step.environ({"github-token": "", **inputs}, "")}
    return variables | bucket.inputs() | {"PYTHONPATH": str(ENTRYPOINT.parent)}


def test_nothing_that_was_loaded_is_looked_through_for_garbage_at_the_end(
    bucket: Bucket, tmp_path
) -> None:
    tell = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 9999))"
    env = in_step(bucket, FakeStep(tmp_path / "step", {}))
    for code in (COMMAND, STEP):
        ran = run_child("-c", f"{tell}; {code}", "--help", env=env)
        assert ran.stdout.splitlines()[-1] == "True"
