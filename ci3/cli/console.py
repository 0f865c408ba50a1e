"""Terminal input and output of the commands: consoles, errors and questions."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from ci3.errors import CancelledError, Ci3Error, RefusedError
from ci3.github.log_escape import EscapedStream, escape_commands

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 160

OUTPUT_OPTION = click.option(
    "--output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="Output format. Other messages go to stderr.",
)


def create_console(stream: TextIO) -> "Console":
    """Create a console; in a workflow's log, one that escapes workflow commands.

    Without a terminal or COLUMNS, tables have a fixed width, and other lines are not wrapped.
    """
    from rich.console import Console  # noqa: PLC0415 - rich: help and JSON do not need it

    if os.environ.get("GITHUB_ACTIONS") == "true":
        escaped: Any = EscapedStream(stream)
        return Console(file=escaped, width=WIDTH_WITHOUT_TERMINAL, no_color=True, soft_wrap=True)
    if stream.isatty() or "COLUMNS" in os.environ:
        return Console(file=stream, highlight=False)
    return Console(file=stream, width=WIDTH_WITHOUT_TERMINAL, highlight=False, soft_wrap=True)


def show_error(error: Ci3Error, notes: Sequence[str] = ()) -> None:
    """Print an error to stderr with notes on what else has happened, or a cancellation as is."""
    from ci3.report import terminal_format  # noqa: PLC0415 - help does not need it
    from ci3.report.plan import terminal  # noqa: PLC0415 - as above

    if isinstance(error, CancelledError):
        terminal_format.print_line(create_console(sys.stderr), error.full_message)
        return
    terminal.show_error(create_console(sys.stderr), error, notes)


def write_markdown(text: str) -> None:
    """Write Markdown to stdout; in a workflow's log, with workflow commands escaped."""
    click.echo("".join(escape_for_log(line) for line in text.splitlines(keepends=True)), nl=False)


def escape_for_log(line: str) -> str:
    """Return a line with workflow commands escaped if ci3 runs in a workflow."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return line
    return escape_commands(line)


def require_approval(question: str, unchanged: str, *, expected: str = "") -> None:
    """Ask a yes/no question, or for `expected` to be typed; return if that is the answer.

    Raises CancelledError if the answer is anything else, and RefusedError if stdin is not a
    terminal. Both have the sentence `unchanged`.
    """
    if not sys.stdin.isatty():
        raise RefusedError(
            "cannot ask for approval: stdin is not a terminal",
            f"{unchanged} Pass --auto-approve to run without a question.",
        )
    text = _wrap_question(question)
    try:
        if expected:
            answer = click.prompt(text, default="", show_default=False, err=True)
            is_approved = answer.strip() == expected
        else:
            is_approved = click.confirm(text, default=False, err=True)
    except click.Abort as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):
            raise
        is_approved = False
    if not is_approved:
        raise CancelledError("Cancelled", unchanged)


def _wrap_question(question: str) -> str:
    """Wrap a question so that click's ` [y/N]: ` and the answer fit behind it."""
    from ci3.report.terminal_format import wrap_text  # noqa: PLC0415 - help does not need it

    width = create_console(sys.stderr).width - len(" [y/N]: y")
    return "\n".join(wrap_text(question, width))
