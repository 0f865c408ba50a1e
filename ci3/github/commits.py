"""Find the commits that deployments are named after; used only to decorate the output."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from ci3.core.live.commit_names import Commit, find_commit_digits
from ci3.errors import GitHubError
from ci3.github.http import PAGE_SIZE, GitHubTransport, RequestFailure
from ci3.github.responses import JsonObject

REQUEST_LIMIT: Final = 30
DEADLINE_SECONDS: Final = 15.0
"""No request is sent after this time: a plan waits for the result."""

_NOT_FOUND: Final = (404, 422)
_TEXT_LIMIT: Final = 200


def find_commits(
    transport: GitHubTransport,
    names: Iterable[str],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Commit]:
    """Return commits by the deployment names that refer to them, first names first.

    Raises nothing: names that are not found within a few requests and seconds are left out.
    """
    digits_by_name = {name: digits for name in names if (digits := find_commit_digits(name))}
    commits: dict[str, Commit] = {}
    if not digits_by_name:
        return commits
    ends_at = clock() + DEADLINE_SECONDS
    try:
        newest = _read_newest(transport)
        for name, digits in digits_by_name.items():
            commit = next((recent for recent in newest if recent.has_sha_prefix(digits)), None)
            if commit is not None:
                commits[name] = commit
        missing = [name for name in digits_by_name if name not in commits]
        for name in missing[: REQUEST_LIMIT - 1]:
            if clock() >= ends_at:
                break
            commit = _read_commit(transport, digits_by_name[name])
            if commit is not None:
                commits[name] = commit
    except GitHubError:
        pass  # not worth a message for a decoration; the commits so far are returned
    return commits


def _read_newest(transport: GitHubTransport) -> tuple[Commit, ...]:
    """Return the newest commits of the default branch: often all that are needed."""
    path = f"{transport.repository_path}/commits?per_page={PAGE_SIZE}"
    return tuple(_make_commit(entry) for entry in transport.get_first_page(path))


def _read_commit(transport: GitHubTransport, digits: str) -> Commit | None:
    """Return one commit, or None where the repository has none that begins with these digits."""
    # Limits the list of changed files, which may be long.
    path = f"{transport.repository_path}/commits/{digits}?per_page=1"
    outcome = transport.try_get(path, max_attempts=1)
    if isinstance(outcome, RequestFailure):
        if outcome.status in _NOT_FOUND:
            return None
        raise outcome.error from outcome.cause
    commit = _make_commit(outcome)
    # GitHub also accepts a branch name here, and a branch may have any name.
    return commit if commit.has_sha_prefix(digits) else None


def _make_commit(fields: JsonObject) -> Commit:
    commit = fields.get_object("commit")
    author = commit.get_optional_object("author")
    subject = commit.get_text("message").strip().partition("\n")[0]
    return Commit(
        sha=fields.get_commit_hash("sha"),
        subject=subject[:_TEXT_LIMIT],
        author=author.get_text("name")[:_TEXT_LIMIT] if author else "",
        authored_at=author.get_time("date") if author else None,
    )
