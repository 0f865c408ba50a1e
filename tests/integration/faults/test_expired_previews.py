"""Pull requests that are reopened while their previews are deleted, with a simulated clock."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ci3.core.model.result import ObjectOutcome, RunOutcome
from ci3.core.plan.target_result import TargetResult
from ci3.github.api import GitHubApi
from ci3.github.http import GitHubTransport
from ci3.pipeline.approval import approve_plan
from tests.integration.faults.live_run import Clock
from tests.support.cleanup_run import delete_approved, make_context
from tests.support.github.fake_github import FakeGitHub
from tests.support.s3.memory_site import MemorySite

NOW = datetime.now(UTC)
PREVIEWS = ("pr-12", "pr-13", "pr-14")
BIG = 1_500
"""More objects than a batch, so that the deletion of a preview takes several requests."""
OUT_OF_REQUESTS = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        for number in (12, 13, 14):
            created_at = NOW - timedelta(days=90)
            github.content.open_pull_request(number, f"{number:040x}", created_at=created_at)
            github.content.close_pull_request(number, NOW - timedelta(days=10))
        yield github


class Run:
    """A run with an approved plan that deletes three previews."""

    def __init__(self, site: MemorySite, github: FakeGitHub, **settings: str) -> None:
        transport = GitHubTransport(
            api_url=github.url, token=github.token, repository=github.repository
        )
        context = make_context(
            site, match=r"pr-\d+|main", keep_count="9", expire_closed="3d", **settings
        )
        self.clock = Clock()
        self.context = replace(context, github=GitHubApi(transport), monotonic=self.clock)
        self.reader = self.context.open_bucket()
        self.plan = self.context.make_plan(self.reader)
        assert {item.deployment.name for item in self.plan.to_delete} == {*PREVIEWS}
        self.approved = approve_plan(self.context, self.plan, self.reader, is_fresh=True)

    def delete(self) -> dict[str, list[str]]:
        """Delete the approved deployments; return the outcomes of each deployment's objects."""
        self.result = delete_approved(self.context, self.approved, self.reader)
        return {
            deployment.name: sorted(
                str(outcome) for outcome, count in deployment.counts.items() if count
            )
            for deployment in self.result.deployments
        }

    @property
    def outcome(self) -> RunOutcome:
        return TargetResult(plan=self.plan, result=self.result).outcome

    def problem(self, name: str) -> str:
        return next(item for item in self.result.deployments if item.name == name).problem


@pytest.fixture
def previews(site: MemorySite) -> MemorySite:
    site.deploy("main", days=50)
    for name in PREVIEWS:
        site.deploy(name, days=20)
    return site


def list_folders(site: MemorySite) -> set[str]:
    return {key.partition("/")[0] for key in site.content()}


@pytest.mark.parametrize("delete_versions", ["false", "true"])
def test_preview_is_kept_if_its_pull_request_is_reopened_after_approval(
    previews, github, delete_versions
):
    previews.enable_versioning()
    run = Run(previews, github, delete_versions=delete_versions)
    github.content.reopen_pull_request(13)
    run.clock.seconds += 60

    outcomes = run.delete()

    assert outcomes["pr-13"] == [ObjectOutcome.CHANGED]
    assert list_folders(previews) == {"main", "pr-13"}
    assert run.outcome is RunOutcome.PARTIAL


def test_deleted_preview_is_reported_if_its_pull_request_was_reopened(
    previews, github, assert_screen
):
    run = Run(previews, github)
    github.content.reopen_pull_request(13)  # its state was read less than a minute ago

    assert run.delete()["pr-13"] == [ObjectOutcome.DELETED]

    assert run.outcome is RunOutcome.PARTIAL
    assert_screen(run.problem("pr-13"))


@pytest.mark.parametrize("headers", [{}, OUT_OF_REQUESTS], ids=["failure", "rate limit"])
def test_deletions_do_not_begin_if_pull_requests_cannot_be_read_again(previews, github, headers):
    run = Run(previews, github)
    github.fail_next("GET", "pulls", 403, {"message": "no"}, headers)
    run.context.github.transport._sleep = lambda _seconds: None
    run.clock.seconds += 60

    outcomes = run.delete()

    assert all(outcomes[name] == [ObjectOutcome.CHANGED] for name in PREVIEWS)
    assert list_folders(previews) == {"main", *PREVIEWS}


def test_deletions_do_not_begin_if_github_has_no_requests_left(previews, github):
    run = Run(previews, github)
    transport = run.context.github.transport
    transport._remaining_count, transport._resets_at = 0, 9_999_999_999
    request_count = len(github.requests)
    run.clock.seconds = 60

    run.delete()

    assert list_folders(previews) == {"main", *PREVIEWS}
    assert len(github.requests) == request_count
    assert not run.result.stop_reason


def test_begun_deletion_ends_if_pull_requests_cannot_be_read_again(site, github, assert_screen):
    site.deploy("main", days=50)
    for name in PREVIEWS:
        site.deploy(name, days=20, files=BIG)
    run = Run(site, github, concurrency="1")

    def fail() -> None:
        github.fail_next("GET", "pulls", 403, {"message": "no"})
        run.clock.seconds += 60

    site.proxy.call_before("POST", r"\?delete", fail, nth=1)
    outcomes = run.delete()

    kept = [name for name in PREVIEWS if outcomes[name] == [ObjectOutcome.CHANGED]]
    assert kept
    assert len(kept) < len(PREVIEWS)
    assert list_folders(site) == {"main", *kept}
    assert_screen(run.problem(kept[0]).replace(kept[0].removeprefix("pr-"), "12", 1))


def test_begun_deletion_stops_if_the_pull_request_is_reopened(site, github):
    site.deploy("main", days=50)
    for name in PREVIEWS:
        site.deploy(name, days=20, files=BIG)
    run = Run(site, github, concurrency="1")

    def reopen() -> None:
        for number in (12, 13, 14):
            github.content.reopen_pull_request(number)
        run.clock.seconds += 60

    site.proxy.call_before("POST", r"\?delete", reopen, nth=1)
    run.delete()

    assert list_folders(site) == {"main", *PREVIEWS}
    assert run.outcome is RunOutcome.PARTIAL
