"""Runs the built image as the action and as the command."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

IMAGE_VARIABLE = "CI3_IMAGE"
ENGINE = os.environ.get("CI3_ENGINE", "podman")
RUN_IMAGE = Path(__file__).with_name("run-image")
TIMEOUT_SECONDS = 300
START_SECONDS = 1.0
"""Limit of the processor time until the first output."""

needs_image = pytest.mark.skipif(
    not os.environ.get(IMAGE_VARIABLE),
    reason=f"NO IMAGE TO TEST: run make e2e, or set {IMAGE_VARIABLE} to one",
)


def run_command(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
    options: Sequence[str] = (),
) -> CompletedProcess[str]:
    """Run the image with arguments; mounts map a path of this machine to one in the container."""
    variables = (f"--env={name}={value}" for name, value in (env or {}).items())
    volumes = (f"--volume={path}:{target}" for path, target in (mounts or {}).items())
    return subprocess.run(
        [RUN_IMAGE, *options, *variables, *volumes, "--", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def run_action(
    env: Mapping[str, str],
    mounts: Mapping[Path, str] | None = None,
    options: Sequence[str] = (),
) -> CompletedProcess[str]:
    """Run the image as a step of a workflow: no arguments, inputs in the environment.

    A mount at /github/workspace becomes the working folder, as on a runner.
    """
    workspace = "/github/workspace"
    options = [
        *options,
        *([f"--workdir={workspace}"] if workspace in (mounts or {}).values() else []),
    ]
    runner = {"CI": "true", "GITHUB_ACTIONS": "true", "HOME": "/tmp"}  # noqa: S108  # inside
    return run_command(env=runner | dict(env), mounts=mounts, options=options)


def run_python(
    code: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> CompletedProcess[str]:
    """Run this code on the Python of the entrypoint."""
    interpreter = read_configuration()["Entrypoint"][:-1]
    entrypoint = f"--entrypoint={json.dumps([*interpreter, '-c', code])}"
    return run_command(env=env, options=[entrypoint, *options])


def read_configuration() -> dict[str, Any]:
    """Return the image's configuration, such as its entrypoint."""
    inspection = subprocess.run(
        [ENGINE, "image", "inspect", os.environ[IMAGE_VARIABLE]],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    return json.loads(inspection.stdout)[0]["Config"]
