"""The command `doctor`, which examines buckets and reports findings."""

import sys

import click

from ci3.cli.console import OUTPUT, console, write_markdown
from ci3.cli.context import make_cleanup
from ci3.cli.options import TARGET_SETTINGS, targets_from, with_options
from ci3.core.doctor.finding import exit_code
from ci3.pipeline.doctor import check_up
from ci3.report.doctor import checkup_json, checkup_markdown, show_checkup
from ci3.report.markdown_format import Place

_SETTINGS = (
    *TARGET_SETTINGS,
    "match",
    "required-file",
    "protect",
    "live-from",
    "delete-versions",
    "probe-deletes",
    "policy-file",
)


@with_options(_SETTINGS)
@click.command("doctor")
@OUTPUT
def doctor(*, output: str, **values: str | bool | None) -> int:
    """Examine a bucket: who you are, what you may do, what may surprise you.

    Each finding says what to do next. It only looks, unless --probe-deletes is given.
    Exit code 6 when the bucket can't be read, 4 when an apply would be refused.

    \b
    Example:
      ci3 doctor --bucket-name my-site --match '[0-9a-f]{40}'
    """
    targets = targets_from(values)
    checkups = [check_up(make_cleanup(settings)) for settings in targets]
    if output == "json":
        click.echo(checkup_json(checkups, has_targets=targets[0].has_targets), nl=False)
    elif output == "markdown":
        write_markdown(checkup_markdown(checkups, Place(budget_bytes=sys.maxsize)))
    else:
        for checkup in checkups:
            show_checkup(console(sys.stdout), checkup)
    return exit_code(checkups)
