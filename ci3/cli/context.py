"""Creation of a command's target context: settings, progress, clock, credentials, GitHub API."""

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ci3.aws.client import Credentials
from ci3.aws.credentials import assume_role, format_session_name
from ci3.cli.console import create_console, escape_for_log
from ci3.config.settings import Settings
from ci3.engine.workers.progress import Progress
from ci3.github.workflow_run import read_workflow_run
from ci3.pipeline.context import TargetContext
from ci3.report.progress_lines import ProgressLines

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


def create_target_context(settings: Settings) -> TargetContext:
    """Create a target context for this terminal; in a workflow, with the run's commits."""
    commits: tuple[str, ...] = ()
    if os.environ.get("GITHUB_ACTIONS") == "true":
        commits = read_workflow_run(os.environ).commits
    return TargetContext(
        settings=settings,
        commits=commits,
        progress=_create_progress(),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        github=_open_github(settings, os.environ),
        credentials=_create_credentials(settings, os.environ),
    )


def _create_progress() -> Progress:
    """Return a progress bar on a terminal, else progress lines without loading rich."""
    if sys.stderr.isatty():
        screen = create_console(sys.stderr)
        if screen.is_terminal:
            from ci3.report.progress_bar import (  # noqa: PLC0415 - rich: only a terminal shows a bar
                ProgressBar,
            )

            return ProgressBar(screen)
    return ProgressLines(lambda line: click.echo(escape_for_log(line), err=True))


def _create_credentials(settings: Settings, environ: Mapping[str, str]) -> Credentials | None:
    """Return credentials of `role-to-assume`, or None if it is not set.

    The role is assumed with GitHub's identity token if there is one, else with the default
    credential provider chain.
    """
    if not settings.role_to_assume:
        return None
    from ci3.github.oidc import (  # noqa: PLC0415 - requests: few runs assume a role
        has_identity_tokens,
        open_identity_tokens,
    )

    fetch = None
    if has_identity_tokens(environ):
        # Not masked: the mask command prints the token to stdout, which may be redirected anywhere.
        tokens = open_identity_tokens(environ, mask_secret=lambda _token: None, sleep=time.sleep)
        fetch = tokens.fetch_token
    return assume_role(
        settings.role_to_assume,
        region=settings.region,
        session_name=format_session_name(environ.get("GITHUB_RUN_ID", "")),
        fetch_web_identity_token=fetch,
        clock=lambda: datetime.now(UTC),
    )


def _open_github(settings: Settings, environ: Mapping[str, str]) -> "GitHubApi | None":
    """Return an API client if a live source needs GitHub and the environment has a token."""
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    is_needed = any(source.kind.is_on_github for source in settings.live_from)
    if not is_needed or not token or not repository:
        return None
    from ci3.github.api import GitHubApi  # noqa: PLC0415 - requests: few runs ask GitHub

    api_url = environ.get("GITHUB_API_URL") or settings.github_api_url
    return GitHubApi(api_url=api_url, token=token, repository=repository)
