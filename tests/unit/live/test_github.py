"""GitHub as a live source, on a fake that is validated by GitHub's API description."""

import pytest

from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveSource
from ci3.live.github import read_github
from ci3.live.github_repository import REQUEST_LIMIT
from tests.support.golden import assert_messages
from tests.support.messages import numbers_in, words_in

SHAS = [f"{number:07x}" + "ab" * 16 + "c" for number in range(1, 10)]
"""Nine commits with different first seven digits: 0000001, 0000002 and so on."""
OLD, MIDDLE, NEW = SHAS[:3]


def read_source(api, text):
    return read_github(LiveSource.parse(text), api.transport)


def list_names(reading):
    assert reading.problem == ""
    return [reference.name for reference in reading.references]


def list_evidence(reading):
    assert reading.problem == ""
    return [reference.evidence for reference in reading.references]


def list_paths(fake):
    return [request.path.removeprefix(f"/repos/{fake.repository}/") for request in fake.requests]


@pytest.mark.parametrize(
    ("oldest_first", "live_commits"),
    [
        pytest.param([["success"], ["success"]], [MIDDLE], id="the newest success"),
        pytest.param([["success"], ["success", "inactive"]], [OLD], id="taken down"),
        pytest.param([["success"], ["failure"]], [OLD], id="failed"),
        pytest.param([["success"], ["in_progress", "error"]], [OLD], id="broke off"),
        pytest.param([["success"], ["queued"]], [MIDDLE, OLD], id="queued"),
        pytest.param([["success"], ["pending"]], [MIDDLE, OLD], id="pending"),
        pytest.param([["success"], ["queued", "in_progress"]], [MIDDLE, OLD], id="in progress"),
        pytest.param([["success"], []], [MIDDLE, OLD], id="no status yet"),
        pytest.param([[], ["success"]], [MIDDLE], id="never began, and replaced"),
        pytest.param([["success"], ["in_progress"], ["queued"]], [NEW, MIDDLE, OLD], id="two more"),
        pytest.param([["success"], ["inactive"], ["queued"]], [NEW, OLD], id="one between"),
        pytest.param([["in_progress", "success", "inactive"], ["queued"]], [MIDDLE], id="first"),
        pytest.param(
            [["success"], ["success"], ["in_progress"], ["failure"]],
            [NEW, MIDDLE],
            id="the docstring's example",
        ),
    ],
)
def test_newest_success_and_unfinished_newer_deployments_are_live(
    fake, api, oldest_first, live_commits
):
    for commit, states in zip(SHAS, oldest_first, strict=False):
        fake.content.deploy("production", commit, *states)

    for source in ("github-deployments", "github-deployments:production"):
        assert list_names(read_source(api, source)) == live_commits


def test_deployment_with_an_unknown_state_is_live(fake, api):
    deployment = fake.content.deploy("production", OLD)
    status = {"id": 1, "state": "waiting", "created_at": "2026-01-02T03:04:05Z"}
    fake.fail_next("GET", f"deployments/{deployment.number}/statuses", 200, [status])

    [message] = list_evidence(read_source(api, "github-deployments"))
    assert {"0000001", "production", "waiting"} <= words_in(message)


def test_evidence_has_the_commit_the_environment_and_the_status(fake, api):
    fake.content.deploy("production", OLD, "success")
    fake.content.deploy("production", MIDDLE, "in_progress")
    fake.content.deploy("staging", NEW)

    no_status, in_progress, success = list_evidence(read_source(api, "github-deployments"))

    assert {"0000003", "staging"} <= words_in(no_status)
    assert {"0000002", "production", "in_progress"} <= words_in(in_progress)
    assert {"0000001", "production", "success"} <= words_in(success)
    cases = {"no status": no_status, "in progress": in_progress, "success": success}
    assert_messages(__file__, cases.items(), table="evidence")


def test_every_environment_has_its_own_live_deployment(fake, api):
    fake.content.deploy("production", OLD, "success")
    fake.content.deploy("staging", MIDDLE, "success")
    fake.content.deploy("staging", NEW, "success")

    assert list_names(read_source(api, "github-deployments")) == [NEW, OLD]
    assert list_names(read_source(api, "github-deployments:production")) == [OLD]


def test_named_environment_needs_two_requests_if_its_newest_deployment_succeeded(fake, api):
    for number in range(150):
        fake.content.deploy("a b/ü", SHAS[number % 9], "success")

    assert list_names(read_source(api, "github-deployments:a b/ü")) == [SHAS[149 % 9]]
    assert list_paths(fake) == ["deployments", "deployments/150/statuses"]
    assert fake.requests[0].query == {"environment": "a b/ü", "per_page": "100"}


def test_no_statuses_are_read_behind_the_newest_success_of_an_environment(fake, api):
    fake.content.deploy("production", OLD, "success")
    for number in range(250):
        fake.content.deploy("staging", SHAS[number % 9], "success")

    assert len(list_names(read_source(api, "github-deployments"))) == 2
    assert list_paths(fake) == [
        "deployments",
        "deployments",
        "deployments",
        "deployments/251/statuses",
        "deployments/1/statuses",
    ]


def test_latest_of_many_statuses_counts_in_any_order(fake, api):
    fake.content.deploy("production", OLD, "success")
    deployment = fake.content.deploy("production", MIDDLE, *["in_progress"] * 120, "failure")
    assert list_names(read_source(api, "github-deployments")) == [OLD]

    deployment.states[:] = ["success", "failure"]
    statuses = fake.content.list_statuses(deployment.number)
    fake.fail_next("GET", f"{deployment.number}/statuses", 200, list(reversed(statuses)))
    assert list_names(read_source(api, "github-deployments")) == [OLD]


@pytest.mark.parametrize("source", ["github-deployments", "github-deployments:production"])
@pytest.mark.parametrize("states", [None, ["failure"], ["success", "inactive"]])
def test_no_live_deployment_at_all_is_a_problem(fake, api, source, states):
    if states is not None:
        fake.content.deploy("production", OLD, *states)

    reading = read_source(api, source)

    assert reading.references == ()
    assert ("production" in words_in(reading.problem)) is (":" in source)


def test_environment_without_deployments_is_a_problem(fake, api):
    fake.content.deploy("staging", OLD, "success")

    assert "production" in words_in(read_source(api, "github-deployments:production").problem)


def test_list_that_is_not_newest_first_is_a_problem(fake, api):
    fake.content.deploy("production", OLD, "success")
    fake.content.deploy("production", NEW, "success")
    fake.content.deployments.reverse()

    for source in ("github-deployments", "github-deployments:production"):
        reading = read_source(api, source)
        assert (reading.references, bool(reading.problem)) == ((), True)


def test_deployment_to_an_environment_that_was_not_requested_is_a_problem(fake, api):
    fake.content.deploy("staging", OLD, "success")
    deployments = fake.content.list_deployments(environment=None)
    fake.fail_next("GET", "deployments", 200, deployments)

    assert "staging" in words_in(read_source(api, "github-deployments:production").problem)


def test_too_many_deployments_are_a_problem_that_suggests_an_environment(fake, api):
    maximum = REQUEST_LIMIT - 2  # two requests list the deployments
    for number in range(maximum):
        fake.content.deploy(f"pr-{number}", OLD, "inactive")
    fake.content.deployments[0].states[:] = ["success"]
    assert list_names(read_source(api, "github-deployments")) == [OLD]
    assert len(fake.requests) == REQUEST_LIMIT

    fake.content.deploy("production", NEW, "success")
    reading = read_source(api, "github-deployments")

    assert reading.references == ()
    assert REQUEST_LIMIT in numbers_in(reading.problem)
    assert "github-deployments:production" in reading.problem
    assert len(fake.requests) == 2 * REQUEST_LIMIT
    assert list_names(read_source(api, "github-deployments:production")) == [NEW]


def test_heads_of_open_pull_requests_are_live(fake, api):
    fake.content.open_pull_request(12, OLD)
    fake.content.open_pull_request(13, MIDDLE, state="closed")
    fake.content.open_pull_request(14, NEW)
    reading = read_source(api, "open-pull-requests")

    assert list_names(reading) == [NEW, OLD]
    newer, older = list_evidence(reading)
    assert {"#14", "0000003"} <= words_in(newer)
    assert {"#12", "0000001"} <= words_in(older)
    assert fake.requests[0].query == {"state": "open", "per_page": "100"}


def test_heads_of_branches_are_live_across_pages(fake, api):
    fake.content.branches = {f"feature/{number:03}": SHAS[number % 9] for number in range(250)}
    reading = read_source(api, "branches")

    assert len(list_names(reading)) == 250
    assert {"feature/249", "0000007"} <= words_in(list_evidence(reading)[249])


@pytest.mark.parametrize("source", ["open-pull-requests", "branches"])
def test_empty_list_of_pull_requests_or_branches_is_no_problem(fake, api, source):
    reading = read_source(api, source)

    assert (reading.problem, reading.references) == ("", ())
    assert len(fake.requests) == 1


INVALID_RESPONSES = [
    (401, {"message": "Bad credentials"}),
    (403, {"message": "Resource not accessible by integration"}),
    (404, {"message": "Not Found"}),
    (200, "<h1>Sign in</h1>"),
    (200, {"message": "an object"}),
    (200, [{}]),
    (200, [{"name": "main", "number": 1, "head": None, "commit": None}]),
    (200, [{"name": "main", "number": 1, "head": {"sha": "main"}, "commit": {"sha": ""}}]),
    (200, [{"created_at": "soon"}]),
    (200, [{"created_at": "2026-01-02T03:04:05"}]),
]


@pytest.mark.parametrize(("status", "body"), INVALID_RESPONSES)
@pytest.mark.parametrize(
    "source",
    ["github-deployments", "github-deployments:production", "open-pull-requests", "branches"],
)
def test_invalid_response_is_a_problem(fake, api, source, status, body):
    fake.fail_next("GET", "deployments|pulls|branches", status, body)
    reading = read_source(api, source)

    assert reading.references == ()
    assert reading.problem


def test_failed_second_page_is_a_problem(fake, api):
    fake.content.branches = {f"feature/{number:03}": OLD for number in range(150)}
    assert read_source(api, "branches").problem == ""
    second_page_url = f"{fake.url}/repos/{fake.repository}/branches?page=2"
    link = {"Link": f'<{second_page_url}>; rel="next"'}
    page = fake.content.list_branches()[:100]
    fake.fail_next("GET", "branches", 200, page, link)
    for _ in range(3):
        fake.fail_next("GET", "branches", 502, "<h1>Unicorn!</h1>")

    reading = read_source(api, "branches")

    assert "502" in reading.problem
    assert reading.references == ()


def test_statuses_that_fail_are_a_problem(fake, api):
    fake.content.deploy("production", OLD, "success")
    fake.fail_next("GET", "statuses", 404, {"message": "Not Found"})

    assert "404" in read_source(api, "github-deployments").problem


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("main", Reference(commits=(OLD,), branches=("main",))),
        ("v1.2.0", Reference(commits=(OLD,), branches=("v1.2.0",))),
        ("refs/tags/v1.2.0", Reference(commits=(OLD,), tags=("v1.2.0",))),
        ("refs/pull/12/merge", Reference(commits=(OLD,), pull_request=12)),
        (OLD, Reference(commits=(OLD,))),
        (OLD[:7], Reference(commits=(OLD,))),
    ],
)
@pytest.mark.parametrize("state", ["success", "in_progress"])
def test_deployment_carries_its_commit_and_ref(*, fake, api, ref, expected, state):
    fake.content.deploy("production", OLD, state, ref=ref)

    assert [live.reference for live in read_source(api, "github-deployments").references] == [
        expected
    ]


def test_pull_request_carries_its_head_number_and_branch(fake, api):
    fake.content.open_pull_request(12, OLD, branch="feature/login")

    assert [live.reference for live in read_source(api, "open-pull-requests").references] == [
        Reference(commits=(OLD,), pull_request=12, branches=("feature/login",))
    ]


def test_branch_carries_its_name_and_head(fake, api):
    fake.content.branches = {"feature/login": OLD, "main": NEW}

    assert [live.reference for live in read_source(api, "branches").references] == [
        Reference(commits=(OLD,), branches=("feature/login",)),
        Reference(commits=(NEW,), branches=("main",)),
    ]


def test_problems_of_wrong_answers_are_the_golden_ones(fake, api):
    cases = []
    for status, body in INVALID_RESPONSES:
        for source in ("github-deployments", "branches"):
            fake.fail_next("GET", "deployments|branches", status, body)
            cases.append((f"{source}: {status} {body}", read_source(api, source).problem))
    assert_messages(__file__, cases, table="answers")


def test_problems_are_the_golden_ones(fake, api):
    cases = {
        "no deployment": read_source(api, "github-deployments").problem,
        "no deployment to an environment": read_source(
            api, "github-deployments:production"
        ).problem,
    }
    fake.content.deploy("staging", OLD, "success")
    deployments = fake.content.list_deployments(environment=None)
    fake.fail_next("GET", "deployments", 200, deployments)
    cases["another environment"] = read_source(api, "github-deployments:production").problem
    fake.content.deploy("staging", NEW, "success")
    fake.content.deployments.reverse()
    cases["not newest first"] = read_source(api, "github-deployments").problem
    fake.content.open_pull_request(12, OLD)
    cases["pull request"] = list_evidence(read_source(api, "open-pull-requests"))
    fake.content.branches = {"main": OLD}
    cases["branch"] = list_evidence(read_source(api, "branches"))
    assert_messages(__file__, cases.items(), table="problems")
