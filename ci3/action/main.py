"""Entry point of the action: runs a step from its inputs and returns the exit code."""

import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ci3.action.doctor import run_doctor_step
from ci3.action.post_settings import open_github
from ci3.action.reporter import Reporter
from ci3.config.from_plan import resolve_journal_settings
from ci3.config.modes import Mode
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import RawSetting, raw_text
from ci3.config.settings import Settings
from ci3.config.targets import resolve_targets
from ci3.core.model.policy import Origin
from ci3.core.model.result import RunOutcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import (
    TargetResult,
    add_reconciled,
    exit_code_of_outcome,
    find_worst_outcome,
)
from ci3.errors import JOURNAL_HINT, Ci3Error, ExitCode, SettingsError, redact_secrets
from ci3.github.log_escape import EscapedStream
from ci3.github.run_references import complete_references, select_references_after_close
from ci3.github.workflow_commands import Runner, read_inputs
from ci3.github.workflow_run import WorkflowRun, read_workflow_run
from ci3.interrupts import INTERRUPT_SIGNALS, ignore_signals, raise_interrupt
from ci3.pipeline.apply import refuse_existing_journals
from ci3.pipeline.context_factory import ContextFactory
from ci3.pipeline.plan_file import resolve_saved_plans
from ci3.pipeline.run import Run, open_run, revoke_all_rules
from ci3.pipeline.target_run import describe_interrupt
from ci3.report.plan.headlines import format_run_headline
from ci3.report.plan.lifecycle_text import format_rule_changes
from ci3.report.plan.terminal import show_reconciled, show_results, show_run
from ci3.report.progress_lines import ProgressLines

if TYPE_CHECKING:
    from ci3.core.plan.policy_diff import PolicyChange
    from ci3.engine.journal.reader import OpenJournal
    from ci3.github.api import GitHubApi

LOG_WIDTH = 160


def main() -> int:
    """Run the action in the environment of a workflow's step; return the exit code."""
    for signal_number in INTERRUPT_SIGNALS:
        signal.signal(signal_number, _interrupt)
    runner = Runner(os.environ.get("GITHUB_STEP_SUMMARY", ""))
    reporter = Reporter(runner)
    try:
        return _run(os.environ, reporter)
    except Ci3Error as exc:
        return reporter.report_error(exc)
    except KeyboardInterrupt:
        runner.set_output("outcome", RunOutcome.FAILED)
        runner.add_error("interrupted before anything was deleted")
        return ExitCode.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - the last handler, which reports bugs
        print(redact_secrets(traceback.format_exc()), file=EscapedStream(sys.stderr))
        message = f"a bug in ci3: {type(exc).__name__}"
        return reporter.report_error(
            Ci3Error(message, f"Please report the traceback in the log. {JOURNAL_HINT}")
        )
    finally:
        runner.report_omitted_annotations()


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt at the first signal and ignore the next ones.

    A step that is cancelled gets SIGINT, after 7.5 seconds SIGTERM, after 2.5 more SIGKILL. The
    second one arrives while the report of the deletions is being written. Source:
    https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation
    """
    ignore_signals()
    raise_interrupt(signal_number, frame)


def _run(environ: Mapping[str, str], reporter: Reporter) -> int:
    runner = reporter.runner
    workflow = read_workflow_run(environ)
    inherited, inputs = _read_raw_settings(environ, workflow)
    reporter.configure_from_inputs(workflow, inputs)
    log: Any = EscapedStream(sys.stdout)  # rich is typed for IO[str] but uses only these methods
    console = Console(file=log, width=LOG_WIDTH, no_color=True, soft_wrap=True)

    factory = _create_factory(environ, workflow, console, runner)
    if raw_text(inputs, "mode") == Mode.RESTORE:
        from ci3.action.restore import run_restore_step  # noqa: PLC0415 - pydantic: only a restore reads a journal

        return run_restore_step(
            inputs,
            factory,
            console=console,
            reporter=reporter,
            run_url=workflow.run_url,
        )
    with ExitStack() as exit_stack:
        open_journal = _open_resumed(inputs, factory, exit_stack)
        saved_plans, targets = _resolve_targets(
            inherited, inputs, open_journal, environ.get("GITHUB_WORKSPACE") or "."
        )
        settings = targets[0]
        github = open_github(workflow, api_url=settings.github_api_url, token=settings.github_token)
        reporter.configure(settings, github)
        if settings.mode is not Mode.DOCTOR:  # which deletes nothing
            references = complete_references(workflow, github)
            after_close = select_references_after_close(workflow, references)
            factory = replace(factory, references=references, references_after_close=after_close)
        target_contexts = [factory.create(target_settings, github) for target_settings in targets]
        if settings.mode is Mode.DOCTOR:
            return run_doctor_step(
                target_contexts, console=console, runner=runner, run_url=workflow.run_url
            )
        run = open_run(target_contexts, saved_plans, open_journal)
        return _run_cleanup(environ, reporter, run, workflow, console)


def _run_cleanup(
    environ: Mapping[str, str],
    reporter: Reporter,
    run: Run,
    workflow: WorkflowRun,
    console: Console,
) -> int:
    runner, first_context = reporter.runner, run.contexts[0]
    settings = first_context.settings
    if settings.mode is Mode.APPLY and run.resumed_run is None:
        refuse_existing_journals(run.contexts)
    plans = run.make_plans()
    if settings.mode is Mode.PLAN:
        run.save_plans(plans)
    target_results: Sequence[TargetResult] = [TargetResult(plan=plan) for plan in plans]
    runner.begin_group(f"Plan: {format_run_headline(target_results)}")
    show_run(console, target_results)
    runner.end_group()
    changes = _find_policy_changes(environ, workflow, run, plans, first_context.github)
    if settings.mode is not Mode.APPLY:
        return reporter.report_run(target_results, changes)
    target_runs = run.reconcile_rules(plans)
    reconciled = [target_run.reconciled for target_run in target_runs]
    target_results = add_reconciled(target_results, reconciled)
    show_reconciled(console, target_results)
    has_work = run.has_work(target_runs)
    try:
        applied = (
            run.apply_plans(target_runs, is_fresh=True)
            if has_work
            else revoke_all_rules(target_runs)
        )
    except (Ci3Error, KeyboardInterrupt) as exc:
        error = exc if isinstance(exc, Ci3Error) else describe_interrupt(target_runs)
        notes = format_rule_changes(target_run.target_result for target_run in target_runs)
        return reporter.report_error(error, notes)
    target_results = add_reconciled(applied, reconciled)
    with suppress(KeyboardInterrupt):  # the summary shows the same
        if has_work:
            show_results(console, applied)
        show_reconciled(console, applied)
    try:
        return reporter.report_run(target_results, changes)
    except KeyboardInterrupt:
        reporter.set_outputs(target_results)
        runner.add_warning("interrupted after the deletion: the report may be incomplete")
        return exit_code_of_outcome(find_worst_outcome(target_results))


def _open_resumed(
    inputs: Mapping[str, RawSetting], factory: ContextFactory, exit_stack: ExitStack
) -> "OpenJournal | None":
    """Open the journal of the run to resume, or return None if the input `resume` is not set.

    Raises SettingsError unless the mode is apply.
    """
    path = raw_text(inputs, "resume")
    if not path:
        return None
    if raw_text(inputs, "mode") != Mode.APPLY:
        raise SettingsError(
            "the input resume needs mode: apply", "Set mode: apply, or remove resume."
        )
    from ci3.pipeline.journals import reopen_named_journal  # noqa: PLC0415 - pydantic: only a resume reads a journal

    return exit_stack.enter_context(reopen_named_journal(path, factory, inputs))


def _read_raw_settings(
    environ: Mapping[str, str], workflow: WorkflowRun
) -> tuple[dict[str, RawSetting], dict[str, RawSetting]]:
    """Return the settings from the workflow's environment, and the inputs, which override them."""
    inputs = {
        name: RawSetting(texts=(text,), origin=Origin.INPUT, where=f"input {name}")
        for name, text in read_inputs(environ).items()
    }
    inherited = {}
    if workflow.api_url:
        origin = "GITHUB_API_URL"
        api_url = RawSetting(texts=(workflow.api_url,), origin=Origin.INPUT, where=origin)
        inherited["github-api-url"] = api_url
    return inherited, inputs


def _resolve_targets(
    inherited: Mapping[str, RawSetting],
    inputs: Mapping[str, RawSetting],
    open_journal: "OpenJournal | None",
    workspace: str,
) -> tuple[Sequence[Plan], tuple[Settings, ...]]:
    """Return the saved plans to apply, if any, and the settings of each target."""
    policy = read_named_policy(inputs, workspace)
    if open_journal is not None:
        written = open_journal.journal_file
        settings = resolve_journal_settings(
            written.header, written.source, inherited, policy, inputs
        )
        return (), (settings,)
    if raw_text(inputs, "mode") != Mode.APPLY:
        return (), resolve_targets(inherited, policy, inputs)
    return resolve_saved_plans(inherited, policy, inputs)


def _create_factory(
    environ: Mapping[str, str], workflow: WorkflowRun, console: Console, runner: Runner
) -> ContextFactory:
    journals: list[str] = []

    def set_journal_output(path: str) -> None:
        journals.append(path)
        runner.set_output("journal-file", "\n".join(journals))

    return ContextFactory(
        environ=environ,
        references=workflow.references,
        references_after_close=workflow.references_after_close,
        progress=ProgressLines(lambda line: console.print(line, markup=False)),
        requires_identity_token=True,
        mask_secret=runner.mask_secret,
        on_journal_open=set_journal_output,
    )


def _find_policy_changes(
    environ: Mapping[str, str],
    workflow: WorkflowRun,
    run: Run,
    plans: Sequence[Plan],
    github: "GitHubApi | None",
) -> "tuple[PolicyChange, ...]":
    """Compare with the base branch's policy in a pull request's plan that has a policy file."""
    settings = run.contexts[0].settings
    is_applicable = settings.mode is Mode.PLAN and settings.policy_file and workflow.base_commit
    if not is_applicable or github is None:
        return ()
    from ci3.action.policy_diff import BasePolicy  # noqa: PLC0415 - requests and yaml: only a pull request compares policies

    inherited, inputs = _read_raw_settings(environ, workflow)
    old_policy = BasePolicy(
        path=settings.policy_file,
        base_commit=workflow.base_commit,
        workspace=environ.get("GITHUB_WORKSPACE", "."),
        inherited=inherited,
        inputs=inputs,
    )
    return old_policy.compare_plans(run, plans, github)
