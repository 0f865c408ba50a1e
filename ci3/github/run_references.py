"""The pull request of a workflow run, where the event does not have it and GitHub must be asked."""

from typing import TYPE_CHECKING

from ci3.core.live.references import Reference
from ci3.errors import GitHubError, SettingsError
from ci3.github.workflow_run import Lookup, WorkflowRun, combine_references

if TYPE_CHECKING:
    from ci3.github.api import GitHubApi


def complete_references(run: WorkflowRun, github: "GitHubApi | None") -> tuple[Reference, ...]:
    """Return the references of a run, those of its pull request included.

    Without them, its deployment would not be kept. So an error is raised if they cannot be read:
    GitHubError, or SettingsError without a client. A commit that no open pull request has as its
    head is no error.
    """
    if run.lookup is Lookup.NONE:
        return run.references
    subject = (
        f"the head of pull request #{run.pull_request}"
        if run.lookup is Lookup.HEAD
        else f"the pull request of commit {run.head_commit[:12]}"
    )
    if github is None:
        raise SettingsError(
            f"{subject} cannot be read without a GitHub token: its deployment would not be kept",
            "In the action, set github-token. For the command, set GITHUB_TOKEN in the "
            "environment. Nothing was deleted.",
        )
    try:
        return combine_references((*run.references, *_read_references(run, github)))
    except GitHubError as exc:
        raise GitHubError(
            f"{subject} cannot be read, so that its deployment would not be kept: {exc.message}",
            f"{exc.hint} Nothing was deleted.",
        ) from exc


def select_references_after_close(
    run: WorkflowRun, completed: tuple[Reference, ...]
) -> tuple[Reference, ...]:
    """Return the references for targets with `expire-closed`.

    `completed` are those of `complete_references`. They are the same, but for an event that closes
    a pull request, for which nothing is read from GitHub.
    """
    return run.references_after_close if run.lookup is Lookup.NONE else completed


def find_pull_request(run: WorkflowRun, github: "GitHubApi") -> int | None:
    """Return the open pull request that a comment belongs to, the oldest of several, or None."""
    if run.pull_request is not None or not run.head_commit:
        return run.pull_request
    return next(iter(github.find_pull_requests(run.head_commit, run.head_repository)), None)


def _read_references(run: WorkflowRun, github: "GitHubApi") -> tuple[Reference, ...]:
    if run.lookup is Lookup.HEAD and run.pull_request is not None:
        return (github.read_pull_request(run.pull_request),)
    numbers = github.find_pull_requests(run.head_commit, run.head_repository)
    commits = (run.head_commit,)
    return tuple(Reference(pull_request=number, commits=commits) for number in numbers)
