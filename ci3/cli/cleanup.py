"""The commands `plan-cleanup` and `cleanup`."""

import shlex
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ci3.cli.common_options import choose_tables, is_quiet, with_common_options
from ci3.cli.console import (
    OUTPUT_OPTION,
    create_console,
    require_approval,
    show_error,
    write_markdown,
)
from ci3.cli.options import (
    YES_OPTION,
    SettingsCommand,
    list_option_names,
    read_raw_settings,
    resolve_option_targets,
    with_options,
)
from ci3.config.from_plan import resolve_journal_settings
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import raw_text
from ci3.core.formatting import escape_control_chars, format_json, format_size, pluralize
from ci3.core.plan.json_writer import dump_plans
from ci3.core.plan.target_result import (
    TargetResult,
    add_reconciled,
    exit_code_of_outcome,
    find_worst_outcome,
    list_outputs,
    sum_outputs,
)
from ci3.errors import Ci3Error, ExitCode, RefusedError
from ci3.interrupts import ignoring_signals
from ci3.pipeline.plan_file import resolve_saved_plans
from ci3.report.markdown_format import RenderContext
from ci3.report.plan import terminal
from ci3.report.plan.lifecycle_text import format_rule_changes
from ci3.report.plan.markdown import render_run_markdown
from ci3.report.terminal_format import print_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci3.cli.options import OptionValues
    from ci3.config.settings import Settings
    from ci3.core.plan.plan import Plan
    from ci3.engine.journal.reader import OpenJournal
    from ci3.pipeline.run import Run

HOW_TO_APPLY = "run `ci3 cleanup` with the same options."

_APPLY_SETTINGS = ("journal-file", "resume", "skip-changed", "timeout")


@with_common_options
@with_options(list_option_names(exclude=_APPLY_SETTINGS), alternatives=["--policy-file"])
@click.command("plan-cleanup", cls=SettingsCommand)
@OUTPUT_OPTION
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 10 if something would be deleted."
)
def plan_cleanup(*, output: str, detailed_exitcode: bool, **values: str | None) -> int:
    """Show what a cleanup would delete, and why.

    Read-only: the S3 client blocks all write requests.

    \b
    Example:
      ci3 plan-cleanup --bucket-name my-site --match '[0-9a-f]{40}'
    """
    run = _open_run(resolve_option_targets(values))
    plans = run.make_plans()
    run.save_plans(plans)
    has_deletions = any(plan.to_delete for plan in plans)
    _show_plans(run, [TargetResult(plan=plan) for plan in plans], output)
    is_table = output == "table"
    _refuse_unless_applyable(plans, is_shown=is_table and sys.stdout.isatty())
    if is_table and has_deletions and not is_quiet():
        print_line(create_console(sys.stdout), _format_next_step(run))
    return ExitCode.WOULD_DELETE if detailed_exitcode and has_deletions else ExitCode.DONE


@with_common_options
@with_options(list_option_names(), alternatives=["--policy-file", "--plan-file", "--resume"])
@click.command("cleanup", cls=SettingsCommand)
@OUTPUT_OPTION
@YES_OPTION
def cleanup(*, output: str, auto_approve: bool, **values: str | None) -> int:
    """Show the plan, ask for approval, and delete.

    \b
    Examples:
      ci3 cleanup --bucket-name my-site --match '[0-9a-f]{40}' --keep-count 10
      ci3 cleanup --resume ci3-journal-20261123T100000Z-1a2b3c4d.jsonl
    """
    with _open_saved_run(values) as run:
        return _run_cleanup(run, output, auto_approve=auto_approve)


def _run_cleanup(run: "Run", output: str, *, auto_approve: bool) -> int:
    from ci3.pipeline.apply import refuse_existing_journals  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import revoke_all_rules  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.target_run import describe_interrupt  # noqa: PLC0415 - boto3: help does not need it

    screen = create_console(sys.stdout if output == "table" else sys.stderr)
    if run.resumed_run is None:
        refuse_existing_journals(run.contexts)
    plans = run.make_plans()
    target_results: Sequence[TargetResult] = [TargetResult(plan=plan) for plan in plans]
    terminal.show_run(screen, target_results, choose_tables(can_hide=auto_approve))
    target_runs = run.reconcile_rules(plans)
    reconciled = [target_run.reconciled for target_run in target_runs]
    terminal.show_reconciled(screen, add_reconciled(target_results, reconciled))
    has_work = run.has_work(target_runs)
    if has_work and not auto_approve and any(plan.to_delete for plan in plans):
        _ask_for_approval(plans)
    try:
        if has_work:
            target_results = run.apply_plans(target_runs, is_fresh=auto_approve)
            terminal.show_results(screen, target_results)
        else:
            target_results = revoke_all_rules(target_runs)
        terminal.show_reconciled(screen, target_results)
        target_results = add_reconciled(target_results, reconciled)
        _show_outputs(run, target_results, output)
    except (Ci3Error, KeyboardInterrupt) as exc:
        with ignoring_signals():
            error = exc if isinstance(exc, Ci3Error) else describe_interrupt(target_runs)
            notes = format_rule_changes(target_run.target_result for target_run in target_runs)
            show_error(error, notes)
        return error.exit_code
    is_shown = (sys.stdout if output == "table" else sys.stderr).isatty()
    _refuse_unless_applyable(plans, is_shown=is_shown)
    return exit_code_of_outcome(find_worst_outcome(target_results))


def _open_run(
    targets: "Sequence[Settings]",
    saved_plans: "Sequence[Plan]" = (),
    open_journal: "OpenJournal | None" = None,
) -> "Run":
    from ci3.cli.context import create_target_contexts  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.run import open_run  # noqa: PLC0415 - boto3: help does not need it

    return open_run(create_target_contexts(targets), saved_plans, open_journal)


@contextmanager
def _open_saved_run(values: "OptionValues") -> "Iterator[Run]":
    """Open the run of the journal or the plan file if one is given, else a run that plans."""
    raw_settings = read_raw_settings(values)
    policy = read_named_policy(raw_settings)
    path = raw_text(raw_settings, "resume")
    if not path:
        saved_plans, targets = resolve_saved_plans({}, policy, raw_settings)
        yield _open_run(targets, saved_plans)
        return
    from ci3.cli.context import create_context_factory  # noqa: PLC0415 - boto3: help does not need it
    from ci3.pipeline.journals import reopen_named_journal  # noqa: PLC0415 - pydantic: only a resume reads a journal

    with reopen_named_journal(path, create_context_factory(), raw_settings) as open_journal:
        header = open_journal.journal_file.header
        settings = resolve_journal_settings(header, path, {}, policy, raw_settings)
        yield _open_run([settings], open_journal=open_journal)


def _show_outputs(run: "Run", target_results: "Sequence[TargetResult]", output: str) -> None:
    if output == "json":
        targets = {"targets": list_outputs(target_results)} if run.has_targets else {}
        click.echo(format_json(sum_outputs(target_results) | targets), nl=False)
    elif output == "markdown":
        _show_plans(run, target_results, output)


def _show_plans(run: "Run", target_results: "Sequence[TargetResult]", output: str) -> None:
    if output == "json":
        plans = [target_result.plan for target_result in target_results]
        click.echo(dump_plans(plans, has_targets=run.has_targets), nl=False)
    elif output == "markdown":
        context = RenderContext(how_to_apply=HOW_TO_APPLY)
        write_markdown(render_run_markdown(target_results, context))
    else:
        screen = create_console(sys.stdout)
        terminal.show_run(screen, target_results, choose_tables())


def _format_next_step(run: "Run") -> str:
    path = run.contexts[0].settings.plan_file
    if path:
        return f"To apply this plan, run `ci3 cleanup --plan-file {shlex.quote(path)}`."
    return f"To apply, {HOW_TO_APPLY}"


def _refuse_unless_applyable(plans: "Sequence[Plan]", *, is_shown: bool) -> None:
    """Raise RefusedError if a plan has refusals: with them, unless the terminal shows the plan."""
    from ci3.pipeline.approval import refuse_unless_applyable  # noqa: PLC0415 - boto3: help does not need it

    refused_count = sum(not plan.is_applyable for plan in plans)
    if is_shown and refused_count:
        subject = "the plan" if len(plans) == 1 else f"{refused_count:,} of {len(plans):,} plans"
        raise RefusedError(
            f"{subject} cannot be applied",
            "Nothing was deleted. Fix the problems listed in the plan and run again.",
        )
    refuse_unless_applyable(*plans)


def _ask_for_approval(plans: "Sequence[Plan]") -> None:
    totals = [plan.totals for plan in plans]
    location = plans[0].target.url if len(plans) == 1 else f"{len(plans)} targets"
    deployment_count = sum(target_totals.delete for target_totals in totals)
    object_count = sum(target_totals.objects_to_delete for target_totals in totals)
    version_count = sum(target_totals.versions_to_delete for target_totals in totals)
    size_bytes = sum(target_totals.bytes_to_delete for target_totals in totals)
    in_versions = f" in {pluralize(version_count, 'version')}" if version_count else ""
    by_rule_count = sum(
        decision.expire_days is not None for plan in plans for decision in plan.to_delete
    )
    by_s3 = f", {by_rule_count:,} of them by S3 within a day or two" if by_rule_count else ""
    require_approval(
        f"Delete {pluralize(deployment_count, 'deployment')} "
        f"({pluralize(object_count, 'object')}{in_versions}, "
        f"{format_size(size_bytes)}) from {escape_control_chars(location)}{by_s3}?",
        "Nothing was deleted.",
    )
    if permanent_count := sum(plan.totals.delete for plan in plans if plan.deletes_versions):
        deployments = pluralize(permanent_count, "deployment")
        require_approval(
            f"All versions of {deployments} will be deleted permanently. To confirm, type "
            "the number of deployments",
            "Nothing was deleted.",
            expected=str(permanent_count),
        )
