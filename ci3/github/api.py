"""Requests about one GitHub repository: comments, issues, pull requests, commits and files."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final
from urllib.parse import quote, urlencode

from ci3.core.live.commit_names import Commit
from ci3.core.live.references import Reference
from ci3.errors import GitHubError
from ci3.github.commits import find_commits
from ci3.github.deployment_records import DeploymentRecords
from ci3.github.http import GitHubTransport, RequestFailure
from ci3.github.own_workflow import NO_WORKFLOW, OwnWorkflow
from ci3.github.responses import JsonObject

WORKFLOW_AUTHOR: Final = "github-actions[bot]"
"""The author of what the workflow's own token writes; that token may not read its login."""

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment on an issue or pull request."""

    comment_id: int
    body: str
    url: str
    author: str
    """The login, or an empty text where the account was deleted."""
    is_minimized: bool = False
    """True if a user has hidden it."""


class IssueState(StrEnum):
    """Whether an issue is open."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue that is no pull request."""

    number: int
    body: str
    url: str
    author: str
    """The login, or an empty text where the account was deleted."""
    is_open: bool


class GitHubApi:
    """One GitHub repository, accessed with one token.

    Every method raises `GitHubError` when a request fails, and `GitHubReadOnlyError` when the token
    does not have the permission.
    """

    def __init__(self, transport: GitHubTransport, own_workflow: OwnWorkflow = NO_WORKFLOW) -> None:
        self.transport = transport
        self.deployment_records = DeploymentRecords(transport=transport, own_workflow=own_workflow)
        self._issues = f"{self.transport.repository_path}/issues"
        self._author: str | None = None

    def __repr__(self) -> str:
        return f"GitHubApi({self.transport!r})"

    def list_comments(self, number: int) -> Iterator[Comment]:
        """Iterate over all comments of an issue or pull request, oldest first."""
        for entry in self.transport.list_entries(f"{self._issues}/{number}/comments"):
            yield _make_comment(entry)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment to an issue or pull request; not retried after a lost response."""
        path = f"{self._issues}/{number}/comments"
        return _make_comment(self.transport.send_request("POST", path, {"body": body}))

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        path = f"{self._issues}/comments/{comment_id}"
        return _make_comment(self.transport.send_request("PATCH", path, {"body": body}))

    def read_author(self) -> str:
        """Return the login that this token writes as; requested once."""
        if self._author is None:
            outcome = self.transport.try_get("/user")
            if not isinstance(outcome, RequestFailure):
                self._author = outcome.get_text("login")
            elif outcome.is_forbidden:
                self._author = WORKFLOW_AUTHOR
            else:
                raise outcome.error from outcome.cause
        return self._author

    def list_issues(
        self, author: str, state: IssueState, max_pages: int | None = None
    ) -> Iterator[Issue]:
        """Iterate over the issues of an author that are open or closed, without pull requests.

        The open ones are sorted by creation, oldest first, the closed ones by their last update,
        newest first. Source: https://docs.github.com/rest/issues/issues#list-repository-issues
        """
        is_open = state is IssueState.OPEN
        query = {
            "creator": author,
            "state": state.value,
            "sort": "created" if is_open else "updated",
            "direction": "asc" if is_open else "desc",
        }
        pages = self.transport.list_pages(self._issues, query, lambda: None)
        for page in islice(pages, max_pages):
            for entry in page:
                if entry.get_optional_object("pull_request") is None:
                    yield _make_issue(entry)

    def create_issue(self, title: str, body: str) -> Issue:
        """Open an issue; not retried after a lost response."""
        payload = {"title": title, "body": body}
        return _make_issue(self.transport.send_request("POST", self._issues, payload))

    def update_issue(self, number: int, body: str, state: IssueState) -> Issue:
        """Replace the text of an issue, and open or close it."""
        path = f"{self._issues}/{number}"
        payload = {"body": body, "state": state.value}
        return _make_issue(self.transport.send_request("PATCH", path, payload))

    def find_pull_requests(self, commit: str, head_repository: str) -> tuple[int, ...]:
        """Return the open pull requests into this repository whose head is a commit, oldest first.

        The head must be a branch of `head_repository`, an `owner/name`: any fork can have the same
        commit. There are several if they have different bases.
        Source: https://docs.github.com/rest/commits/commits#list-pull-requests-associated-with-a-commit
        """
        repository = self.transport.repository_path.removeprefix("/repos/")
        numbers = []
        path = f"{self.transport.repository_path}/commits/{commit}/pulls"
        for entry in self.transport.list_entries(path):
            # GitHub also lists the pull request that merged the commit, and those within forks.
            head, base = entry.get_object("head"), entry.get_object("base")
            if (
                entry.get_text("state") == "open"
                and _is_in_repository(base, repository)
                and head.get_text("sha") == commit
                and _is_in_repository(head, head_repository)
            ):
                numbers.append(entry.get_int("number"))
        return tuple(sorted(numbers))

    def read_pull_request(self, number: int) -> Reference:
        """Return a pull request with the commit and the branch of its head.

        Source: https://docs.github.com/rest/pulls/pulls#get-a-pull-request
        """
        path = f"{self.transport.repository_path}/pulls/{number}"
        head = self.transport.send_request("GET", path).get_object("head")
        commit, branch = head.get_commit_hash("sha"), head.get_text("ref")
        return Reference(pull_request=number, commits=(commit,), branches=(branch,))

    def find_commits(self, names: Iterable[str]) -> dict[str, Commit]:
        """Return commits by the deployment names that refer to them, as far as GitHub has them."""
        return find_commits(self.transport, names)

    def read_file(self, path: str, ref: str) -> str | None:
        """Return a file as of a commit or branch, or None where it does not exist.

        Raises GitHubError where it is not a text file, or is too large for this request.
        Source: https://docs.github.com/rest/repos/contents#get-repository-content
        """
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise GitHubError(
                f"{path!r} is not a path in a repository", "Use a path from its root."
            )
        url_path = f"{self.transport.repository_path}/contents/{quote(path)}"
        outcome = self.transport.try_get(f"{url_path}?{urlencode({'ref': ref})}")
        if not isinstance(outcome, RequestFailure):
            return _decode_file(outcome)
        if outcome.status == _NOT_FOUND:
            return None
        raise outcome.error from outcome.cause


def _is_in_repository(branch: JsonObject, name: str) -> bool:
    """Return True if a pull request's head or base is in a repository; a deleted fork is none."""
    repository = branch.get_optional_object("repo")
    return repository is not None and repository.get_text("full_name").casefold() == name.casefold()


def _decode_file(fields: JsonObject) -> str:
    if fields.get_text("type") != "file":
        raise fields.make_error("it is not a file")
    if fields.get_text("encoding") != "base64":
        raise fields.make_error("the file is too large")
    try:
        content = base64.b64decode(fields.get_text("content").replace("\n", ""), validate=True)
    except binascii.Error as exc:
        raise fields.make_error("`content` is not base64") from exc
    if len(content) != fields.get_int("size"):
        raise fields.make_error("the length of `content` is not `size`")
    try:
        return content.decode()
    except UnicodeDecodeError as exc:
        raise fields.make_error("the file is not UTF-8 text") from exc


def _make_comment(fields: JsonObject) -> Comment:
    return Comment(
        comment_id=fields.get_int("id"),
        body=fields.get_text("body"),
        url=fields.get_text("html_url"),
        author=_get_author(fields),
        is_minimized=fields.get_optional_object("minimized") is not None,
    )


def _make_issue(fields: JsonObject) -> Issue:
    return Issue(
        number=fields.get_int("number"),
        body=fields.get_optional_text("body"),
        url=fields.get_text("html_url"),
        author=_get_author(fields),
        is_open=fields.get_text("state") == IssueState.OPEN,
    )


def _get_author(fields: JsonObject) -> str:
    user = fields.get_optional_object("user")
    return "" if user is None else user.get_text("login")
