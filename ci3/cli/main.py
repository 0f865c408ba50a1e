"""Entry point of the command line: `ci3`, its commands and its exit codes."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from ci3 import __version__
from ci3.cli.console import create_console, show_error
from ci3.errors import (
    Ci3Error,
    ExitCode,
    InterruptedRunError,
    SettingsError,
    redact_secrets,
)
from ci3.gc_tuning import tune_gc
from ci3.interrupts import INTERRUPT_SIGNALS, ignoring_signals, raise_interrupt

_EXAMPLES = """
\b
ci3 removes old deployments from an S3 bucket: folders such as
s3://my-site/<commit>/. It keeps the newest, shows a plan with a reason for
each decision, and deletes only what you approve.

\b
Examples:
  # Try ci3 without an account
  ci3 demo
  # Check permissions and bucket settings
  ci3 doctor --bucket-name my-site --match '[0-9a-f]{40}'
  # Show what would be deleted
  ci3 plan-cleanup --bucket-name my-site --match '[0-9a-f]{40}'
  # Delete after approval; with --yes, without a question
  ci3 cleanup --bucket-name my-site --match '[0-9a-f]{40}' --keep-count 10
  # Restore what a run deleted
  ci3 restore ci3-journal-20261123T100000Z-1a2b3c4d.jsonl
  # Explain the decision on one deployment
  ci3 explain ab12cd3 --bucket-name my-site --match '[0-9a-f]{40}'
  # Simulate a policy on the bucket's upload history
  ci3 simulate --bucket-name my-site --match '[0-9a-f]{40}' --keep-within 14d
  # List deployments as JSON
  ci3 list-deployments --bucket-name my-site --output json
  # Print the IAM permissions that a cleanup needs
  ci3 iam-policy apply --bucket-name my-site
"""

_EXIT_CODES = """
\b
Exit codes: 0 done, 1 bug in ci3, 2 settings or usage, 3 partly done,
4 refused, 5 stale plan, 6 access or network, 10 would delete (with
--detailed-exitcode), 130 interrupted, 141 output pipe closed.
"""

_COMMANDS = {
    "plan-cleanup": ("cleanup", "Show what a cleanup would delete, and why."),
    "cleanup": ("cleanup", "Show the plan, ask for approval, and delete."),
    "list-deployments": ("inspect", "List the deployments of a bucket, newest first."),
    "list-objects": ("inspect", "List the objects of a deployment."),
    "explain": ("inspect", "Explain why a deployment is kept or deleted."),
    "simulate": ("simulate", "Simulate a policy on the bucket's upload history."),
    "restore": ("restore", "Restore what a run deleted from a versioned bucket."),
    "doctor": ("doctor", "Check permissions and bucket settings."),
    "iam-policy": ("iam_policy", "Print a least-privilege IAM policy for ci3."),
}
"""Module of each command in `ci3.cli`, and its first sentence, for the list of commands."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; print a traceback only for a bug in ci3."""
    tune_gc()
    try:
        _replace_closed_streams()
        for signal_number in INTERRUPT_SIGNALS:
            signal.signal(signal_number, raise_interrupt)
        result = _cli.main(args=argv, prog_name="ci3", standalone_mode=False)
    except Ci3Error as exc:
        show_error(exc)
        return exc.exit_code
    except click.UsageError as exc:
        prefix = f"{exc.ctx.command_path}: " if exc.ctx else ""
        help_command = f"{exc.ctx.command_path} --help" if exc.ctx else "ci3 --help"
        message = f"{prefix}{_describe_usage_error(exc)}"
        show_error(SettingsError(message, f"See {help_command}."))
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        with ignoring_signals():
            show_error(InterruptedRunError("interrupted", "Nothing was deleted."))
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # rich raises SystemExit on a broken pipe
        sys.stdout = sys.stderr  # the interpreter flushes stdout at exit, and the pipe is closed
        return ExitCode.BROKEN_PIPE
    except Exception as exc:  # noqa: BLE001 - the last handler, which reports bugs
        _show_bug(exc)
        return ExitCode.BUG
    return int(result) if isinstance(result, int) else ExitCode.DONE


def _describe_usage_error(error: click.UsageError) -> str:
    """Return an error's message; for an unknown name, with what was probably meant."""
    from ci3.config.unknown_names import (  # noqa: PLC0415 - few runs have such an error
        suggest_command,
        suggest_option,
    )

    match error:
        case click.exceptions.NoSuchCommand() if suggestion := suggest_command(error.command_name):
            return f"Unknown command {error.command_name}. {suggestion}"
        case click.NoSuchOption(ctx=click.Context() as context):
            options = [option for param in context.command.params for option in param.opts]
            suggestion = suggest_option(error.option_name, options)
            return f"Unknown option {error.option_name}. {suggestion}".rstrip()
        case _:
            return error.format_message()


def _replace_closed_streams() -> None:
    """Replace a closed stdin or stderr by the null device.

    Raises SettingsError if stdout is closed, since the result could not be shown.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as above
    if sys.stdout is None:
        raise SettingsError(
            "stdout is closed, so nothing can be shown",
            "Open stdout or redirect it to /dev/null. Nothing was deleted.",
        )


def _show_bug(exc: Exception) -> None:
    import traceback  # noqa: PLC0415 - only a bug needs it

    text = redact_secrets(traceback.format_exc())
    create_console(sys.stderr).print(text, markup=False)
    hint = "Please report the lines above. If anything was deleted, the journal lists it."
    show_error(Ci3Error(f"a bug in ci3: {type(exc).__name__}", hint))


class _LazyGroup(click.Group):
    """Group that imports the module of a command when the command is called.

    Like the LazyGroup of click's documentation, but the group's help shows the first sentences in
    `_COMMANDS`. That one imports every command for its help, and with them boto3 and rich.
    Source: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command to call, imported."""
        name, command, remaining_args = super().resolve_command(ctx, args)
        if name in _COMMANDS:
            command = _import_command(name)
        return name, command, remaining_args


def _import_command(name: str) -> click.Command:
    module, _ = _COMMANDS[name]
    attribute = name.replace("-", "_")
    command: click.Command = getattr(import_module(f"ci3.cli.{module}"), attribute)
    return command


@click.group(
    cls=_LazyGroup,
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


for _name, (_, _first_sentence) in _COMMANDS.items():
    _cli.add_command(click.Command(_name, help=_first_sentence))  # replaced when it is called


@_cli.command("demo")
def _demo() -> int:
    """Try ci3 on an embedded S3, without an account."""
    from ci3.cli.demo import run_demo  # noqa: PLC0415 - loaded when called, like all commands

    return run_demo(main)


if __name__ == "__main__":
    sys.exit(main())
