"""Live sources on GitHub: deployments, heads of open pull requests, and branches."""

from collections.abc import Iterable, Iterator

from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveKind, LiveReading, LiveReference, LiveSource
from ci3.errors import GitHubError
from ci3.github.deployment_records import SUCCESS_STATE, DeploymentRecords
from ci3.github.http import GitHubTransport
from ci3.live.deployment_history import (
    Deployment,
    DeploymentHistory,
    find_hidden,
    shorten_commit,
)
from ci3.live.github_repository import GitHubRepository


def read_github(
    source: LiveSource, transport: GitHubTransport, records: DeploymentRecords | None = None
) -> LiveReading:
    """Read a source on GitHub; no open pull requests, or no branches, is a valid result.

    `records` has what earlier readings of the process found, and ci3's own workflow.
    """
    repository = GitHubRepository(transport, records or DeploymentRecords(transport=transport))
    try:
        match source.kind:
            case LiveKind.GITHUB_DEPLOYMENTS:
                references = tuple(_find_deployed(repository, source.argument))
            case LiveKind.OPEN_PULL_REQUESTS:
                references = tuple(_find_pull_request_heads(repository))
            case LiveKind.BRANCHES:
                references = tuple(_find_branch_heads(repository))
            case _:
                raise ValueError(f"{source.kind} is not on GitHub")
    except GitHubError as exc:
        return LiveReading(source=source, problem=exc.full_message)
    if not references and source.kind is LiveKind.GITHUB_DEPLOYMENTS:
        where = f" in the environment {source.argument}" if source.argument else ""
        problem = f"GitHub has no deployment{where} that is live or in progress."
        return LiveReading(source=source, problem=problem)
    return LiveReading(source=source, references=references)


def _find_deployed(repository: GitHubRepository, environment: str) -> Iterator[LiveReference]:
    """Find what is live in each environment, or in the one given.

    That is the newest deployment with the state success, and every later one that may still become
    one. Older successes were replaced, although GitHub does not mark those of production
    environments as inactive. For example, newest first:

    | state in `production` | live |
    |---|---|
    | `failure` | no |
    | `in_progress` | yes, but need not exist yet |
    | `success` | yes |
    | `success`, `in_progress`, ... | no: replaced |

    A job with `environment:` that deploys nothing, such as a cleanup, has such records too. They
    hide what is live: see `find_hidden`.
    """
    histories = [
        _read_history(repository, deployments)
        for deployments in _group_by_environment(repository, environment)
    ]
    for history in histories:
        for deployment, status in history.live:
            yield _make_live_reference(deployment, status.state)
    for history in histories:
        yield from find_hidden(repository, history)


def _group_by_environment(
    repository: GitHubRepository, environment: str
) -> Iterable[Iterator[Deployment]]:
    deployments = _list_deployments(repository, environment)
    if environment:
        return [deployments]  # read page by page, as far as needed
    by_environment: dict[str, list[Deployment]] = {}
    for deployment in deployments:
        by_environment.setdefault(deployment.environment, []).append(deployment)
    return map(iter, by_environment.values())


def _read_history(
    repository: GitHubRepository, deployments: Iterator[Deployment]
) -> DeploymentHistory:
    recent = []
    for deployment in deployments:
        status = repository.read_status(deployment.number)
        recent.append((deployment, status))
        if status.state == SUCCESS_STATE:
            break
    return DeploymentHistory(recent=recent, older=deployments)


def _make_live_reference(deployment: Deployment, state: str) -> LiveReference:
    commit, is_finished = shorten_commit(deployment.commit), state == SUCCESS_STATE
    if is_finished:
        evidence = f"{commit} is deployed to {deployment.environment} (GitHub, status {state})"
    else:
        evidence = (
            f"{commit} is being deployed to {deployment.environment} (GitHub, status {state})"
        )
    return LiveReference(
        name=deployment.commit,
        evidence=evidence,
        is_required=is_finished,
        reference=deployment.reference,
    )


def _list_deployments(repository: GitHubRepository, environment: str) -> Iterator[Deployment]:
    """List deployments, newest first.

    Raises GitHubError where the order or the environment of the response is wrong.
    """
    query = {"environment": environment} if environment else {}
    newest_at = None
    for page in repository.pages("deployments", **query):
        for entry in page:
            created_at = entry.get_time("created_at")
            if newest_at is not None and created_at > newest_at:
                raise entry.make_error("deployments are not listed newest first")
            newest_at = created_at
            is_requested = entry.get_text("environment").casefold() == environment.casefold()
            if environment and not is_requested:
                raise entry.make_error(f"it lists a deployment to {entry.get_text('environment')}")
        for entry in page:
            yield Deployment(
                number=entry.get_int("id"),
                commit=entry.get_commit_hash("sha"),
                environment=entry.get_text("environment"),
                ref=entry.get_text("ref"),
            )


def _find_pull_request_heads(repository: GitHubRepository) -> Iterator[LiveReference]:
    for entry in repository.entries("pulls", state="open"):
        head, number = entry.get_object("head"), entry.get_int("number")
        commit = head.get_commit_hash("sha")
        yield LiveReference(
            name=commit,
            evidence=f"pull request #{number} is open at {shorten_commit(commit)}",
            reference=Reference(
                commits=(commit,), pull_request=number, branches=(head.get_text("ref"),)
            ),
        )


def _find_branch_heads(repository: GitHubRepository) -> Iterator[LiveReference]:
    for entry in repository.entries("branches"):
        commit = entry.get_object("commit").get_commit_hash("sha")
        name = entry.get_text("name")
        yield LiveReference(
            name=commit,
            evidence=f"branch {name} is at {shorten_commit(commit)}",
            reference=Reference(commits=(commit,), branches=(name,)),
        )
