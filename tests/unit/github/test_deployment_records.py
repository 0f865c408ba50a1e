"""Which run created a deployment record, by the log URLs of its statuses."""

import pytest

from ci3.github.deployment_records import DeploymentRecords, RecordStatus
from ci3.github.own_workflow import Creator, OwnWorkflow
from tests.support.github.fake_github import REPOSITORY
from tests.support.github.fake_runner import RUN_ID, WORKFLOW

OWN = OwnWorkflow.from_environ(
    {
        "GITHUB_RUN_ID": str(RUN_ID),
        "GITHUB_WORKFLOW": "cleanup",
        "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/heads/main",
    }
)
SERVER = f"https://github.test/{REPOSITORY}"


@pytest.fixture
def records(fake, api):
    """Records on a fake GitHub, where run 7 is of the same workflow and run 8 is not."""
    fake.content.run(7, WORKFLOW)
    fake.content.run(8, "deploy.yml")
    return DeploymentRecords(transport=api.transport, own_workflow=OWN)


def find_creator(records, *urls, may_request=lambda: True):
    status = RecordStatus(
        state="success", log_urls=frozenset(urls), was_successful=True, has_failed=False
    )
    return records.find_creator(status, may_request)


@pytest.mark.parametrize(
    ("urls", "creator", "request_count"),
    [
        ([f"{SERVER}/actions/runs/42/job/1"], Creator.OWN_WORKFLOW, 0),
        ([f"{SERVER}/actions/runs/42"], Creator.OWN_WORKFLOW, 0),
        ([f"{SERVER}/actions/runs/7/job/1"], Creator.OWN_WORKFLOW, 1),
        ([f"{SERVER}/actions/runs/7/attempts/2"], Creator.OWN_WORKFLOW, 1),
        (["https://ghes.test/old/name/actions/runs/7/job/1"], Creator.OWN_WORKFLOW, 1),
        ([f"{SERVER}/actions/runs/7/job/1", f"{SERVER}/actions/runs/7"], Creator.OWN_WORKFLOW, 1),
        ([f"{SERVER}/actions/runs/8/job/1"], Creator.OTHER, 1),
        ([f"{SERVER}/actions/runs/9/job/1"], Creator.UNKNOWN, 1),  # deleted
        ([f"{SERVER}/actions/runs/7", f"{SERVER}/actions/runs/8"], Creator.UNKNOWN, 2),
        ([f"{SERVER}/actions/runs/42", "https://ci.example.com/1"], Creator.UNKNOWN, 0),
        ([f"{SERVER}/runs/123456?check_suite_focus=true"], Creator.UNKNOWN, 0),
        ([f"{SERVER}/deployments"], Creator.UNKNOWN, 0),
        (["https://[bad"], Creator.UNKNOWN, 0),
        ([], Creator.UNKNOWN, 0),
        (["https://ci.example.com/builds/42"], Creator.OTHER, 0),
        (["https://vercel.com/acme/storefront-web/42"], Creator.OTHER, 0),
    ],
)
def test_creator_is_determined_by_the_run_of_the_log_urls(
    records, fake, urls, creator, request_count
):
    assert find_creator(records, *urls) is creator
    assert len(fake.requests) == request_count


def test_run_is_requested_once(records, fake):
    for _ in range(3):
        assert find_creator(records, f"{SERVER}/actions/runs/7") is Creator.OWN_WORKFLOW
        assert find_creator(records, f"{SERVER}/actions/runs/9") is Creator.UNKNOWN
    assert len(fake.requests) == 2


def test_token_that_cannot_read_runs_is_used_once(records, fake):
    fake.content.can_read_runs = False
    for run_id in (7, 8, 9):
        assert find_creator(records, f"{SERVER}/actions/runs/{run_id}") is Creator.UNKNOWN
    assert find_creator(records, f"{SERVER}/actions/runs/42") is Creator.OWN_WORKFLOW
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"message": "broken"}),
        (200, "<h1>Sign in</h1>"),
        (200, []),
        (200, {"path": 5}),
        (200, {"path": f".github/workflows/{WORKFLOW}", "name": 5}),
    ],
)
def test_run_that_cannot_be_read_has_an_unknown_creator(records, fake, status, body):
    for _ in range(3):
        fake.fail_next("GET", "actions/runs", status, body)
    assert find_creator(records, f"{SERVER}/actions/runs/8") is Creator.UNKNOWN


def test_request_that_may_not_be_sent_is_not_sent_and_not_cached(records, fake):
    url = f"{SERVER}/actions/runs/8"
    assert find_creator(records, url, may_request=lambda: False) is Creator.UNKNOWN
    assert not fake.requests
    assert find_creator(records, url) is Creator.OTHER


def test_outside_a_workflow_only_other_systems_are_recognized(fake, api):
    records = DeploymentRecords(transport=api.transport)
    assert find_creator(records, f"{SERVER}/actions/runs/8") is Creator.UNKNOWN
    assert find_creator(records, "https://ci.example.com/1") is Creator.OTHER
    assert not fake.requests
