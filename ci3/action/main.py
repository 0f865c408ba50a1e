"""The workflow's face: inputs in; log, summary, comment, outputs and exit code out."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

from ci3.action.doctor import doctor_step
from ci3.action.reporter import Reporter, open_github
from ci3.aws.credentials import assume_role, name_session
from ci3.config.from_plan import named_plan_file, settings_of_journal, settings_of_plans
from ci3.config.named_policy import read_named_policy
from ci3.config.resolve import Given, text_of
from ci3.config.settings import Mode, Settings
from ci3.config.targets import resolve_targets
from ci3.core.model.policy import Origin
from ci3.core.model.result import Outcome
from ci3.core.plan.plan import Plan
from ci3.core.plan.target_result import Account, exit_code, outcome_of, with_reconciled
from ci3.errors import AccessError, Ci3Error, ExitCode, SettingsError
from ci3.github.log_escape import NeutralStream
from ci3.github.workflow_commands import Runner, read_inputs
from ci3.github.workflow_run import WorkflowRun, read_run
from ci3.pipeline.context import Cleanup
from ci3.pipeline.plan_file import read_saved_plans
from ci3.pipeline.run import Run, hold_all, open_run
from ci3.report.plan.terminal import show_reconciled, show_results, show_run
from ci3.report.plan.text import total_verdict
from ci3.report.progress_lines import ProgressLines

if TYPE_CHECKING:
    from ci3.core.plan.policy_diff import PolicyChange
    from ci3.engine.journal.reader import OpenJournal
    from ci3.github.api import GitHubApi
    from ci3.pipeline.journals import Surround

# A cancelled step gets SIGINT, after 7.5 seconds SIGTERM, after 2.5 more SIGKILL:
# https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

LOG_WIDTH = 160
JOURNAL = "If anything was deleted until then, the journal tells."


def main() -> int:
    """Run the action in the environment of a workflow's step; give its exit code."""
    for one in _SIGNALS:
        signal.signal(one, _interrupt)
    runner = Runner(os.environ.get("GITHUB_STEP_SUMMARY", ""))
    reporter = Reporter(runner)
    try:
        return _run(os.environ, reporter)
    except Ci3Error as exc:
        return reporter.fail(exc)
    except KeyboardInterrupt:
        runner.set_output("outcome", Outcome.FAILED)
        runner.fail("interrupted before anything was deleted")
        return ExitCode.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - the face is where a bug of ours ends
        print(traceback.format_exc(), file=NeutralStream(sys.stderr))
        what = f"a bug in ci3: {type(exc).__name__}"
        return reporter.fail(Ci3Error(what, f"Please report the traceback in the log. {JOURNAL}"))
    finally:
        runner.end_annotations()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop at the first signal, once: the second comes while what was done is being told."""
    for one in _SIGNALS:
        signal.signal(one, _pass_over)  # SIG_IGN would have Python tell of signals in a race
    raise KeyboardInterrupt


def _pass_over(_signal: int, _frame: FrameType | None) -> None:
    """Leave the run to its end."""


def _run(environ: Mapping[str, str], reporter: Reporter) -> int:
    runner = reporter.runner
    workflow = read_run(environ)
    inherited, inputs = _given(environ, workflow)
    reporter.begin(workflow, inputs)
    log: Any = NeutralStream(sys.stdout)  # rich asks for a whole IO and uses these few methods
    console = Console(file=log, width=LOG_WIDTH, no_color=True)

    def surround(one: Settings) -> Cleanup:
        return _as_role(_cleanups((one,), workflow, None, console, runner), environ, runner)[0]

    if text_of(inputs, "mode") == Mode.RESTORE:
        from ci3.action.restore import restore_step  # noqa: PLC0415 - pydantic: only a restore reads a journal

        return restore_step(
            inputs,
            surround,
            console=console,
            reporter=reporter,
            run_url=workflow.run_url,
        )
    with ExitStack() as held:
        opened = _open_resumed(inputs, surround, held)
        saved, targets = _targets(inherited, inputs, opened)
        settings = targets[0]
        github = open_github(workflow, api_url=settings.github_api_url, token=settings.github_token)
        reporter.settle(settings, github)
        cleanups = _cleanups(targets, workflow, github, console, runner)
        cleanups = _as_role(cleanups, environ, runner)
        if settings.mode is Mode.DOCTOR:
            return doctor_step(cleanups, console=console, runner=runner, run_url=workflow.run_url)
        run = open_run(cleanups, saved, opened)
        return _clean(environ, reporter, run, workflow, console)


def _clean(
    environ: Mapping[str, str],
    reporter: Reporter,
    run: Run,
    workflow: WorkflowRun,
    console: Console,
) -> int:
    runner, first = reporter.runner, run.cleanups[0]
    settings = first.settings
    plans = run.make_plans()
    if settings.mode is Mode.PLAN:
        run.save_plans(plans)
    accounts: Sequence[Account] = [Account(plan=plan) for plan in plans]
    runner.begin_group(f"Plan: {total_verdict(accounts)}")
    show_run(console, accounts)
    runner.end_group()
    changes = _policy_changes(environ, workflow, run, plans, first.github)
    if settings.mode is not Mode.APPLY:
        return reporter.report(accounts, changes)
    begun = run.reconcile(plans)
    reconciled = [one.reconciled for one in begun]
    accounts = with_reconciled(accounts, reconciled)
    show_reconciled(console, accounts)
    has_work = run.has_work(begun)
    try:
        done = run.apply(begun, is_fresh=True) if has_work else hold_all(begun)
    except KeyboardInterrupt as exc:
        raise AccessError("interrupted", JOURNAL) from exc
    accounts = with_reconciled(done, reconciled)
    try:
        if has_work:
            show_results(console, done)
        show_reconciled(console, done)
        return reporter.report(accounts, changes)
    except KeyboardInterrupt:
        reporter.set_outputs(accounts)
        runner.warn("interrupted after the deletion: not all of its report was written")
        return exit_code(outcome_of(accounts))


def _open_resumed(
    inputs: Mapping[str, Given], surround: "Surround", held: ExitStack
) -> "OpenJournal | None":
    """Open the journal of the run to go on with, where one is named; raises SettingsError."""
    path = text_of(inputs, "resume")
    if not path:
        return None
    if text_of(inputs, "mode") != Mode.APPLY:
        raise SettingsError(
            "the input resume goes on with an apply", "Set mode: apply, or leave resume out."
        )
    from ci3.pipeline.journals import reopen_named_journal  # noqa: PLC0415 - pydantic: only a resume reads a journal

    return held.enter_context(reopen_named_journal(path, surround, inputs))


def _given(
    environ: Mapping[str, str], workflow: WorkflowRun
) -> tuple[dict[str, Given], dict[str, Given]]:
    """Collect what the run's surroundings set, and the inputs, which go before it."""
    inputs = {
        name: Given(texts=(text,), origin=Origin.INPUT, where=f"input {name}")
        for name, text in read_inputs(environ).items()
    }
    inherited = {}
    if workflow.api_url:
        where = "GITHUB_API_URL"
        given = Given(texts=(workflow.api_url,), origin=Origin.INPUT, where=where)
        inherited["github-api-url"] = given
    return inherited, inputs


def _targets(
    inherited: Mapping[str, Given], inputs: Mapping[str, Given], opened: "OpenJournal | None"
) -> tuple[Sequence[Plan], tuple[Settings, ...]]:
    """Make the settings of each target; to apply a plan file, with the plans that it holds."""
    policy = read_named_policy(inputs)
    if opened is not None:
        written = opened.written
        settings = settings_of_journal(written.header, written.source, inherited, policy, inputs)
        return (), (settings,)
    path = named_plan_file(policy, inputs)
    if text_of(inputs, "mode") != Mode.APPLY or not path:
        return (), resolve_targets(inherited, policy, inputs)
    saved = read_saved_plans(path)
    return saved, settings_of_plans(saved, path, inherited, policy, inputs)


def _cleanups(
    targets: Sequence[Settings],
    workflow: WorkflowRun,
    github: "GitHubApi | None",
    console: Console,
    runner: Runner,
) -> list[Cleanup]:
    journals: list[str] = []

    def tell_journal(path: str) -> None:
        journals.append(path)
        runner.set_output("journal-file", "\n".join(journals))

    return [
        Cleanup(
            settings=settings,
            commits=workflow.commits,
            progress=ProgressLines(lambda line: console.print(line, markup=False)),
            clock=lambda: datetime.now(UTC),
            sleep=time.sleep,
            github=github,
            tell_journal=tell_journal,
        )
        for settings in targets
    ]


def _as_role(cleanups: list[Cleanup], environ: Mapping[str, str], runner: Runner) -> list[Cleanup]:
    """Give all targets the credentials of the role, if one is named.

    Raises SettingsError where the job may not ask for GitHub's identity tokens.
    """
    settings = cleanups[0].settings
    if not settings.role_to_assume:
        return cleanups
    from ci3.github.oidc import open_identity_tokens  # noqa: PLC0415 - requests: only a role needs a token

    tokens = open_identity_tokens(environ, hide=runner.hide, sleep=time.sleep)
    credentials = assume_role(
        settings.role_to_assume,
        region=settings.region,
        session_name=name_session(environ.get("GITHUB_RUN_ID", "")),
        fetch_web_identity_token=tokens.fetch,
        clock=cleanups[0].clock,
    )
    return [replace(cleanup, credentials=credentials) for cleanup in cleanups]


def _policy_changes(
    environ: Mapping[str, str],
    workflow: WorkflowRun,
    run: Run,
    plans: Sequence[Plan],
    github: "GitHubApi | None",
) -> "tuple[PolicyChange, ...]":
    """Compare with the policy of the pull request's base, where there is a file and one to ask."""
    settings = run.cleanups[0].settings
    is_wanted = settings.mode is Mode.PLAN and settings.policy_file and workflow.base_commit
    if not is_wanted or github is None:
        return ()
    from ci3.action.policy_diff import OldPolicy  # noqa: PLC0415 - requests and yaml: only a pull request compares policies

    inherited, inputs = _given(environ, workflow)
    old = OldPolicy(
        path=settings.policy_file,
        base_commit=workflow.base_commit,
        workspace=environ.get("GITHUB_WORKSPACE", "."),
        inherited=inherited,
        inputs=inputs,
    )
    return old.find_changes(run, plans, github)
