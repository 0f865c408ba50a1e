"""The workflow's face: inputs in; log, summary, comment, outputs and exit code out."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from ci3.cleanup import Cleanup, exit_code, outcome, report_numbers, save_plan
from ci3.core.model import Outcome, Result
from ci3.core.plan import Origin, Plan
from ci3.errors import (
    AccessError,
    Ci3Error,
    ExitCode,
    GitHubError,
    GitHubReadOnlyError,
    RefusedError,
)
from ci3.github.api import GitHubApi
from ci3.github.comments import COMMENT_LIMIT_BYTES, post_comment
from ci3.github.runner import (
    SUMMARY_LIMIT_BYTES,
    NeutralStream,
    Runner,
    WorkflowRun,
    read_inputs,
    read_run,
)
from ci3.policy_file import read_named_policy
from ci3.report.markdown import Place, error_markdown, plan_markdown
from ci3.report.sentences import shortfall, verdict
from ci3.report.terminal import ProgressLines, show_plan, show_result
from ci3.settings import CommentPolicy, Given, Mode, Settings, resolve

# A cancelled step gets SIGINT, after 7.5 seconds SIGTERM, after 2.5 more SIGKILL:
# https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

LOG_WIDTH = 160
JOURNAL = "If anything was deleted until then, the journal tells."
HOW_TO_APPLY = (
    "run this step with `mode: apply`. It makes a plan anew, and deletes what is due then."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One step of a workflow; `github` is None where no comment can or shall be written."""

    run: WorkflowRun
    settings: Settings
    github: GitHubApi | None

    def place(self, budget_bytes: int) -> Place:
        """Describe a place of so many bytes for a report of this step."""
        return Place(budget_bytes=budget_bytes, run_url=self.run.run_url, how_to_apply=HOW_TO_APPLY)


def main() -> int:
    """Run the action in the environment of a workflow's step; give its exit code."""
    for one in _SIGNALS:
        signal.signal(one, _interrupt)
    runner = Runner(os.environ.get("GITHUB_STEP_SUMMARY", ""))
    try:
        return _run(os.environ, runner)
    except Ci3Error as exc:
        return _fail(runner, exc)
    except KeyboardInterrupt:
        runner.set_output("outcome", Outcome.FAILED)
        runner.fail("interrupted before anything was deleted")
        return ExitCode.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - the face is where a bug of ours ends
        print(traceback.format_exc(), file=NeutralStream(sys.stderr))
        what = f"a bug in ci3: {type(exc).__name__}"
        return _fail(runner, Ci3Error(what, f"Please report the traceback in the log. {JOURNAL}"))


def _fail(runner: Runner, error: Ci3Error) -> int:
    is_refused = isinstance(error, RefusedError)
    runner.set_output("outcome", Outcome.REFUSED if is_refused else Outcome.FAILED)
    runner.fail(error.told)
    runner.write_summary(error_markdown(error))
    return error.exit_code


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Stop at the first signal, once: the second comes while what was done is being told."""
    for one in _SIGNALS:
        signal.signal(one, _pass_over)  # SIG_IGN would have Python tell of signals in a race
    raise KeyboardInterrupt


def _pass_over(_signal: int, _frame: FrameType | None) -> None:
    """Leave the run to its end."""


def _run(environ: Mapping[str, str], runner: Runner) -> int:
    run = read_run(environ)
    settings = _settings(environ, run)
    runner.hide(settings.github_token)
    github = _open_github(run, settings)
    log: Any = NeutralStream(sys.stdout)  # rich asks for a whole IO and uses these few methods
    console = Console(file=log, width=LOG_WIDTH, no_color=True)
    cleanup = Cleanup(
        settings=settings,
        commits=run.commits,
        progress=ProgressLines(lambda line: console.print(line, markup=False)),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        tell_journal=lambda path: runner.set_output("journal-file", path),
    )
    bucket = cleanup.open_bucket()
    plan = cleanup.make_plan(bucket)
    if settings.plan_file:
        save_plan(plan, settings.plan_file, is_to_be_applied=settings.mode is Mode.APPLY)
    runner.begin_group(f"Plan: {verdict(plan)}")
    show_plan(console, plan)
    runner.end_group()
    step = _Step(run=run, settings=settings, github=github)
    if settings.mode is Mode.PLAN or not plan.applyable or not plan.doomed:
        return _report(runner, step, plan, None)
    try:
        result = cleanup.apply(plan, bucket, is_fresh=True)
    except KeyboardInterrupt as exc:
        raise AccessError("interrupted", JOURNAL) from exc
    try:
        show_result(console, plan, result)
        return _report(runner, step, plan, result)
    except KeyboardInterrupt:
        _set_outputs(runner, step, plan, result)
        runner.warn("interrupted after the deletion: not all of its report was written")
        return exit_code(result.outcome)


def _settings(environ: Mapping[str, str], run: WorkflowRun) -> Settings:
    inputs = {
        name: Given(texts=(text,), origin=Origin.INPUT, where=f"input {name}")
        for name, text in read_inputs(environ).items()
    }
    inherited = {}
    if run.api_url:
        where = "GITHUB_API_URL"
        given = Given(texts=(run.api_url,), origin=Origin.INPUT, where=where)
        inherited["github-api-url"] = given
    return resolve(inherited, read_named_policy(inputs), inputs)


def _open_github(run: WorkflowRun, settings: Settings) -> GitHubApi | None:
    """Make the client that comments; raises SettingsError before anything is done."""
    is_wanted = run.pull_request is not None and settings.comment is not CommentPolicy.NEVER
    if not is_wanted or not settings.github_token or not run.repository:
        return None
    return GitHubApi(
        api_url=settings.github_api_url,
        token=settings.github_token,
        repository=run.repository,
    )


def _set_outputs(runner: Runner, step: _Step, plan: Plan, result: Result | None) -> None:
    for name, value in report_numbers(plan, result).items():
        runner.set_output(name, value)
    runner.set_output("plan-file", step.settings.plan_file)


def _report(runner: Runner, step: _Step, plan: Plan, result: Result | None) -> int:
    ended = outcome(plan, result)
    _set_outputs(runner, step, plan, result)
    runner.write_summary(plan_markdown(plan, step.place(SUMMARY_LIMIT_BYTES), result))
    for warning in plan.warnings:
        runner.warn(warning.message)
    for refusal in plan.refusals:
        runner.fail(refusal.message)
    if result is not None and ended is Outcome.PARTIAL:
        runner.fail(shortfall(plan, result))
    code = _comment(runner, step, plan, result)
    return exit_code(ended) or code


def _comment(runner: Runner, step: _Step, plan: Plan, result: Result | None) -> ExitCode:
    """Write the comment where there is a pull request; not being allowed to is only noticed.

    In plan mode the comment is the point, and losing it ends in a non-zero exit.
    """
    runner.set_output("comment-url", "")
    number, settings = step.run.pull_request, step.settings
    if number is None or settings.comment is CommentPolicy.NEVER:
        return ExitCode.DONE
    if step.github is None:
        runner.notice("there is no token to comment with: the plan stands in the summary")
        return ExitCode.DONE
    is_worth_creating = (
        settings.comment is CommentPolicy.ALWAYS or bool(plan.doomed) or not plan.applyable
    )
    try:
        comment = post_comment(
            step.github,
            number=number,
            comment_id=settings.comment_id or plan.target.url,
            body=plan_markdown(plan, step.place(COMMENT_LIMIT_BYTES - 100), result),
            is_worth_creating=is_worth_creating,
        )
    except GitHubReadOnlyError as exc:
        runner.notice(f"no comment, the plan stands in the summary: {exc.told}")
        return ExitCode.DONE
    except GitHubError as exc:
        runner.warn(f"no comment, the plan stands in the summary: {exc.told}")
        return ExitCode.ACCESS if settings.mode is Mode.PLAN else ExitCode.DONE
    if comment is not None:
        runner.set_output("comment-url", comment.url)
    return ExitCode.DONE
