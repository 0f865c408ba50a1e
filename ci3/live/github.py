"""What GitHub says is live: its deployments, the heads of open pull requests and of branches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci3.core.live.sources import LiveKind, LiveSource, Reading, Sighting
from ci3.errors import GitHubError
from ci3.github.http import GitHubTransport
from ci3.github.responses import Fields

REQUEST_LIMIT: Final = 200
"""Requests for one source at most: a workflow's token has 1,000 an hour for a repository.

Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

SUCCESS: Final = "success"
OVER: Final = frozenset({"inactive", "failure", "error"})
"""A deployment's states that leave nothing live; every other one may."""

_SHOWN_DIGITS: Final = 7


def read_github(source: LiveSource, transport: GitHubTransport) -> Reading:
    """Read a source that is on GitHub; no open pull request and no branch are answers too."""
    repository = _Repository(transport)
    try:
        match source.kind:
            case LiveKind.GITHUB_DEPLOYMENTS:
                sightings = tuple(_deployed(repository, source.argument))
            case LiveKind.OPEN_PULL_REQUESTS:
                return Reading(source=source, sightings=tuple(_pull_requests(repository)))
            case LiveKind.BRANCHES:
                return Reading(source=source, sightings=tuple(_branches(repository)))
            case _:
                raise ValueError(f"{source.kind} is not on GitHub")
    except GitHubError as exc:
        return Reading(source=source, problem=exc.told)
    if not sightings:
        where = f" in the environment {source.argument}" if source.argument else ""
        problem = f"GitHub knows of no deployment{where} that is live or on its way."
        return Reading(source=source, problem=problem)
    return Reading(source=source, sightings=sightings)


class _Repository:
    """Reads lists of one repository, a bounded number of pages of them all."""

    def __init__(self, transport: GitHubTransport) -> None:
        self._transport = transport
        self._requests_left = REQUEST_LIMIT

    def pages(self, path: str, **query: str) -> Iterator[tuple[Fields, ...]]:
        whole_path = f"{self._transport.repository_path}/{path}"
        return self._transport.pages(whole_path, query, self._count)

    def entries(self, path: str, **query: str) -> Iterator[Fields]:
        for page in self.pages(path, **query):
            yield from page

    def _count(self) -> None:
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


def _deployed(repository: _Repository, environment: str) -> Iterator[Sighting]:
    """Find what is live in each environment, or in the one that is named.

    That is the newest deployment that was a success, and every later one that may become one.
    Where several stay a success, the older ones were replaced: GitHub does not say so of
    production's.
    """
    settled: set[str] = set()
    for one in _list_deployments(repository, environment):
        if one.environment in settled:
            continue
        state = _latest_state(repository, one)
        if state in OVER:
            continue
        commit = _shown(one.commit)
        if state != SUCCESS:
            doubt = f"GitHub is deploying {commit} to {one.environment}, status {state}"
            yield Sighting(name=one.commit, evidence=doubt, must_be_found=False)
            continue
        evidence = f"GitHub has {commit} deployed to {one.environment}, status {state}"
        yield Sighting(name=one.commit, evidence=evidence)
        if environment:
            return
        settled.add(one.environment)


def _list_deployments(repository: _Repository, environment: str) -> Iterator[_Deployment]:
    """List deployments, newest first; GitHubError where the list is not, or is another's."""
    query = {"environment": environment} if environment else {}
    newest_at = None
    for page in repository.pages("deployments", **query):
        for one in page:
            created_at = one.moment("created_at")
            if newest_at is not None and created_at > newest_at:
                raise one.unexpected("deployments are not listed newest first")
            newest_at = created_at
            is_asked = one.text("environment").casefold() == environment.casefold()
            if environment and not is_asked:
                raise one.unexpected(f"it is a deployment to {one.text('environment')}")
        for one in page:
            yield _Deployment(
                number=one.number("id"),
                commit=one.commit("sha"),
                environment=one.text("environment"),
            )


def _latest_state(repository: _Repository, deployment: _Deployment) -> str:
    statuses = repository.entries(f"deployments/{deployment.number}/statuses")
    dated = [(one.moment("created_at"), one.number("id"), one.text("state")) for one in statuses]
    return max(dated)[2] if dated else "not yet set"


def _pull_requests(repository: _Repository) -> Iterator[Sighting]:
    for one in repository.entries("pulls", state="open"):
        commit = one.inner("head").commit("sha")
        evidence = f"pull request #{one.number('number')} is open at {_shown(commit)}"
        yield Sighting(name=commit, evidence=evidence)


def _branches(repository: _Repository) -> Iterator[Sighting]:
    for one in repository.entries("branches"):
        commit = one.inner("commit").commit("sha")
        evidence = f"branch {one.text('name')} is at {_shown(commit)}"
        yield Sighting(name=commit, evidence=evidence)


def _shown(commit: str) -> str:
    return commit[:_SHOWN_DIGITS]
