"""The workflow's face: inputs in; log, summary, comment, outputs and exit code out."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console

from ci3.cleanup import Cleanup, exit_code, outcome, report_numbers, save_plan
from ci3.core.model import Outcome, Result
from ci3.core.plan import Origin, Plan
from ci3.errors import Ci3Error, ExitCode, GitHubError, GitHubReadOnlyError, RefusedError
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
from ci3.policy_file import read_policy_file
from ci3.report.markdown import Place, error_markdown, plan_markdown
from ci3.report.sentences import achievement, verdict
from ci3.report.terminal import ProgressLines, show_plan, show_result
from ci3.settings import CommentPolicy, Given, Mode, Settings, resolve

LOG_WIDTH = 160
HOW_TO_APPLY = "run this step with `mode: apply`. It lists again, and skips what has changed since."


def main() -> int:
    """Run the action in the environment of a workflow's step; give its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    runner = Runner(os.environ.get("GITHUB_STEP_SUMMARY", ""))
    try:
        return _run(os.environ, runner)
    except Ci3Error as exc:
        refused = isinstance(exc, RefusedError)
        runner.set_output("outcome", Outcome.REFUSED if refused else Outcome.FAILED)
        runner.fail(f"{exc.message}. {exc.hint}")
        runner.write_summary(error_markdown(exc))
        return exc.exit_code
    except KeyboardInterrupt:
        runner.set_output("outcome", Outcome.FAILED)
        runner.fail("interrupted before anything was deleted")
        return ExitCode.INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - the face is where a bug of ours ends
        runner.set_output("outcome", Outcome.FAILED)
        print(traceback.format_exc(), file=NeutralStream(sys.stderr))  # noqa: T201
        runner.fail(f"a bug in ci3: {type(exc).__name__}; please report the lines above")
        return ExitCode.BUG


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _run(environ: Mapping[str, str], runner: Runner) -> int:
    run = read_run(environ)
    settings = _settings(environ, run)
    runner.hide(settings.github_token)
    log: Any = NeutralStream(sys.stdout)  # rich asks for a whole IO and uses these few methods
    console = Console(file=log, width=LOG_WIDTH, no_color=True)
    cleanup = Cleanup(
        settings=settings,
        commits=run.commits,
        progress=ProgressLines(lambda line: console.print(line, markup=False)),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
    bucket = cleanup.open_bucket()
    plan = cleanup.make_plan(bucket)
    if settings.plan_file:
        save_plan(plan, settings.plan_file)
    runner.begin_group(f"Plan: {verdict(plan)}")
    show_plan(console, plan)
    runner.end_group()
    result = None
    if settings.mode is Mode.APPLY and plan.applyable and plan.doomed:
        result = cleanup.apply(plan, bucket, is_fresh=True)
        show_result(console, plan, result)
    return _report(runner, run, settings, plan, result)


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
    policy_path = inputs["policy-file"].texts[0].strip() if "policy-file" in inputs else ""
    policy = read_policy_file(policy_path) if policy_path else {}
    return resolve(inherited, policy, inputs)


def _report(
    runner: Runner, run: WorkflowRun, settings: Settings, plan: Plan, result: Result | None
) -> int:
    ended = outcome(plan, result)
    code = exit_code(ended)
    for name, value in report_numbers(plan, result).items():
        runner.set_output(name, value)
    runner.set_output("plan-file", settings.plan_file)
    place = Place(budget_bytes=SUMMARY_LIMIT_BYTES, run_url=run.run_url, how_to_apply=HOW_TO_APPLY)
    runner.write_summary(plan_markdown(plan, place, result))
    for warning in plan.warnings:
        runner.warn(warning.message)
    for refusal in plan.refusals:
        runner.fail(refusal.message)
    if result is not None and ended is Outcome.PARTIAL:
        runner.fail(achievement(plan, result))
    return max(code, _comment(runner, run, settings, plan, result))


def _comment(
    runner: Runner, run: WorkflowRun, settings: Settings, plan: Plan, result: Result | None
) -> ExitCode:
    """Write the comment where there is a pull request; not being allowed to is only noticed."""
    runner.set_output("comment-url", "")
    if run.pull_request is None or settings.comment is CommentPolicy.NEVER:
        return ExitCode.DONE
    if not settings.github_token or not run.repository:
        runner.notice("there is no token to comment with: the plan stands in the summary")
        return ExitCode.DONE
    place = Place(
        budget_bytes=COMMENT_LIMIT_BYTES - 100, run_url=run.run_url, how_to_apply=HOW_TO_APPLY
    )
    is_worth_creating = (
        settings.comment is CommentPolicy.ALWAYS or bool(plan.doomed) or not plan.applyable
    )
    try:
        comment = post_comment(
            GitHubApi(
                api_url=settings.github_api_url,
                token=settings.github_token,
                repository=run.repository,
            ),
            number=run.pull_request,
            comment_id=settings.comment_id or plan.target.url,
            body=plan_markdown(plan, place, result),
            is_worth_creating=is_worth_creating,
        )
    except GitHubReadOnlyError as exc:
        runner.notice(f"no comment, the plan stands in the summary: {exc.message}. {exc.hint}")
        return ExitCode.DONE
    except GitHubError as exc:
        runner.warn(f"no comment, the plan stands in the summary: {exc.message}. {exc.hint}")
        return ExitCode.ACCESS if result is None else ExitCode.DONE
    if comment is not None:
        runner.set_output("comment-url", comment.url)
    return ExitCode.DONE
