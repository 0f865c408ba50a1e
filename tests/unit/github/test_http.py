"""How GitHub is asked: with the token, page after page, again where that is safe, told in words."""

import re
import traceback

import pytest
from requests.adapters import HTTPAdapter

from ci3.errors import SettingsError
from ci3.github.http import GitHubTransport
from tests.support.github.fake_github import TOKEN, FakeGitHub
from tests.support.golden import assert_messages
from tests.unit.conftest import NOW
from tests.unit.github.comment_requests import NUMBER, failed, read, write


class ImpatientAdapter(HTTPAdapter):
    """Notes the timeouts asked for; waits for the answer that stalls, the first, a shorter time."""

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
    read(api)

    (received,) = fake.requests
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.headers["accept"] == "application/vnd.github+json"
    assert received.headers["x-github-api-version"] == "2022-11-28"
    assert received.headers["user-agent"] == "ci3"


def test_password_in_a_netrc_does_not_replace_the_token(fake, api, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    assert read(api) == []


def test_next_page_on_another_host_is_refused_unasked(fake, api):
    with FakeGitHub() as other:
        link = f'<{other.url}/repos/{fake.repository}/issues/7/comments?page=2>; rel="next"'
        fake.fail_next("GET", "comments", 200, [], {"Link": link})

        failed(read, api)

        assert other.requests == ()


def test_next_page_that_was_already_read_ends_in_an_error(fake, api):
    link = f'<{fake.url}/repos/{fake.repository}/issues/7/comments?per_page=100>; rel="next"'
    fake.fail_next("GET", "comments", 200, [], {"Link": link})

    failed(read, api)

    assert len(fake.requests) == 1


def test_redirect_to_another_host_goes_without_the_token(fake, api):
    with FakeGitHub() as other:
        there = f"{other.url}/repos/{fake.repository}/issues/7/comments"
        fake.fail_next("GET", "comments", 302, {}, {"Location": there})

        failed(read, api)

        assert [r.headers.get("authorization") for r in other.requests] == [None]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_write_does_not_follow_a_redirect(fake, api, method):
    with FakeGitHub() as other:
        there = f"{other.url}/repos/{fake.repository}/issues/7/comments"
        fake.fail_next(method, "comments", 307, {"message": "Moved"}, {"Location": there})

        error = failed(write, api, method)

        assert "307" in error.message
        assert "renamed" in error.hint
        assert other.requests == ()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_read_is_tried_again_after_a_server_error(fake, api, waits, status):
    fake.add_comment(NUMBER, "hello", "octocat")
    fake.fail_next("GET", "comments", status, "<h1>Unicorn!</h1>")

    assert len(read(api)) == 1
    assert waits == [2.0]


def test_read_is_given_up_after_three_tries(fake, api, waits):
    for _ in range(3):
        fake.fail_next("GET", "comments", 502, "<h1>Unicorn!</h1>")

    error = failed(read, api)

    assert "502" in error.message
    assert "Unicorn" not in error.message
    assert len(fake.requests) == 3
    assert waits == [2.0, 4.0]


def test_edit_is_tried_again_after_a_lost_answer(fake, api):
    fake.add_comment(NUMBER, "old", "octocat")
    fake.lose_next_answer("PATCH", "comments")

    assert api.update_comment(1001, "new").body == "new"
    assert len(fake.requests) == 2


def test_creation_is_never_tried_again_after_a_lost_answer(fake, api, waits):
    fake.lose_next_answer("POST", "comments")

    failed(write, api, "POST")

    assert len(fake.comments(NUMBER)) == 1
    assert waits == []


def test_creation_is_never_tried_again_after_a_server_error(fake, api, waits):
    fake.fail_next("POST", "comments", 502, "<h1>Unicorn!</h1>")

    failed(write, api, "POST")

    assert len(fake.requests) == 1
    assert waits == []


def test_every_request_has_a_timeout_and_a_read_that_stalls_is_tried_again(fake, api):
    adapter = ImpatientAdapter(fake.stall_next("GET", "comments"))
    api.transport._session.mount("http://", adapter)

    assert read(api) == []
    assert adapter.timeouts == [(5.0, 20.0)] * 2


def test_creation_that_stalls_is_never_tried_again(fake, api):
    api.transport._session.mount("http://", ImpatientAdapter(fake.stall_next("POST", "comments")))

    assert "ReadTimeout" in failed(write, api, "POST").message
    assert len(fake.requests) == 1


def test_host_that_is_not_there_ends_in_an_error(connect, waits):
    with FakeGitHub() as fake:
        api = connect(fake)
    error = failed(read, api)

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
def test_rate_limit_is_waited_out_for_as_long_as_github_says(
    *, fake, api, waits, method, status, headers, expected_wait
):
    fake.add_comment(NUMBER, "old", "octocat")
    fake.fail_next(method, "comments", status, {"message": "Slow down"}, headers)

    if method == "GET":
        read(api)
    else:
        write(api, method)

    assert waits == [expected_wait]


def test_secondary_rate_limit_without_headers_is_known_by_its_words(fake, api, waits):
    limited = {"message": "You have exceeded a secondary rate limit."}
    fake.fail_next("POST", "comments", 403, limited)

    assert api.create_comment(NUMBER, "new").body == "new"
    assert waits == [60.0]


def test_rate_limit_too_long_to_wait_for_says_when_to_try_again(fake, api, waits):
    fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "121"})

    error = failed(write, api, "POST")

    assert "2026-02-02T02:42:01Z" in error.hint
    assert waits == []


def test_client_never_waits_longer_than_two_minutes_in_all(fake, api, waits):
    for _ in range(4):
        fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "50"})
    failed(write, api, "POST")
    failed(write, api, "POST")

    assert waits == [50.0, 50.0]
    assert len(fake.requests) == 4


def test_rate_limit_for_which_github_names_no_time_is_not_asked_again_after_a_minute_twice(
    fake, api, waits
):
    for _ in range(3):
        fake.fail_next("GET", "comments", 403, {"message": "You exceeded a secondary rate limit."})

    assert "403" in failed(read, api).message
    assert waits == [60.0]


def test_rate_limit_is_given_up_after_three_tries(fake, api, waits):
    for _ in range(3):
        fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "1"})

    assert "429" in failed(write, api, "POST").message
    assert waits == [1.0, 1.0]
    assert fake.comments(NUMBER) == ()


def test_wrong_token_names_the_input(connect, fake):
    error = failed(write, connect(fake, token="expired"), "POST")

    assert "401" in error.message
    assert "github-token" in error.hint


def test_unknown_repository_is_an_error(connect, fake):
    error = failed(read, connect(fake, repository="acme/gone"))

    assert "404" in error.message
    assert "/repos/acme/gone/issues/7/comments" in error.message


def test_token_is_in_no_repr_message_or_traceback(fake, api):
    echo = {"message": f"Forbidden for Bearer {TOKEN}", "errors": [{"message": TOKEN}]}
    fake.fail_next("PATCH", "comments", 422, echo)
    fake.lose_next_answer("POST", "comments")
    errors = [failed(write, api, method) for method in ("PATCH", "POST")]

    told = [repr(api), *(f"{e.message}{e.hint}{e!r}" for e in errors)]
    told += ["".join(traceback.format_exception(error)) for error in errors]
    assert TOKEN not in "".join(told)


def test_githubs_words_are_shown_in_one_short_printable_line(fake, api):
    hostile = "\r\n::error::\x1b[31m" + "x" * 5000
    fake.fail_next("POST", "comments", 422, {"message": hostile})

    message = failed(write, api, "POST").message

    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize("token", ["", "with space", "secret\n", "sécret"])
def test_token_that_can_not_be_one_is_refused_without_being_shown(token):
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
def test_repository_is_owner_and_name(repository):
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
def test_api_url_is_an_address_without_a_password(api_url):
    with pytest.raises(SettingsError) as caught:
        GitHubTransport(api_url=api_url, token=TOKEN, repository="acme/storefront")

    assert "secret" not in caught.value.message


@pytest.mark.parametrize("end", ["", "/"])
def test_api_url_may_end_in_a_slash(connect, fake, end):
    assert list(connect(fake, api_url=fake.url + end).list_comments(NUMBER)) == []


def test_messages_are_the_golden_ones(fake, api):
    comments = f"{fake.url}/repos/{fake.repository}/issues/7/comments"
    cases = {}
    for case, link in {
        "next page on another host": "http://127.0.0.2:1/comments?page=2",
        "next page already read": f"{comments}?per_page=100",
    }.items():
        fake.fail_next("GET", "comments", 200, [], {"Link": f'<{link}>; rel="next"'})
        cases[case] = failed(read, api)
    fake.fail_next("POST", "comments", 502, "<h1>Unicorn!</h1>")
    cases["server error"] = failed(write, api, "POST")
    fake.lose_next_answer("POST", "comments")
    cases["lost answer"] = failed(write, api, "POST")
    fake.fail_next("POST", "comments", 429, {"message": "Slow down"}, {"retry-after": "121"})
    cases["rate limit"] = failed(write, api, "POST")
    assert_messages(__file__, cases.items())
