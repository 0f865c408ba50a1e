"""What the fake GitHub's one repository holds beside comments, and how GitHub tells it."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote, urlencode

from tests.support.github.contract import Answer, Received, sample

REPOSITORY_ID: Final = 1296269
FIRST_MOMENT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(kw_only=True)
class FakeDeployment:
    number: int
    environment: str
    commit: str
    created_at: str
    states: list[str]
    """Oldest first."""


@dataclass(frozen=True, kw_only=True)
class FakePullRequest:
    number: int
    commit: str
    state: str
    base: str
    """The repository that it would be merged into."""
    contains: tuple[str, ...]
    """Commits of it besides its head."""


@dataclass(frozen=True, kw_only=True)
class FakeCommit:
    sha: str
    message: str
    author: str
    authored_at: str


@dataclass(kw_only=True)
class FakeRepository:
    """What a repository holds, in the order in which it was made."""

    name: str = "acme/storefront"
    deployments: list[FakeDeployment] = field(default_factory=list)
    pull_requests: list[FakePullRequest] = field(default_factory=list)
    commits: list[FakeCommit] = field(default_factory=list)
    """Those of the default branch."""
    side_commits: list[FakeCommit] = field(default_factory=list)
    """Those of other branches: found by their hash alone."""
    branches: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def deploy(self, environment: str, commit: str, *states: str) -> FakeDeployment:
        """Make a deployment, newer than all before, that went through these states."""
        number = len(self.deployments) + 1
        deployment = FakeDeployment(
            number=number,
            environment=environment,
            commit=commit,
            created_at=_moment(number),
            states=list(states),
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
        contains: tuple[str, ...] = (),
    ) -> None:
        self.pull_requests.append(
            FakePullRequest(
                number=number,
                commit=commit,
                state=state,
                base=base or self.name,
                contains=contains,
            )
        )

    def commit(
        self,
        sha: str,
        message: str,
        author: str = "Ann",
        *,
        at: datetime | None = None,
        is_on_side: bool = False,
    ) -> None:
        """Commit to the default branch, or to another."""
        commits = self.side_commits if is_on_side else self.commits
        when = f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else _moment(len(commits))
        commits.append(FakeCommit(sha=sha, message=message, author=author, authored_at=when))

    def list_deployments(self, environment: str | None) -> Sequence[object]:
        return [
            sample(
                "deployment",
                id=one.number,
                sha=one.commit,
                environment=one.environment,
                created_at=one.created_at,
            )
            for one in reversed(self.deployments)
            if environment in (None, one.environment)
        ]

    def list_statuses(self, number: int) -> Sequence[object]:
        [deployment] = [one for one in self.deployments if one.number == number]
        made = [
            sample("deployment-status", id=1000 * number + place, state=state, created_at=when)
            for place, state in enumerate(deployment.states)
            for when in [_moment(number, place)]
        ]
        return made[::-1]

    def list_pull_requests(self, wanted: str) -> Sequence[object]:
        return [
            _pull_request(one)
            for one in reversed(self.pull_requests)
            if wanted in ("all", one.state)
        ]

    def list_pull_requests_of(self, commit: str) -> Sequence[object]:
        return [
            _pull_request(one)
            for one in self.pull_requests
            if commit in (one.commit, *one.contains)
        ]

    def list_commits(self) -> Sequence[object]:
        return [_commit(one) for one in reversed(self.commits)]

    def get_commit(self, ref: str) -> Answer:
        """Answer with the one commit of a branch, or whose hash begins so."""
        hash_begins = self.branches.get(ref, ref)
        every = (*self.commits, *self.side_commits)
        found = [one for one in every if one.sha.startswith(hash_begins)]
        if len(found) != 1:
            return problem(422, f"No commit found for SHA: {ref}")
        return json_answer(200, _commit(found[0]))

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


def _pull_request(one: FakePullRequest) -> object:
    repository = sample("repository", full_name=one.base)
    return sample(
        "pull-request-simple",
        number=one.number,
        state=one.state,
        head=sample("pull-request-simple", "head", sha=one.commit),
        base=sample("pull-request-simple", "base", repo=repository),
    )


def _commit(one: FakeCommit) -> object:
    author = {"name": one.author, "email": "x@example.org", "date": one.authored_at}
    written = sample("commit", "commit", message=one.message, author=author)
    return sample("commit", sha=one.sha, commit=written, author={}, committer={})


def _moment(day: int, hour: int = 0) -> str:
    when = FIRST_MOMENT + timedelta(days=day, hours=hour)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def page_answer(received: Received, url: str, repository: str, entries: Sequence[object]) -> Answer:
    """Answer with the page of a list that was asked for, and links to those around it."""
    page_size = int(received.query.get("per_page", "30"))
    page = int(received.query.get("page", "1"))
    shown = entries[(page - 1) * page_size : page * page_size]
    # GitHub's own links name the repository by its number.
    path = received.path.replace(f"/repos/{repository}/", f"/repositories/{REPOSITORY_ID}/", 1)
    places = {}
    if page > 1:
        places["prev"] = page - 1
    if page * page_size < len(entries):
        places["next"] = page + 1
        places["last"] = -(-len(entries) // page_size)
    links = [
        f'<{url}{path}?{urlencode({**received.query, "page": place})}>; rel="{name}"'
        for name, place in places.items()
    ]
    return json_answer(200, shown, {"Link": ", ".join(links)} if links else {})


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=json.dumps(content).encode(), headers=headers or {})


def problem(status: int, message: str, **more: object) -> Answer:
    documentation_url = "https://docs.github.com/rest"
    content = {"message": message, "documentation_url": documentation_url, "status": str(status)}
    return json_answer(status, content | more)
