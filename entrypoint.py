"""Where the container starts: with arguments it is the command, without them the action."""

import os
import sys
from collections.abc import Iterable, Sequence


def main(arguments: Sequence[str], environment_names: Iterable[str]) -> int:
    """Run the face that is asked for, and return its exit code."""
    if arguments:
        return run_command(arguments)
    if is_workflow(environment_names):
        return run_action()
    return run_command(["--help"])


def is_workflow(environment_names: Iterable[str]) -> bool:
    """Tell whether a runner started this container, and not a person."""
    return any(name == "GITHUB_ACTIONS" or name.startswith("INPUT_") for name in environment_names)


def run_command(arguments: Sequence[str]) -> int:
    """Be the command `ci3`."""
    from ci3.cli.main import main as command  # noqa: PLC0415 - the action does not load it

    return command(list(arguments))


def run_action() -> int:
    """Be the action, whose inputs stand in the environment."""
    from ci3.gc_tuning import look_seldom  # noqa: PLC0415 - as below

    look_seldom()  # before the imports, whose many objects all stay
    from ci3.action.main import main as action  # noqa: PLC0415 - the command does not load it

    return action()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
