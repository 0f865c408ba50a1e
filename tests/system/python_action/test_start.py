"""The step's requirements before ci3 runs, and its errors if they are missing."""

import shutil
import signal
import socket
import sys
import venv
from pathlib import Path

import pytest

from ci3.errors import ExitCode
from tests.support.golden import assert_messages

INPUTS = {"bucket": ""}
"""ci3 refuses an empty bucket at once: that error shows that the step has started ci3."""
STARTED = "bucket is not set"


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def write_python(path: Path) -> None:
    write_program(path, f'exec "{sys.executable}" "$@"')


def test_step_that_cannot_start_fails_with_one_error(cold_step):
    environs = {
        "no inputs": {"CI3_INPUTS": ""},
        "inputs that are no texts": {"CI3_INPUTS": '{"keep-count": 5}'},
        "no RUNNER_TEMP": {"RUNNER_TEMP": ""},
        "missing RUNNER_TEMP": {"RUNNER_TEMP": "/proc/none"},
    }
    environ = dict(cold_step.environ)
    messages, earlier = [], ""
    for name, changes in environs.items():
        cold_step.environ = environ | changes
        result = cold_step.run(INPUTS)
        assert result.exit_code in (ExitCode.USAGE, ExitCode.ACCESS), name
        assert (result.errors, result.outputs) == ("", {"outcome": "failed"}), name
        assert result.summary.endswith(f"\n{result.read_error()}\n"), name
        messages.append((name, result.summary.removeprefix(earlier).rstrip()))
        earlier = result.summary
    assert_messages(__file__, messages)


def test_windows_is_refused(cold_step):
    cold_step.environ["RUNNER_OS"] = "Windows"
    completed = cold_step.find_python()
    assert (completed.returncode, completed.stderr) == (ExitCode.USAGE, "")
    assert_messages(__file__, [("Windows", completed.stdout.rstrip())], table="windows")


@pytest.mark.parametrize(
    "script",
    [None, "exit 1", "exec /does/not/exist", ":"],
    ids=["no Python", "broken", "missing", "too old, or without pip"],
)
def test_python_that_is_not_suitable_is_not_used(cold_step, tmp_path, script):
    if script is not None:
        write_program(tmp_path / "bin/python3", script)
    cold_step.environ["PATH"] = str(tmp_path / "bin")
    assert cold_step.find_python().returncode == 0
    assert cold_step.python_path == ""


def test_python_without_pip_is_not_used(cold_step, tmp_path):
    venv.create(tmp_path / "without-pip", with_pip=False, symlinks=True)
    cold_step.environ["PATH"] = str(tmp_path / "without-pip/bin")
    assert cold_step.find_python().returncode == 0
    assert cold_step.python_path == ""


def test_python_of_the_tool_cache_is_used_if_path_has_none(step, tmp_path):
    write_python(tmp_path / "cache/Python/3.13.7/x64/bin/python3")
    step.environ |= {"PATH": str(tmp_path), "RUNNER_TOOL_CACHE": str(tmp_path / "cache")}
    assert STARTED in step.run(INPUTS).read_error()


def test_versioned_python_of_path_is_used_if_python3_is_too_old(step, tmp_path):
    write_program(tmp_path / "bin/python3", ":")
    write_python(tmp_path / "bin/python3.13")
    step.environ["PATH"] = str(tmp_path / "bin")
    assert STARTED in step.run(INPUTS).read_error()


def test_later_step_of_the_job_installs_nothing(step):
    step.environ["PIP_FIND_LINKS"] = "/proc/none"
    result = step.run(INPUTS)
    assert STARTED in result.read_error()
    assert "Installed" not in result.log


def test_pip_settings_of_the_job_do_not_affect_the_installation(cold_step):
    cold_step.environ |= {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_NO_BINARY": ":all:"}
    assert STARTED in cold_step.run(INPUTS).read_error()


def test_dependency_with_another_hash_is_not_installed(cold_step, checkout, tmp_path):
    copy = tmp_path / "checkout"
    shutil.copytree(checkout.path, copy, symlinks=True)
    lock = copy / "requirements.lock"
    lines = lock.read_text().splitlines()
    hashes = [line.rpartition(":")[2] for line in lines]
    lock.write_text("\n".join([lines[0].replace(hashes[0], hashes[1]), *lines[1:]]))
    cold_step.environ["GITHUB_ACTION_PATH"] = str(copy / "python")
    result = cold_step.run(INPUTS)
    assert result.exit_code == ExitCode.ACCESS
    assert result.outputs == {"outcome": "failed"}
    assert "HASHES" in result.errors
    assert list(cold_step.runner_temp.iterdir()) == []


def test_missing_package_index_fails_with_an_error(cold_step):
    cold_step.environ["PIP_FIND_LINKS"] = ""
    result = cold_step.run(INPUTS)
    assert (result.exit_code, result.outputs) == (ExitCode.ACCESS, {"outcome": "failed"})
    assert list(cold_step.runner_temp.iterdir()) == []
    assert result.summary.endswith(f"\n{result.read_error()}\n")
    assert_messages(__file__, [("no index", result.summary.rstrip())], table="pip")


def test_cancelled_installation_leaves_nothing(cold_step):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        del cold_step.environ["PIP_NO_INDEX"]
        cold_step.environ["PIP_INDEX_URL"] = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        process = cold_step.start(INPUTS)
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            result = cold_step.finish(process)
    assert (result.exit_code, result.outputs) == (ExitCode.INTERRUPTED, {"outcome": "failed"})
    assert "interrupted" in result.read_error()
    assert list(cold_step.runner_temp.iterdir()) == []


def test_step_imports_no_code_of_the_workspace_or_python_path(cold_step, tmp_path):
    for name in ("boto3", "ci3", "entrypoint", "json", "pip", "sitecustomize", "usercustomize"):
        (tmp_path / "workspace" / name).mkdir(parents=True)
        (tmp_path / "workspace" / name / "__init__.py").write_text("import os; os._exit(99)\n")
    workspace = str(tmp_path / "workspace")
    cold_step.environ |= {"PYTHONPATH": workspace, "PYTHONHOME": workspace}
    cold_step.workspace = workspace
    assert STARTED in cold_step.run(INPUTS).read_error()
