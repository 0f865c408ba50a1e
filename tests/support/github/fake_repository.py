"""The content of the fake GitHub's repository, except comments, and its JSON."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote, urlencode

from tests.support.github.contract import Answer, Received, sample

REPOSITORY_ID: Final = 1296269
START: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(kw_only=True)
class FakeDeployment:
    number: int
    environment: str
    commit: str
    created_at: str
    states: list[str]
    """Oldest first."""
    ref: str
    log_url: str | None = "https://ci.example.com/builds/1"
    """The log URL of each status; None for statuses without one."""


@dataclass(frozen=True, kw_only=True)
class FakePullRequest:
    number: int
    commit: str
    state: str
    base: str
    """The repository of the base branch."""
    branch: str
    head: str
    """The repository of the branch."""
    contains: tuple[str, ...]
    """Commits of the pull request other than its head."""
    created_at: datetime
    closed_at: datetime | None
    is_merged: bool


@dataclass(frozen=True, kw_only=True)
class FakeCommit:
    sha: str
    message: str
    author: str
    authored_at: str


@dataclass(frozen=True, kw_only=True)
class FakeRun:
    path: str
    name: str


@dataclass(kw_only=True)
class FakeRepository:
    """The content of a repository, in order of creation."""

    name: str = "acme/storefront"
    deployments: list[FakeDeployment] = field(default_factory=list)
    pull_requests: list[FakePullRequest] = field(default_factory=list)
    commits: list[FakeCommit] = field(default_factory=list)
    """Commits of the default branch."""
    side_commits: list[FakeCommit] = field(default_factory=list)
    """Commits of other branches, which are found by hash only."""
    branches: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    runs: dict[int, FakeRun] = field(default_factory=dict)
    can_read_runs: bool = True
    """False for a token without `actions: read`."""

    def run(self, run_id: int, file: str, name: str = "") -> str:
        """Add a run of the workflow in a file; return the log URL of a job of it."""
        path = f".github/workflows/{file}"
        self.runs[run_id] = FakeRun(path=path, name=name or file)
        return self.log_url(run_id)

    def log_url(self, run_id: int) -> str:
        """Return the log URL of a job of a run."""
        return f"https://github.test/{self.name}/actions/runs/{run_id}/job/{run_id + 1}"

    def get_run(self, number: int | str) -> Answer:
        """Return a run of a workflow."""
        run_id = int(number)
        if not self.can_read_runs:
            return problem(403, "Resource not accessible by integration")
        if run_id not in self.runs:
            return problem(404, "Not Found")
        run = self.runs[run_id]
        return json_answer(200, sample("workflow-run", id=run_id, path=run.path, name=run.name))

    def deploy(
        self, environment: str, commit: str, *states: str, ref: str = "", **chosen: str | None
    ) -> FakeDeployment:
        """Create a deployment that is newer than all others, with a history of states.

        Its ref is the commit unless given. `chosen` may have its `log_url`.
        """
        number = len(self.deployments) + 1
        deployment = FakeDeployment(
            number=number,
            environment=environment,
            commit=commit,
            created_at=_format_time(number),
            states=list(states),
            ref=ref or commit,
            **chosen,
        )
        self.deployments.append(deployment)
        return deployment

    def open_pull_request(
        self,
        number: int,
        commit: str,
        *,
        state: str = "open",
        base: str = "",
        branch: str = "",
        head: str = "",
        contains: tuple[str, ...] = (),
        created_at: datetime = START,
    ) -> None:
        self.pull_requests.append(
            FakePullRequest(
                number=number,
                commit=commit,
                state=state,
                base=base or self.name,
                branch=branch or f"topic-{number}",
                head=head or self.name,
                contains=contains,
                created_at=created_at,
                closed_at=None if state == "open" else created_at,
                is_merged=False,
            )
        )

    def close_pull_request(self, number: int, at: datetime, *, is_merged: bool = False) -> None:
        """Close or merge a pull request."""
        self._change_pull_request(number, state="closed", closed_at=at, is_merged=is_merged)

    def reopen_pull_request(self, number: int) -> None:
        self._change_pull_request(number, state="open", closed_at=None)

    def _change_pull_request(self, number: int, **changes: object) -> None:
        self.pull_requests = [
            replace(pull_request, **changes) if pull_request.number == number else pull_request
            for pull_request in self.pull_requests
        ]

    def commit(
        self,
        sha: str,
        message: str,
        author: str = "Ann",
        *,
        at: datetime | None = None,
        is_on_side: bool = False,
    ) -> None:
        """Add a commit to the default branch or, with `is_on_side`, to another one."""
        commits = self.side_commits if is_on_side else self.commits
        authored_at = f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else _format_time(len(commits))
        commits.append(FakeCommit(sha=sha, message=message, author=author, authored_at=authored_at))

    def list_deployments(self, environment: str | None) -> Sequence[object]:
        return [
            sample(
                "deployment",
                id=deployment.number,
                sha=deployment.commit,
                environment=deployment.environment,
                ref=deployment.ref,
                created_at=deployment.created_at,
            )
            for deployment in reversed(self.deployments)
            if environment in (None, deployment.environment)
        ]

    def list_statuses(self, number: int) -> Sequence[object]:
        [deployment] = [candidate for candidate in self.deployments if candidate.number == number]
        statuses = [
            sample(
                "deployment-status",
                id=1000 * number + index,
                state=state,
                created_at=created_at,
                **({} if deployment.log_url is None else {"log_url": deployment.log_url}),
            )
            for index, state in enumerate(deployment.states)
            for created_at in [_format_time(number, index)]
        ]
        return statuses[::-1]

    def list_pull_requests(self, state: str) -> Sequence[object]:
        return [
            _pull_request(pull_request)
            for pull_request in reversed(self.pull_requests)
            if state in ("all", pull_request.state)
        ]

    def get_pull_request(self, number: int | str) -> Answer:
        """Return a pull request; an issue with that number is not found."""
        for pull_request in self.pull_requests:
            if pull_request.number == int(number):
                return json_answer(200, _pull_request(pull_request, "pull-request"))
        return problem(404, "Not Found")

    def list_pull_requests_of(self, commit: str) -> Sequence[object]:
        return [
            _pull_request(pull_request)
            for pull_request in self.pull_requests
            if commit in (pull_request.commit, *pull_request.contains)
        ]

    def list_commits(self) -> Sequence[object]:
        return [_commit(commit) for commit in reversed(self.commits)]

    def get_commit(self, ref: str) -> Answer:
        """Return the commit of a branch, or the only one whose hash has the prefix `ref`."""
        hash_prefix = self.branches.get(ref, ref)
        all_commits = (*self.commits, *self.side_commits)
        matches = [commit for commit in all_commits if commit.sha.startswith(hash_prefix)]
        if len(matches) != 1:
            return problem(422, f"No commit found for SHA: {ref}")
        return json_answer(200, _commit(matches[0]))

    def list_branches(self) -> Sequence[object]:
        return [
            sample("short-branch", name=name, commit=sample("short-branch", "commit", sha=commit))
            for name, commit in sorted(self.branches.items())
        ]

    def get_file(self, path: str, ref: str) -> Answer:
        content = self.files.get((ref, unquote(path)))
        if content is None:
            return problem(404, "Not Found")
        file = sample(
            "content-file",
            type="file",
            encoding="base64",
            size=len(content),
            path=unquote(path),
            content=base64.encodebytes(content).decode(),
        )
        return json_answer(200, file)


def _pull_request(pull_request: FakePullRequest, schema: str = "pull-request-simple") -> object:
    base, head = (
        sample("repository", full_name=name) for name in (pull_request.base, pull_request.head)
    )
    closed_at = _format_optional(pull_request.closed_at)
    return sample(
        schema,
        number=pull_request.number,
        state=pull_request.state,
        head=sample(schema, "head", sha=pull_request.commit, ref=pull_request.branch, repo=head),
        base=sample(schema, "base", repo=base),
        created_at=_format_optional(pull_request.created_at),
        closed_at=closed_at,
        merged_at=closed_at if pull_request.is_merged else None,
    )


def _commit(commit: FakeCommit) -> object:
    author = {"name": commit.author, "email": "x@example.org", "date": commit.authored_at}
    git_commit = sample("commit", "commit", message=commit.message, author=author)
    return sample("commit", sha=commit.sha, commit=git_commit, author={}, committer={})


def _format_optional(time: datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _format_time(day: int, hour: int = 0) -> str:
    time = START + timedelta(days=day, hours=hour)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def page_answer(received: Received, url: str, repository: str, entries: Sequence[object]) -> Answer:
    """Return the requested page of a list, with links to its neighbors."""
    page_size = int(received.query.get("per_page", "30"))
    page = int(received.query.get("page", "1"))
    page_entries = entries[(page - 1) * page_size : page * page_size]
    # GitHub's links use the repository's number.
    path = received.path.replace(f"/repos/{repository}/", f"/repositories/{REPOSITORY_ID}/", 1)
    linked_pages = {}
    if page > 1:
        linked_pages["prev"] = page - 1
    if page * page_size < len(entries):
        linked_pages["next"] = page + 1
        linked_pages["last"] = -(-len(entries) // page_size)
    links = [
        f'<{url}{path}?{urlencode({**received.query, "page": linked_page})}>; rel="{name}"'
        for name, linked_page in linked_pages.items()
    ]
    return json_answer(200, page_entries, {"Link": ", ".join(links)} if links else {})


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=json.dumps(content).encode(), headers=headers or {})


def problem(status: int, message: str, **fields: object) -> Answer:
    documentation_url = "https://docs.github.com/rest"
    content = {"message": message, "documentation_url": documentation_url, "status": str(status)}
    return json_answer(status, content | fields)
