"""The issue that ci3 keeps up to date where a run has no pull request."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ci3.github.api import GitHubApi, Issue, IssueState
from ci3.github.markers import (
    create_once,
    find_own,
    hash_text,
    join_lines,
    make_marker,
    split_lines,
)

MAX_CLOSED_PAGES: Final = 10
"""Pages of 100 closed issues of this author that are searched, the last updated first."""

_CLOSED_LINE: Final = "<!-- ci3:closed -->"


class IssueAction(StrEnum):
    """What a run does with its issue."""

    OPEN = "open"
    """Create it, update it, or open it again."""
    CLOSE = "close"
    """Update and close it if there is one."""
    UPDATE = "update"
    """Update it if it is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReport:
    """What the issue with an ID is to contain, and what to do with it."""

    issue_id: str
    title: str
    """Used only to create it: a user may change it."""
    body: str
    action: IssueAction
    news: str
    """A text that differs if there is something new to look at."""


def post_issue(api: GitHubApi, report: IssueReport) -> Issue | None:
    """Create, update, open or close an issue.

    A user who closes the issue has seen it: it is opened again when there are other news.

    | issue          | OPEN                          | CLOSE            | UPDATE  |
    |----------------|-------------------------------|------------------|---------|
    | none           | create                        | nothing          | nothing |
    | open           | update                        | update and close | update  |
    | closed by ci3  | update and open               | nothing          | nothing |
    | closed by user | the same, if the news differ  | update           | nothing |

    The second line of the text distinguishes the last two: ci3 writes it in the request that
    closes, and otherwise a digest of the news.

    Returns the issue as it is now, or None where there is none or it stays closed. Raises
    ValueError when the text is over POST_LIMIT_BYTES, and the errors of `GitHubApi`.
    """
    marker, action = make_marker(report.issue_id), report.action
    issue = _find_issue(api, marker, IssueState.OPEN)
    if issue is None and action is not IssueAction.UPDATE:
        issue = _find_issue(api, marker, IssueState.CLOSED)
    news_line = f"<!-- ci3:{hash_text(report.news)} -->"
    if issue is None:
        if action is not IssueAction.OPEN:
            return None
        text = join_lines(marker, news_line, report.body)
        return create_once(
            lambda: api.create_issue(report.title, text),
            lambda: _find_issue(api, marker, IssueState.OPEN),
        )
    written_line = [*split_lines(issue), ""][1]
    second_line = {
        IssueAction.OPEN: news_line,
        IssueAction.CLOSE: _CLOSED_LINE,
        IssueAction.UPDATE: written_line,
    }[action]
    if not issue.is_open and second_line == written_line:
        return None
    state = IssueState.CLOSED if action is IssueAction.CLOSE else IssueState.OPEN
    return api.update_issue(issue.number, join_lines(marker, second_line, report.body), state)


def _find_issue(api: GitHubApi, marker: str, state: IssueState) -> Issue | None:
    max_pages = None if state is IssueState.OPEN else MAX_CLOSED_PAGES
    issues = api.list_issues(api.read_author(), state, max_pages)
    return find_own(issues, marker, api.read_author)
