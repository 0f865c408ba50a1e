"""How a workflow's step reports: outputs, annotations, summary, comment, and its exit code."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ci3.config.resolve import Given, text_of
from ci3.config.settings import CommentPolicy, Mode, Settings
from ci3.core.live.commit_names import Commit, most_telling
from ci3.core.model.result import Outcome
from ci3.core.plan.target_result import Account, exit_code, list_numbers, outcome_of, sum_up
from ci3.errors import (
    Ci3Error,
    ExitCode,
    GitHubError,
    GitHubReadOnlyError,
    RefusedError,
    SettingsError,
)
from ci3.github.workflow_commands import SUMMARY_LIMIT_BYTES, Runner
from ci3.github.workflow_run import WorkflowRun
from ci3.report.markdown_format import Place, code
from ci3.report.plan.lifecycle_text import open_warnings, reconciled_notes, reconciled_problem
from ci3.report.plan.markdown import error_markdown, run_markdown
from ci3.report.plan.text import shortfall, staleness

if TYPE_CHECKING:
    from ci3.core.plan.policy_diff import PolicyChange
    from ci3.github.api import GitHubApi

HOW_TO_APPLY = (
    "run this step with `mode: apply`. It makes a plan anew, and deletes what is due then."
)
HOW_TO_APPLY_SAVED = (
    "run a step with `mode: apply` and this plan's file as `plan-file`. It deletes what stands "
    "here, and nothing once something of it has changed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """Where a step may comment; `github` is None where there is no token or repository.

    `ids` are those that its comment may have, the likeliest first: while the settings are not
    known there are several.
    """

    github: "GitHubApi | None"
    policy: CommentPolicy
    ids: tuple[str, ...]
    is_plan: bool = False


class Reporter:
    """Reports one step of a workflow; what it knows of the step grows while that runs."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._run: WorkflowRun | None = None
        self._talk: Talk | None = None
        self._plan_file = ""
        self._has_targets = False

    def begin(self, run: WorkflowRun, inputs: Mapping[str, Given]) -> None:
        """Learn of the workflow run; until the settings are known, the inputs must do."""
        self._run = run
        self.runner.hide(text_of(inputs, "github-token"))
        self._talk = _talk_by_inputs(run, inputs)

    def settle(self, settings: Settings, github: "GitHubApi | None") -> None:
        """Learn the first target's settings: what is about the whole run is the same in all."""
        url = f"s3://{settings.bucket}/{settings.prefix}"
        place = settings.policy_file if settings.has_targets else url
        self.runner.hide(settings.github_token)
        self._plan_file = settings.plan_file
        self._has_targets = settings.has_targets
        self._talk = Talk(
            github=github,
            policy=_comment_policy(settings.comment, mode=settings.mode),
            ids=(settings.comment_id or place,),
            is_plan=settings.mode is Mode.PLAN,
        )

    def report(self, accounts: Sequence[Account], changes: "Sequence[PolicyChange]") -> int:
        """Report what became of a run, everywhere; give the step's exit code."""
        self.set_outputs(accounts)
        self.runner.set_output("comment-url", "")
        commits = self._find_commits(accounts)
        summary = self._place(SUMMARY_LIMIT_BYTES, self._rest_of_summary, commits)
        self.runner.write_summary(run_markdown(accounts, summary, changes))
        self._annotate(accounts)
        is_worth_creating = (
            (self._talk is not None and self._talk.policy is CommentPolicy.ALWAYS)
            or bool(changes)
            or any(account.plan.doomed or not account.plan.applyable for account in accounts)
            or any(reconciled_notes(one) or reconciled_problem(one) for one in accounts)
        )
        code_ = self._comment(
            lambda place: run_markdown(accounts, place, changes),
            commits,
            is_worth_creating=is_worth_creating,
        )
        return exit_code(outcome_of(accounts)) or code_

    def set_outputs(self, accounts: Sequence[Account]) -> None:
        """Set the action's outputs, but for the comment's address."""
        for name, value in sum_up(accounts).items():
            self.runner.set_output(name, value)
        self.runner.set_output("plan-file", self._plan_file)
        self.runner.set_output("objects-restored", 0)
        targets = json.dumps(list_numbers(accounts)) if self._has_targets else ""
        self.runner.set_output("targets", targets)

    def fail(self, error: Ci3Error) -> int:
        """Report an error; a comment that is there must not go on telling of an earlier run."""
        is_refused = isinstance(error, RefusedError)
        self.runner.set_output("outcome", Outcome.REFUSED if is_refused else Outcome.FAILED)
        self.runner.fail(error.told)
        self.runner.write_summary(error_markdown(error))
        with suppress(
            KeyboardInterrupt
        ):  # all but the comment is told, and the error is what counts
            self.amend(lambda place: error_markdown(error, place))
        return error.exit_code

    def amend(self, markdown: Callable[[Place], str], url: str = "") -> None:
        """Edit the comment that is there, to say what became of what it tells of.

        `url` is the target's address, if it is known better than by the settings.
        """
        talk = self._talk
        if talk is not None and url and len(talk.ids) > 1:
            self._talk = replace(talk, ids=tuple(dict.fromkeys((url, *talk.ids))))
        self._comment(markdown, {}, is_worth_creating=False)

    def _annotate(self, accounts: Sequence[Account]) -> None:
        runner = self.runner
        for account in accounts:
            where = f"{account.plan.target.url}: " if len(accounts) > 1 else ""
            for warning in open_warnings(account):
                runner.warn(f"{where}{warning.message}")
            for refusal in account.plan.refusals:
                runner.fail(f"{where}{refusal.message}")
            if account.is_stale and account.changed:
                runner.fail(f"{where}{staleness(account)}")
            if problem := reconciled_problem(account):
                runner.fail(f"{where}{problem}")
            if account.result is not None and account.result.outcome is Outcome.PARTIAL:
                runner.fail(f"{where}{shortfall(account.plan, account.result)}")

    def _find_commits(self, accounts: Sequence[Account]) -> Mapping[str, Commit]:
        """Ask GitHub which commits the deployments are named after, where it can be asked."""
        if self._talk is None or self._talk.github is None:
            return {}
        plans = [account.plan for account in accounts]
        kept = (one.deployment.name for plan in plans for one in plan.kept)
        doomed = (one.deployment.name for plan in plans for one in plan.doomed)
        return self._talk.github.find_commits(most_telling(kept, doomed))

    @property
    def _rest_of_summary(self) -> str:
        return f"the plan file {code(self._plan_file)}" if self._plan_file else "the step's log"

    def _place(self, budget_bytes: int, rest: str, commits: Mapping[str, Commit]) -> Place:
        """Describe a place of so many bytes for a report of this step."""
        run = self._run
        return Place(
            budget_bytes=budget_bytes,
            run_url=run.run_url if run else "",
            how_to_apply=HOW_TO_APPLY_SAVED if self._plan_file else HOW_TO_APPLY,
            rest=rest,
            commit_url=run.commit_url if run else "",
            commits=commits,
        )

    def _comment(
        self,
        markdown: Callable[[Place], str],
        commits: Mapping[str, Commit],
        *,
        is_worth_creating: bool,
    ) -> ExitCode:
        """Write the comment where there is a pull request; not being allowed to is only noticed.

        In plan mode the comment is the point, and losing it ends in a non-zero exit.
        """
        run, talk, runner = self._run, self._talk, self.runner
        if run is None or talk is None or talk.policy is CommentPolicy.NEVER:
            return ExitCode.DONE
        if run.pull_request is None and not run.pushed_commit:
            return ExitCode.DONE
        if talk.github is None:
            if run.pull_request is not None:
                runner.notice("there is no token to comment with: the report is in the summary")
            return ExitCode.DONE
        from ci3.github.comments import COMMENT_LIMIT_BYTES, MARKER_BYTES  # noqa: PLC0415 - requests: few runs comment

        url = run.run_url
        rest = f"[the run's summary]({url})" if url else "the run's summary"
        place = self._place(COMMENT_LIMIT_BYTES - MARKER_BYTES, rest, commits)
        try:
            self._post(talk.github, markdown(place), is_worth_creating=is_worth_creating)
        except GitHubReadOnlyError as exc:
            told = f"no comment, the report is in the summary: {exc.told}"
            if run.pull_request is None:
                runner.say(told)  # nobody knows whether there is a pull request at all
            else:
                runner.notice(told)
        except GitHubError as exc:
            told = f"no comment, the report is in the summary: {exc.told}"
            if talk.is_plan:
                runner.fail(told)
                return ExitCode.ACCESS
            runner.warn(told)
        return ExitCode.DONE

    def _post(self, github: "GitHubApi", body: str, *, is_worth_creating: bool) -> None:
        if self._run is None or self._talk is None:
            return
        number = self._run.pull_request or github.find_pull_request(self._run.pushed_commit)
        if number is None:
            return
        from ci3.github.comments import post_comment  # noqa: PLC0415 - requests: few runs comment

        for comment_id in self._talk.ids:
            comment = post_comment(
                github,
                number=number,
                comment_id=comment_id,
                body=body,
                is_worth_creating=is_worth_creating,
            )
            if comment is not None:
                self.runner.set_output("comment-url", comment.url)
                self.runner.say(f"Comment: {comment.url}")


def open_github(run: WorkflowRun, *, api_url: str, token: str) -> "GitHubApi | None":
    """Make GitHub's client; raises SettingsError before anything is done."""
    if not token or not run.repository:
        return None
    from ci3.github.api import GitHubApi  # noqa: PLC0415 - requests: few runs ask GitHub

    return GitHubApi(api_url=api_url, token=token, repository=run.repository)


def _comment_policy(wanted: CommentPolicy, *, mode: str) -> CommentPolicy:
    """Return when to comment: never in doctor mode, which has no plan to show."""
    return CommentPolicy.NEVER if mode == Mode.DOCTOR else wanted


def _talk_by_inputs(run: WorkflowRun, inputs: Mapping[str, Given]) -> Talk | None:
    """Guess where a comment is from the inputs alone, right or wrong as they may be."""
    folder = text_of(inputs, "prefix").strip("/")
    url = f"s3://{text_of(inputs, 'bucket')}/{f'{folder}/' if folder else ''}"
    named = text_of(inputs, "comment-id")
    is_silent = text_of(inputs, "comment") == CommentPolicy.NEVER
    policy = _comment_policy(
        CommentPolicy.NEVER if is_silent else CommentPolicy.CHANGES,
        mode=text_of(inputs, "mode"),
    )
    try:
        return Talk(
            github=open_github(
                run,
                api_url=text_of(inputs, "github-api-url") or run.api_url,
                token=text_of(inputs, "github-token"),
            ),
            policy=policy,
            ids=(named,) if named else (url, text_of(inputs, "policy-file")),
        )
    except SettingsError:
        return None
