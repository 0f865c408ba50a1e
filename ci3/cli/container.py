"""The arguments of the container, which people also write as a shell command."""

import re
import shlex
from collections.abc import Sequence

from ci3.cli.console import show_error
from ci3.cli.main import main
from ci3.errors import SettingsError

_SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
_QUOTED_OR_OPERATOR = re.compile(
    r"""\\.|'[^']*'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<operator>[;&|<>()`$\n]|(?<!\S)[#~])""",
    re.DOTALL,
)
_EXPANSION = re.compile("[$`]")
_HINT = "The image has no shell. Pass one ci3 command without shell operators and variables."


def run_in_container(arguments: Sequence[str]) -> int:
    """Run the command that the container's arguments name; return its exit code."""
    try:
        command_arguments = read_container_arguments(arguments)
    except SettingsError as exc:
        show_error(exc)
        return exc.exit_code
    return main(command_arguments)


def read_container_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `ci3` from those of the container.

    All of these mean the same:

        plan-cleanup --bucket-name my-site
        ci3 plan-cleanup --bucket-name my-site
        sh -c 'plan-cleanup --bucket-name my-site'

    Raises SettingsError if a shell command is more than one simple command without operators and
    expansions.
    """
    if arguments and arguments[0] in _SHELLS:
        arguments = _parse_shell_command(arguments)
    is_named = bool(arguments) and arguments[0] == "ci3"
    return list(arguments[1:] if is_named else arguments)


def _parse_shell_command(arguments: Sequence[str]) -> list[str]:
    match arguments:
        case (_, "-c", command):
            pass
        case (shell, *_):
            example = f"{shell} -c 'plan-cleanup --bucket-name my-site'"
            raise SettingsError(f"{shell} needs -c and one command, such as: {example}", _HINT)
    command = command.replace("\\\n", " ").strip()
    if operator := _find_operator(command):
        raise SettingsError(f"sh -c: {operator!r} is not supported in {command!r}", _HINT)
    try:
        return shlex.split(command)
    except ValueError as exc:
        raise SettingsError(f"sh -c: a quote is not closed in {command!r}", _HINT) from exc


def _find_operator(command: str) -> str:
    """Return the first character that a shell would interpret, or an empty text."""
    for match in _QUOTED_OR_OPERATOR.finditer(command):
        if match["operator"]:
            return match["operator"]
        if expansion := _EXPANSION.search(match["quoted"] or ""):
            return expansion[0]
    return ""
