"""What GitHub tells of the commits that deployments are named after; only ever a decoration."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from ci3.core.live.commit_names import Commit, commit_digits
from ci3.errors import GitHubError
from ci3.github.http import PAGE_SIZE, Failure, GitHubTransport
from ci3.github.responses import Fields

REQUEST_LIMIT: Final = 30
DEADLINE_SECONDS: Final = 15.0
"""After so long nothing more is asked: a plan waits for this."""

_NO_SUCH_COMMIT: Final = (404, 422)
_TEXT_KEPT: Final = 200


def find_commits(
    transport: GitHubTransport,
    names: Iterable[str],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Commit]:
    """Find the commits that names stand for, by name, asking for the first ones first.

    Nothing is raised: what GitHub does not tell in a few requests and seconds is left out.
    """
    wanted = {name: digits for name in names if (digits := commit_digits(name))}
    found: dict[str, Commit] = {}
    if not wanted:
        return found
    ends_at = clock() + DEADLINE_SECONDS
    try:
        newest = _newest(transport)
        for name, digits in wanted.items():
            commit = next((one for one in newest if one.is_meant_by(digits)), None)
            if commit is not None:
                found[name] = commit
        left = [name for name in wanted if name not in found]
        for name in left[: REQUEST_LIMIT - 1]:
            if clock() >= ends_at:
                break
            commit = _read(transport, wanted[name])
            if commit is not None:
                found[name] = commit
    except GitHubError:
        pass  # a decoration is not worth a word, and what was found stands
    return found


def _newest(transport: GitHubTransport) -> tuple[Commit, ...]:
    """Read the newest commits of the default branch: often all that is asked for, in one go."""
    path = f"{transport.repository_path}/commits?per_page={PAGE_SIZE}"
    return tuple(_commit(entry) for entry in transport.glance_at_list(path))


def _read(transport: GitHubTransport, digits: str) -> Commit | None:
    """Read one commit, or None where the repository has none that begins so."""
    # Of its files only one page is told, and they may be many.
    path = f"{transport.repository_path}/commits/{digits}?per_page=1"
    outcome = transport.attempt(path, most_tries=1)
    if isinstance(outcome, Failure):
        if outcome.status in _NO_SUCH_COMMIT:
            return None
        raise outcome.error from outcome.cause
    commit = _commit(outcome)
    # GitHub takes a branch's name as well, and a branch may be called anything.
    return commit if commit.is_meant_by(digits) else None


def _commit(fields: Fields) -> Commit:
    written = fields.inner("commit")
    author = written.fields("author")
    subject = written.text("message").strip().partition("\n")[0]
    return Commit(
        sha=fields.commit("sha"),
        subject=subject[:_TEXT_KEPT],
        author=author.text("name")[:_TEXT_KEPT] if author else "",
        authored_at=author.moment("date") if author else None,
    )
