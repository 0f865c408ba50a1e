"""Fetch GitHub's OIDC identity tokens, with which a workflow run assumes an AWS role."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import requests

from ci3.ca_bundle import find_ca_bundle
from ci3.errors import GitHubError, SettingsError
from ci3.github.http import TIMEOUT_SECONDS, BearerAuth, RequestFailure
from ci3.github.tls import find_tls_hint, trust_ca_bundle
from ci3.retrying import retry_until

AUDIENCE: Final = "sts.amazonaws.com"
RETRY_WAITS_SECONDS: Final = (1.0, 3.0, 9.0)

_URL_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - a variable's name
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""A JSON Web Token: https://www.rfc-editor.org/rfc/rfc7515#section-7.1."""
_PERMISSION_HINT: Final = "Give the job `permissions: id-token: write`."


def has_identity_tokens(environ: Mapping[str, str]) -> bool:
    """Return whether this is a workflow run that may request identity tokens."""
    return bool(environ.get(_URL_VARIABLE) and environ.get(_TOKEN_VARIABLE))


def open_identity_tokens(
    environ: Mapping[str, str],
    *,
    mask_secret: Callable[[str], None],
    sleep: Callable[[float], None],
) -> "IdentityTokens":
    """Return the source of this run's identity tokens; raises SettingsError where it has none.

    Source: https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
    """
    if not has_identity_tokens(environ):
        raise SettingsError(
            "role-to-assume needs a GitHub identity token, but this job may not request one",
            f"{_PERMISSION_HINT} On pull requests from forks, GitHub issues none. "
            "Nothing was deleted.",
        )
    return IdentityTokens(
        url=environ[_URL_VARIABLE],
        token=environ[_TOKEN_VARIABLE],
        mask_secret=mask_secret,
        sleep=sleep,
        ca_bundle=find_ca_bundle(environ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityTokens:
    """Fetches identity tokens from any thread, and passes each to `mask_secret`."""

    url: str = field(repr=False)
    token: str = field(repr=False)
    mask_secret: Callable[[str], None]
    sleep: Callable[[float], None]
    ca_bundle: str = ""
    """Path of a file with more authorities to trust; empty if there is none."""

    def fetch_token(self) -> str:
        """Request a token for AWS; raises GitHubError when there is none."""
        outcome = retry_until(
            self._try_once,
            lambda outcome: isinstance(outcome, str) or outcome.wait_seconds is None,
            RETRY_WAITS_SECONDS,
            self.sleep,
        )
        if isinstance(outcome, RequestFailure):
            raise outcome.error
        self.mask_secret(outcome)
        return outcome

    def _try_once(self) -> str | RequestFailure:
        separator = "&" if "?" in self.url else "?"
        try:
            with trust_ca_bundle(requests.Session(), self.ca_bundle) as session:
                response = session.get(
                    f"{self.url}{separator}audience={AUDIENCE}",
                    auth=BearerAuth(self.token),
                    headers={"Accept": "application/json", "User-Agent": "ci3"},
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                )
        except (OSError, ValueError) as exc:
            if hint := find_tls_hint(exc):
                return RequestFailure(error=_make_error(f"failed: {type(exc).__name__}", hint))
            # The exception's message may contain the header with the token.
            return _make_retryable_failure(f"did not respond: {type(exc).__name__}")
        status = response.status_code
        if status == requests.codes.too_many_requests or status >= requests.codes.server_error:
            return _make_retryable_failure(f"returned {status}")
        if status != requests.codes.ok:
            return RequestFailure(error=_make_error(f"returned {status}", _PERMISSION_HINT))
        token = _read_token(response)
        return token or _make_retryable_failure("returned no token")


def _read_token(response: requests.Response) -> str:
    """Return the token of a response, or an empty text where it has none."""
    try:
        content = response.json()
    except ValueError:
        return ""
    token = content.get("value") if isinstance(content, dict) else None
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else ""


def _make_error(problem: str, hint: str) -> GitHubError:
    return GitHubError(f"GitHub's identity token service {problem}", hint)


def _make_retryable_failure(problem: str) -> RequestFailure:
    hint = "Run again later. If it fails again, check https://www.githubstatus.com and the network."
    return RequestFailure(error=_make_error(problem, hint), wait_seconds=RETRY_WAITS_SECONDS[0])
