"""Identity tokens from a loopback service with scripted responses."""

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
def masked_texts() -> list[str]:
    """The texts that were masked."""
    return []


@pytest.fixture
def tokens(oidc: FakeOidc, masked_texts: list[str], waits: list[float]) -> IdentityTokens:
    return open_identity_tokens(oidc.environ, mask_secret=masked_texts.append, sleep=waits.append)


def test_each_token_is_new_for_aws_and_masked(oidc, tokens, masked_texts):
    fetched_tokens = [tokens.fetch_token(), tokens.fetch_token()]

    assert fetched_tokens == oidc.tokens == masked_texts
    assert len(set(fetched_tokens)) == 2
    payload = fetched_tokens[0].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["aud"] == "sts.amazonaws.com"
    assert oidc.site.requests[0][0].endswith("?api-version=2.0&audience=sts.amazonaws.com")


def test_audience_is_added_to_an_address_without_a_query(oidc, waits):
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
def test_request_without_a_valid_token_is_retried_three_times(oidc, tokens, waits, failure):
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
def test_refused_request_is_not_retried_and_names_the_permission(oidc, tokens, waits, status):
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


def test_neither_token_is_in_a_message_or_repr(oidc, tokens, closed_port_url, waits, masked_texts):
    secrets = [REQUEST_TOKEN, f"{REQUEST_TOKEN}\n", "tökén"]
    texts = [repr(tokens)]
    for failure in ((403, REQUEST_TOKEN.encode()), (200, make_token()[:-3].encode())):
        oidc.failures = [failure] * 4
        with pytest.raises(GitHubError) as caught:
            tokens.fetch_token()
        texts.append(f"{caught.value.full_message} {caught.value.__cause__}")
    for secret in secrets:
        unreachable = IdentityTokens(
            url=closed_port_url, token=secret, mask_secret=print, sleep=waits.append
        )
        with pytest.raises(GitHubError) as caught:
            unreachable.fetch_token()
        texts.append(f"{unreachable!r} {caught.value.full_message} {caught.value.__cause__}")

    assert masked_texts == []
    assert not [text for text in texts if REQUEST_TOKEN in text or make_token()[:20] in text]


def test_netrc_password_does_not_replace_the_token(oidc, tokens, monkeypatch):
    Path("netrc").write_text("machine 127.0.0.1 login me password pass\n")
    monkeypatch.setenv("NETRC", "netrc")
    assert netrc.netrc("netrc").authenticators("127.0.0.1")

    assert tokens.fetch_token() == oidc.tokens[0]


@pytest.mark.parametrize("name", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
@pytest.mark.parametrize("value", ["", None])
def test_job_without_the_permission_is_refused_and_the_hint_names_it(oidc, name, value):
    environ = {**oidc.environ, name: value}
    if value is None:
        del environ[name]

    assert has_identity_tokens(oidc.environ)
    assert not has_identity_tokens(environ)
    with pytest.raises(SettingsError, match="role-to-assume") as caught:
        open_identity_tokens(environ, mask_secret=print, sleep=print)
    assert {"id-token", "write"} <= words_in(caught.value.hint)
