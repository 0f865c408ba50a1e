"""The workflow run that ci3 is part of: its event, its commits and its pull request."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci3.errors import SettingsError

_COMMIT = re.compile(r"(?!0+$)[0-9a-f]{7,64}")
_QUEUED = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,10})-[0-9a-f]{40,64}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._:/-]+")


# Where events name the commit that they are about:
# https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
_COMMIT_PATHS = (
    ("pull_request", "head", "sha"),
    ("merge_group", "head_sha"),
    ("workflow_run", "head_sha"),
    ("deployment", "sha"),
    ("after",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """What a workflow run says of itself; texts are empty where it says nothing."""

    repository: str
    run_url: str
    api_url: str
    commits: tuple[str, ...]
    pull_request: int | None
    base_commit: str = ""
    """Of a pull request: what it would be merged into."""
    pushed_commit: str = ""
    """Of a push to a branch: the branch's new head, which may be that of a pull request."""
    commit_url: str = ""
    """Where GitHub shows commits; a hash follows it."""


def read_run(environ: Mapping[str, str]) -> WorkflowRun:
    """Read what the environment and the event's payload say of this run.

    Raises SettingsError for a payload that is named but can't be read: the commit that it is about
    would go unprotected.
    """
    event = _read_event(environ.get("GITHUB_EVENT_PATH", ""))
    server = environ.get("GITHUB_SERVER_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    run_id = environ.get("GITHUB_RUN_ID", "")
    named = (environ.get("GITHUB_SHA", ""), *(_at(event, *path) for path in _COMMIT_PATHS))
    number = _number(event)
    home = f"{server}/{repository}" if server and repository else ""
    is_push = environ.get("GITHUB_EVENT_NAME", "") == "push"
    is_to_branch = str(_at(event, "ref")).startswith("refs/heads/")
    return WorkflowRun(
        repository=repository,
        run_url=f"{home}/actions/runs/{run_id}" if home and run_id else "",
        api_url=environ.get("GITHUB_API_URL", ""),
        commits=tuple(dict.fromkeys(filter(None, map(_commit, named)))),
        pull_request=number,
        base_commit=_commit(_at(event, "pull_request", "base", "sha")),
        pushed_commit=_commit(_at(event, "after")) if is_push and is_to_branch else "",
        commit_url=f"{home}/commit/" if _ADDRESS.fullmatch(home) else "",
    )


def _read_event(path: str) -> object:
    if not path:
        return {}
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"the event's payload {path} can't be read: {exc}",
            "GITHUB_EVENT_PATH must name the file that the runner wrote. Nothing was deleted.",
        ) from exc


def _at(event: object, *path: str) -> object:
    for part in path:
        event = event.get(part) if isinstance(event, dict) else None
    return event


def _commit(value: object) -> str:
    """Take what is a commit's hash, and nothing else."""
    return value if isinstance(value, str) and _COMMIT.fullmatch(value) else ""


def _number(event: object) -> int | None:
    """Find the pull request that an event names; one in a merge queue stands in its branch."""
    number = _at(event, "pull_request", "number")
    if isinstance(number, int):
        return number
    queued = _QUEUED.fullmatch(str(_at(event, "merge_group", "head_ref")))
    return int(queued[1]) if queued else None
