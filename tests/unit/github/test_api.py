"""Comments: listing, authors, missing permissions and invalid responses."""

import pytest

from ci3.errors import GitHubReadOnlyError
from tests.support.github.fake_github import FakeGitHub
from tests.support.golden import assert_messages
from tests.support.messages import words_in
from tests.unit.github.comment_requests import NUMBER, catch_error, list_comments, write_comment

READ_ONLY = {"message": "Resource not accessible by integration"}


def test_comments_of_all_pages_are_listed_oldest_first(fake, api):
    for number in range(250):
        fake.add_comment(NUMBER, f"comment {number}", "octocat")
    fake.add_comment(8, "another pull request", "octocat")

    comments = list_comments(api)

    assert [comment.body for comment in comments] == [f"comment {number}" for number in range(250)]
    assert len({comment.comment_id for comment in comments}) == 250
    assert [request.query["per_page"] for request in fake.requests] == ["100"] * 3


def test_author_of_a_deleted_account_is_empty(fake, api):
    fake.add_comment(NUMBER, "from nobody", "")

    assert [comment.author for comment in api.list_comments(NUMBER)] == [""]


def test_workflow_token_writes_as_the_actions_bot(fake, api):
    assert api.read_author() == "github-actions[bot]"


def test_personal_token_writes_as_its_owner_which_is_requested_once(connect):
    with FakeGitHub(login="octocat") as fake:
        api = connect(fake)

        assert (api.read_author(), api.read_author()) == ("octocat", "octocat")
        assert len(fake.requests) == 1


def test_author_of_a_personal_token_is_read_again_after_a_rate_limit(connect, waits):
    with FakeGitHub(login="octocat") as fake:
        limited = {"message": "You have exceeded a secondary rate limit."}
        fake.fail_next("GET", "/user", 403, limited)

        assert connect(fake).read_author() == "octocat"
        assert waits == [60.0]


def test_author_that_cannot_be_read_is_an_error(connect):
    with FakeGitHub() as fake:
        error = catch_error(connect(fake, token="expired").read_author)

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

    error = catch_error(write_comment, api, method)

    assert isinstance(error, GitHubReadOnlyError)
    assert {"pull-requests", "write", "Dependabot"} <= words_in(error.hint)
    assert waits == []


def test_token_of_a_fork_may_read_but_not_write(connect):
    with FakeGitHub(may_write=False) as fake:
        fake.add_comment(NUMBER, "old", "octocat")
        api = connect(fake)

        assert len(list_comments(api)) == 1
        for method in ("POST", "PATCH"):
            assert isinstance(catch_error(write_comment, api, method), GitHubReadOnlyError)


def test_forbidden_read_without_the_permission_is_read_only(fake, api):
    fake.fail_next("GET", "comments", 403, READ_ONLY)

    assert isinstance(catch_error(list_comments, api), GitHubReadOnlyError)


def test_other_forbidden_read_is_an_error(fake, api):
    message = "Your IP is not allowed"
    fake.fail_next("GET", "comments", 403, {"message": message})

    error = catch_error(list_comments, api)

    assert not isinstance(error, GitHubReadOnlyError)
    assert message in error.message


def test_rejected_text_is_an_error_with_githubs_message(fake, api):
    error = catch_error(api.create_comment, NUMBER, "x" * 65_537)

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

    error = catch_error(list_comments, api)

    assert "/issues/7/comments" in error.message


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", [], {}, {"id": "1"}, None])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_comment_in_an_unexpected_shape_is_an_error(fake, api, method, body):
    fake.fail_next(method, "comments", 200, body)

    assert "/comments" in catch_error(write_comment, api, method).message


@pytest.mark.parametrize("body", ["<h1>Sign in</h1>", [], {}, {"login": None}])
def test_author_in_an_unexpected_shape_is_an_error(fake, api, body):
    fake.fail_next("GET", "/user", 200, body)

    assert "/user" in catch_error(api.read_author).message


def test_messages_are_the_golden_ones(fake, api, connect):
    cases = {"invalid token": catch_error(connect(fake, token="expired").read_author)}
    fake.fail_next("POST", "comments", 403, READ_ONLY)
    cases["read-only"] = catch_error(write_comment, api, "POST")
    fake.fail_next("GET", "comments", 403, {"message": "Your IP is not allowed"})
    cases["denied"] = catch_error(list_comments, api)
    cases["too long"] = catch_error(api.create_comment, NUMBER, "x" * 65_537)
    fake.fail_next("GET", "comments", 200, "<h1>Sign in</h1>")
    cases["a login page"] = catch_error(list_comments, api)
    assert_messages(__file__, cases.items())
