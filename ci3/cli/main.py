"""The terminal's face: `ci3` and its commands."""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from ci3 import __version__
from ci3.cli.console import console, show_error
from ci3.errors import Ci3Error, ExitCode, RefusedError, SettingsError
from ci3.gc_tuning import look_seldom

_EXAMPLES = """
\b
Examples:
  ci3 demo                                                try it, no account needed
  ci3 plan-cleanup --bucket-name my-site                  show what would be deleted
  ci3 cleanup --bucket-name my-site --keep-count 10       delete it, after a yes
  ci3 cleanup --bucket-name my-site --auto-approve        delete it, no question
  ci3 explain ab12cd3 --bucket-name my-site               why it stays or goes
  ci3 restore ci3-journal-….jsonl                         bring back what a run deleted
  ci3 simulate --bucket-name my-site --keep-within 14d    replay the bucket's history
  ci3 list-deployments --bucket-name my-site --output json
  ci3 doctor --bucket-name my-site                        what may stand in the way
  ci3 iam-policy apply --bucket-name my-site              the permissions that it needs

\b
ci3 removes old deployments from an S3 bucket: folders such as
s3://my-site/<commit>/. It keeps the newest, shows a plan with a reason for each
decision, and deletes only what you approve.
"""

_EXIT_CODES = """
\b
Exit codes: 0 done, 2 settings or usage, 3 partly done, 4 refused,
5 stale plan, 6 access or network, 1 a bug in ci3.
"""

_COMMANDS = {
    "plan-cleanup": ("cleanup", "Show what a cleanup would delete, and why."),
    "cleanup": ("cleanup", "Show what would be deleted, ask, and delete it."),
    "list-deployments": ("inspect", "List the deployments of a bucket, newest first."),
    "list-objects": ("inspect", "List the objects of the deployment NAME."),
    "explain": ("inspect", "Explain why the deployment NAME stays or goes."),
    "simulate": ("simulate", "Replay the bucket's own history under a policy."),
    "restore": ("restore", "Bring back what a run deleted, where the bucket keeps versions."),
    "doctor": (
        "doctor",
        "Examine a bucket: who you are, what you may do, what may surprise you.",
    ),
    "iam-policy": ("iam_policy", "Print the least that ci3 must be allowed, as an IAM policy."),
}
"""In which module each command is, and its first sentence: what the list of them shows."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; give its exit code, never a traceback for what a user or S3 can cause."""
    look_seldom()
    try:
        _mind_closed_streams()
        signal.signal(signal.SIGTERM, _interrupt)
        answer = _cli.main(args=argv, prog_name="ci3", standalone_mode=False)
    except Ci3Error as exc:
        show_error(exc)
        return exc.exit_code
    except click.UsageError as exc:
        where = f"{exc.ctx.command_path}: " if exc.ctx else ""
        help_of = f"{exc.ctx.command_path} --help" if exc.ctx else "ci3 --help"
        message = f"{where}{exc.format_message()}"
        show_error(SettingsError(message, f"See {help_of}."))
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        show_error(RefusedError("interrupted", "Nothing was deleted."))
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


def _mind_closed_streams() -> None:
    """Do without what is to be read or told beside; what was asked for must be shown."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - as above
    if sys.stdout is None:
        raise SettingsError(
            "standard output is closed, so that nothing can be shown",
            "Leave it open, or send it to /dev/null. Nothing was deleted.",
        )


def _show_bug(exc: Exception) -> None:
    import traceback  # noqa: PLC0415 - only a bug needs it

    console(sys.stderr).print(traceback.format_exc(), markup=False)
    hint = "Please report the lines above. If it was deleting, the journal tells what."
    show_error(Ci3Error(f"a bug in ci3: {type(exc).__name__}", hint))


class _Later(click.Command):
    """A command that is imported once it is called."""

    def __init__(self, name: str, module: str, first_sentence: str) -> None:
        super().__init__(name, help=first_sentence)
        self._module = module
        self._attribute = name.replace("-", "_")

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - as click has it
    ) -> click.Context:
        """Read the words of a call, as the command itself does."""
        return self.load().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Be the command itself."""
        return ctx.command.invoke(ctx)

    def load(self) -> click.Command:
        """Import the command itself."""
        command: click.Command = getattr(import_module(f"ci3.cli.{self._module}"), self._attribute)
        return command


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


for _name, (_module, _first_sentence) in _COMMANDS.items():
    _cli.add_command(_Later(_name, _module, _first_sentence))


@_cli.command("demo")
def _demo() -> int:
    """Try ci3 on an embedded S3, no account needed."""
    from ci3.cli.demo import run_demo  # noqa: PLC0415 - loaded when called, as all commands

    return run_demo(main)


if __name__ == "__main__":
    sys.exit(main())
