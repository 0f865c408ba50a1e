"""Comments of a repository: listed, written by whom, and what GitHub does not allow or garbles."""

import pytest

from ci3.errors import GitHubReadOnlyError
from tests.support.github.fake_github import FakeGitHub
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.unit.github.comment_requests import NUMBER, failed, read, write

READ_ONLY = {"message": "Resource not accessible by integration"}


def test_every_comment_is_listed_across_pages_oldest_first(fake, api):
    for number in range(250):
        fake.add_comment(NUMBER, f"comment {number}", "octocat")
    fake.add_comment(8, "another pull request", "octocat")

    comments = read(api)

    assert [c.body for c in comments] == [f"comment {number}" for number in range(250)]
    assert len({c.comment_id for c in comments}) == 250
    assert [r.query["per_page"] for r in fake.requests] == ["100"] * 3


def test_author_of_a_deleted_account_is_empty(fake, api):
    fake.add_comment(NUMBER, "from nobody", "")

    assert [c.author for c in api.list_comments(NUMBER)] == [""]


def test_workflow_token_writes_as_the_actions_bot(fake, api):
    assert api.read_author() == "github-actions[bot]"


def test_personal_token_writes_as_its_owner_and_is_asked_once(connect):
    with FakeGitHub(login="octocat") as fake:
        api = connect(fake)

        assert (api.read_author(), api.read_author()) == ("octocat", "octocat")
        assert len(fake.requests) == 1


def test_rate_limit_does_not_make_a_token_the_workflows(connect, waits):
    with FakeGitHub(login="octocat") as fake:
        limited = {"message": "You have exceeded a secondary rate limit."}
        fake.fail_next("GET", "/user", 403, limited)

        assert connect(fake).read_author() == "octocat"
        assert waits == [60.0]


def test_author_that_can_not_be_read_is_an_error(connect):
    with FakeGitHub() as fake:
        error = failed(connect(fake, token="expired").read_author)

    assert "401" in error.message


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (READ_ONLY, {}),
        (READ_ONLY, {"x-ratelimit-remaining": "0"}),
        ({"message": "Unable to create comment because issue is locked."}, {}),
        ("<h1>Forbidden</h1>", {}),
    ],
)
def test_forbidden_write_is_read_only_and_names_the_permission(
    *, fake, api, waits, method, body, headers
):
    fake.fail_next(method, "comments", 403, body, headers)

    error = failed(write, api, method)

    assert isinstance(error, GitHubReadOnlyError)
    assert {"pull-requests", "write", "Dependabot"} <= words_in(error.hint)
    assert waits == []


def test_fork_token_may_read_and_not_write(connect):
    with FakeGitHub(may_write=False) as fake:
        fake.add_comment(NUMBER, "old", "octocat")
        api = connect(fake)

        assert len(read(api)) == 1
        for method in ("POST", "PATCH"):
            assert isinstance(failed(write, api, method), GitHubReadOnlyError)


def test_forbidden_read_without_the_permission_is_read_only_too(fake, api):
    fake.fail_next("GET", "comments", 403, READ_ONLY)

    assert isinstance(failed(read, api), GitHubReadOnlyError)


def test_other_forbidden_read_is_an_error(fake, api):
    message = "Your IP is not allowed"
    fake.fail_next("GET", "comments", 403, {"message": message})

    error = failed(read, api)

    assert not isinstance(error, GitHubReadOnlyError)
    assert message in error.message


def test_refused_text_is_an_error_with_githubs_own_words(fake, api):
    error = failed(api.create_comment, NUMBER, "x" * 65_537)

    assert {"422", "65536"} <= words_in(error.message)


@pytest.mark.parametrize(
    "body",
    [
        "<h1>Sign in</h1>",
        "",
        {},
        {"message": "an object where a list belongs"},
        ["no object"],
        [{"id": 1}],
        [{"id": True, "body": "x", "html_url": "x", "user": None}],
        [{"id": 1, "body": "x", "html_url": "x", "user": "octocat"}],
        [{"id": 1, "body": "x", "html_url": "x", "user": {}}],
        5,
        None,
    ],
)
def test_list_in_an_unexpected_shape_is_an_error(fake, api, body):
    fake.fail_next("GET", "comments", 200, body)

    error = failed(read, api)

    assert "/issues/7/comments" in error.message


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", [], {}, {"id": "1"}, None])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_comment_in_an_unexpected_shape_is_an_error(fake, api, method, body):
    fake.fail_next(method, "comments", 200, body)

    assert "/comments" in failed(write, api, method).message


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", [], {}, {"login": None}])
def test_author_in_an_unexpected_shape_is_an_error(fake, api, body):
    fake.fail_next("GET", "/user", 200, body)

    assert "/user" in failed(api.read_author).message


def test_messages_are_the_golden_ones(fake, api, connect):
    cases = {"invalid token": failed(connect(fake, token="expired").read_author)}
    fake.fail_next("POST", "comments", 403, READ_ONLY)
    cases["read-only"] = failed(write, api, "POST")
    fake.fail_next("GET", "comments", 403, {"message": "Your IP is not allowed"})
    cases["denied"] = failed(read, api)
    cases["too long"] = failed(api.create_comment, NUMBER, "x" * 65_537)
    fake.fail_next("GET", "comments", 200, "<h1>Sign in</h1>")
    cases["a login page"] = failed(read, api)
    assert_messages(__file__, cases.items())
