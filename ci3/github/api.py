"""A small typed client of GitHub's REST API: its JSON becomes our types here, no later."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ci3.errors import GitHubError, GitHubReadOnlyError, SettingsError

WORKFLOW_AUTHOR: Final = "github-actions[bot]"
"""Who the workflow's own token writes as; that token may not ask for its name."""

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
OTHER_HINT: Final = "Check `github-api-url`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment on an issue or pull request."""

    comment_id: int
    body: str
    url: str
    author: str
    """The login, or nothing where the account is gone."""
    is_minimized: bool = False
    """Somebody has hidden it."""


class GitHubApi:
    """One GitHub repository, as one token sees it.

    Every method raises `GitHubError` when GitHub does not do what is asked, and
    `GitHubReadOnlyError` when it is the token that may not. What can't be an address, a token
    or a repository at all is a `SettingsError` at once.
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
        self._repository = _checked_repository(repository)
        self._token = _checked_token(token)
        self._sleep = sleep
        self._clock = clock
        self._waited_seconds = 0.0
        self._author: str | None = None
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
        return f"GitHubApi({self._repository} at {self._api_url})"

    def list_comments(self, number: int) -> Iterator[Comment]:
        """Read every comment of an issue or pull request, oldest first."""
        for entry in self._entries(f"{self._issues_url()}/{number}/comments"):
            yield _comment(entry)

    def create_comment(self, number: int, body: str) -> Comment:
        """Add a comment to an issue or pull request; never asked twice where an answer was lost."""
        url = f"{self._issues_url()}/{number}/comments"
        return _comment(_object(self._ask("POST", url, {"body": body})))

    def update_comment(self, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        url = f"{self._issues_url()}/comments/{comment_id}"
        return _comment(_object(self._ask("PATCH", url, {"body": body})))

    def author(self) -> str:
        """Say whom this token writes as: a login; asked once."""
        if self._author is None:
            outcome = self._try_repeatedly("GET", f"{self._api_url}/user")
            if not isinstance(outcome, _Failure):
                self._author = _object(outcome).text("login")
            elif outcome.is_forbidden:
                self._author = WORKFLOW_AUTHOR
            else:
                raise outcome.error from outcome.cause
        return self._author

    def find_own_comment(self, number: int, marker: str) -> Comment | None:
        """Find the oldest comment of ours, still shown, whose first line is the marker."""
        for comment in self.list_comments(number):
            first_line = comment.body.partition("\n")[0].rstrip("\r")
            is_candidate = first_line == marker and not comment.is_minimized
            # Anybody can copy a marker. Who we are is asked only when one turns up.
            if is_candidate and comment.author == self.author():
                return comment
        return None

    def _issues_url(self) -> str:
        return f"{self._api_url}/repos/{self._repository}/issues"

    def _entries(self, url: str) -> Iterator["_Fields"]:
        next_url: str | None = f"{url}?per_page={PAGE_SIZE}"
        seen = set()
        while next_url is not None:
            seen.add(next_url)
            response = self._ask("GET", next_url)
            yield from _objects(response)
            next_url = self._next_page(response)
            if next_url in seen:
                raise _unexpected(response, "its next page is one that was already read")

    def _next_page(self, response: requests.Response) -> str | None:
        link = response.links.get("next", {}).get("url")
        if link is None:
            return None
        if _origin(str(link)) != _origin(self._api_url):
            raise _unexpected(response, "its next page is on another host")
        return str(link)

    def _ask(
        self, method: str, url: str, payload: dict[str, str] | None = None
    ) -> requests.Response:
        outcome = self._try_repeatedly(method, url, payload)
        if isinstance(outcome, _Failure):
            raise outcome.error from outcome.cause
        return outcome

    def _try_repeatedly(
        self, method: str, url: str, payload: dict[str, str] | None = None
    ) -> "requests.Response | _Failure":
        outcome = self._try(method, url, payload)
        for _ in range(MAX_TRIES - 1):
            if not isinstance(outcome, _Failure) or outcome.wait_seconds is None:
                break
            if self._waited_seconds + outcome.wait_seconds > MAX_WAIT_SECONDS:
                break
            self._waited_seconds += outcome.wait_seconds
            self._sleep(outcome.wait_seconds)
            outcome = self._try(method, url, payload)
        return outcome

    def _try(
        self, method: str, url: str, payload: dict[str, str] | None
    ) -> "requests.Response | _Failure":
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
        return self._failure(method, response)

    def _failure(self, method: str, response: requests.Response) -> "_Failure":
        status = response.status_code
        said = self._quote(response)
        what = f"GitHub answered {_where(response)} with {status}: {said}"
        if _is_rate_limited(response, said):
            return self._rate_limited(what, response)
        if status >= requests.codes.server_error:
            return self._lost_answer(method, what, None)
        is_forbidden = status == requests.codes.forbidden
        if is_forbidden and (method != "GET" or READ_ONLY_MESSAGE in said):
            return _Failure(error=GitHubReadOnlyError(what, READ_ONLY_HINT), is_forbidden=True)
        error = GitHubError(what, HINTS.get(status, OTHER_HINT))
        return _Failure(error=error, is_forbidden=is_forbidden)

    def _lost_answer(
        self, method: str, what: str, cause: requests.RequestException | None
    ) -> "_Failure":
        if method == "POST":
            hint = "What was asked may have been done all the same. Run ci3 again: it looks first."
            return _Failure(error=GitHubError(what, hint), cause=cause)
        hint = "Try again later; if it stays, check `github-api-url` and the network."
        error = GitHubError(what, hint)
        return _Failure(error=error, cause=cause, wait_seconds=RETRY_WAIT_SECONDS)

    def _rate_limited(self, what: str, response: requests.Response) -> "_Failure":
        now = self._clock()
        wait_seconds = RATE_LIMIT_WAIT_SECONDS
        retry_after = _whole_number(response.headers.get("retry-after"))
        reset = _whole_number(response.headers.get("x-ratelimit-reset"))
        if retry_after is not None:
            wait_seconds = float(retry_after)
        elif reset is not None and response.headers.get("x-ratelimit-remaining") == "0":
            wait_seconds = max(0.0, reset - now) + 1.0
        again_at = datetime.fromtimestamp(now + wait_seconds, UTC)
        hint = f"Try again after {again_at:%Y-%m-%dT%H:%M:%SZ}."
        return _Failure(error=GitHubError(what, hint), wait_seconds=wait_seconds)

    def _quote(self, response: requests.Response) -> str:
        """GitHub's own words: one line, cut, and without the token that a proxy may echo."""
        try:
            said = _object(response).message()
        except GitHubError:
            said = "not in JSON, so perhaps not from GitHub"
        said = said.replace(self._token, "***")
        return "".join(c if c.isprintable() else " " for c in said)[:QUOTE_LIMIT]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """One try that failed: what to raise, and after how long asking again may help."""

    error: GitHubError
    cause: requests.RequestException | None = None
    wait_seconds: float | None = None
    """None: asking again would change nothing, or might do a thing twice."""
    is_forbidden: bool = False


class _BearerAuth(AuthBase):
    """Signs with the token, so that requests does not take the password of a .netrc instead."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Fields:
    """A JSON object of an answer, read by name and type."""

    def __init__(self, response: requests.Response, fields: dict[str, object]) -> None:
        self._response = response
        self._fields = fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise _unexpected(self._response, f"`{name}` is not a text")
        return value

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _unexpected(self._response, f"`{name}` is not a number")
        return value

    def fields(self, name: str) -> "_Fields | None":
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise _unexpected(self._response, f"`{name}` is not an object")
        return None if value is None else _Fields(self._response, value)

    def message(self) -> str:
        """What an error answer says, with the details of a 422."""
        said = self.text("message")
        errors = self._fields.get("errors")
        for error in errors if isinstance(errors, list) else ():
            detail = error.get("message") if isinstance(error, dict) else error
            if isinstance(detail, str):
                said += f"; {detail}"
        return said


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


def _where(response: requests.Response) -> str:
    return f"{response.request.method} {urlsplit(response.url).path}"


def _unexpected(response: requests.Response, what: str) -> GitHubError:
    return GitHubError(f"GitHub's answer to {_where(response)} can't be read: {what}", OTHER_HINT)


def _json(response: requests.Response) -> object:
    try:
        content: object = response.json()
    except ValueError as exc:
        raise _unexpected(response, "it is not JSON") from exc
    return content


def _object(response: requests.Response) -> _Fields:
    content = _json(response)
    if not isinstance(content, dict):
        raise _unexpected(response, "it is not an object")
    return _Fields(response, content)


def _objects(response: requests.Response) -> Iterator[_Fields]:
    content = _json(response)
    if not isinstance(content, list):
        raise _unexpected(response, "it is not a list")
    for entry in content:
        if not isinstance(entry, dict):
            raise _unexpected(response, "an entry is not an object")
        yield _Fields(response, entry)


def _comment(fields: _Fields) -> Comment:
    user = fields.fields("user")
    return Comment(
        comment_id=fields.number("id"),
        body=fields.text("body"),
        url=fields.text("html_url"),
        author="" if user is None else user.text("login"),
        is_minimized=fields.fields("minimized") is not None,
    )


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
