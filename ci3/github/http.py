"""How GitHub's REST API is asked: session, retries, rate limits, pages, errors."""

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
from ci3.github.responses import OTHER_HINT, Fields, read_object, read_objects, unexpected, where

TIMEOUT_SECONDS: Final = (5.0, 20.0)
"""To connect, and between two bytes of an answer."""

MAX_TRIES: Final = 3
MAX_WAIT_SECONDS: Final = 120.0
"""All waiting of one client together: a step that waits is paid for by the minute."""

RETRY_WAIT_SECONDS: Final = 2.0
RATE_LIMIT_WAIT_SECONDS: Final = 60.0
"""Where GitHub names no time: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api."""

PAGE_SIZE: Final = 100
QUOTE_LIMIT: Final = 300
"""Characters of GitHub's own words that go into a message of ours."""

READ_ONLY_MESSAGE: Final = "Resource not accessible by integration"
READ_ONLY_HINT: Final = (
    "Give the job `permissions: pull-requests: write`. "
    "On pull requests from forks and from Dependabot the token can only read."
)
UNREADABLE_HINT: Final = (
    "Give the job the permission under `permissions:`: `pull-requests: write` for the comment, "
    "`deployments: read`, `pull-requests: read` or `contents: read` for what is read."
)
MOVED_HINT: Final = "The repository was renamed or moved: name it as it is called now."
HINTS: Final = {
    301: MOVED_HINT,
    307: MOVED_HINT,
    308: MOVED_HINT,
    401: "Check `github-token`: it is wrong or has expired.",
    403: "Check that `github-token` has the permission to read this.",
    404: "Check the repository and the number, and that `github-token` may read them.",
    410: "It was deleted, or is switched off in this repository.",
    422: "GitHub's message says what it does not take.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One try that failed: what to raise, and after how long asking again may help."""

    error: GitHubError
    cause: requests.RequestException | None = None
    wait_seconds: float | None = None
    """None: asking again would change nothing, or might do a thing twice."""
    is_wait_told: bool = False
    """GitHub has named the time; where it has not, the second wait is longer than the first."""
    status: int = 0
    """What GitHub answered with; 0 where it did not answer."""

    @property
    def is_forbidden(self) -> bool:
        """Whether GitHub said that this token may not, rather than not so often."""
        return self.status == requests.codes.forbidden and self.wait_seconds is None


class GitHubTransport:
    """Asks one GitHub about one repository, as one token sees it.

    Paths begin with a slash and are below the API's address; `repository_path` is the
    repository's. Every method but `attempt` raises `GitHubError` when GitHub does not do what is
    asked, and `GitHubReadOnlyError` when it is the token that may not. What can't be an address,
    a token or a repository at all is a `SettingsError` at once.
    """

    def __init__(
        self,
        *,
        api_url: str,
        token: str,
        repository: str,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api_url = _checked_api_url(api_url)
        self.repository_path = f"/repos/{_checked_repository(repository)}"
        self._token = _checked_token(token)
        self._sleep = sleep
        self._clock = clock
        self._waited_seconds = 0.0
        self._session = requests.Session()
        self._session.auth = _BearerAuth(self._token)
        self._session.headers.update(
            {
                "Accept": "application/vnd.github+json",
                "User-Agent": "ci3",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        )

    def __repr__(self) -> str:
        return f"GitHubTransport({self.repository_path} at {self._api_url})"

    def pages(
        self, path: str, query: Mapping[str, str], before_each: Callable[[], None]
    ) -> Iterator[tuple[Fields, ...]]:
        """Read a list page by page, each when it is asked for; `before_each` may raise instead."""
        next_url: str | None = self._page_url(path, query, 1)
        seen: set[str] = set()
        while next_url is not None:
            seen.add(next_url)
            before_each()
            response = self._ask("GET", next_url)
            page = tuple(read_objects(response))
            yield page
            next_url = self._next_page(response)
            if next_url is None and len(page) >= PAGE_SIZE:
                # A proxy may have taken the link away: a full page need not be the last.
                next_url = self._page_url(path, query, len(seen) + 1)
            if next_url in seen:
                raise unexpected(response, "its next page is one that was already read")

    def _page_url(self, path: str, query: Mapping[str, str], number: int) -> str:
        page = {"page": str(number)} if number > 1 else {}
        asked = urlencode({**query, "per_page": str(PAGE_SIZE), **page})
        return f"{self._api_url}{path}?{asked}"

    def entries(self, path: str) -> Iterator[Fields]:
        """Read a list entry by entry."""
        for page in self.pages(path, {}, lambda: None):
            yield from page

    def ask(self, method: str, path: str, payload: dict[str, str] | None = None) -> Fields:
        """Ask for one object; what may have been done already is never asked twice."""
        return read_object(self._ask(method, f"{self._api_url}{path}", payload))

    def attempt(self, path: str, *, most_tries: int = MAX_TRIES) -> Fields | Failure:
        """Read one object, or say how that failed."""
        outcome = self._try_repeatedly("GET", f"{self._api_url}{path}", most_tries=most_tries)
        return outcome if isinstance(outcome, Failure) else read_object(outcome)

    def glance_at_list(self, path: str) -> tuple[Fields, ...]:
        """Read one page of a list, asking only once."""
        outcome = self._try("GET", f"{self._api_url}{path}", None)
        if isinstance(outcome, Failure):
            raise outcome.error from outcome.cause
        return read_objects(outcome)

    def _next_page(self, response: requests.Response) -> str | None:
        link = response.links.get("next", {}).get("url")
        if link is None:
            return None
        if _origin(str(link)) != _origin(self._api_url):
            raise unexpected(response, "its next page is on another host")
        return str(link)

    def _ask(
        self, method: str, url: str, payload: dict[str, str] | None = None
    ) -> requests.Response:
        outcome = self._try_repeatedly(method, url, payload)
        if isinstance(outcome, Failure):
            raise outcome.error from outcome.cause
        return outcome

    def _try_repeatedly(
        self,
        method: str,
        url: str,
        payload: dict[str, str] | None = None,
        *,
        most_tries: int = MAX_TRIES,
    ) -> "requests.Response | Failure":
        outcome = self._try(method, url, payload)
        for number in range(most_tries - 1):
            if not isinstance(outcome, Failure) or outcome.wait_seconds is None:
                break
            wait_seconds = outcome.wait_seconds * (1 if outcome.is_wait_told else 2**number)
            if self._waited_seconds + wait_seconds > MAX_WAIT_SECONDS:
                break
            self._waited_seconds += wait_seconds
            self._sleep(wait_seconds)
            outcome = self._try(method, url, payload)
        return outcome

    def _try(
        self, method: str, url: str, payload: dict[str, str] | None
    ) -> "requests.Response | Failure":
        try:
            response = self._session.request(
                method,
                url,
                json=payload,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=method == "GET",
            )
        except requests.RequestException as exc:
            what = f"GitHub did not answer {method} {urlsplit(url).path}: {type(exc).__name__}"
            return self._lost_answer(method, what, exc)
        if requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
            return response
        return replace(self._failure(method, response), status=response.status_code)

    def _failure(self, method: str, response: requests.Response) -> "Failure":
        status = response.status_code
        said = self._quote(response)
        what = f"GitHub answered {where(response)} with {status}: {said}"
        if _is_rate_limited(response, said):
            return self._rate_limited(what, response)
        if status >= requests.codes.server_error:
            return self._lost_answer(method, what, None)
        is_forbidden = status == requests.codes.forbidden
        if is_forbidden and (method != "GET" or READ_ONLY_MESSAGE in said):
            hint = UNREADABLE_HINT if method == "GET" else READ_ONLY_HINT
            return Failure(error=GitHubReadOnlyError(what, hint))
        return Failure(error=GitHubError(what, HINTS.get(status, OTHER_HINT)))

    def _lost_answer(
        self, method: str, what: str, cause: requests.RequestException | None
    ) -> "Failure":
        if method == "POST":
            hint = "What was asked may have been done all the same. Run ci3 again: it looks first."
            return Failure(error=GitHubError(what, hint), cause=cause)
        hint = "Try again later; if it stays, check `github-api-url` and the network."
        error = GitHubError(what, hint)
        return Failure(error=error, cause=cause, wait_seconds=RETRY_WAIT_SECONDS)

    def _rate_limited(self, what: str, response: requests.Response) -> "Failure":
        now = self._clock()
        wait_seconds, is_told = RATE_LIMIT_WAIT_SECONDS, True
        retry_after = _whole_number(response.headers.get("retry-after"))
        reset = _whole_number(response.headers.get("x-ratelimit-reset"))
        if retry_after is not None:
            wait_seconds = float(retry_after)
        elif reset is not None and response.headers.get("x-ratelimit-remaining") == "0":
            wait_seconds = max(0.0, reset - now) + 1.0
        else:
            is_told = False
        again_at = datetime.fromtimestamp(now + wait_seconds, UTC)
        hint = f"Try again after {again_at:%Y-%m-%dT%H:%M:%SZ}."
        error = GitHubError(what, hint)
        return Failure(error=error, wait_seconds=wait_seconds, is_wait_told=is_told)

    def _quote(self, response: requests.Response) -> str:
        """GitHub's own words: one line, cut, and without the token that a proxy may echo."""
        try:
            said = read_object(response).message()
        except GitHubError:
            said = "not in JSON, so perhaps not from GitHub"
        said = said.replace(self._token, "***")
        return "".join(c if c.isprintable() else " " for c in said)[:QUOTE_LIMIT]


class _BearerAuth(AuthBase):
    """Signs with the token, so that requests does not take the password of a .netrc instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _checked_api_url(api_url: str) -> str:
    host = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
    if not re.fullmatch(rf"https?://{host}(/[A-Za-z0-9._~/-]*)?", api_url):
        # The address itself stays out of the message: it may hold a password.
        raise SettingsError(
            "`github-api-url` is not the address of an API",
            "Give one such as https://HOST/api/v3, or leave it to the workflow.",
        )
    return api_url.rstrip("/")


def _checked_repository(repository: str) -> str:
    owner, _, name = repository.partition("/")
    for part in (owner, name):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", part) or part in (".", ".."):
            raise SettingsError(
                f"{repository!r} is not a GitHub repository", "Give it as owner/name."
            )
    return repository


def _checked_token(token: str) -> str:
    if not re.fullmatch(r"[!-~]+", token):
        raise SettingsError(
            "`github-token` is empty or holds a space, a line break or a character no token has",
            "Leave it to the workflow, or check the secret for a line break at its end.",
        )
    return token


def _origin(url: str) -> str:
    match = re.match(r"https?://[^/?#]*", url.lower())
    return "" if match is None else match[0]


def _is_rate_limited(response: requests.Response, said: str) -> bool:
    if response.status_code == requests.codes.too_many_requests:
        return True
    if response.status_code != requests.codes.forbidden or READ_ONLY_MESSAGE in said:
        return False
    return (
        "retry-after" in response.headers
        or response.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in said.lower()
    )


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,10}", text) else None
