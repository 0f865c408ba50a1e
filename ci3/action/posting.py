"""Post the report of a step: as a comment on the pull request, or as an issue if there is none."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ci3.action.news import News
from ci3.action.post_settings import PostSettings
from ci3.config.modes import PostPolicy
from ci3.errors import ExitCode, GitHubError, GitHubReadOnlyError
from ci3.github.run_references import find_pull_request
from ci3.github.workflow_commands import Runner
from ci3.github.workflow_run import WorkflowRun

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi

_ELSEWHERE = "the report is in the job summary"


class Poster:
    """Posts the report of one step.

    | failure               | comment, mode: plan   | comment, other modes | issue                |
    |-----------------------|-----------------------|----------------------|----------------------|
    | no token              | notice, exit code 0   | notice, exit code 0  | warning, exit code 0 |
    | token may not write   | notice, exit code 0   | notice, exit code 0  | warning, exit code 0 |
    | other error of GitHub | error, exit code 6    | warning, exit code 0 | warning, exit code 0 |

    After a push, ci3 asks GitHub for the pull request. If that fails and `issue` is set, it is a
    warning: no issue is created, because there may be a pull request. If the token may not ask, it
    is otherwise a line of the log instead of a notice: there may be no pull request.
    """

    def __init__(self, runner: Runner, run: WorkflowRun, settings: PostSettings) -> None:
        self._runner = runner
        self._run = run
        self._settings = settings

    @property
    def is_enabled(self) -> bool:
        """True if this run may post a comment or an issue."""
        may_have_pull_request = bool(self._run.pull_request or self._run.head_commit)
        return (self._has_comment and may_have_pull_request) or self._has_issue

    @property
    def _has_comment(self) -> bool:
        return self._settings.comment_policy is not PostPolicy.NEVER

    @property
    def _has_issue(self) -> bool:
        is_set = self._settings.issue_policy is not PostPolicy.NEVER
        return is_set and self._run.pull_request is None

    def post(self, render: Callable[[], str], news: News | None) -> ExitCode:
        """Post a report; return the exit code for the step.

        Without `news`, it replaces an earlier report that may be outdated, and nothing is created.
        """
        github = self._settings.github
        if not self.is_enabled:
            return ExitCode.DONE
        if github is None:
            self._report_missing_token()
            return ExitCode.DONE
        try:
            number = find_pull_request(self._run, github)
        except GitHubError as exc:
            return self._report_failed_search(exc)
        if number is not None and self._has_comment:
            return self._post_comment(github, number, render(), news)
        if number is None and self._has_issue:
            self._post_issue(github, render(), news)
        return ExitCode.DONE

    def _post_comment(
        self, github: "GitHubApi", number: int, body: str, news: News | None
    ) -> ExitCode:
        from ci3.github.comments import post_comment  # noqa: PLC0415 - requests: few runs comment

        is_always_created = self._settings.comment_policy is PostPolicy.ALWAYS
        try:
            for comment_id in self._settings.ids:
                comment = post_comment(
                    github,
                    number=number,
                    comment_id=comment_id,
                    body=body,
                    should_create=news is not None
                    and (is_always_created or news.is_comment_worthy),
                )
                if comment is not None:
                    self._runner.set_output("comment-url", comment.url)
                    self._runner.log(f"Comment: {comment.url}")
        except GitHubError as exc:
            return self._report_failed_comment(exc)
        return ExitCode.DONE

    def _post_issue(self, github: "GitHubApi", body: str, news: News | None) -> None:
        from ci3.github.issues import IssueAction, IssueReport, post_issue  # noqa: PLC0415 - as above

        action = IssueAction.UPDATE
        if news is not None:
            is_always_open = self._settings.issue_policy is PostPolicy.ALWAYS
            is_open = is_always_open or news.needs_action
            action = IssueAction.OPEN if is_open else IssueAction.CLOSE
        try:
            for issue_id in self._settings.ids:
                report = IssueReport(
                    issue_id=issue_id,
                    title=self._settings.issue_title,
                    body=body,
                    action=action,
                    news=news.digest_text if news else "",
                )
                issue = post_issue(github, report)
                if issue is not None:
                    self._runner.set_output("issue-url", issue.url)
                    state = "" if issue.is_open else " (closed)"
                    self._runner.log(f"Issue: {issue.url}{state}")
        except GitHubError as exc:
            self._warn_of_issue(exc.full_message)

    def _report_missing_token(self) -> None:
        if self._has_issue:
            self._warn_of_issue("Set github-token, or issue: never.")
        elif self._run.pull_request is not None:
            self._runner.add_notice(f"cannot comment without github-token: {_ELSEWHERE}")

    def _report_failed_search(self, error: GitHubError) -> ExitCode:
        if not self._has_issue:
            return self._report_failed_comment(error)
        self._warn_of_issue(error.full_message)
        return ExitCode.DONE

    def _warn_of_issue(self, reason: str) -> None:
        self._runner.add_warning(f"cannot update the issue ({_ELSEWHERE}): {reason}")

    def _report_failed_comment(self, error: GitHubError) -> ExitCode:
        message = f"cannot comment ({_ELSEWHERE}): {error.full_message}"
        if isinstance(error, GitHubReadOnlyError):
            is_notice = self._run.pull_request is not None
            write = self._runner.add_notice if is_notice else self._runner.log
            write(message)
        elif self._settings.is_plan_mode:
            self._runner.add_error(message)
            return ExitCode.ACCESS
        else:
            self._runner.add_warning(message)
        return ExitCode.DONE
