"""The cost of a start: which modules a command and a step load, and garbage collection at exit.

The tests compare module names, as times vary; only `--help` is measured.
"""

import importlib.util
import os
import resource
import subprocess
import sys

import click
import pytest

from ci3.cli.main import _cli
from tests.support.action_reports import ENTRYPOINT
from tests.support.github.fake_runner import FakeStep
from tests.support.s3.bucket import Bucket

LIBRARIES = {"boto3", "botocore", "click", "dataclasses", "pydantic", "requests", "rich", "yaml"}
COMMANDS = {
    "ci3.cli.cleanup",
    "ci3.cli.doctor",
    "ci3.cli.iam_policy",
    "ci3.cli.inspect",
    "ci3.cli.restore",
    "ci3.cli.simulate",
}
COMMAND = "from ci3.cli.main import main; main(sys.argv[1:])"
STEP = "import entrypoint; entrypoint.main((), ['GITHUB_ACTIONS'])"


def run_python(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, timeout=60, check=True, env=env
    )


def list_loaded_modules(code: str, *argv: str, env: dict[str, str] | None = None) -> set[str]:
    """Return the names of the modules that are loaded after the code ran."""
    print_modules = "print(*sys.modules, sep='\\n', file=sys.stderr)"
    return set(
        run_python("-c", f"import sys; {code}; {print_modules}", *argv, env=env).stderr.splitlines()
    )


def make_environ(bucket: Bucket, step: FakeStep, **inputs: str) -> dict[str, str]:
    """Return the environment of a step without a token."""
    variables = {**os.environ, **step.environ({"github-token": "", **inputs}, "")}
    return variables | bucket.inputs() | {"PYTHONPATH": str(ENTRYPOINT.parent)}


def test_modules_of_commands_exist() -> None:
    """Under another name, a module could be loaded without a failure of these tests."""
    assert all(importlib.util.find_spec(name) for name in COMMANDS)


def test_help_takes_little_time() -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_python("-m", "ci3", "--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.2


def test_help_loads_no_command_and_only_click() -> None:
    loaded = list_loaded_modules(COMMAND, "--help")
    expected = {
        "ci3",
        "ci3.cli",
        "ci3.cli.console",
        "ci3.cli.main",
        "ci3.errors",
        "ci3.gc_tuning",
        "ci3.interrupts",
        "ci3.github",
        "ci3.github.log_escape",
    }
    assert {name for name in loaded if name.partition(".")[0] == "ci3"} == expected
    assert LIBRARIES & loaded == {"click"}


def test_command_loads_no_other_command() -> None:
    loaded = list_loaded_modules(COMMAND, "restore", "--help")
    assert COMMANDS & loaded == {"ci3.cli.restore"}


@pytest.mark.parametrize("command", ["plan-cleanup", "cleanup"])
def test_help_of_a_cleanup_loads_no_library_that_is_slow_to_import(command: str) -> None:
    loaded = list_loaded_modules(COMMAND, command, "--help")
    assert "ci3.cli.cleanup" in loaded
    assert LIBRARIES & loaded == {"click", "dataclasses"}


def test_list_of_commands_shows_the_first_sentence_of_each() -> None:
    with click.Context(_cli) as context:
        sentences = {
            name: command.get_short_help_str(999) for name, command in _cli.commands.items()
        }
        assert len(sentences) == 10
        for name, sentence in sentences.items():
            _, command, _ = _cli.resolve_command(context, [name])
            assert (command.name, command.get_short_help_str(999)) == (name, sentence)


def test_plan_as_json_loads_no_terminal_library(bucket: Bucket, tmp_path) -> None:
    bucket.deploy("web-1", days=1)
    argv = ("--output", "json", "--plan-file", str(tmp_path / "plan.json"))
    loaded = list_loaded_modules(COMMAND, "plan-cleanup", *bucket.options(), *argv)
    assert "ci3.core.plan.json_writer" in loaded
    assert LIBRARIES & loaded == {"boto3", "botocore", "click", "dataclasses"}


def test_command_in_a_workflow_loads_no_library_for_github(bucket: Bucket) -> None:
    argv = ("plan-cleanup", *bucket.options(), "--output", "json")
    loaded = list_loaded_modules(COMMAND, *argv, env={**os.environ, "GITHUB_ACTIONS": "true"})
    assert "ci3.github.workflow_run" in loaded
    assert LIBRARIES & loaded == {"boto3", "botocore", "click", "dataclasses"}


@pytest.mark.parametrize(("mode", "outcome"), [("plan", "planned"), ("apply", "applied")])
def test_step_loads_only_the_libraries_that_its_inputs_require(
    bucket: Bucket, tmp_path, mode: str, outcome: str
) -> None:
    for days in (1, 2):
        bucket.deploy(f"web-{days}", days=days)
    step = FakeStep(tmp_path / "step", {})
    inputs = {"keep-count": "1", "mode": mode}
    loaded = list_loaded_modules(STEP, env=make_environ(bucket, step, **inputs))
    assert step.outputs["outcome"] == outcome
    assert LIBRARIES & loaded == {"boto3", "botocore", "dataclasses", "rich"}


def test_loaded_objects_are_frozen_for_the_garbage_collection_at_exit(
    bucket: Bucket, tmp_path
) -> None:
    print_freeze = (
        "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 9999))"
    )
    step = FakeStep(tmp_path / "step", {})
    env = make_environ(bucket, step)
    for code in (COMMAND, STEP):
        completed = run_python("-c", f"{print_freeze}; {code}", "--help", env=env)
        assert completed.stdout.splitlines()[-1] == "True"
    assert step.outputs["outcome"] == "nothing-to-delete"


def test_python_without_ctypes_lists_too(bucket: Bucket) -> None:
    bucket.deploy("web-1", days=1)
    argv = ("plan-cleanup", *bucket.options(), "--output", "json")
    completed = run_python("-c", f"import sys; sys.modules['_ctypes'] = None; {COMMAND}", *argv)
    assert '"web-1"' in completed.stdout
