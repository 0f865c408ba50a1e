"""Live sources on GitHub: deployments, heads of open pull requests, and branches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci3.core.live.sources import LiveKind, LiveReading, LiveReference, LiveSource
from ci3.errors import GitHubError
from ci3.github.http import GitHubTransport
from ci3.github.responses import JsonObject

REQUEST_LIMIT: Final = 200
"""Maximum requests per source: a workflow's token has 1,000 per hour and repository.

Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

SUCCESS_STATE: Final = "success"
ENDED_STATES: Final = frozenset({"inactive", "failure", "error"})
"""Deployment states in which nothing is live; in every other one, something may be."""

_DISPLAYED_DIGITS: Final = 7


def read_github(source: LiveSource, transport: GitHubTransport) -> LiveReading:
    """Read a source on GitHub; no open pull requests, or no branches, is a valid result."""
    repository = _Repository(transport)
    try:
        match source.kind:
            case LiveKind.GITHUB_DEPLOYMENTS:
                references = tuple(_find_deployed(repository, source.argument))
            case LiveKind.OPEN_PULL_REQUESTS:
                references = tuple(_find_pull_request_heads(repository))
            case LiveKind.BRANCHES:
                references = tuple(_find_branch_heads(repository))
            case _:
                raise ValueError(f"{source.kind} is not on GitHub")
    except GitHubError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    if not references and source.kind is LiveKind.GITHUB_DEPLOYMENTS:
        where = f" in the environment {source.argument}" if source.argument else ""
        problem = f"GitHub knows of no deployment{where} that is live or on its way."
        return LiveReading(source=source, problem=problem)
    return LiveReading(source=source, references=references)


class _Repository:
    """Requests lists of one repository, with a limit on the total number of pages."""

    def __init__(self, transport: GitHubTransport) -> None:
        self._transport = transport
        self._requests_left = REQUEST_LIMIT

    def pages(self, path: str, **query: str) -> Iterator[tuple[JsonObject, ...]]:
        full_path = f"{self._transport.repository_path}/{path}"
        return self._transport.list_pages(full_path, query, self._count_request)

    def entries(self, path: str, **query: str) -> Iterator[JsonObject]:
        for page in self.pages(path, **query):
            yield from page

    def _count_request(self) -> None:
        if not self._requests_left:
            raise GitHubError(
                f"it takes more than {REQUEST_LIMIT} requests of GitHub",
                "Of deployments, name the environment, as in github-deployments:production; or "
                "name another live source.",
            )
        self._requests_left -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    """One deployment as GitHub lists it, without its state."""

    number: int
    commit: str
    environment: str


def _find_deployed(repository: _Repository, environment: str) -> Iterator[LiveReference]:
    """Find what is live in each environment, or in the one given.

    That is the newest deployment with the state success, and every later one that may still become
    one. Older successes were replaced, although GitHub does not mark those of production
    environments as inactive. For example, newest first:

    | state in `production` | live |
    |---|---|
    | `failure` | no |
    | `in_progress` | yes, but need not exist yet |
    | `success` | yes |
    | `success`, `in_progress`, ... | no: replaced |
    """
    finished: set[str] = set()
    for deployment in _list_deployments(repository, environment):
        if deployment.environment in finished:
            continue
        state = _read_latest_state(repository, deployment)
        if state in ENDED_STATES:
            continue
        commit = _shorten(deployment.commit)
        if state != SUCCESS_STATE:
            evidence = f"GitHub is deploying {commit} to {deployment.environment}, status {state}"
            yield LiveReference(name=deployment.commit, evidence=evidence, is_required=False)
            continue
        evidence = f"GitHub has {commit} deployed to {deployment.environment}, status {state}"
        yield LiveReference(name=deployment.commit, evidence=evidence)
        if environment:
            return
        finished.add(deployment.environment)


def _list_deployments(repository: _Repository, environment: str) -> Iterator[_Deployment]:
    """List deployments, newest first.

    Raises GitHubError where the order or the environment of the response is wrong.
    """
    query = {"environment": environment} if environment else {}
    newest_at = None
    for page in repository.pages("deployments", **query):
        for entry in page:
            created_at = entry.get_time("created_at")
            if newest_at is not None and created_at > newest_at:
                raise entry.make_error("deployments are not listed newest first")
            newest_at = created_at
            is_requested = entry.get_text("environment").casefold() == environment.casefold()
            if environment and not is_requested:
                raise entry.make_error(f"it is a deployment to {entry.get_text('environment')}")
        for entry in page:
            yield _Deployment(
                number=entry.get_int("id"),
                commit=entry.get_commit_hash("sha"),
                environment=entry.get_text("environment"),
            )


def _read_latest_state(repository: _Repository, deployment: _Deployment) -> str:
    statuses = repository.entries(f"deployments/{deployment.number}/statuses")
    dated = [
        (status.get_time("created_at"), status.get_int("id"), status.get_text("state"))
        for status in statuses
    ]
    return max(dated)[2] if dated else "not yet set"


def _find_pull_request_heads(repository: _Repository) -> Iterator[LiveReference]:
    for entry in repository.entries("pulls", state="open"):
        commit = entry.get_object("head").get_commit_hash("sha")
        evidence = f"pull request #{entry.get_int('number')} is open at {_shorten(commit)}"
        yield LiveReference(name=commit, evidence=evidence)


def _find_branch_heads(repository: _Repository) -> Iterator[LiveReference]:
    for entry in repository.entries("branches"):
        commit = entry.get_object("commit").get_commit_hash("sha")
        evidence = f"branch {entry.get_text('name')} is at {_shorten(commit)}"
        yield LiveReference(name=commit, evidence=evidence)


def _shorten(commit: str) -> str:
    return commit[:_DISPLAYED_DIGITS]
