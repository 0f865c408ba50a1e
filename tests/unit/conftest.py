from collections.abc import Callable, Iterator

import pytest

from ci3.github.api import GitHubApi
from ci3.github.http import GitHubTransport
from tests.support.github.fake_github import FakeGitHub

NOW = 1_770_000_000.0
"""2026-02-02T02:40:00Z."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def waits() -> list[float]:
    """The waits that clients requested, in seconds, without waiting."""
    return []


@pytest.fixture
def connect(waits: list[float]) -> Callable[..., GitHubApi]:
    """Return a function that makes a client of a fake GitHub."""

    def connect_to(fake: FakeGitHub, **changes: str) -> GitHubApi:
        settings = {"api_url": fake.url, "token": fake.token, "repository": fake.repository}
        return GitHubApi(
            GitHubTransport(**settings | changes, sleep=waits.append, clock=lambda: NOW)
        )

    return connect_to


@pytest.fixture
def api(fake: FakeGitHub, connect: Callable[..., GitHubApi]) -> GitHubApi:
    return connect(fake)
