"""A fake GitHub on loopback with the operations that ci3 uses, state, faults and a contract.

Every request, and every answer that is not a scripted fault, is checked against GitHub's OpenAPI
description (`openapi.json`, extracted by `cut_openapi.py`), so that neither the client nor this
fake can deviate from GitHub.

`python -m tests.support.github.fake_github` serves until stdin closes.
"""

import argparse
import json
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.github.contract import (
    PUBLIC_API,
    Answer,
    ContractViolationError,
    Received,
    answer_violations,
    request_violations,
    sample,
)
from tests.support.github.fake_issues import FakeIssues, find_body_problem
from tests.support.github.fake_repository import (
    REPOSITORY_ID,
    FakeRepository,
    json_answer,
    page_answer,
    problem,
)

TOKEN: Final = "fake-github-token"
REPOSITORY: Final = "acme/storefront"
WORKFLOW_LOGIN: Final = "github-actions[bot]"
BASE_PATH: Final = "/api/v3"
"""As on GitHub Enterprise Server, so that clients that assume the root fail."""

MIN_HASH_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeComment:
    comment_id: int
    number: int
    body: str
    author: str
    is_minimized: bool = False


class LostAnswer:
    """The request is executed, then the connection closes without an answer."""


class StalledAnswer:
    """No answer until the fake closes; `received` is set when the request has arrived."""

    def __init__(self) -> None:
        self.received = threading.Event()


@dataclass(frozen=True, slots=True)
class Fault:
    method: str
    path_regex: str
    outcome: Answer | LostAnswer | StalledAnswer


class FakeGitHub:
    """A context manager that raises ContractViolationError at its end if the contract broke."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        login: str = WORKFLOW_LOGIN,
        may_write: bool = True,
    ) -> None:
        self.token = TOKEN
        self.repository = REPOSITORY
        self.content = FakeRepository(name=REPOSITORY)
        self.issues = FakeIssues(name=REPOSITORY, login=login)
        self._login = login
        self._may_write = may_write
        self._comments: dict[int, FakeComment] = {}
        self._requests: list[Received] = []
        self._faults: list[Fault] = []
        self._violations: list[str] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server((host, port), self)
        self.url = f"http://{host}:{self._server.server_port}{BASE_PATH}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server; raise ContractViolationError if the contract was broken."""
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if self._violations:
            raise ContractViolationError("\n".join(self._violations))

    @property
    def requests(self) -> tuple[Received, ...]:
        return tuple(self._requests)

    def comments(self, number: int) -> tuple[FakeComment, ...]:
        return tuple(c for c in self._comments.values() if c.number == number)

    def add_comment(
        self, number: int, body: str, author: str, *, is_minimized: bool = False
    ) -> FakeComment:
        comment = FakeComment(
            comment_id=1001 + len(self._comments),
            number=number,
            body=body,
            author=author,
            is_minimized=is_minimized,
        )
        self._comments[comment.comment_id] = comment
        return comment

    def fail_next(
        self,
        method: str,
        path_regex: str,
        status: int,
        body: object = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next matching request with `body`: a str as HTML, anything else as JSON."""
        is_text = isinstance(body, str)
        answer = Answer(
            status=status,
            body=(body if is_text else json.dumps(body)).encode(),
            headers=headers or {},
            content_type="text/html" if is_text else "application/json; charset=utf-8",
        )
        self._faults.append(Fault(method, path_regex, answer))

    def lose_next_answer(self, method: str, path_regex: str) -> None:
        self._faults.append(Fault(method, path_regex, LostAnswer()))

    def stall_next(self, method: str, path_regex: str) -> threading.Event:
        """Never answer the next matching request; return the event that is set on its arrival."""
        stalled = StalledAnswer()
        self._faults.append(Fault(method, path_regex, stalled))
        return stalled.received

    def answer(self, received: Received) -> Answer | None:
        """Return GitHub's answer, or None to close the connection."""
        with self._lock:
            self._requests.append(received)
            violations = tuple(request_violations(received))
            if violations:
                return self._record_violations(violations)
            fault = self._take_fault(received)
            if isinstance(fault, Answer):
                return fault
            if not isinstance(fault, StalledAnswer):
                answer = self._answer_checked(received)
                return None if isinstance(fault, LostAnswer) else answer
        fault.received.set()
        self._closing.wait()
        return None

    def _take_fault(self, received: Received) -> Answer | LostAnswer | StalledAnswer | None:
        for fault in self._faults:
            if fault.method == received.method and re.search(fault.path_regex, received.path):
                self._faults.remove(fault)
                return fault.outcome
        return None

    def _record_violations(self, violations: tuple[str, ...]) -> Answer:
        self._violations.extend(violations)
        return problem(500, "contract violated: " + "; ".join(violations))

    def _answer_checked(self, received: Received) -> Answer:
        answer = self._dispatch(received)
        violations = tuple(answer_violations(received, answer))
        return self._record_violations(violations) if violations else answer

    def _dispatch(self, received: Received) -> Answer:
        if received.headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "Bad credentials")
        path = received.path.removeprefix(f"/repos/{self.repository}")
        for method, pattern, route in self._routes(received.query):
            if method == received.method and (match := re.fullmatch(pattern, path)):
                if method != "GET" and not self._may_write:
                    return problem(403, "Resource not accessible by integration")
                arguments = (_parse_path_part(part) for part in match.groups())
                result = route(received, *arguments)
                if isinstance(result, Answer):
                    return result
                return page_answer(received, self.url, self.repository, result)
        return problem(404, "Not Found")

    def _routes(
        self, query: Mapping[str, str]
    ) -> tuple[tuple[str, str, Callable[..., Answer | Sequence[object]]], ...]:
        """Return (method, path below the repository, handler); a handler's list is paginated."""
        content = self.content
        return (
            ("GET", r"/user", self._get_user),
            ("GET", r"/issues", self.issues.list_issues),
            ("POST", r"/issues", self.issues.create_issue),
            ("PATCH", r"/issues/(\d+)", self.issues.update_issue),
            ("GET", r"/issues/(\d+)/comments", self._list_comments),
            ("POST", r"/issues/(\d+)/comments", self._create_comment),
            ("PATCH", r"/issues/comments/(\d+)", self._update_comment),
            ("GET", r"/deployments", lambda _: content.list_deployments(query.get("environment"))),
            ("GET", r"/deployments/(\d+)/statuses", lambda _, name: content.list_statuses(name)),
            ("GET", r"/actions/runs/(\d+)", lambda _, run_id: content.get_run(run_id)),
            ("GET", r"/pulls", lambda _: content.list_pull_requests(query.get("state", "open"))),
            ("GET", r"/pulls/(\d+)", lambda _, number: content.get_pull_request(number)),
            ("GET", r"/commits", lambda _: content.list_commits()),
            ("GET", r"/commits/([^/]+)", lambda _, ref: content.get_commit(ref)),
            ("GET", r"/commits/([^/]+)/pulls", lambda _, name: content.list_pull_requests_of(name)),
            ("GET", r"/branches", lambda _: content.list_branches()),
            (
                "GET",
                r"/contents/(.+)",
                lambda _, path: content.get_file(path, query.get("ref", "")),
            ),
        )

    def _get_user(self, _received: Received) -> Answer:
        if self._login.endswith("[bot]"):
            return problem(403, "Resource not accessible by integration")
        return json_answer(200, sample("public-user", login=self._login, user_view_type="public"))

    def _list_comments(self, _received: Received, number: int) -> list[object]:
        return [self._comment_json(comment) for comment in self.comments(number)]

    def _create_comment(self, received: Received, number: int) -> Answer:
        body = json.loads(received.body)["body"]
        if error_answer := find_body_problem(body, "IssueComment"):
            return error_answer
        comment = self.add_comment(number, body, self._login)
        headers = {
            "Location": f"{self.url}/repos/{self.repository}/issues/comments/{comment.comment_id}"
        }
        return json_answer(201, self._comment_json(comment), headers)

    def _update_comment(self, received: Received, comment_id: int) -> Answer:
        body = json.loads(received.body)["body"]
        old = self._comments.get(comment_id)
        if old is None:
            return problem(404, "Not Found")
        if error_answer := find_body_problem(body, "IssueComment"):
            return error_answer
        new = replace(old, body=body)
        self._comments[comment_id] = new
        return json_answer(200, self._comment_json(new))

    def _comment_json(self, comment: FakeComment) -> dict[str, object]:
        issues = f"{PUBLIC_API}/repos/{self.repository}/issues"
        pull = f"https://github.com/{self.repository}/pull/{comment.number}"
        return {
            "id": comment.comment_id,
            "node_id": f"IC_{comment.comment_id}",
            "url": f"{issues}/comments/{comment.comment_id}",
            "html_url": f"{pull}#issuecomment-{comment.comment_id}",
            "issue_url": f"{issues}/{comment.number}",
            "body": comment.body,
            "user": sample("simple-user", login=comment.author) if comment.author else None,
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:04:05Z",
            "author_association": "NONE",
            "minimized": {"reason": "outdated"} if comment.is_minimized else None,
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, address: tuple[str, int], fake: FakeGitHub) -> None:
        super().__init__(address, _Handler)
        self.fake = fake


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Log nothing: the fake records its requests."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(BASE_PATH)
        numbered, named = (
            f"/repositories/{REPOSITORY_ID}/",
            f"/repos/{self.server.fake.repository}/",
        )
        answer = self.server.fake.answer(
            Received(
                method=self.command,
                path=path.replace(numbered, named, 1),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            )
        )
        if answer is None:
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def _parse_path_part(part: str) -> int | str:
    """Return a path's part as a number if it is short and decimal, else as a hash or name."""
    return int(part) if part.isdecimal() and len(part) < MIN_HASH_DIGITS else part


def main() -> None:
    """Print the URL and serve until stdin closes; fail if the contract was broken."""
    parser = argparse.ArgumentParser(description="A GitHub on loopback for ci3's tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with FakeGitHub(host=options.host, port=options.port) as fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
