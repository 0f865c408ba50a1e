"""The terminal's face: `ci3` and its commands."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from ci3 import __version__
from ci3.errors import AccessError, Ci3Error, ExitCode, RefusedError, SettingsError
from ci3.options import names_of_options, settings_from, with_options
from ci3.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from ci3.aws.bucket import BucketReader
    from ci3.cleanup import Cleanup
    from ci3.core.model import Result
    from ci3.core.plan import Plan

WIDTH_WITHOUT_TERMINAL = 160
HOW_TO_APPLY = "run `ci3 cleanup` with the same options."

_TARGET_SETTINGS = ("bucket", "region", "prefix", "endpoint-url", "match", "policy-file")
_APPLY_SETTINGS = ("journal-file",)

_EXAMPLES = """
\b
Examples:
  ci3 demo                                                try it, no account needed
  ci3 plan-cleanup --bucket-name my-site                  show what would be deleted
  ci3 cleanup --bucket-name my-site --keep-count 10       delete it, after a yes
  ci3 cleanup --bucket-name my-site --auto-approve        delete it, no question
  ci3 list-deployments --bucket-name my-site --output json

\b
ci3 removes old deployments from an S3 bucket: folders such as
s3://my-site/<commit>/. It keeps the newest, shows a plan with a reason for each
decision, and deletes only what you approve.
"""

_EXIT_CODES = """
\b
Exit codes: 0 done, 2 settings or usage, 3 partly done, 4 refused,
6 access or network, 1 a bug in ci3.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; give its exit code, never a traceback for what a user or S3 can cause."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        answer = _cli.main(args=argv, prog_name="ci3", standalone_mode=False)
    except Ci3Error as exc:
        _show_error(exc)
        return exc.exit_code
    except click.UsageError as exc:
        where = f"{exc.ctx.command_path}: " if exc.ctx else ""
        help_of = f"{exc.ctx.command_path} --help" if exc.ctx else "ci3 --help"
        message = f"{where}{exc.format_message()}"
        _show_error(SettingsError(message, f"See {help_of}."))
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _show_error(RefusedError("interrupted", "Nothing was deleted."))
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # rich makes the one into the other
        sys.stdout = sys.stderr  # so that the interpreter's last flush meets no closed pipe
        return ExitCode.BROKEN_PIPE
    except Exception as exc:  # noqa: BLE001 - the face is where a bug of ours ends
        _show_bug(exc)
        return ExitCode.BUG
    return int(answer) if isinstance(answer, int) else ExitCode.DONE


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _show_bug(exc: Exception) -> None:
    import traceback

    _console(sys.stderr).print(traceback.format_exc(), markup=False)
    hint = "Please report the lines above. If it was deleting, the journal tells what."
    _show_error(Ci3Error(f"a bug in ci3: {type(exc).__name__}", hint))


def _show_error(error: Ci3Error) -> None:
    from ci3.report.terminal import show_error

    show_error(_console(sys.stderr), error)


def _console(stream: TextIO) -> "Console":
    """Make a console; in a workflow's log, one in which nothing reads as a command."""
    from rich.console import Console

    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci3.github.runner import NeutralStream

        neutral: Any = NeutralStream(stream)
        return Console(file=neutral, width=WIDTH_WITHOUT_TERMINAL, no_color=True)
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False)


def _write_markdown(text: str) -> None:
    """Write Markdown to stdout; in a workflow's log, nothing in it reads as a command."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci3.github.runner import neutral

        text = "".join(neutral(line) for line in text.splitlines(keepends=True))
    click.echo(text, nl=False)


def _cleanup(settings: Settings) -> "Cleanup":
    from ci3.cleanup import Cleanup
    from ci3.report.terminal import ProgressBar, ProgressLines

    console = _console(sys.stderr)
    commits: tuple[str, ...] = ()
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from ci3.github.runner import read_run

        commits = read_run(os.environ).commits
    return Cleanup(
        settings=settings,
        commits=commits,
        progress=ProgressBar(console)
        if console.is_terminal
        else ProgressLines(lambda line: console.print(line, markup=False)),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )


_OUTPUT = click.option(
    "--output",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="How to show it; all else goes to standard error.",
)


@click.group(
    invoke_without_command=True,
    help=_EXAMPLES,
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ci3", message="%(prog)s %(version)s")
@click.pass_context
def _cli(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(ExitCode.USAGE)


@with_options(names_of_options(besides=_APPLY_SETTINGS))
@_cli.command("plan-cleanup")
@_OUTPUT
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 10 when something would be deleted."
)
def _plan_cleanup(*, output: str, detailed_exitcode: bool, **values: str | None) -> int:
    """Show what a cleanup would delete, and why.

    It cannot delete: its S3 client refuses every call that writes.

    \b
    Example:
      ci3 plan-cleanup --bucket-name my-site --keep-count 10 --protect 'release-*'
    """
    from ci3.cleanup import refuse_unless_applyable, save_plan

    cleanup = _cleanup(settings_from(values))
    plan = cleanup.make_plan(cleanup.open_bucket())
    if cleanup.settings.plan_file:
        save_plan(plan, cleanup.settings.plan_file, is_to_be_applied=False)
    _print_plan(plan, output)
    refuse_unless_applyable(plan)
    return ExitCode.WOULD_DELETE if detailed_exitcode and plan.doomed else ExitCode.DONE


def _print_plan(plan: "Plan", output: str, result: "Result | None" = None) -> None:
    if output == "json":
        from ci3.core.planfile import dump_plan

        click.echo(dump_plan(plan), nl=False)
    elif output == "markdown":
        from ci3.report.markdown import Place, plan_markdown

        place = Place(budget_bytes=sys.maxsize, how_to_apply=HOW_TO_APPLY)
        _write_markdown(plan_markdown(plan, place, result))
    else:
        from ci3.report.terminal import show_plan

        show_plan(_console(sys.stdout), plan)


@with_options(names_of_options())
@_cli.command("cleanup")
@_OUTPUT
@click.option("--auto-approve", is_flag=True, help="Delete without asking.")
def _run_cleanup(*, output: str, auto_approve: bool, **values: str | None) -> int:
    """Show what would be deleted, ask, and delete it.

    \b
    Example:
      ci3 cleanup --bucket-name my-site --keep-count 10
    """
    from ci3.cleanup import (
        exit_code,
        outcome,
        refuse_unless_applyable,
        report_numbers,
        save_plan,
    )
    from ci3.report.terminal import show_plan

    cleanup = _cleanup(settings_from(values))
    console = _console(sys.stdout if output == "table" else sys.stderr)
    bucket = cleanup.open_bucket()
    plan = cleanup.make_plan(bucket)
    if cleanup.settings.plan_file:
        save_plan(plan, cleanup.settings.plan_file, is_to_be_applied=True)
    show_plan(console, plan)
    result = None
    if plan.applyable and plan.doomed:
        if not auto_approve:
            _ask(plan)
        result = _apply(cleanup, plan, bucket, console, is_fresh=auto_approve)
    if output == "json":
        import json

        click.echo(json.dumps(report_numbers(plan, result), indent=2))
    elif output == "markdown":
        _print_plan(plan, output, result)
    refuse_unless_applyable(plan)
    return exit_code(outcome(plan, result))


def _ask(plan: "Plan") -> None:
    """Ask for a yes; anything else, or nobody to ask, is a no."""
    from ci3.core.wording import counted, size, visible

    if not sys.stdin.isatty():
        raise RefusedError(
            "nobody is here to approve the plan",
            "Nothing was deleted. Run it on a terminal, or with --auto-approve.",
        )
    totals = plan.totals
    question = (
        f"Delete {counted(totals.delete, 'deployment')} "
        f"({counted(totals.objects_to_delete, 'object')}, {size(totals.bytes_to_delete)}) "
        f"from {visible(plan.target.url)}?"
    )
    try:
        is_approved = click.confirm(question, default=False, err=True)
    except click.Abort as exc:
        if isinstance(exc.__context__, KeyboardInterrupt):
            raise
        is_approved = False
    if not is_approved:
        raise RefusedError("the plan was not approved", "Nothing was deleted.")


def _apply(
    cleanup: "Cleanup", plan: "Plan", bucket: "BucketReader", console: "Console", *, is_fresh: bool
) -> "Result":
    from ci3.report.terminal import show_result

    try:
        result = cleanup.apply(plan, bucket, is_fresh=is_fresh)
        show_result(console, plan, result)
    except KeyboardInterrupt:
        hint = "If anything was deleted until then, the journal tells."
        _show_error(RefusedError("interrupted", hint))
        raise click.exceptions.Exit(ExitCode.PARTIAL) from None
    return result


@with_options(_TARGET_SETTINGS)
@_cli.command("list-deployments")
@_OUTPUT
def _list_deployments(*, output: str, **values: str | None) -> int:
    """List the deployments of a bucket, newest first.

    \b
    Example:
      ci3 list-deployments --bucket-name my-site --prefix app
    """
    from ci3.core.retention import newest_first

    cleanup = _cleanup(settings_from(values))
    inventory = cleanup.take_inventory(cleanup.open_bucket())
    for hole in inventory.holes:
        _show_error(AccessError(f"{hole.name} could not be listed: {hole.reason}", ""))
    deployments = newest_first(inventory.deployments)
    if output == "json":
        from ci3.core.planfile import dump_inventory

        click.echo(dump_inventory(deployments, inventory.ignored), nl=False)
    elif output == "markdown":
        from ci3.report.markdown import deployments_markdown

        _write_markdown(deployments_markdown(deployments))
    else:
        from ci3.report.terminal import show_deployments

        show_deployments(_console(sys.stdout), deployments)
    return ExitCode.ACCESS if inventory.holes else ExitCode.DONE


@with_options(_TARGET_SETTINGS)
@_cli.command("list-objects")
@click.argument("name")
@_OUTPUT
def _list_objects(*, name: str, output: str, **values: str | None) -> None:
    """List the objects of the deployment NAME.

    \b
    Example:
      ci3 list-objects ab12cd3 --bucket-name my-site
    """
    from ci3.engine.inventory import list_deployment

    settings = settings_from(values)
    bucket = _cleanup(settings).open_bucket()
    folder = name.rstrip("/")
    _, objects = list_deployment(bucket, folder, f"{settings.prefix}{folder}/")
    if not folder or not objects:
        raise SettingsError(
            f"there is no deployment {name!r} in s3://{settings.bucket}/{settings.prefix}",
            "ci3 list-deployments shows which there are.",
        )
    if output == "json":
        from ci3.core.planfile import dump_objects

        click.echo(dump_objects(folder, objects), nl=False)
    elif output == "markdown":
        from ci3.report.markdown import objects_markdown

        _write_markdown(objects_markdown(objects))
    else:
        from ci3.report.terminal import show_objects

        show_objects(_console(sys.stdout), objects)


@_cli.command("demo")
def _demo() -> int:
    """Try ci3 on an embedded S3, no account needed."""
    from ci3.demo import run_demo

    return run_demo(main)


if __name__ == "__main__":
    sys.exit(main())
