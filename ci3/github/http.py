"""Requests to GitHub's REST API: session, retries, rate limits, pages, errors."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

import requests
from requests.auth import AuthBase

from ci3.errors import GitHubError, GitHubReadOnlyError, SettingsError
from ci3.github.responses import (
    API_URL_HINT,
    HINTS_BY_STATUS,
    JsonObject,
    describe_request,
    make_response_error,
    read_object,
    read_objects,
)
from ci3.github.tls import find_tls_hint, trust_ca_bundle

TIMEOUT_SECONDS: Final = (5.0, 20.0)
"""Timeouts to connect, and between two bytes of a response."""

MAX_ATTEMPTS: Final = 3
MAX_WAIT_SECONDS: Final = 120.0
"""Limit of all waits of one client together: a waiting step is billed by the minute."""

RETRY_WAIT_SECONDS: Final = 2.0
RATE_LIMIT_WAIT_SECONDS: Final = 60.0
"""Used where GitHub gives no time. Source:
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api."""

PAGE_SIZE: Final = 100
QUOTE_LIMIT_CHARACTERS: Final = 300
"""Characters of GitHub's message that are quoted in an error."""

READ_ONLY_MESSAGE: Final = "Resource not accessible by integration"
READ_ONLY_HINT: Final = (
    "Give the job the missing permission under `permissions:`: `pull-requests: write` for the "
    "comment, `issues: write` for the issue. In runs from forks and from Dependabot, the token is "
    "read-only."
)
UNREADABLE_HINT: Final = (
    "Give the job the missing permission under `permissions:`: `pull-requests: write` for the "
    "comment; `issues: write` for the issue; `deployments: read`, `pull-requests: read` or "
    "`contents: read` to read these."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """One failed request: the error to raise, and how long to wait before a retry, in seconds."""

    error: GitHubError
    cause: OSError | None = None
    wait_seconds: float | None = None
    """None where a retry can't succeed, or could do something twice."""
    is_wait_given: bool = False
    """True if GitHub gave the time; if it did not, the second wait is longer than the first."""
    status: int = 0
    """The HTTP status; 0 where there was no response."""

    @property
    def is_forbidden(self) -> bool:
        """Return whether the token is missing a permission, as opposed to a rate limit."""
        return self.status == requests.codes.forbidden and self.wait_seconds is None


_Payload = dict[str, str] | None
_Outcome = requests.Response | RequestFailure


class GitHubTransport:
    """Sends requests about one repository to one GitHub, with one token.

    Paths begin with a slash and are relative to the API's URL; `repository_path` is the
    repository's. Every method but `try_get` raises `GitHubError` when a request fails, and
    `GitHubReadOnlyError` when the token does not have the permission. An invalid URL, token or
    repository name raises `SettingsError` at once, and a `ca_bundle` without certificates
    `AccessError`.
    """

    def __init__(  # noqa: PLR0913 - the settings, a bundle and what tests replace
        self,
        *,
        api_url: str,
        token: str,
        repository: str,
        ca_bundle: str = "",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api_url = _validate_api_url(api_url)
        self.repository = _validate_repository(repository)
        self.repository_path = f"/repos/{self.repository}"
        self._token = _validate_token(token)
        self._sleep = sleep
        self._clock = clock
        self._waited_seconds = 0.0
        self.request_count = 0
        """The number of requests sent so far."""
        self._remaining_count: int | None = None
        self._resets_at = 0
        self._session = trust_ca_bundle(requests.Session(), ca_bundle)
        self._session.auth = BearerAuth(self._token)
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "User-Agent": "ci3",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        )

    def __repr__(self) -> str:
        return f"GitHubTransport({self.repository_path} at {self._api_url})"

    def find_shortage(self, request_count: int) -> str:
        """Return why GitHub allows fewer requests than this now, by its last response, or ""."""
        remaining = self._remaining_count
        if remaining is None or remaining >= request_count or self._clock() >= self._resets_at:
            return ""
        resets_at = datetime.fromtimestamp(self._resets_at, UTC)
        return (
            f"GitHub allows {remaining} more requests until {resets_at:%Y-%m-%dT%H:%M:%SZ}, but "
            f"{request_count} are needed. Run again then"
        )

    def list_pages(
        self, path: str, query: Mapping[str, str], before_request: Callable[[], None]
    ) -> Iterator[tuple[JsonObject, ...]]:
        """Request a list page by page, lazily.

        `before_request` is called before each request and may raise to stop.
        """
        next_url: str | None = self._page_url(path, query, 1)
        read_urls: set[str] = set()
        while next_url is not None:
            read_urls.add(next_url)
            before_request()
            response = self._send("GET", next_url)
            page = tuple(read_objects(response))
            yield page
            next_url = self._find_next_url(response)
            if next_url is None and len(page) >= PAGE_SIZE:
                # A proxy may have removed the link: a full page need not be the last.
                next_url = self._page_url(path, query, len(read_urls) + 1)
            if next_url in read_urls:
                raise make_response_error(response, "its next page was already read")

    def _page_url(self, path: str, query: Mapping[str, str], number: int) -> str:
        page_query = {"page": str(number)} if number > 1 else {}
        query_string = urlencode({**query, "per_page": str(PAGE_SIZE), **page_query})
        return f"{self._api_url}{path}?{query_string}"

    def list_entries(self, path: str) -> Iterator[JsonObject]:
        """Request a list, and iterate over the entries of all pages."""
        for page in self.list_pages(path, {}, lambda: None):
            yield from page

    def send_request(self, method: str, path: str, payload: _Payload = None) -> JsonObject:
        """Send a request for one object; retried only if that can't do something twice."""
        return read_object(self._send(method, f"{self._api_url}{path}", payload))

    def try_get(
        self, path: str, *, max_attempts: int = MAX_ATTEMPTS
    ) -> JsonObject | RequestFailure:
        """Request one object; return the failure instead of raising it."""
        outcome = self._try_with_retries("GET", f"{self._api_url}{path}", None, max_attempts)
        return outcome if isinstance(outcome, RequestFailure) else read_object(outcome)

    def get_first_page(self, path: str) -> tuple[JsonObject, ...]:
        """Request the first page of a list, without retries."""
        return read_objects(self._send("GET", f"{self._api_url}{path}", max_attempts=1))

    def _find_next_url(self, response: requests.Response) -> str | None:
        link = response.links.get("next", {}).get("url")
        if link is None:
            return None
        if _get_origin(str(link)) != _get_origin(self._api_url):
            raise make_response_error(response, "its next page is on another host")
        return str(link)

    def _send(
        self, method: str, url: str, payload: _Payload = None, max_attempts: int = MAX_ATTEMPTS
    ) -> requests.Response:
        outcome = self._try_with_retries(method, url, payload, max_attempts)
        if isinstance(outcome, RequestFailure):
            raise outcome.error from outcome.cause
        return outcome

    def _try_with_retries(
        self, method: str, url: str, payload: _Payload, max_attempts: int
    ) -> _Outcome:
        outcome = self._try_once(method, url, payload)
        for retry_number in range(max_attempts - 1):
            if not isinstance(outcome, RequestFailure) or outcome.wait_seconds is None:
                break
            wait_seconds = outcome.wait_seconds * (1 if outcome.is_wait_given else 2**retry_number)
            if self._waited_seconds + wait_seconds > MAX_WAIT_SECONDS:
                break
            self._waited_seconds += wait_seconds
            self._sleep(wait_seconds)
            outcome = self._try_once(method, url, payload)
        return outcome

    def _try_once(self, method: str, url: str, payload: _Payload) -> _Outcome:
        self.request_count += 1
        try:
            response = self._session.request(
                method,
                url,
                json=payload,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=method == "GET",
            )
        except OSError as exc:  # requests' exceptions, or a REQUESTS_CA_BUNDLE that is missing
            problem = (
                f"GitHub did not respond to {method} {urlsplit(url).path}: {type(exc).__name__}"
            )
            if hint := find_tls_hint(exc):
                return RequestFailure(error=GitHubError(problem, hint), cause=exc)
            return self._make_lost_response(method, problem, exc)
        self._record_rate_limit(response)
        if requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
            return response
        return replace(self._make_failure(method, response), status=response.status_code)

    def _record_rate_limit(self, response: requests.Response) -> None:
        remaining = _parse_int(response.headers.get("x-ratelimit-remaining"))
        reset = _parse_int(response.headers.get("x-ratelimit-reset"))
        if remaining is not None and reset is not None:
            self._remaining_count, self._resets_at = remaining, reset

    def _make_failure(self, method: str, response: requests.Response) -> RequestFailure:
        status = response.status_code
        message = self._quote_message(response)
        problem = f"GitHub returned {status} for {describe_request(response)}: {message}"
        if _is_rate_limited(response, message):
            return self._make_rate_limited(problem, response)
        if status >= requests.codes.server_error:
            return self._make_lost_response(method, problem, None)
        is_forbidden = status == requests.codes.forbidden
        if is_forbidden and (method != "GET" or READ_ONLY_MESSAGE in message):
            hint = UNREADABLE_HINT if method == "GET" else READ_ONLY_HINT
            return RequestFailure(error=GitHubReadOnlyError(problem, hint))
        return RequestFailure(error=GitHubError(problem, HINTS_BY_STATUS.get(status, API_URL_HINT)))

    def _make_lost_response(
        self, method: str, problem: str, cause: OSError | None
    ) -> RequestFailure:
        if method == "POST":
            hint = "GitHub may have executed the request. Run ci3 again: it checks first."
            return RequestFailure(error=GitHubError(problem, hint), cause=cause)
        hint = "Try again later. If it fails again, check `github-api-url` and the network."
        error = GitHubError(problem, hint)
        return RequestFailure(error=error, cause=cause, wait_seconds=RETRY_WAIT_SECONDS)

    def _make_rate_limited(self, problem: str, response: requests.Response) -> RequestFailure:
        now = self._clock()
        wait_seconds, is_wait_given = RATE_LIMIT_WAIT_SECONDS, True
        retry_after = _parse_int(response.headers.get("retry-after"))
        reset = _parse_int(response.headers.get("x-ratelimit-reset"))
        if retry_after is not None:
            wait_seconds = float(retry_after)
        elif reset is not None and response.headers.get("x-ratelimit-remaining") == "0":
            wait_seconds = max(0.0, reset - now) + 1.0
        else:
            is_wait_given = False
        retry_at = datetime.fromtimestamp(now + wait_seconds, UTC)
        error = GitHubError(problem, f"Try again after {retry_at:%Y-%m-%dT%H:%M:%SZ}.")
        return RequestFailure(error=error, wait_seconds=wait_seconds, is_wait_given=is_wait_given)

    def _quote_message(self, response: requests.Response) -> str:
        """Return GitHub's message: one line, truncated, without the token that a proxy may echo."""
        try:
            message = read_object(response).get_error_message()
        except GitHubError:
            message = "not JSON, so possibly not from GitHub"
        message = message.replace(self._token, "***")
        return "".join(character if character.isprintable() else " " for character in message)[
            :QUOTE_LIMIT_CHARACTERS
        ]


class BearerAuth(AuthBase):
    """Signs with a token; without it, requests would send the password of a .netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request, signed."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _validate_api_url(api_url: str) -> str:
    host = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    if not re.fullmatch(rf"https?://{host}(/[A-Za-z0-9._~/-]*)?", api_url):
        # The URL itself is not in the message: it may contain a password.
        raise SettingsError(
            "`github-api-url` is not the URL of an API",
            "Use a URL such as https://HOST/api/v3, or remove the input.",
        )
    return api_url.rstrip("/")


def _validate_repository(repository: str) -> str:
    owner, _, name = repository.partition("/")
    for part in (owner, name):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", part) or part in (".", ".."):
            raise SettingsError(
                f"{repository!r} is not a GitHub repository", "Use the form owner/name."
            )
    return repository


def _validate_token(token: str) -> str:
    if not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "`github-token` is empty or contains a space, a line break or an invalid character",
            "Remove it to use the workflow's token, or check the secret for a final line break.",
        )
    return token


def _get_origin(url: str) -> str:
    match = re.match(r"https?://[^/?#]*", url.lower())
    return "" if match is None else match[0]


def _is_rate_limited(response: requests.Response, message: str) -> bool:
    if response.status_code == requests.codes.too_many_requests:
        return True
    if response.status_code != requests.codes.forbidden or READ_ONLY_MESSAGE in message:
        return False
    return (
        "retry-after" in response.headers
        or response.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in message.lower()
    )


def _parse_int(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,10}", text) else None
