"""What the fake GitHub's one repository holds beside comments, and how GitHub tells it."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote, urlencode

from tests.github.contract import Answer, Received, sample

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


@dataclass(kw_only=True)
class FakeRepository:
    """Deployments, pull requests, branches and files, in the order in which they were made."""

    deployments: list[FakeDeployment] = field(default_factory=list)
    pull_requests: list[tuple[int, str, str]] = field(default_factory=list)
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

    def open_pull_request(self, number: int, commit: str, *, state: str = "open") -> None:
        self.pull_requests.append((number, commit, state))

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
            sample(
                "pull-request-simple",
                number=number,
                state=state,
                head=sample("pull-request-simple", "head", sha=commit),
            )
            for number, commit, state in reversed(self.pull_requests)
            if wanted in ("all", state)
        ]

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
