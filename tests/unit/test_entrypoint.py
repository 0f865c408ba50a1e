"""Which front end the entrypoint runs; each test has a stub of one front end only."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

ENTRYPOINT = ROOT / "entrypoint.py"


@pytest.fixture
def start(tmp_path):
    """Return a function that runs the entrypoint with a package that has one front end only."""
    (tmp_path / "ci3").mkdir()
    (tmp_path / "ci3/__init__.py").touch()  # otherwise an installed ci3 would be imported
    (tmp_path / "ci3/gc_tuning.py").write_text("def tune_gc():\n    pass\n")
    (tmp_path / "entrypoint.py").write_bytes(ENTRYPOINT.read_bytes())

    def run(module, code, *arguments, env=None):
        (tmp_path / "ci3" / module).parent.mkdir()
        (tmp_path / "ci3" / module).write_text(code)
        return subprocess.run(
            [sys.executable, tmp_path / "entrypoint.py", *arguments],
            env=env or {},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


COMMAND = "def run_in_container(argv):\n    print(argv)\n    return 3\n"
ACTION = "def main():\n    print('action')\n    return 5\n"


def test_arguments_run_the_command_even_in_a_workflow(start):
    completed = start(
        "cli/container.py", COMMAND, "cleanup", "--yes", env={"GITHUB_ACTIONS": "true"}
    )
    assert (completed.stdout, completed.returncode) == ("['cleanup', '--yes']\n", 3), (
        completed.stderr
    )


@pytest.mark.parametrize("name", ["GITHUB_ACTIONS", "INPUT_BUCKET", "INPUT_KEEP-COUNT"])
def test_no_arguments_in_a_workflow_run_the_action(start, name):
    completed = start("action/main.py", ACTION, env={name: "1"})
    assert (completed.stdout, completed.returncode) == ("action\n", 5), completed.stderr


def test_no_arguments_outside_a_workflow_show_the_help(start):
    completed = start("cli/container.py", COMMAND)
    assert (completed.stdout, completed.returncode) == ("['--help']\n", 3), completed.stderr
