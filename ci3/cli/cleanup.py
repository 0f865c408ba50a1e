"""The commands `plan-cleanup` and `cleanup`."""

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
    _show_plans(run, [Account(plan=plan) for plan in plans], output)
    refuse_unless_applyable(*plans)
    has_deletions = any(plan.doomed for plan in plans)
    return ExitCode.WOULD_DELETE if detailed_exitcode and has_deletions else ExitCode.DONE


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
        return _run_cleanup(run, output, auto_approve=auto_approve)


def _run_cleanup(run: "Run", output: str, *, auto_approve: bool) -> int:
    from ci3.pipeline.approval import refuse_unless_applyable  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import hold_all  # noqa: PLC0415 - boto3: help does not need it
    from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

    screen = console(sys.stdout if output == "table" else sys.stderr)
    plans = run.make_plans()
    target_results: Sequence[Account] = [Account(plan=plan) for plan in plans]
    terminal.show_run(screen, target_results)
    target_runs = run.reconcile(plans)
    reconciled = [target_run.reconciled for target_run in target_runs]
    terminal.show_reconciled(screen, with_reconciled(target_results, reconciled))
    if run.has_work(target_runs):
        if not auto_approve and any(plan.doomed for plan in plans):
            _ask_for_approval(plans)
        target_results = _apply_plans(run, target_runs, screen, is_fresh=auto_approve)
    else:
        target_results = hold_all(target_runs)
    terminal.show_reconciled(screen, target_results)
    target_results = with_reconciled(target_results, reconciled)
    if output == "json":
        targets = {"targets": list_numbers(target_results)} if run.has_targets else {}
        click.echo(json.dumps(sum_up(target_results) | targets, indent=2))
    elif output == "markdown":
        _show_plans(run, target_results, output)
    refuse_unless_applyable(*plans)
    return exit_code(outcome_of(target_results))


def _open_run(targets: "Sequence[Settings]", saved_plans: "Sequence[Plan]" = ()) -> "Run":
    from ci3.cli.context import make_cleanup  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import open_run  # noqa: PLC0415 - boto3: help does not need it

    return open_run([make_cleanup(settings) for settings in targets], saved_plans)


@contextmanager
def _open_saved_run(values: "Values") -> "Iterator[Run]":
    """Open the run of the journal or the plan file if one is given, else a run that plans."""
    raw_settings = given_from(values)
    policy = read_named_policy(raw_settings)
    if journal := text_of(raw_settings, "resume"):
        with _open_resumed_run(journal, policy, raw_settings) as run:
            yield run
        return
    path = named_plan_file(policy, raw_settings)
    if not path:
        yield _open_run(targets_from(values))
        return
    saved_plans = read_saved_plans(path)
    targets = settings_of_plans(saved_plans, path, {}, policy, raw_settings)
    yield _open_run(targets, saved_plans)


@contextmanager
def _open_resumed_run(
    path: str, policy: "Policy", raw_settings: "Mapping[str, Given]"
) -> "Iterator[Run]":
    from ci3.cli.context import make_cleanup  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.journals import reopen_named_journal  # noqa: PLC0415 - pydantic: only a resume reads a journal
    from ci3.pipeline.run import open_run  # noqa: PLC0415 - boto3: help does not need it

    with reopen_named_journal(path, make_cleanup, raw_settings) as open_journal:
        settings = settings_of_journal(open_journal.written.header, path, {}, policy, raw_settings)
        yield open_run([make_cleanup(settings)], opened=open_journal)


def _show_plans(run: "Run", target_results: "Sequence[Account]", output: str) -> None:
    if output == "json":
        plans = [target_result.plan for target_result in target_results]
        click.echo(dump_plans(plans, has_targets=run.has_targets), nl=False)
    elif output == "markdown":
        context = Place(budget_bytes=sys.maxsize, how_to_apply=HOW_TO_APPLY)
        write_markdown(run_markdown(target_results, context))
    else:
        from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

        terminal.show_run(console(sys.stdout), target_results)


def _ask_for_approval(plans: "Sequence[Plan]") -> None:
    totals = [plan.totals for plan in plans]
    location = plans[0].target.url if len(plans) == 1 else f"{len(plans)} targets"
    deployment_count = sum(target_totals.delete for target_totals in totals)
    object_count = sum(target_totals.objects_to_delete for target_totals in totals)
    version_count = sum(target_totals.versions_to_delete for target_totals in totals)
    size_bytes = sum(target_totals.bytes_to_delete for target_totals in totals)
    in_versions = f" in {counted(version_count, 'version')}" if version_count else ""
    by_rule_count = sum(
        decision.expire_days is not None for plan in plans for decision in plan.doomed
    )
    by_s3 = f", {by_rule_count:,} of them by S3 within a day or two" if by_rule_count else ""
    ask(
        f"Delete {counted(deployment_count, 'deployment')} "
        f"({counted(object_count, 'object')}{in_versions}, "
        f"{size(size_bytes)}) from {visible(location)}{by_s3}?",
        "the plan",
        "Nothing was deleted.",
    )
    if final_count := sum(plan.totals.delete for plan in plans if plan.deletes_versions):
        final_deployments = counted(final_count, "deployment")
        ask_for(
            str(final_count),
            f"All versions of {final_deployments} go for good: nothing can bring them "
            "back. To go on, type how many deployments that are",
            "the plan",
            "Nothing was deleted.",
        )


def _apply_plans(
    run: "Run", target_runs: "Sequence[Begun]", screen: "Console", *, is_fresh: bool
) -> "Sequence[Account]":
    from ci3.report.plan import terminal  # noqa: PLC0415 - rich: JSON does not need it

    try:
        target_results = run.apply(target_runs, is_fresh=is_fresh)
        terminal.show_results(screen, target_results)
    except KeyboardInterrupt:
        hint = "If anything was deleted until then, the journal tells."
        show_error(RefusedError("interrupted", hint))
        raise click.exceptions.Exit(ExitCode.PARTIAL) from None
    return target_results
