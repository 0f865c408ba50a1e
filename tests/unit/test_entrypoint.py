"""Which front end the entrypoint runs: each test has a stub of one front end only."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

ENTRYPOINT = ROOT / "entrypoint.py"


@pytest.fixture
def start(tmp_path):
    """Start the entrypoint with a package that has one front end only."""
    (tmp_path / "ci3").mkdir()
    (tmp_path / "ci3/__init__.py").touch()  # or an installed ci3 would be imported instead
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


def test_arguments_mean_the_command_even_in_a_workflow(start):
    run = start("cli/container.py", COMMAND, "cleanup", "--yes", env={"GITHUB_ACTIONS": "true"})
    assert (run.stdout, run.returncode) == ("['cleanup', '--yes']\n", 3), run.stderr


@pytest.mark.parametrize("name", ["GITHUB_ACTIONS", "INPUT_BUCKET", "INPUT_KEEP-COUNT"])
def test_no_arguments_in_a_workflow_mean_the_action(start, name):
    run = start("action/main.py", ACTION, env={name: "1"})
    assert (run.stdout, run.returncode) == ("action\n", 5), run.stderr


def test_no_arguments_and_no_workflow_mean_a_person_who_wants_help(start):
    run = start("cli/container.py", COMMAND)
    assert (run.stdout, run.returncode) == ("['--help']\n", 3), run.stderr
