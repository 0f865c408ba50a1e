"""Read which workflow run this is: its event, and the commits, branches and pull request of it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Final

from ci3.ca_bundle import find_ca_bundle
from ci3.core.live.references import Reference
from ci3.errors import SettingsError
from ci3.github.own_workflow import NO_WORKFLOW, OwnWorkflow

_COMMIT = re.compile(r"(?!0+$)[0-9a-f]{7,64}")
_QUEUE_BRANCH = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-([0-9]{1,10})-[0-9a-f]{40,64}")
_URL = re.compile(r"https?://[A-Za-z0-9._:/-]+")
_PULL_REQUEST_EVENTS: Final = ("pull_request", "pull_request_target")


# Where events name the commit that they are about, and its branch, tag or ref:
# https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows
_SUBJECT_PATHS = (
    (("pull_request", "head", "sha"), ("pull_request", "head", "ref")),
    (("merge_group", "head_sha"), ("merge_group", "head_ref")),
    (("workflow_run", "head_sha"), ("workflow_run", "head_branch")),
    (("deployment", "sha"), ("deployment", "ref")),
    (("after",), ("ref",)),
)


class Lookup(StrEnum):
    """What must be read from GitHub, because the event does not have it."""

    NONE = "none"
    HEAD = "head"
    """The head of `pull_request`: a comment's event does not have it."""
    NUMBER = "number"
    """The pull request with `head_commit`: a `workflow_run` does not list those of forks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """A workflow run; missing texts are empty."""

    repository: str
    run_url: str
    api_url: str
    references: tuple[Reference, ...]
    """What the run is about: for example, its own commit, and the head of a pull request."""
    references_after_close: tuple[Reference, ...]
    """The same, but those of a pull request that the event closes do not keep its previews."""
    pull_request: int | None
    base_commit: str = ""
    """The head of a pull request's base branch."""
    head_commit: str = ""
    """A branch's head that may be that of a pull request which the event does not name.

    After a push it is the new head; of a `workflow_run`, that of the run that triggered it.
    """
    head_repository: str = ""
    """The `owner/name` of the repository with that branch: this one or, possibly, a fork."""
    lookup: Lookup = Lookup.NONE
    commit_url: str = ""
    """The URL of a commit, without the hash at its end."""
    own_workflow: OwnWorkflow = NO_WORKFLOW
    ca_bundle: str = ""
    """Path of a file with more authorities to trust when GitHub is asked; see `ci3.ca_bundle`."""


def read_workflow_run(environ: Mapping[str, str]) -> WorkflowRun:
    """Read the workflow run from the environment and the event's payload.

    Raises SettingsError for a payload that can't be read: the commit that it is about would not be
    protected.
    """
    event = _read_event(environ.get("GITHUB_EVENT_PATH", ""))
    server = environ.get("GITHUB_SERVER_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    run_id = environ.get("GITHUB_RUN_ID", "")
    pull_request = _find_pull_request(event) or _find_listed_pull_request(event)
    repository_url = f"{server}/{repository}" if server and repository else ""
    if not _URL.fullmatch(repository_url):
        repository_url = ""  # it is shown, and may have a password in it
    head_commit, head_repository = _find_head(environ, event)
    return WorkflowRun(
        repository=repository,
        run_url=f"{repository_url}/actions/runs/{run_id}" if repository_url and run_id else "",
        api_url=environ.get("GITHUB_API_URL", ""),
        references=_find_references(environ, event),
        references_after_close=_find_references_after_close(environ, event),
        pull_request=pull_request,
        base_commit=_commit_or_empty(_get_path(event, "pull_request", "base", "sha")),
        head_commit=head_commit,
        head_repository=head_repository,
        lookup=_find_lookup(event, pull_request, head_commit),
        commit_url=f"{repository_url}/commit/" if repository_url else "",
        own_workflow=OwnWorkflow.from_environ(environ),
        ca_bundle=find_ca_bundle(environ),
    )


def _read_event(path: str) -> object:
    if not path:
        return {}
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise SettingsError(
            f"the event payload {path} cannot be read: {exc}",
            "Check that GITHUB_EVENT_PATH names the file of the runner. Nothing was deleted.",
        ) from exc


def _get_path(event: object, *path: str) -> object:
    for name in path:
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _commit_or_empty(value: object) -> str:
    """Return the value if it is a commit's hash, or else an empty text."""
    return value if isinstance(value, str) and _COMMIT.fullmatch(value) else ""


def _find_references(environ: Mapping[str, str], event: object) -> tuple[Reference, ...]:
    """Return the references of the run itself and of what its event is about.

    Those of one commit or pull request are combined: it suffices if one of their commits is
    deployed. Those of others are not: of a `workflow_run`, the default branch and the branch of the
    run that triggered it are each deployed by themselves.
    """
    references = [_make_reference(environ.get("GITHUB_SHA", ""), environ.get("GITHUB_REF", ""))]
    for commit_path, ref_path in _SUBJECT_PATHS:
        if commit := _commit_or_empty(_get_path(event, *commit_path)):
            references.append(_make_reference(commit, _get_path(event, *ref_path)))
    references += _find_pull_requests(event)
    return combine_references(references)


def combine_references(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return one reference for each subject, without empty ones."""
    combined: list[Reference] = []
    for reference in references:
        same = [earlier for earlier in combined if earlier.is_same_subject(reference)]
        combined = [earlier for earlier in combined if earlier not in same]
        combined.append(reduce(Reference.combine_with, [*same, reference]))
    return tuple(reference for reference in combined if reference != Reference())


def _find_references_after_close(
    environ: Mapping[str, str], event: object
) -> tuple[Reference, ...]:
    """Return the references, of which those of a pull request being closed keep no preview of it.

    The run's own commit keeps its previews, too, unless it is of the pull request:

    | event                       | `GITHUB_REF`         | `GITHUB_SHA`                 | keeps |
    |-----------------------------|----------------------|------------------------------|-------|
    | `pull_request`, not merged  | `refs/pull/12/merge` | merge of head and base       | no    |
    | `pull_request`, merged      | `refs/heads/main`    | the new commit of the branch | yes   |
    | `pull_request_target`       | `refs/heads/main`    | head of the branch           | yes   |

    Source: https://docs.github.com/actions/reference/workflows-and-actions/contexts#github-context
    """
    is_of_pull_request = environ.get("GITHUB_EVENT_NAME", "") in _PULL_REQUEST_EVENTS
    references = _find_references(environ, event)
    if not is_of_pull_request or _get_path(event, "action") != "closed":
        return references
    number = _find_pull_request(event)
    own = _make_reference(environ.get("GITHUB_SHA", ""), environ.get("GITHUB_REF", ""))
    if own.pull_request is not None:
        is_merged = _get_path(event, "pull_request", "merged") is True
        own = Reference(commits=own.commits if is_merged else ())
    closed = (
        replace(reference, is_closed=number is not None and reference.pull_request == number)
        for reference in references
    )
    nonempty = (reference for reference in (own, *closed) if reference != Reference())
    return tuple(dict.fromkeys(nonempty))


def _find_pull_requests(event: object) -> Iterator[Reference]:
    """Yield the pull requests that the event is about, each with its head.

    A `workflow_run` names those of the run that triggered it, except those of forks.
    """
    if number := _find_pull_request(event):
        paths = (("pull_request", "head", "sha"), ("merge_group", "head_sha"))
        commits = (_commit_or_empty(_get_path(event, *path)) for path in paths)
        yield Reference(pull_request=number, commits=tuple(filter(None, commits)))
    listed = _get_path(event, "workflow_run", "pull_requests")
    for pull_request in listed if isinstance(listed, list) else ():
        listed_number = _get_path(pull_request, "number")
        commit = _commit_or_empty(_get_path(pull_request, "head", "sha"))
        if isinstance(listed_number, int):
            yield Reference(pull_request=listed_number, commits=tuple(filter(None, [commit])))


def _make_reference(commit: object, ref: object) -> Reference:
    return Reference.from_git_ref(ref if isinstance(ref, str) else "", _commit_or_empty(commit))


def _find_pull_request(event: object) -> int | None:
    """Return the event's pull request; in a merge queue, it is part of the branch name.

    A comment's event has it as an issue, which has `pull_request` only if it is one.
    """
    number = _get_path(event, "pull_request", "number")
    if isinstance(_get_path(event, "issue", "pull_request"), dict):
        number = _get_path(event, "issue", "number")
    if isinstance(number, int):
        return number
    queued = _QUEUE_BRANCH.fullmatch(str(_get_path(event, "merge_group", "head_ref")))
    return int(queued[1]) if queued else None


def _find_listed_pull_request(event: object) -> int | None:
    """Return the oldest pull request of the run that triggered a `workflow_run`, or None.

    GitHub also lists pull requests into other repositories, and those that have a newer head by
    now: no comment may be written to these.
    """
    repository = _get_path(event, "repository", "id")
    head = ("workflow_run", "head_sha"), ("workflow_run", "head_repository", "id")
    expected = [repository, *(_get_path(event, *path) for path in head)]
    paths = ("base", "repo", "id"), ("head", "sha"), ("head", "repo", "id")
    listed = _get_path(event, "workflow_run", "pull_requests")
    numbers = [
        number
        for pull_request in (listed if isinstance(listed, list) else ())
        if [_get_path(pull_request, *path) for path in paths] == expected and repository
        if isinstance(number := _get_path(pull_request, "number"), int)
    ]
    return min(numbers, default=None)


def _find_head(environ: Mapping[str, str], event: object) -> tuple[str, str]:
    """Return `head_commit` and `head_repository` of a run; both may be empty."""
    is_push = environ.get("GITHUB_EVENT_NAME", "") == "push"
    if is_push and str(_get_path(event, "ref")).startswith("refs/heads/"):
        return _commit_or_empty(_get_path(event, "after")), environ.get("GITHUB_REPOSITORY", "")
    commit = _commit_or_empty(_get_path(event, "workflow_run", "head_sha"))
    repository = _get_path(event, "workflow_run", "head_repository", "full_name")
    is_of_branch = _get_path(event, "workflow_run", "event") in ("push", *_PULL_REQUEST_EVENTS)
    if not commit or not isinstance(repository, str) or not is_of_branch:
        return "", ""
    return commit, repository


def _find_lookup(event: object, pull_request: int | None, head_commit: str) -> Lookup:
    if isinstance(_get_path(event, "issue", "pull_request"), dict):
        return Lookup.HEAD
    is_of_pull_request = _get_path(event, "workflow_run", "event") in _PULL_REQUEST_EVENTS
    has_number = pull_request is not None
    return Lookup.NUMBER if is_of_pull_request and head_commit and not has_number else Lookup.NONE
