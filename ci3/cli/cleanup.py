"""The commands that plan a cleanup and do it."""

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ci3.cli.console import OUTPUT, ask, ask_for, console, show_error, write_markdown
from ci3.cli.options import given_from, names_of_options, targets_from, with_options
from ci3.config.from_plan import named_plan_file, settings_of_journal, settings_of_plans
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import text_of
from ci3.core.formatting import counted, size, visible
from ci3.core.plan.json_writer import dump_plans
from ci3.core.plan.target_result import (
    Account,
    exit_code,
    list_numbers,
    outcome_of,
    sum_up,
    with_reconciled,
)
from ci3.errors import ExitCode, RefusedError
from ci3.pipeline.plan_file import read_saved_plans
from ci3.report.markdown_format import Place
from ci3.report.plan.markdown import run_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console

    from ci3.cli.options import Values
    from ci3.config.resolve import Given
    from ci3.config.settings import Settings
    from ci3.config.targets import Policy
    from ci3.core.plan.plan import Plan
    from ci3.pipeline.run import Begun, Run

HOW_TO_APPLY = "run `ci3 cleanup` with the same options."

_APPLY_SETTINGS = ("journal-file", "resume", "skip-changed", "timeout")


@with_options(names_of_options(besides=_APPLY_SETTINGS))
@click.command("plan-cleanup")
@OUTPUT
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 10 when something would be deleted."
)
def plan_cleanup(*, output: str, detailed_exitcode: bool, **values: str | None) -> int:
    """Show what a cleanup would delete, and why.

    It cannot delete: its S3 client refuses every call that writes.

    \b
    Example:
      ci3 plan-cleanup --bucket-name my-site --keep-count 10 --protect 'release-*'
    """
    from ci3.pipeline.approval import refuse_unless_applyable  # noqa: PLC0415 - boto3: help does not need it

    run = _open_run(targets_from(values))
    plans = run.make_plans()
    run.save_plans(plans)
    _show(run, [Account(plan=plan) for plan in plans], output)
    refuse_unless_applyable(*plans)
    is_due = any(plan.doomed for plan in plans)
    return ExitCode.WOULD_DELETE if detailed_exitcode and is_due else ExitCode.DONE


@with_options(names_of_options())
@click.command("cleanup")
@OUTPUT
@click.option("--auto-approve", is_flag=True, help="Delete without asking.")
def cleanup(*, output: str, auto_approve: bool, **values: str | None) -> int:
    """Show what would be deleted, ask, and delete it.

    \b
    Example:
      ci3 cleanup --bucket-name my-site --keep-count 10
      ci3 cleanup --resume ci3-journal-20261123T100000Z-1a2b3c4d.jsonl
    """
    with _open_saved_run(values) as run:
        return _clean(run, output, auto_approve=auto_approve)


def _clean(run: "Run", output: str, *, auto_approve: bool) -> int:
    from ci3.pipeline.approval import refuse_unless_applyable  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import hold_all  # noqa: PLC0415 - boto3: help does not need it
    from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

    screen = console(sys.stdout if output == "table" else sys.stderr)
    plans = run.make_plans()
    accounts: Sequence[Account] = [Account(plan=plan) for plan in plans]
    terminal.show_run(screen, accounts)
    begun = run.reconcile(plans)
    reconciled = [one.reconciled for one in begun]
    terminal.show_reconciled(screen, with_reconciled(accounts, reconciled))
    if run.has_work(begun):
        if not auto_approve and any(plan.doomed for plan in plans):
            _ask(plans)
        accounts = _apply(run, begun, screen, is_fresh=auto_approve)
    else:
        accounts = hold_all(begun)
    terminal.show_reconciled(screen, accounts)
    accounts = with_reconciled(accounts, reconciled)
    if output == "json":
        targets = {"targets": list_numbers(accounts)} if run.has_targets else {}
        click.echo(json.dumps(sum_up(accounts) | targets, indent=2))
    elif output == "markdown":
        _show(run, accounts, output)
    refuse_unless_applyable(*plans)
    return exit_code(outcome_of(accounts))


def _open_run(targets: "Sequence[Settings]", saved: "Sequence[Plan]" = ()) -> "Run":
    from ci3.cli.context import make_cleanup  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import open_run  # noqa: PLC0415 - boto3: help does not need it

    return open_run([make_cleanup(settings) for settings in targets], saved)


@contextmanager
def _open_saved_run(values: "Values") -> "Iterator[Run]":
    """Open the run of a plan file or journal where one is named, else one that plans for itself."""
    given = given_from(values)
    policy = read_named_policy(given)
    if journal := text_of(given, "resume"):
        with _open_resumed_run(journal, policy, given) as run:
            yield run
        return
    path = named_plan_file(policy, given)
    if not path:
        yield _open_run(targets_from(values))
        return
    saved = read_saved_plans(path)
    targets = settings_of_plans(saved, path, {}, policy, given)
    yield _open_run(targets, saved)


@contextmanager
def _open_resumed_run(path: str, policy: "Policy", given: "Mapping[str, Given]") -> "Iterator[Run]":
    from ci3.cli.context import make_cleanup  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.journals import reopen_named_journal  # noqa: PLC0415 - pydantic: only a resume reads a journal
    from ci3.pipeline.run import open_run  # noqa: PLC0415 - boto3: help does not need it

    with reopen_named_journal(path, make_cleanup, given) as opened:
        settings = settings_of_journal(opened.written.header, path, {}, policy, given)
        yield open_run([make_cleanup(settings)], opened=opened)


def _show(run: "Run", accounts: "Sequence[Account]", output: str) -> None:
    if output == "json":
        plans = [account.plan for account in accounts]
        click.echo(dump_plans(plans, has_targets=run.has_targets), nl=False)
    elif output == "markdown":
        place = Place(budget_bytes=sys.maxsize, how_to_apply=HOW_TO_APPLY)
        write_markdown(run_markdown(accounts, place))
    else:
        from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

        terminal.show_run(console(sys.stdout), accounts)


def _ask(plans: "Sequence[Plan]") -> None:
    totals = [plan.totals for plan in plans]
    where = plans[0].target.url if len(plans) == 1 else f"{len(plans)} targets"
    versions = sum(one.versions_to_delete for one in totals)
    in_versions = f" in {counted(versions, 'version')}" if versions else ""
    ruled = sum(one.expire_days is not None for plan in plans for one in plan.doomed)
    by_s3 = f", {ruled:,} of them by S3 within a day or two" if ruled else ""
    ask(
        f"Delete {counted(sum(one.delete for one in totals), 'deployment')} "
        f"({counted(sum(one.objects_to_delete for one in totals), 'object')}"
        f"{in_versions}, "
        f"{size(sum(one.bytes_to_delete for one in totals))}) from {visible(where)}{by_s3}?",
        "the plan",
        "Nothing was deleted.",
    )
    if final := sum(plan.totals.delete for plan in plans if plan.deletes_versions):
        ask_for(
            str(final),
            f"All versions of {counted(final, 'deployment')} go for good: nothing can bring them "
            "back. To go on, type how many deployments that are",
            "the plan",
            "Nothing was deleted.",
        )


def _apply(
    run: "Run", begun: "Sequence[Begun]", screen: "Console", *, is_fresh: bool
) -> "Sequence[Account]":
    from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

    try:
        accounts = run.apply(begun, is_fresh=is_fresh)
        terminal.show_results(screen, accounts)
    except KeyboardInterrupt:
        hint = "If anything was deleted until then, the journal tells."
        show_error(RefusedError("interrupted", hint))
        raise click.exceptions.Exit(ExitCode.PARTIAL) from None
    return accounts
