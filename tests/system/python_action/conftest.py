"""Runs the step of `python/action.yml` with wheels, S3 and GitHub on this machine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.github.fake_github import FakeGitHub
from tests.support.github.fake_runner import FakeStep, parse_commands
from tests.support.paths import ROOT
from tests.support.s3.moto_s3 import CREDENTIALS
from tests.support.wheels import make_wheels

TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A checkout of ci3 as the runner makes it, whose lock names wheels of a local folder."""

    path: Path
    wheels: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a step: exit code, log, errors, outputs and summary."""

    exit_code: int
    log: str
    errors: str
    outputs: Mapping[str, str]
    summary: str

    def read_error(self) -> str:
        """Return the message of the only error annotation."""
        (message,) = [message for name, message in parse_commands(self.log) if name == "error"]
        return message


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    path, wheels = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    (path / "requirements.lock").write_text(make_wheels(wheels))
    shutil.copytree(ROOT / "python", path / "python")
    shutil.copy(ROOT / "entrypoint.py", path)
    (path / "ci3").symlink_to(ROOT / "ci3")
    return Checkout(path=path, wheels=wheels)


@pytest.fixture(scope="session")
def warm_temp(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RUNNER_TEMP in which an earlier step has installed the dependencies."""
    step = PythonStep(checkout, tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("temp"))
    result = step.run({"bucket": ""})
    assert "Installed" in result.log, result.errors
    return step.runner_temp


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


@pytest.fixture
def step(checkout: Checkout, warm_temp: Path, tmp_path: Path) -> "PythonStep":
    return PythonStep(checkout, tmp_path / "step", warm_temp)


@pytest.fixture
def cold_step(checkout: Checkout, tmp_path: Path) -> "PythonStep":
    (tmp_path / "temp").mkdir()
    return PythonStep(checkout, tmp_path / "step", tmp_path / "temp")


class PythonStep:
    """A step that uses the action; each test may change its `environ`."""

    def __init__(self, checkout: Checkout, folder: Path, runner_temp: Path) -> None:
        self.runner_temp = runner_temp
        self.workspace: str | None = None
        self._files = FakeStep(folder)
        steps = yaml.safe_load((ROOT / "python/action.yml").read_text())["runs"]["steps"]
        find, _, start = steps
        assert find["shell"] == start["shell"] == "sh"
        assert start["env"].keys() == {"CI3_INPUTS", "CI3_PYTHON"}
        self._find_script, self._script = folder / "find.sh", folder / "script.sh"
        self._find_script.write_text(find["run"])
        self._script.write_text(start["run"])
        self._find_output = folder / "found"
        self.environ = {
            **CREDENTIALS,
            "AWS_EC2_METADATA_DISABLED": "true",
            "GITHUB_ACTION_PATH": str(checkout.path / "python"),
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(checkout.wheels),
            "PIP_NO_INDEX": "1",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(runner_temp),
        }

    def find_python(self) -> subprocess.CompletedProcess[str]:
        """Run the first step of the action; see `python_path` for its output."""
        self._find_output.unlink(missing_ok=True)
        files = self._files.environ({}, "")
        return subprocess.run(
            ["/bin/sh", "-e", self._find_script],
            cwd=self.workspace,
            env=self.environ | files | {"GITHUB_OUTPUT": str(self._find_output)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    @property
    def python_path(self) -> str:
        """The Python that the first step found, or ""."""
        return self._find_output.read_text().removeprefix("path=").strip()

    def start(self, inputs: Mapping[str, str], api_url: str = "") -> subprocess.Popen[str]:
        """Start the step as the runner does: https://github.com/actions/runner, `ScriptHandler`.

        The first step must find a Python.
        """
        assert self.find_python().returncode == 0
        assert self.python_path
        variables = self.environ | self._files.environ(inputs, api_url)
        environ = {
            name: value for name, value in variables.items() if not name.startswith("INPUT_")
        }
        texts = {
            name.removeprefix("INPUT_").lower(): value
            for name, value in variables.items()
            if name.startswith("INPUT_")
        }
        return subprocess.Popen(
            ["/bin/sh", "-e", self._script],
            cwd=self.workspace,
            env={"CI3_INPUTS": json.dumps(texts, indent=2), "CI3_PYTHON": self.python_path}
            | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Result:
        """Wait for a started step and return its result."""
        try:
            log, errors = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
        return Result(
            exit_code=process.returncode,
            log=log,
            errors=errors,
            outputs=self._files.outputs,
            summary=self._files.summary,
        )

    def run(self, inputs: Mapping[str, str], api_url: str = "") -> Result:
        """Run the step to its end."""
        return self.finish(self.start(inputs, api_url))
