"""Plans and applies with a built, hardened image against an S3 server in this process.

`CI3_IMAGE=… CI3_ENGINE=docker python -m tests.system.container.smoke`: the release runs it on each
architecture, on the image that it is about to publish. It needs no more packages than the demo.
"""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import ci3
from tests.support.s3.moto_s3 import CREDENTIALS, MotoBucket, new_bucket, running_s3

RUN_IMAGE = Path(__file__).with_name("run-image")
WORKSPACE = "/github/workspace"
TIMEOUT_SECONDS = 300
_OUTPUT = r"([^\n]+?)<<([^\n]+)\n(.*?)\n\2\n"
_FOR_ALL = 0o777
"""Without capabilities, the container's root cannot write to files of another user."""


class SmokeError(Exception):
    """The image does not do what it should."""


def main() -> int:
    """Print the result; return 1 if the image fails, else 0."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        with running_s3() as url, tempfile.TemporaryDirectory() as folder:
            result = check(new_bucket(url), Path(folder))
    except SmokeError as exc:
        sys.stderr.write(f"smoke: {os.environ.get('CI3_IMAGE')} FAILED: {exc}\n")
        return 1
    sys.stdout.write(f"smoke: {result}\n")
    return 0


def check(bucket: MotoBucket, folder: Path) -> str:
    """Run `--version`, a plan and an apply of that plan; return what the image did."""
    folder.chmod(_FOR_ALL)
    started_at = time.monotonic()
    version = _run({}, folder, "--version").strip()
    seconds = time.monotonic() - started_at
    _expect("the version", version, f"ci3 {ci3.__version__}")

    for days, name in enumerate(("v3", "v2", "v1"), start=1):
        bucket.deploy(name, days=days)
    before = bucket.content()
    plan_outputs = _run_step(bucket, folder, "plan")
    _expect("the outcome of the plan", plan_outputs.get("outcome"), "planned")
    _expect("the number of deployments to delete", plan_outputs.get("deployments-to-delete"), "2")
    _expect("the bucket after the plan", bucket.content() == before, expected=True)

    apply_outputs = _run_step(bucket, folder, "apply")
    _expect("the outcome of the apply", apply_outputs.get("outcome"), "applied")
    _expect("the plan that was applied", apply_outputs.get("plan-id"), plan_outputs["plan-id"])
    _expect("the bucket after the apply", bucket.folders(), {"v3"})
    journal = (folder / apply_outputs["journal-file"]).read_text(encoding="utf-8").splitlines()
    _expect("the journal's plan", json.loads(journal[0])["plan_id"], plan_outputs["plan-id"])
    return f"{version}: planned, applied, journaled; --version took {seconds:.2f} s"


def _run_step(bucket: MotoBucket, folder: Path, mode: str) -> dict[str, str]:
    """Run the image as a step of a workflow; return its outputs."""
    output = folder / f"{mode}-output"
    output.touch()
    output.chmod(_FOR_ALL)
    inputs = {
        **bucket.inputs(),
        "INPUT_KEEP-COUNT": "1",
        "INPUT_MODE": mode,
        "INPUT_PLAN-FILE": "plan.json",
        "INPUT_COMMENT": "never",
    }
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": f"{WORKSPACE}/{output.name}"}
    _run(CREDENTIALS | inputs | runner, folder)
    blocks = re.findall(_OUTPUT, output.read_text(encoding="utf-8"), re.DOTALL)
    return {name: value for name, _, value in blocks}


def _run(env: Mapping[str, str], folder: Path, *arguments: str) -> str:
    completed = subprocess.run(
        [
            RUN_IMAGE,
            f"--volume={folder}:{WORKSPACE}",
            f"--workdir={WORKSPACE}",
            *(f"--env={name}={value}" for name, value in env.items()),
            "--",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if completed.returncode:
        raise SmokeError(
            f"exit code {completed.returncode}:\n{completed.stdout}\n{completed.stderr}"
        )
    return completed.stdout


def _expect(name: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise SmokeError(f"{name} is {actual!r}, not {expected!r}")


if __name__ == "__main__":
    sys.exit(main())
