"""The issues of the fake GitHub's repository, and their JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from tests.support.github.contract import PUBLIC_API, Answer, Received, sample
from tests.support.github.fake_repository import START, json_answer, problem

MAX_BODY_CHARACTERS: Final = 65_536
MAX_TITLE_CHARACTERS: Final = 256
FIRST_NUMBER: Final = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeIssue:
    number: int
    title: str
    body: str
    author: str
    state: str
    update: int
    """The number of the issue's last change; changes of all issues are numbered together."""
    is_pull_request: bool = False


@dataclass(kw_only=True)
class FakeIssues:
    """The issues of a repository by their numbers, oldest first."""

    name: str
    login: str
    """The user that ci3 writes as."""
    is_enabled: bool = True
    can_write: bool = True
    """False for a token without `issues: write`."""
    by_number: dict[int, FakeIssue] = field(default_factory=dict)
    _update_count: int = 0

    def add(
        self, body: str, author: str, *, title: str = "x", is_pull_request: bool = False
    ) -> FakeIssue:
        """Open an issue or a pull request."""
        return self._save(
            FakeIssue(
                number=FIRST_NUMBER + len(self.by_number),
                title=title,
                body=body,
                author=author,
                state="open",
                update=0,
                is_pull_request=is_pull_request,
            )
        )

    def close(self, number: int) -> None:
        """Close an issue as a user does."""
        self._save(replace(self.by_number[number], state="closed"))

    def update_title(self, number: int, title: str) -> None:
        """Change a title as a user does."""
        self._save(replace(self.by_number[number], title=title))

    def _save(self, issue: FakeIssue) -> FakeIssue:
        self._update_count += 1
        issue = replace(issue, update=self._update_count)
        self.by_number[issue.number] = issue
        return issue

    def list_issues(self, received: Received) -> Sequence[object]:
        query = received.query
        author, state = query.get("creator"), query.get("state", "open")
        issues = [
            issue
            for issue in self.by_number.values()
            if author in (None, issue.author) and state in ("all", issue.state)
        ]
        if query.get("sort") == "updated":
            issues.sort(key=lambda issue: issue.update)
        if query.get("direction", "desc") == "desc":
            issues.reverse()
        return [self._to_json(issue) for issue in issues]

    def create_issue(self, received: Received) -> Answer:
        fields = json.loads(received.body)
        if error_answer := self._find_problem(fields):
            return error_answer
        issue = self.add(fields["body"], self.login, title=fields["title"])
        location = f"{PUBLIC_API}/repos/{self.name}/issues/{issue.number}"
        return json_answer(201, self._to_json(issue), {"Location": location})

    def update_issue(self, received: Received, number: int) -> Answer:
        fields = json.loads(received.body)
        if number not in self.by_number:
            return problem(404, "Not Found")
        if error_answer := self._find_problem(fields):
            return error_answer
        issue = self._save(replace(self.by_number[number], **fields))
        return json_answer(200, self._to_json(issue))

    def _find_problem(self, fields: dict[str, str]) -> Answer | None:
        if not self.can_write:
            return problem(403, "Resource not accessible by integration")
        if not self.is_enabled:
            return problem(410, "Issues has been disabled in this repository.")
        if len(fields.get("title", "")) > MAX_TITLE_CHARACTERS:
            error = {"resource": "Issue", "code": "custom", "field": "title"}
            message = f"title is too long (maximum is {MAX_TITLE_CHARACTERS} characters)"
            return problem(422, "Validation Failed", errors=[error | {"message": message}])
        return find_body_problem(fields["body"], "Issue")

    def _to_json(self, issue: FakeIssue) -> dict[str, object]:
        kind = "pull" if issue.is_pull_request else "issues"
        url = f"{PUBLIC_API}/repos/{self.name}/issues/{issue.number}"
        pull_urls = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), url)
        updated_at = START + timedelta(minutes=issue.update)
        return sample(
            "issue",
            id=9000 + issue.number,
            number=issue.number,
            title=issue.title,
            body=issue.body,
            state=issue.state,
            url=url,
            html_url=f"https://github.com/{self.name}/{kind}/{issue.number}",
            user=sample("simple-user", login=issue.author) if issue.author else None,
            updated_at=f"{updated_at:%Y-%m-%dT%H:%M:%SZ}",
            **({"pull_request": pull_urls} if issue.is_pull_request else {}),
        )


def find_body_problem(body: str, resource: str) -> Answer | None:
    if body.strip() and len(body) <= MAX_BODY_CHARACTERS:
        return None
    problem_text = (
        f"is too long (maximum is {MAX_BODY_CHARACTERS} characters)" if body.strip() else "is blank"
    )
    error = {"resource": resource, "code": "unprocessable", "field": "data"}
    return problem(422, "Validation Failed", errors=[error | {"message": f"Body {problem_text}"}])
