"""A URL, a parameter or a branch moves during deletions, like the pointer in test_live_moves.py."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import boto3
import pytest

from ci3.core.model.result import ApplyResult, RunOutcome
from ci3.github.api import GitHubApi
from ci3.github.http import GitHubTransport
from ci3.pipeline.approval import approve_plan
from tests.integration.faults.live_run import LiveRun, make_run, seed
from tests.support.cleanup_run import delete_approved, make_context
from tests.support.github.fake_github import REPOSITORY, TOKEN, FakeGitHub
from tests.support.s3.memory_site import MemorySite
from tests.support.web_site import running_site as running_web_site


def test_url_that_moves_keeps_its_deployment(site: MemorySite) -> None:
    seed(site, files=3)
    with running_web_site() as web:
        web.answer("/live", b"new")
        run = make_run(site, live_from=f"url:{web.url}/live")

        def wait_and_move() -> None:
            web.answer("/live", b"old-1")
            run.clock.seconds += 10

        run.apply(after_approval=wait_and_move)
    assert run.outcome is RunOutcome.PARTIAL
    assert site.folders() == {"new", "old-1"}


@pytest.fixture
def ssm(s3_url: str, monkeypatch) -> Iterator[object]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", s3_url)
    with closing(boto3.client("ssm", endpoint_url=s3_url)) as client:
        yield client


def test_parameter_that_moves_keeps_its_deployment(site: MemorySite, ssm) -> None:
    seed(site, files=3)
    parameter = {"Name": "/moves/live", "Type": "String", "Overwrite": True}
    ssm.put_parameter(Value="new", **parameter)
    run = make_run(site, live_from="ssm:/moves/live")

    def wait_and_move() -> None:
        ssm.put_parameter(Value="old-1", **parameter)
        run.clock.seconds += 10

    run.apply(after_approval=wait_and_move)
    assert run.outcome is RunOutcome.PARTIAL
    assert site.folders() == {"new", "old-1"}
    ssm.delete_parameter(Name="/moves/live")


COMMITS = {"new": "aaaaaaa" + "0" * 33, "old": "bbbbbbb" + "0" * 33, "older": "ccccccc" + "0" * 33}


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.content.branches.update(main=COMMITS["new"])
        yield fake


def make_github_run(site: MemorySite, github: FakeGitHub) -> LiveRun:
    for days, commit in enumerate(COMMITS.values(), start=1):
        site.deploy(commit, days=10 * days, files=3)
    transport = GitHubTransport(
        api_url=github.url, token=TOKEN, repository=REPOSITORY, sleep=lambda _: None
    )
    api = GitHubApi(transport)
    return LiveRun(replace(make_context(site, live_from="branches"), github=api))


def apply_after(
    run: LiveRun, seconds: float, before_deletion: Callable[[], object] = lambda: None
) -> ApplyResult:
    context = replace(run.context, monotonic=run.clock)
    reader = context.open_bucket()
    plan = context.make_plan(reader)
    approved = approve_plan(context, plan, reader, is_fresh=True)
    before_deletion()
    run.clock.seconds += seconds
    return delete_approved(context, approved, reader)


@pytest.mark.parametrize(("seconds", "is_kept"), [(59, False), (60, True)])
def test_branch_that_moves_keeps_its_deployment_after_a_minute(
    site: MemorySite, github: FakeGitHub, seconds: float, *, is_kept: bool
) -> None:
    run = make_github_run(site, github)
    result = apply_after(
        run, seconds, lambda: github.content.branches.update(main=COMMITS["older"])
    )
    assert result.outcome is RunOutcome.PARTIAL
    assert (COMMITS["older"] in site.folders()) is is_kept
    assert COMMITS["old"] not in site.folders()


@pytest.mark.parametrize(
    ("remaining", "seconds", "is_begun", "is_last_read"),
    [
        (0, 0, False, False),  # the live sources could not be read a last time
        (1, 0, True, True),
        (1, 60, False, False),  # two are needed: before the deletion and after it
        (2, 60, True, True),
    ],
)
def test_no_deletion_begins_if_github_has_no_requests_left_to_read_live_sources(
    site: MemorySite,
    github: FakeGitHub,
    remaining: int,
    seconds: float,
    *,
    is_begun: bool,
    is_last_read: bool,
) -> None:
    run = make_github_run(site, github)
    limit = {"x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": "9999999999"}
    branches = [{"name": "main", "commit": {"sha": COMMITS["new"], "url": "u"}, "protected": False}]
    for _ in range(2):  # plan and approval
        github.fail_next("GET", "branches", 200, branches, limit)
    result = apply_after(run, seconds)
    paths = [request.path for request in github.requests]
    read_count = len([path for path in paths if path.endswith("/branches")])
    assert read_count == 2 + is_last_read + (is_begun and seconds >= 60)
    assert (COMMITS["old"] not in site.folders()) is is_begun
    assert result.outcome is (RunOutcome.APPLIED if is_begun else RunOutcome.PARTIAL)
    assert bool(result.stop_reason) is not is_begun
