"""Entry point of both actions and of the image: the command with arguments, else the action."""

import os
import sys
from collections.abc import Iterable, Sequence


def main(arguments: Sequence[str], environment_names: Iterable[str]) -> int:
    """Run the command or the action, and return its exit code."""
    if arguments:
        return run_command(arguments)
    if is_workflow(environment_names):
        return run_action()
    return run_command(["--help"])


def is_workflow(environment_names: Iterable[str]) -> bool:
    """Return True if a workflow's runner started this process."""
    return any(name == "GITHUB_ACTIONS" or name.startswith("INPUT_") for name in environment_names)


def run_command(arguments: Sequence[str]) -> int:
    """Run the command `ci3` and return its exit code."""
    from ci3.cli.container import run_in_container  # noqa: PLC0415 - the action does not load it

    return run_in_container(arguments)


def run_action() -> int:
    """Run the action, whose inputs are in the environment, and return its exit code."""
    from ci3.gc_tuning import tune_gc  # noqa: PLC0415 - see below

    tune_gc()  # before the imports, which allocate many long-lived objects
    from ci3.action.main import main as action  # noqa: PLC0415 - the command does not load it

    return action()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
