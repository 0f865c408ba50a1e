"""Which deployment records count if cleanup jobs create records, too."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci3.core.live.sources import LiveSource
from ci3.github.deployment_records import (
    ENDED_STATES,
    SEARCH_REQUEST_LIMIT,
    DeploymentRecords,
    RecordStatus,
)
from ci3.github.own_workflow import Creator, OwnWorkflow
from ci3.live.deployment_history import Deployment, DeploymentHistory, find_hidden
from ci3.live.github import read_github
from tests.support.github.fake_github import REPOSITORY, FakeGitHub
from tests.support.github.fake_runner import RUN_ID, WORKFLOW
from tests.support.golden import assert_messages
from tests.support.messages import words_in

OWN = OwnWorkflow.from_environ(
    {
        "GITHUB_RUN_ID": str(RUN_ID),
        "GITHUB_WORKFLOW": "cleanup",
        "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/heads/main",
    }
)
COMMITS = {letter: letter * 40 for letter in "abcdef"}
ENVIRONMENT = "github-deployments:production"


def add_record(fake: FakeGitHub, record: str) -> None:
    """Add a record such as `a success>inactive by deploy`."""
    letter, states, _, creator = record.split(" ")
    content, run_id = fake.content, 100 + len(fake.content.deployments)
    url = {
        "this-run": lambda: content.log_url(RUN_ID),
        "cleanup": lambda: content.run(run_id, WORKFLOW),
        "deploy": lambda: content.run(run_id, "deploy.yml"),
        "deleted-run": lambda: content.log_url(run_id),
        "another-ci": lambda: "https://ci.example.com/builds/7",
        "nobody": lambda: None,
        "job": lambda: f"https://github.test/{REPOSITORY}/runs/123",
    }[creator]()
    history = [] if states == "none" else states.split(">")
    content.deploy("production", COMMITS[letter], *history, log_url=url)


def add_records(fake: FakeGitHub, newest_first: str) -> None:
    for record in reversed(newest_first.split(", ")):
        add_record(fake, record)


def read_source(api, source=ENVIRONMENT, own=OWN, records=None):
    records = records or DeploymentRecords(transport=api.transport, own_workflow=own)
    return read_github(LiveSource.parse(source), api.transport, records)


def list_letters(reading) -> str:
    assert reading.problem == ""
    return "".join(reference.name[0] for reference in reading.references)


TODAY = "a in_progress by this-run"
LAST_WEEK = "b in_progress>success by cleanup"


@pytest.mark.parametrize(
    ("newest_first", "kept"),
    [
        pytest.param(f"{TODAY}, {LAST_WEEK}, c success by deploy, d success by deploy", "abc",
                     id="rollback is a success"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, c success>inactive by deploy, d success by deploy",
                     "abc", id="rollback is inactive"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, c inactive by another-ci, d success by deploy", "abc",
                     id="rollback by another system"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, c success by nobody, d success by deploy", "abc",
                     id="rollback without a log"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, d success by cleanup, d success by cleanup, "
                     "c success>inactive by deploy", "abc", id="several cleanups"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, b success by deploy, c success by deploy", "ab",
                     id="cleanup of the deployed commit"),
        pytest.param(f"{TODAY}, a success by deploy, c success by deploy", "aac",
                     id="this run is of the deployed commit"),
        pytest.param(f"{TODAY}, b success by deploy, c success by deploy", "ab",
                     id="deployed after the last cleanup"),
        pytest.param("b success by deploy, c success by deploy", "b", id="no cleanup"),
        pytest.param("b success by another-ci, c success by deploy", "b", id="another system"),
        pytest.param("a failure by deploy, b success by deploy, c success by deploy", "b",
                     id="failed deployment"),
        pytest.param(f"{LAST_WEEK}, c success by deploy, d success by deploy", "bc",
                     id="only last week's cleanup"),
        pytest.param(f"a failure by cleanup, {LAST_WEEK}, c inactive by deploy", "bc",
                     id="failed cleanup"),
        pytest.param(f"a failure by deploy, {LAST_WEEK}, c inactive by deploy", "bc",
                     id="failed deployment after a cleanup"),
        pytest.param(f"a in_progress by deploy, {LAST_WEEK}, c success by deploy", "abc",
                     id="deployment in progress after a cleanup"),
        pytest.param(f"{TODAY}, e failure by deploy, {LAST_WEEK}, f error by deploy, "
                     "d failure>inactive by deploy, c success by deploy", "abc",
                     id="failed ones are never live"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, d in_progress by deploy, e none by deploy, "
                     "c success by deploy", "abc", id="finished one rather than an unfinished"),
        pytest.param(f"{TODAY}, {LAST_WEEK}, c in_progress by deploy, d queued by deploy", "abc",
                     id="unfinished if there is no other"),
        pytest.param(f"{TODAY}, e in_progress by deploy, {LAST_WEEK}, c success by deploy", "aebc",
                     id="unfinished one between"),
        pytest.param(f"{TODAY}, c success>inactive by deploy, d inactive by deploy", "ac",
                     id="no success left"),
        pytest.param("a success by this-run, b success by cleanup, c success by cleanup", "a",
                     id="workflow that deploys and cleans up"),
        pytest.param("b success by nobody, c success by deploy, d success by deploy", "bc",
                     id="no log"),
        pytest.param("b success by job, c success by deploy, d success by deploy", "bc",
                     id="log without a run"),
        pytest.param("b success by deleted-run, c success>inactive by deploy, d success by deploy",
                     "bc", id="deleted run"),
        pytest.param(f"{TODAY}, b success by deleted-run, c success by deploy, d success by deploy",
                     "abc", id="deleted run of last week"),
        pytest.param(f"{TODAY}, {TODAY}, a success by cleanup", "aaa", id="one commit"),
    ],
)  # fmt: skip
def test_one_more_deployment_counts_if_a_cleanup_may_hide_it(fake, api, newest_first, kept):
    add_records(fake, newest_first)

    assert list_letters(read_source(api)) == kept
    assert list_letters(read_source(api, "github-deployments")) == kept


@pytest.mark.parametrize(
    ("newest_first", "kept"),
    [
        (f"{TODAY}, {LAST_WEEK}, c success by deploy, d success by deploy", "abc"),
        (f"{TODAY}, {LAST_WEEK}, c success>inactive by deploy, d success by deploy", "abc"),
        (f"{LAST_WEEK}, c success>inactive by deploy, d success by deploy", "bc"),
        ("b success by deploy, c success by deploy, d success by deploy", "bc"),
        ("b success by deploy, c failure by deploy, d success by deploy", "bd"),
        ("b success by another-ci, c success by deploy", "b"),
        ("b success by deploy", "b"),
        ("b success by deploy, b success by deploy", "b"),
    ],
)
@pytest.mark.parametrize("own", [OWN, OwnWorkflow()], ids=["no permission", "no workflow"])
def test_one_more_deployment_counts_if_the_creator_cannot_be_determined(
    fake, api, newest_first, kept, own
):
    fake.content.can_read_runs = False
    add_records(fake, newest_first)

    assert list_letters(read_source(api, own=own)) == kept


def test_one_more_deployment_counts_in_each_environment(fake, api):
    for environment in ("staging", "production"):
        for letter in "cba":
            url = fake.content.log_url(RUN_ID if letter == "a" else 7)
            fake.content.deploy(environment, COMMITS[letter], "success", log_url=url)
    reading = read_source(api, "github-deployments")

    assert list_letters(reading) == "aabb"


@pytest.mark.parametrize("states", ["inactive", "failure", "success>inactive"])
def test_additional_deployment_never_replaces_a_live_one(fake, api, states):
    """Without a live deployment, the live state is unknown, and nothing may be deleted."""
    add_records(fake, f"a {states} by cleanup, b success>inactive by deploy")

    reading = read_source(api)

    assert reading.references == ()
    assert reading.problem


@pytest.mark.parametrize("status", [404, 502, 200])
def test_older_record_that_cannot_be_read_is_a_problem(fake, api, status):
    add_records(fake, f"{TODAY}, {LAST_WEEK}, c success by deploy")
    for _ in range(3):
        fake.fail_next("GET", "deployments/1/statuses", status, {"message": "no"})

    reading = read_source(api)

    assert reading.references == ()
    assert "deployments/1/statuses" in reading.problem


def test_evidence_of_an_additional_deployment_explains_why_it_counts(fake, api):
    add_records(fake, f"{TODAY}, {LAST_WEEK}, c success>inactive by deploy")
    *_, own = read_source(api).references
    *_, unknown = read_source(api, own=OwnWorkflow()).references

    for reference in (own, unknown):
        words = words_in(reference.evidence)
        assert {"ccccccc", "production", "inactive", "aaaaaaa"} <= words
    assert own.evidence != unknown.evidence
    messages = [("own workflow", own.evidence), ("unknown workflow", unknown.evidence)]
    assert_messages(__file__, messages)
    assert (own.is_precaution, own.is_required) == (True, False)


def test_second_reading_sends_only_requests_for_recent_records(fake, api):
    add_records(fake, f"{TODAY}, {LAST_WEEK}, d success by cleanup, c success by deploy")
    records = DeploymentRecords(transport=api.transport, own_workflow=OWN)
    assert list_letters(read_source(api, records=records)) == "abc"
    first_count = len(fake.requests)

    assert list_letters(read_source(api, records=records)) == "abc"
    paths = [request.path.rpartition("storefront/")[2] for request in fake.requests[first_count:]]
    assert paths == ["deployments", "deployments/4/statuses", "deployments/3/statuses"]
    assert first_count == 3 + 2 + 3  # statuses of the two older ones, and three runs


def test_newest_success_of_another_system_needs_no_further_request(fake, api):
    add_records(fake, "b success by another-ci, c success by deploy")
    read_source(api)
    assert len(fake.requests) == 2


def test_search_is_limited_and_keeps_the_newest_deployment_it_does_not_read(fake, api):
    """All records belong to one workflow that deploys and cleans up."""
    for number in range(100):
        url = fake.content.run(100 + number, WORKFLOW)
        fake.content.deploy("production", f"{number:040x}", "success", log_url=url)
    records = DeploymentRecords(transport=api.transport, own_workflow=OWN)

    for _ in range(2):
        newest, kept = read_source(api, records=records).references
        # The newest one costs one request of the search, each older one two.
        last_read = 99 - (SEARCH_REQUEST_LIMIT - 1) // 2
        assert int(newest.name, 16) == 99
        assert int(kept.name, 16) == last_read - 1
    assert len(fake.requests) == 2 * 2 + SEARCH_REQUEST_LIMIT


@dataclass
class StubRepository:
    """Repository of records whose creators are known."""

    creators: dict[RecordStatus, Creator]
    statuses: dict[int, RecordStatus]

    def find_creator(self, status: RecordStatus) -> Creator:
        return self.creators[status]

    def search_status(self, number: int) -> RecordStatus:
        return self.statuses[number]


RECORDS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.sampled_from(["success", "inactive", "failure", "in_progress"]),
        st.sampled_from([*Creator]),
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS)
def test_only_the_newest_deployment_that_may_be_hidden_counts(records):
    statuses = {
        number: RecordStatus(
            state=state,
            log_urls=frozenset({str(number)}),
            was_successful=state == "success",
            has_failed=state == "failure",
        )
        for number, (_, state, _) in enumerate(records)
    }
    creators = {statuses[number]: creator for number, (*_, creator) in enumerate(records)}
    deployments = [
        Deployment(number=number, commit=commit, environment="production", ref=commit)
        for number, (commit, *_) in enumerate(records)
    ]
    success = next(
        (index for index, (_, state, _) in enumerate(records) if state == "success"), None
    )
    count = len(records) if success is None else success + 1
    history = DeploymentHistory(
        recent=[(deployment, statuses[deployment.number]) for deployment in deployments[:count]],
        older=iter(deployments[count:]),
    )

    hidden = [*find_hidden(StubRepository(creators, statuses), history)]

    live = {commit for commit, state, _ in records[:count] if state not in ENDED_STATES}
    own = next(
        (index for index in (0, success) if index is not None and records[index][2] != "other"),
        None,
    )
    assert [reference.name for reference in hidden] == (
        [] if own is None or not live else expect_hidden(records[own:], live)
    )


def expect_hidden(records, live) -> list[str]:
    """Return the hidden commit by the documented rule."""
    (newest, *_), *older = records
    others = [record for record in older if record[0] != newest and record[2] != "own-workflow"]
    for state_group in (("success", "inactive"), ("in_progress",)):
        for commit, state, creator in others:
            if state not in state_group:
                continue
            if commit not in live:
                return [commit]
            if creator == "other" and state != "in_progress":
                return []
    return []
