"""The terminal as the commands see it: consoles, errors and questions."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import click

from ci3.errors import Ci3Error, RefusedError
from ci3.github.log_escape import NeutralStream, neutral

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 160

OUTPUT = click.option(
    "--output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to show it; all else goes to standard error.",
)


def console(stream: TextIO) -> "Console":
    """Make a console; in a workflow's log, one in which nothing reads as a command."""
    from rich.console import Console  # noqa: PLC0415 - rich: help and JSON do not need it

    if os.environ.get("GITHUB_ACTIONS") == "true":
        escaped: Any = NeutralStream(stream)
        return Console(file=escaped, width=WIDTH_WITHOUT_TERMINAL, no_color=True)
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False)


def show_error(error: Ci3Error) -> None:
    """Print an error to stderr."""
    from ci3.report.plan import terminal  # noqa: PLC0415 - rich: help and JSON do not need it

    terminal.show_error(console(sys.stderr), error)


def write_markdown(text: str) -> None:
    """Write Markdown to stdout; in a workflow's log, nothing in it reads as a command."""
    click.echo("".join(escape_for_log(line) for line in text.splitlines(keepends=True)), nl=False)


def escape_for_log(line: str) -> str:
    """Write a line so that in a workflow's log nothing in it reads as a command."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return line
    return neutral(line)


def ask(question: str, what: str, unchanged: str) -> None:
    """Ask for a yes; anything else, or nobody to ask, is a no.

    Raises RefusedError then, which says that `what` was not approved, and what is `unchanged`.
    """
    _ask(lambda: click.confirm(question, default=False, err=True), what, unchanged)


def ask_for(word: str, question: str, what: str, unchanged: str) -> None:
    """Ask for a word to be typed, where a yes comes too easily; else as `ask`."""

    def is_typed() -> bool:
        typed: str = click.prompt(question, default="", show_default=False, err=True)
        return typed.strip() == word

    _ask(is_typed, what, unchanged)


def _ask(is_answered: Callable[[], bool], what: str, unchanged: str) -> None:
    if not sys.stdin.isatty():
        raise RefusedError(
            f"nobody is here to approve {what}",
            f"{unchanged} Run it on a terminal, or with --auto-approve.",
        )
    try:
        is_approved = is_answered()
    except click.Abort as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):
            raise
        is_approved = False
    if not is_approved:
        raise RefusedError(f"{what} was not approved", unchanged)
