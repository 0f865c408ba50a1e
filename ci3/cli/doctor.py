"""The command `doctor`, which checks buckets and reports findings."""

import sys

import click

from ci3.cli.common_options import with_common_options
from ci3.cli.console import OUTPUT_OPTION, create_console, write_markdown
from ci3.cli.context import open_command_targets
from ci3.cli.options import (
    TARGET_SETTINGS,
    SettingsCommand,
    resolve_option_targets,
    with_options,
)
from ci3.config.pattern_targets import lists_targets
from ci3.core.doctor.finding import exit_code_of_findings
from ci3.pipeline.doctor import run_doctor
from ci3.report.doctor import render_checkups_json, render_checkups_markdown, show_checkups
from ci3.report.markdown_format import RenderContext

_SETTINGS = (
    *TARGET_SETTINGS,
    "keep-count",
    "keep-within",
    "keep-daily",
    "keep-weekly",
    "keep-monthly",
    "match",
    "group-by",
    "required-file",
    "age-from",
    "inventory",
    "protect",
    "live-from",
    "expire-closed",
    "delete-versions",
    "probe-deletes",
    "probe-restore",
    "concurrency",
    "policy-file",
)


@with_common_options
@with_options(_SETTINGS, alternatives=["--policy-file"])
@click.command("doctor", cls=SettingsCommand)
@OUTPUT_OPTION
def doctor(*, output: str, **values: str | bool | None) -> int:
    """Check permissions and bucket settings.

    Each finding has advice on what to do next. Read-only, unless --probe-deletes or
    --probe-restore is given. Exit code 6 if the bucket cannot be read, 4 if an apply would be
    refused or a restore does not work.

    \b
    Example:
      ci3 doctor --bucket-name my-site --match '[0-9a-f]{40}'
    """
    targets = resolve_option_targets(values)
    checkups = [run_doctor(target) for target in open_command_targets(targets)]
    if output == "json":
        click.echo(render_checkups_json(checkups, has_targets=lists_targets(targets[0])), nl=False)
    elif output == "markdown":
        write_markdown(render_checkups_markdown(checkups, RenderContext()))
    else:
        show_checkups(create_console(sys.stdout), checkups)
    return exit_code_of_findings(checkups)
