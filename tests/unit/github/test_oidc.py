"""Identity tokens from a service on loopback that may answer badly."""

import base64
import json
import netrc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci3.errors import ExitCode, GitHubError, SettingsError
from ci3.github.oidc import IdentityTokens, has_identity_tokens, open_identity_tokens
from tests.support.github.fake_oidc import REQUEST_TOKEN, FakeOidc, make_token, running_oidc
from tests.support.messages import words_in


@pytest.fixture
def oidc() -> Iterator[FakeOidc]:
    with running_oidc() as oidc:
        yield oidc


@pytest.fixture
def hidden() -> list[str]:
    """Every text that was to be masked."""
    return []


@pytest.fixture
def tokens(oidc: FakeOidc, hidden: list[str], waits: list[float]) -> IdentityTokens:
    return open_identity_tokens(oidc.environ, mask_secret=hidden.append, sleep=waits.append)


def test_each_token_is_a_fresh_one_for_aws_and_masked(oidc, tokens, hidden):
    got = [tokens.fetch_token(), tokens.fetch_token()]

    assert got == oidc.tokens == hidden
    assert len(set(got)) == 2
    payload = got[0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == "sts.amazonaws.com"
    assert oidc.site.requests[0][0].endswith("?api-version=2.0&audience=sts.amazonaws.com")


def test_address_without_a_query_gets_one(oidc, waits):
    address = oidc.environ["ACTIONS_ID_TOKEN_REQUEST_URL"].partition("?")[0]
    tokens = IdentityTokens(url=address, token="t", mask_secret=print, sleep=waits.append)
    with pytest.raises(GitHubError):
        tokens.fetch_token()

    assert oidc.site.requests[0][0].endswith("/idtoken?audience=sts.amazonaws.com")


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param((500, b""), id="500"),
        pytest.param((503, b"<html>"), id="503"),
        pytest.param((429, b"{}"), id="too many"),
        pytest.param(None, id="no answer"),
        pytest.param((200, b"<html>Sign in</html>"), id="a login page"),
        pytest.param((200, b"[]"), id="no object"),
        pytest.param((200, b'{"count": 1}'), id="no token"),
        pytest.param((200, b'{"value": "a\\n::error::b"}'), id="what is no token"),
    ],
)
def test_answer_that_is_lost_or_no_token_is_asked_for_again_a_few_times(
    oidc, tokens, waits, failure
):
    oidc.failures = [failure] * 3
    assert tokens.fetch_token() == oidc.tokens[0]
    assert waits == [1, 3, 9]

    oidc.failures = [failure] * 10
    with pytest.raises(GitHubError) as caught:
        tokens.fetch_token()
    assert len(oidc.failures) == 6
    assert caught.value.exit_code is ExitCode.ACCESS
    assert "githubstatus.com" in caught.value.hint


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404])
def test_refusal_is_final_and_names_the_permission(oidc, tokens, waits, status):
    oidc.failures = [(status, f'{{"message": "no, {REQUEST_TOKEN}"}}'.encode())]
    with pytest.raises(GitHubError, match=str(status)) as caught:
        tokens.fetch_token()

    assert {"id-token", "write"} <= words_in(caught.value.hint)
    assert (waits, len(oidc.site.requests)) == ([], 1)


def test_redirect_is_not_followed_with_the_request_token(oidc, tokens):
    oidc.site.redirect("/42/idtoken", f"{oidc.site.url}/elsewhere")
    oidc.site.answer("/elsewhere", json.dumps({"value": make_token()}).encode())
    with pytest.raises(GitHubError, match="302"):
        tokens.fetch_token()

    assert len(oidc.site.requests) == 1


def test_neither_token_is_in_a_message_or_repr(oidc, tokens, closed_port_url, waits, hidden):
    secrets = [REQUEST_TOKEN, f"{REQUEST_TOKEN}\n", "tökén"]
    told = [repr(tokens)]
    for failure in ((403, REQUEST_TOKEN.encode()), (200, make_token()[:-3].encode())):
        oidc.failures = [failure] * 4
        with pytest.raises(GitHubError) as caught:
            tokens.fetch_token()
        told.append(f"{caught.value.full_message} {caught.value.__cause__}")
    for secret in secrets:
        lost = IdentityTokens(
            url=closed_port_url, token=secret, mask_secret=print, sleep=waits.append
        )
        with pytest.raises(GitHubError) as caught:
            lost.fetch_token()
        told.append(f"{lost!r} {caught.value.full_message} {caught.value.__cause__}")

    assert hidden == []
    assert not [text for text in told if REQUEST_TOKEN in text or make_token()[:20] in text]


def test_password_of_a_netrc_does_not_take_the_tokens_place(oidc, tokens, monkeypatch):
    Path("netrc").write_text("machine 127.0.0.1 login me password pass\n")
    monkeypatch.setenv("NETRC", "netrc")
    assert netrc.netrc("netrc").authenticators("127.0.0.1")

    assert tokens.fetch_token() == oidc.tokens[0]


@pytest.mark.parametrize("name", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
@pytest.mark.parametrize("value", ["", None])
def test_job_that_may_ask_for_no_token_is_told_the_permission(oidc, name, value):
    environ = {**oidc.environ, name: value}
    if value is None:
        del environ[name]

    assert has_identity_tokens(oidc.environ)
    assert not has_identity_tokens(environ)
    with pytest.raises(SettingsError, match="role-to-assume") as caught:
        open_identity_tokens(environ, mask_secret=print, sleep=print)
    assert {"id-token", "write"} <= words_in(caught.value.hint)
