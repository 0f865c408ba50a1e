"""Readings of GitHub in an apply with several targets: how many, and how old they may be."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ci3.core.plan.target_result import TargetResult
from ci3.github.api import GitHubApi
from ci3.github.http import GitHubTransport
from ci3.pipeline.run import Run, open_run
from tests.integration.faults.live_run import Clock
from tests.support.apps import MATCH, PATTERN, commit, deploy_app, list_deployments
from tests.support.cleanup_run import make_context
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.s3.memory_site import MemorySite, running_site

APPS = ("blog", "docs", "shop")
REQUESTS_PER_READING = 3
"""The records of the environment, the statuses of the newest, and the pull requests."""

pattern_or_targets = pytest.mark.parametrize(
    "has_pattern", [True, False], ids=["pattern", "targets"]
)


@pytest.fixture
def site() -> Iterator[MemorySite]:
    with running_site() as site:
        yield site


@pytest.fixture
def apps(site: MemorySite) -> MemorySite:
    """Three apps, each with one deployment to keep and two to delete."""
    for app in APPS:
        deploy_app(site, app)
    return site


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_apps(site: MemorySite, github: FakeGitHub, clock: Clock) -> Callable[..., Run]:
    """Return a function that opens a run on all apps: by a pattern, or with a target for each."""
    transport = GitHubTransport(
        api_url=github.url, token=TOKEN, repository=REPOSITORY, sleep=lambda _: None
    )
    api = GitHubApi(transport)

    def open_all(*, has_pattern: bool, **settings: str) -> Run:
        prefixes = [PATTERN] if has_pattern else [f"apps/{app}/production/" for app in APPS]
        defaults = {"match": MATCH, "live_from": "open-pull-requests"}
        contexts = [
            make_context(
                site, prefix=prefix, journal_file=f"{number}.jsonl", **(defaults | settings)
            )
            for number, prefix in enumerate(prefixes)
        ]
        return open_run([replace(context, github=api, monotonic=clock) for context in contexts])

    return open_all


def call_before_deletion(site: MemorySite, action: Callable[[], object]) -> None:
    """Act once, after the first target was checked and before its objects are deleted."""
    site.proxy.call_before("POST", r"\?delete", action, nth=1)


def list_kept(site: MemorySite) -> list[set[int]]:
    return [list_deployments(site, app) for app in APPS]


def count_in_apply(run: Run, github: FakeGitHub) -> tuple[int, tuple[TargetResult, ...]]:
    """Apply, and return the number of requests to GitHub after the plan, with the results."""
    plans = run.make_plans()
    before = len(github.requests)
    results = run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    return len(github.requests) - before, results


@pattern_or_targets
def test_github_is_read_once_to_approve_and_once_at_the_end(
    apps: MemorySite, github: FakeGitHub, open_apps: Callable[..., Run], *, has_pattern: bool
) -> None:
    """Targets without a pattern are each approved with a reading of their own."""
    request_count, results = count_in_apply(open_apps(has_pattern=has_pattern), github)
    assert [result.outcome for result in results] == ["applied"] * 3
    assert request_count == (1 if has_pattern else 3) + 1
    assert list_kept(apps) == [{0}, {0}, {0}]


@pattern_or_targets
@pytest.mark.parametrize(("seconds", "is_kept"), [(0, False), (59, False), (60, True)])
def test_pull_request_that_is_opened_during_a_deletion_is_kept_after_a_minute(
    *,
    apps: MemorySite,
    github: FakeGitHub,
    clock: Clock,
    open_apps: Callable[..., Run],
    has_pattern: bool,
    seconds: float,
    is_kept: bool,
) -> None:
    def wait_and_open() -> None:
        clock.seconds += seconds
        github.content.open_pull_request(1, commit("shop", 2))

    call_before_deletion(apps, wait_and_open)
    request_count, results = count_in_apply(open_apps(has_pattern=has_pattern), github)
    assert list_kept(apps) == [{0}, {0}, {0, 2} if is_kept else {0}]
    # What became live too late is found by the last reading, and reported.
    assert [result.outcome for result in results] == ["applied", "applied", "partial"]
    assert request_count == (1 if has_pattern else 3) + is_kept + 1


@pattern_or_targets
def test_reading_that_a_later_target_uses_is_as_old_as_it_is(
    *,
    apps: MemorySite,
    github: FakeGitHub,
    clock: Clock,
    open_apps: Callable[..., Run],
    has_pattern: bool,
) -> None:
    """The second target uses a reading of 40 seconds ago, which is too old 20 seconds later."""

    def wait_and_open() -> None:
        clock.seconds += 21
        github.content.open_pull_request(1, commit("docs", 2))

    def wait() -> None:
        clock.seconds += 40
        apps.proxy.call_before("GET", f"prefix=.*{commit('docs', 2)}", wait_and_open, nth=1)

    call_before_deletion(apps, wait)
    count_in_apply(open_apps(has_pattern=has_pattern), github)
    assert 2 in list_deployments(apps, "docs")


@pattern_or_targets
def test_pull_request_that_is_opened_after_the_plan_is_kept(
    apps: MemorySite, github: FakeGitHub, open_apps: Callable[..., Run], *, has_pattern: bool
) -> None:
    run = open_apps(has_pattern=has_pattern)
    plans = run.make_plans()
    github.content.open_pull_request(1, commit("shop", 2))
    run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    assert list_kept(apps) == [{0}, {0}, {0, 2}]


@pattern_or_targets
def test_github_that_fails_after_a_minute_keeps_later_targets(
    apps: MemorySite,
    github: FakeGitHub,
    clock: Clock,
    open_apps: Callable[..., Run],
    *,
    has_pattern: bool,
) -> None:
    def wait_and_fail() -> None:
        clock.seconds += 61
        github.fail_next("GET", "/pulls$", 404)

    call_before_deletion(apps, wait_and_fail)
    _, results = count_in_apply(open_apps(has_pattern=has_pattern), github)
    assert list_kept(apps) == [{0}, {0, 1, 2}, {0, 1, 2}]
    assert [bool(result.result and result.result.stop_reason) for result in results[1:]] == [
        True
    ] * 2


@pattern_or_targets
def test_last_reading_that_fails_is_reported_for_each_target(
    apps: MemorySite, github: FakeGitHub, open_apps: Callable[..., Run], *, has_pattern: bool
) -> None:
    call_before_deletion(apps, lambda: github.fail_next("GET", "/pulls$", 404))
    _, results = count_in_apply(open_apps(has_pattern=has_pattern), github)
    assert list_kept(apps) == [{0}, {0}, {0}]
    assert [bool(result.result and result.result.stop_reason) for result in results] == [True] * 3


@pattern_or_targets
def test_rate_limit_needs_to_allow_one_last_reading_for_all_targets(
    apps: MemorySite, github: FakeGitHub, open_apps: Callable[..., Run], *, has_pattern: bool
) -> None:
    run = open_apps(has_pattern=has_pattern)
    plans = run.make_plans()
    for remaining in (1, 0) if has_pattern else (3, 2, 1, 0):
        limit = {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": "9999999999"}
        github.fail_next("GET", "/pulls$", 200, [], limit)
    results = run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    assert [result.outcome for result in results] == ["applied"] * 3


def test_targets_of_a_pattern_with_many_requests_per_reading(
    apps: MemorySite, github: FakeGitHub, open_apps: Callable[..., Run]
) -> None:
    github.content.deploy("production", commit("blog", 2), "success")
    sources = "github-deployments:production\nopen-pull-requests"
    request_count, results = count_in_apply(open_apps(has_pattern=True, live_from=sources), github)
    assert [result.outcome for result in results] == ["applied"] * 3
    assert list_kept(apps) == [{0, 2}, {0}, {0}]
    assert request_count == 2 * REQUESTS_PER_READING
