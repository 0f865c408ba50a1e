"""The target contexts of commands: what the terminal and the environment provide for them."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ci3.ca_bundle import find_ca_bundle
from ci3.cli.common_options import is_quiet, is_verbose
from ci3.cli.console import create_console, escape_for_log
from ci3.config.settings import Settings
from ci3.core.live.references import Reference
from ci3.engine.workers.progress import NoProgress, Progress
from ci3.github.own_workflow import OwnWorkflow
from ci3.github.run_references import complete_references, select_references_after_close
from ci3.github.workflow_run import Lookup, WorkflowRun, read_workflow_run
from ci3.pipeline.context import TargetContext
from ci3.pipeline.context_factory import ContextFactory
from ci3.pipeline.expansion import OpenTarget, open_targets
from ci3.report.progress_lines import ProgressLines

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


def create_context_factory(
    references: Sequence[Reference] = (), references_after_close: Sequence[Reference] = ()
) -> ContextFactory:
    """Create the factory of a command's target contexts; the references are those of the run.

    Identity tokens are not masked: the mask command prints them to stdout, which may be redirected
    anywhere.
    """
    return ContextFactory(
        environ=os.environ,
        references=references,
        references_after_close=references_after_close,
        progress=_create_progress(),
        requires_identity_token=False,
    )


def create_target_contexts(targets: Iterable[Settings]) -> list[TargetContext]:
    """Create the contexts of a command's targets; they share what is read from GitHub.

    In a workflow, those of the run's references are kept. Raises the errors of
    `complete_references`.
    """
    all_settings = [*targets]
    run = read_workflow_run(os.environ) if os.environ.get("GITHUB_ACTIONS") == "true" else None
    github = _open_github(all_settings, os.environ, run)
    references = complete_references(run, github) if run else ()
    after_close = select_references_after_close(run, references) if run else ()
    factory = create_context_factory(references, after_close)
    return [factory.create(settings, github) for settings in all_settings]


def create_target_context(settings: Settings) -> TargetContext:
    """Create the context of a command that deletes nothing: references are not needed."""
    return create_context_factory().create(settings)


def open_command_targets(targets: Iterable[Settings]) -> tuple[OpenTarget, ...]:
    """Open the buckets of a command's targets; a pattern gives a target for each folder."""
    return open_targets(create_target_contexts(targets))


def _create_progress() -> Progress:
    """Return a progress bar on a terminal, else progress lines without loading rich."""
    if is_quiet():
        return NoProgress()
    if sys.stderr.isatty() and not is_verbose():
        screen = create_console(sys.stderr)
        if screen.is_terminal:
            from ci3.report.progress_bar import (  # noqa: PLC0415 - rich: only a terminal shows a bar
                ProgressBar,
            )

            return ProgressBar(screen)
    return ProgressLines(lambda line: click.echo(escape_for_log(line), err=True))


def _open_github(
    targets: Sequence[Settings], environ: Mapping[str, str], run: WorkflowRun | None
) -> "GitHubApi | None":
    """Return an API client if a setting or the run needs it and the environment has a token."""
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    sources = (source for settings in targets for source in settings.live_from)
    is_needed = (
        any(source.is_on_github for source in sources)
        or any(settings.expire_closed is not None for settings in targets)
        or (run is not None and run.lookup is not Lookup.NONE)
    )
    if not is_needed or not token or not repository:
        return None
    from ci3.github.api import GitHubApi  # noqa: PLC0415 - requests: few runs ask GitHub
    from ci3.github.http import GitHubTransport  # noqa: PLC0415 - as above

    api_url = environ.get("GITHUB_API_URL") or targets[0].github_api_url
    transport = GitHubTransport(
        api_url=api_url,
        token=token,
        repository=repository,
        ca_bundle=find_ca_bundle(environ),
    )
    return GitHubApi(transport, OwnWorkflow.from_environ(environ))
