"""Number and age of the reads of GitHub in an apply with several targets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

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
REQUESTS_PER_READ = 3
"""The records of the environment, the statuses of the newest one, and the pull requests."""

pattern_or_targets = pytest.mark.parametrize(
    "has_pattern", [True, False], ids=["pattern", "targets"]
)


@dataclass(kw_only=True)
class Apps:
    """Three apps, each with one deployment to keep and two to delete, and their GitHub."""

    site: MemorySite
    github: FakeGitHub
    clock: Clock = field(default_factory=Clock)

    def open_run(self, *, has_pattern: bool, **settings: str) -> Run:
        """Open a run on all apps: with a prefix pattern, or with a target for each app."""
        transport = GitHubTransport(
            api_url=self.github.url, token=TOKEN, repository=REPOSITORY, sleep=lambda _: None
        )
        api = GitHubApi(transport)
        prefixes = [PATTERN] if has_pattern else [f"apps/{app}/production/" for app in APPS]
        settings = {"match": MATCH, "live_from": "open-pull-requests"} | settings
        contexts = [
            make_context(self.site, prefix=prefix, journal_file=f"{number}.jsonl", **settings)
            for number, prefix in enumerate(prefixes)
        ]
        return open_run(
            [replace(context, github=api, monotonic=self.clock) for context in contexts]
        )

    def apply(self, *, has_pattern: bool, **settings: str) -> tuple[int, tuple[TargetResult, ...]]:
        """Plan and apply; return the number of GitHub requests after the plan, and the results."""
        run = self.open_run(has_pattern=has_pattern, **settings)
        plans = run.make_plans()
        count_before = len(self.github.requests)
        results = run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
        return len(self.github.requests) - count_before, results

    def call_before_deletion(self, action: Callable[[], object]) -> None:
        """Act once, after the first target was checked and before its objects are deleted."""
        self.site.proxy.call_before("POST", r"\?delete", action, nth=1)

    def wait_and_open_pull_request(self, seconds: float, app: str) -> None:
        """Open a pull request for the oldest deployment of an app after that many seconds."""
        self.clock.seconds += seconds
        self.github.content.open_pull_request(1, commit(app, 2))

    def list_kept(self) -> list[set[int]]:
        return [list_deployments(self.site, app) for app in APPS]


@pytest.fixture
def apps() -> Iterator[Apps]:
    with running_site() as site, FakeGitHub() as github:
        for app in APPS:
            deploy_app(site, app)
        yield Apps(site=site, github=github)


def has_stop_reason(result: TargetResult) -> bool:
    return bool(result.result and result.result.stop_reason)


@pattern_or_targets
def test_github_is_read_once_to_approve_and_once_at_the_end(
    apps: Apps, *, has_pattern: bool
) -> None:
    """Targets without a pattern are each approved with a separate read."""
    request_count, results = apps.apply(has_pattern=has_pattern)
    assert [result.outcome for result in results] == ["applied"] * 3
    assert request_count == (1 if has_pattern else 3) + 1
    assert apps.list_kept() == [{0}, {0}, {0}]


@pattern_or_targets
@pytest.mark.parametrize(("seconds", "is_kept"), [(0, False), (59, False), (60, True)])
def test_pull_request_that_is_opened_during_a_deletion_is_kept_after_a_minute(
    apps: Apps, *, has_pattern: bool, seconds: float, is_kept: bool
) -> None:
    apps.call_before_deletion(lambda: apps.wait_and_open_pull_request(seconds, "shop"))
    request_count, results = apps.apply(has_pattern=has_pattern)
    assert apps.list_kept() == [{0}, {0}, {0, 2} if is_kept else {0}]
    # The last read finds what became live too late, and the target is partial.
    assert [result.outcome for result in results] == ["applied", "applied", "partial"]
    assert request_count == (1 if has_pattern else 3) + is_kept + 1


@pattern_or_targets
def test_age_of_a_shared_read_counts_from_the_read(apps: Apps, *, has_pattern: bool) -> None:
    """The second target uses a read that is 40 seconds old, and too old 21 seconds later."""

    def wait() -> None:
        apps.clock.seconds += 40
        apps.site.proxy.call_before(
            "GET",
            f"prefix=.*{commit('docs', 2)}",
            lambda: apps.wait_and_open_pull_request(21, "docs"),
            nth=1,
        )

    apps.call_before_deletion(wait)
    apps.apply(has_pattern=has_pattern)
    assert 2 in list_deployments(apps.site, "docs")


@pattern_or_targets
def test_pull_request_that_is_opened_after_the_plan_is_kept(
    apps: Apps, *, has_pattern: bool
) -> None:
    run = apps.open_run(has_pattern=has_pattern)
    plans = run.make_plans()
    apps.wait_and_open_pull_request(0, "shop")
    run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    assert apps.list_kept() == [{0}, {0}, {0, 2}]


@pattern_or_targets
def test_later_targets_are_kept_if_github_fails_after_a_minute(
    apps: Apps, *, has_pattern: bool
) -> None:
    def wait_and_fail() -> None:
        apps.clock.seconds += 61
        apps.github.fail_next("GET", "/pulls$", 404)

    apps.call_before_deletion(wait_and_fail)
    _, results = apps.apply(has_pattern=has_pattern)
    assert apps.list_kept() == [{0}, {0, 1, 2}, {0, 1, 2}]
    assert [has_stop_reason(result) for result in results[1:]] == [True] * 2


@pattern_or_targets
def test_failure_of_the_last_read_is_reported_for_each_target(
    apps: Apps, *, has_pattern: bool
) -> None:
    apps.call_before_deletion(lambda: apps.github.fail_next("GET", "/pulls$", 404))
    _, results = apps.apply(has_pattern=has_pattern)
    assert apps.list_kept() == [{0}, {0}, {0}]
    assert [has_stop_reason(result) for result in results] == [True] * 3


@pattern_or_targets
def test_rate_limit_needs_to_allow_one_last_read_for_all_targets(
    apps: Apps, *, has_pattern: bool
) -> None:
    run = apps.open_run(has_pattern=has_pattern)
    plans = run.make_plans()
    for remaining in (1, 0) if has_pattern else (3, 2, 1, 0):
        limit = {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": "9999999999"}
        apps.github.fail_next("GET", "/pulls$", 200, [], limit)
    results = run.apply_plans(run.reconcile_rules(plans), is_fresh=True)
    assert [result.outcome for result in results] == ["applied"] * 3


def test_targets_of_a_pattern_with_many_requests_per_read(apps: Apps) -> None:
    apps.github.content.deploy("production", commit("blog", 2), "success")
    sources = "github-deployments:production\nopen-pull-requests"
    request_count, results = apps.apply(has_pattern=True, live_from=sources)
    assert [result.outcome for result in results] == ["applied"] * 3
    assert apps.list_kept() == [{0, 2}, {0}, {0}]
    assert request_count == 2 * REQUESTS_PER_READ
