"""Requests to GitHub: token, pages, redirects, retries, rate limits and error messages."""

import re
import traceback

import pytest
from requests.adapters import HTTPAdapter

from ci3.errors import SettingsError
from ci3.github.http import GitHubTransport
from tests.support.github.fake_github import TOKEN, FakeGitHub
from tests.support.golden import assert_messages
from tests.unit.conftest import NOW
from tests.unit.github.comment_requests import NUMBER, catch_error, list_comments, write_comment


class ShortTimeoutAdapter(HTTPAdapter):
    """Records the requested timeouts, and shortens that of the first request, which stalls."""

    def __init__(self, stalled):
        super().__init__()
        self._stalled = stalled
        self.timeouts = []

    def send(self, request, **options):
        self.timeouts.append(options["timeout"])
        if len(self.timeouts) > 1:
            return super().send(request, **options)
        try:
            return super().send(request, **options | {"timeout": (None, 0.05)})
        finally:
            assert self._stalled.wait(timeout=60)


def test_requests_carry_the_token_and_the_api_version(fake, api):
    list_comments(api)

    (request,) = fake.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"
    assert request.headers["user-agent"] == "ci3"


def test_password_in_a_netrc_does_not_replace_the_token(fake, api, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    assert list_comments(api) == []


def test_next_page_on_another_host_is_refused_without_a_request(fake, api):
    with FakeGitHub() as other_host:
        link = f'<{other_host.url}/repos/{fake.repository}/issues/7/comments?page=2>; rel="next"'
        fake.fail_next("GET", "comments", 200, [], {"Link": link})

        catch_error(list_comments, api)

        assert other_host.requests == ()


def test_next_page_that_was_already_read_is_an_error(fake, api):
    link = f'<{fake.url}/repos/{fake.repository}/issues/7/comments?per_page=100>; rel="next"'
    fake.fail_next("GET", "comments", 200, [], {"Link": link})

    catch_error(list_comments, api)

    assert len(fake.requests) == 1


def test_redirect_to_another_host_is_followed_without_the_token(fake, api):
    with FakeGitHub() as other_host:
        location = f"{other_host.url}/repos/{fake.repository}/issues/7/comments"
        fake.fail_next("GET", "comments", 302, {}, {"Location": location})

        catch_error(list_comments, api)

        assert [request.headers.get("authorization") for request in other_host.requests] == [None]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_write_does_not_follow_a_redirect(fake, api, method):
    with FakeGitHub() as other_host:
        location = f"{other_host.url}/repos/{fake.repository}/issues/7/comments"
        fake.fail_next(method, "comments", 307, {"message": "Moved"}, {"Location": location})

        error = catch_error(write_comment, api, method)

        assert "307" in error.message
        assert "renamed" in error.hint
        assert other_host.requests == ()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_read_is_retried_after_a_server_error(fake, api, waits, status):
    fake.add_comment(NUMBER, "hello", "octocat")
    fake.fail_next("GET", "comments", status, "<h1>Unicorn!</h1>")

    assert len(list_comments(api)) == 1
    assert waits == [2.0]


def test_read_fails_after_three_attempts(fake, api, waits):
    for _ in range(3):
        fake.fail_next("GET", "comments", 502, "<h1>Unicorn!</h1>")

    error = catch_error(list_comments, api)

    assert "502" in error.message
    assert "Unicorn" not in error.message
    assert len(fake.requests) == 3
    assert waits == [2.0, 4.0]


def test_edit_is_retried_after_a_lost_response(fake, api):
    fake.add_comment(NUMBER, "old", "octocat")
    fake.lose_next_answer("PATCH", "comments")

    assert api.update_comment(1001, "new").body == "new"
    assert len(fake.requests) == 2


def test_creation_is_never_retried_after_a_lost_response(fake, api, waits):
    fake.lose_next_answer("POST", "comments")

    catch_error(write_comment, api, "POST")

    assert len(fake.comments(NUMBER)) == 1
    assert waits == []


def test_creation_is_never_retried_after_a_server_error(fake, api, waits):
    fake.fail_next("POST", "comments", 502, "<h1>Unicorn!</h1>")

    catch_error(write_comment, api, "POST")

    assert len(fake.requests) == 1
    assert waits == []


def test_every_request_has_a_timeout_and_a_stalled_read_is_retried(fake, api):
    adapter = ShortTimeoutAdapter(fake.stall_next("GET", "comments"))
    api.transport._session.mount("http://", adapter)

    assert list_comments(api) == []
    assert adapter.timeouts == [(5.0, 20.0)] * 2


def test_stalled_creation_is_never_retried(fake, api):
    api.transport._session.mount(
        "http://", ShortTimeoutAdapter(fake.stall_next("POST", "comments"))
    )

    assert "ReadTimeout" in catch_error(write_comment, api, "POST").message
    assert len(fake.requests) == 1


def test_unreachable_host_is_an_error(connect, waits):
    with FakeGitHub() as fake:
        api = connect(fake)
    error = catch_error(list_comments, api)

    assert "ConnectionError" in error.message
    assert "github-api-url" in error.hint
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("status", "headers", "expected_wait"),
    [
        (429, {}, 60.0),
        (429, {"retry-after": "7"}, 7.0),
        (403, {"retry-after": "0"}, 0.0),
        (403, {"retry-after": "7", "x-ratelimit-remaining": "0"}, 7.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 30:.0f}"}, 31.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 9:.0f}"}, 1.0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 60.0),
        (429, {"x-ratelimit-remaining": "9", "x-ratelimit-reset": f"{NOW + 30:.0f}"}, 60.0),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 60.0),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_client_waits_for_a_rate_limit_as_long_as_github_requests(
    *, fake, api, waits, method, status, headers, expected_wait
):
    fake.add_comment(NUMBER, "old", "octocat")
    fake.fail_next(method, "comments", status, {"message": "Slow down"}, headers)

    if method == "GET":
        list_comments(api)
    else:
        write_comment(api, method)

    assert waits == [expected_wait]


def test_secondary_rate_limit_without_headers_is_recognized_by_its_message(fake, api, waits):
    limited = {"message": "You have exceeded a secondary rate limit."}
    fake.fail_next("POST", "comments", 403, limited)

    assert api.create_comment(NUMBER, "new").body == "new"
    assert waits == [60.0]


def test_error_of_a_long_rate_limit_names_its_end(fake, api, waits):
    fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "121"})

    error = catch_error(write_comment, api, "POST")

    assert "2026-02-02T02:42:01Z" in error.hint
    assert waits == []


def test_client_waits_at_most_two_minutes_in_total(fake, api, waits):
    for _ in range(4):
        fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "50"})
    catch_error(write_comment, api, "POST")
    catch_error(write_comment, api, "POST")

    assert waits == [50.0, 50.0]
    assert len(fake.requests) == 4


def test_rate_limit_without_a_time_is_waited_for_once(fake, api, waits):
    for _ in range(3):
        fake.fail_next("GET", "comments", 403, {"message": "You exceeded a secondary rate limit."})

    assert "403" in catch_error(list_comments, api).message
    assert waits == [60.0]


def test_rate_limited_request_fails_after_three_attempts(fake, api, waits):
    for _ in range(3):
        fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "1"})

    assert "429" in catch_error(write_comment, api, "POST").message
    assert waits == [1.0, 1.0]
    assert fake.comments(NUMBER) == ()


def test_error_of_an_invalid_token_names_the_input(connect, fake):
    error = catch_error(write_comment, connect(fake, token="expired"), "POST")

    assert "401" in error.message
    assert "github-token" in error.hint


def test_unknown_repository_is_an_error(connect, fake):
    error = catch_error(list_comments, connect(fake, repository="acme/gone"))

    assert "404" in error.message
    assert "/repos/acme/gone/issues/7/comments" in error.message


def test_token_is_in_no_repr_message_or_traceback(fake, api):
    echo = {"message": f"Forbidden for Bearer {TOKEN}", "errors": [{"message": TOKEN}]}
    fake.fail_next("PATCH", "comments", 422, echo)
    fake.lose_next_answer("POST", "comments")
    errors = [catch_error(write_comment, api, method) for method in ("PATCH", "POST")]

    texts = [repr(api), *(f"{error.message}{error.hint}{error!r}" for error in errors)]
    texts += ["".join(traceback.format_exception(error)) for error in errors]
    assert TOKEN not in "".join(texts)


def test_github_message_is_shown_in_one_short_printable_line(fake, api):
    hostile = "\r\n::error::\x1b[31m" + "x" * 5000
    fake.fail_next("POST", "comments", 422, {"message": hostile})

    message = catch_error(write_comment, api, "POST").message

    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("token", ["", "with space", "secret\n", "sécret"])
def test_invalid_token_is_refused_without_being_shown(token):
    with pytest.raises(SettingsError) as caught:
        GitHubTransport(
            api_url="https://ghes.test/api/v3", token=token, repository="acme/storefront"
        )

    assert "github-token" in caught.value.message
    assert not token or token not in caught.value.message


@pytest.mark.parametrize(
    "repository",
    ["", "acme", "acme/", "/site", "acme/site/x", "acme/..", "a b/c", "a/b\n", "a/b?c"],
)
def test_repository_must_be_owner_and_name(repository):
    with pytest.raises(SettingsError, match=re.escape(repr(repository))):
        GitHubTransport(api_url="https://ghes.test/api/v3", token=TOKEN, repository=repository)


@pytest.mark.parametrize(
    "api_url",
    [
        "",
        "ghes.test/api",
        "ftp://ghes.test",
        "https://",
        "https://me:secret@ghes.test/api",
        "https://ghes.test/api?x=1",
        "https://ghes.test/a\nb",
        "https://ghes.test:port/",
    ],
)
def test_invalid_api_url_is_refused_without_its_password(api_url):
    with pytest.raises(SettingsError) as caught:
        GitHubTransport(api_url=api_url, token=TOKEN, repository="acme/storefront")

    assert "secret" not in caught.value.message


@pytest.mark.parametrize("end", ["", "/"])
def test_api_url_may_end_in_a_slash(connect, fake, end):
    assert list(connect(fake, api_url=fake.url + end).list_comments(NUMBER)) == []


def test_messages_are_the_golden_ones(fake, api):
    comments_url = f"{fake.url}/repos/{fake.repository}/issues/7/comments"
    cases = {}
    for case, link in {
        "next page on another host": "http://127.0.0.2:1/comments?page=2",
        "next page already read": f"{comments_url}?per_page=100",
    }.items():
        fake.fail_next("GET", "comments", 200, [], {"Link": f'<{link}>; rel="next"'})
        cases[case] = catch_error(list_comments, api)
    fake.fail_next("POST", "comments", 502, "<h1>Unicorn!</h1>")
    cases["server error"] = catch_error(write_comment, api, "POST")
    fake.lose_next_answer("POST", "comments")
    cases["lost answer"] = catch_error(write_comment, api, "POST")
    fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "121"})
    cases["rate limit"] = catch_error(write_comment, api, "POST")
    assert_messages(__file__, cases.items())
