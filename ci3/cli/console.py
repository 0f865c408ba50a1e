"""The terminal as the commands see it: consoles, errors, and what surrounds a run."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from ci3.errors import Ci3Error, RefusedError

if TYPE_CHECKING:
    from rich.console import Console

    from ci3.aws.client import Credentials
    from ci3.config.settings import Settings
    from ci3.engine.workers.progress import Progress
    from ci3.github.api import GitHubApi
    from ci3.pipeline.context import Cleanup

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
    from rich.console import Console  # noqa: PLC0415

    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci3.github.log_escape import NeutralStream  # noqa: PLC0415

        neutral: Any = NeutralStream(stream)
        return Console(file=neutral, width=WIDTH_WITHOUT_TERMINAL, no_color=True)
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False)


def show_error(error: Ci3Error) -> None:
    """Print an error to stderr."""
    from ci3.report.plan import terminal  # noqa: PLC0415

    terminal.show_error(console(sys.stderr), error)


def write_markdown(text: str) -> None:
    """Write Markdown to stdout; in a workflow's log, nothing in it reads as a command."""
    click.echo("".join(_neutral(line) for line in text.splitlines(keepends=True)), nl=False)


def _neutral(line: str) -> str:
    """Write a line so that in a workflow's log nothing in it reads as a command."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return line
    from ci3.github.log_escape import neutral  # noqa: PLC0415

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


def make_cleanup(settings: "Settings") -> "Cleanup":
    """Surround settings with this terminal, its clock and, in a workflow, the run's commits."""
    from ci3.pipeline.context import Cleanup  # noqa: PLC0415

    commits: tuple[str, ...] = ()
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci3.github.workflow_run import read_run  # noqa: PLC0415

        commits = read_run(os.environ).commits
    return Cleanup(
        settings=settings,
        commits=commits,
        progress=_progress(),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        github=_open_github(settings, os.environ),
        credentials=_credentials(settings, os.environ),
    )


def _progress() -> "Progress":
    """Make a bar on a terminal; elsewhere lines, without the libraries of a terminal."""
    if sys.stderr.isatty():
        screen = console(sys.stderr)
        if screen.is_terminal:
            from ci3.report.progress_bar import ProgressBar  # noqa: PLC0415

            return ProgressBar(screen)
    from ci3.report.progress_lines import ProgressLines  # noqa: PLC0415

    return ProgressLines(lambda line: click.echo(_neutral(line), err=True))


def _credentials(settings: "Settings", environ: Mapping[str, str]) -> "Credentials | None":
    """Find the credentials of the role, if one is named: by GitHub's word, or by those at hand."""
    if not settings.role_to_assume:
        return None
    from ci3.aws.credentials import assume_role, name_session  # noqa: PLC0415
    from ci3.github.oidc import has_identity_tokens, open_identity_tokens  # noqa: PLC0415

    fetch = None
    if has_identity_tokens(environ):
        # Not masked: that would write the token to a log which a command may send anywhere.
        tokens = open_identity_tokens(environ, hide=lambda _token: None, sleep=time.sleep)
        fetch = tokens.fetch
    return assume_role(
        settings.role_to_assume,
        region=settings.region,
        session_name=name_session(environ.get("GITHUB_RUN_ID", "")),
        fetch_web_identity_token=fetch,
        clock=lambda: datetime.now(UTC),
    )


def _open_github(settings: "Settings", environ: Mapping[str, str]) -> "GitHubApi | None":
    """Make GitHub's client where a live source asks it and the environment says as whom."""
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    is_asked = any(source.kind.is_on_github for source in settings.live_from)
    if not is_asked or not token or not repository:
        return None
    from ci3.github.api import GitHubApi  # noqa: PLC0415

    api_url = environ.get("GITHUB_API_URL") or settings.github_api_url
    return GitHubApi(api_url=api_url, token=token, repository=repository)
