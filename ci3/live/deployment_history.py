"""Find the live deployment that deployment records of ci3's own workflow may hide."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from ci3.core.live.references import Reference
from ci3.core.live.sources import LiveReference
from ci3.github.deployment_records import ENDED_STATES, SUCCESS_STATE, RecordStatus
from ci3.github.own_workflow import Creator
from ci3.live.github_repository import GitHubRepository

_DISPLAYED_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment as GitHub lists it, without its state."""

    number: int
    commit: str
    environment: str
    ref: str

    @property
    def reference(self) -> Reference:
        """The commit with its branch, tag or pull request."""
        return Reference.from_git_ref(self.ref, self.commit)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentHistory:
    """The deployments to one environment, newest first.

    `recent` are those up to the newest success, with their statuses; `older` the others.
    """

    recent: Sequence[tuple[Deployment, RecordStatus]]
    older: Iterator[Deployment]

    @property
    def live(self) -> Sequence[tuple[Deployment, RecordStatus]]:
        """The newest success, and every later deployment that may still become one."""
        return [
            (deployment, status)
            for deployment, status in self.recent
            if status.state not in ENDED_STATES
        ]


def find_hidden(
    repository: GitHubRepository, history: DeploymentHistory
) -> Iterator[LiveReference]:
    """Find the deployment of one environment that records of ci3's own workflow may hide.

    They hide one if the newest record, or the newest success, is of ci3's own workflow or may be.
    What is hidden then is the newest deployment of another commit that is not of this workflow. If
    that can't be determined, it is the newest one of a commit that is not known as live yet. For
    example, newest first:

    | commit | state | created by | kept |
    |---|---|---|---|
    | 3333333 | `in_progress` | this run | yes, as live |
    | 2222222 | `success` | an earlier run of this workflow | yes, as live |
    | 1111111 | `inactive` | another workflow | yes: it may be hidden |
    | 0000000 | `success` | another workflow | no |
    """
    live_commits = {deployment.commit for deployment, _ in history.live}
    first = _find_first_own(repository, history) if live_commits else None
    if first is None:
        return
    index, creator = first
    newest, _ = history.recent[index]
    older = chain(history.recent[index + 1 :], ((each, None) for each in history.older))
    hidden = _search_hidden(repository, older, live_commits, newest.commit)
    if hidden is not None:
        deployment, state = hidden
        yield _make_hidden_reference(deployment, state, newest, creator)


def _find_first_own(
    repository: GitHubRepository, history: DeploymentHistory
) -> tuple[int, Creator] | None:
    """Return the first record that may hide what is live, as its index, and its creator."""
    last = len(history.recent) - 1
    has_success = history.recent[last][1].state == SUCCESS_STATE
    for index in (0, last) if has_success and last else (0,):
        creator = repository.find_creator(history.recent[index][1])
        if creator is not Creator.OTHER:
            return index, creator
    return None


def _search_hidden(
    repository: GitHubRepository,
    older: Iterable[tuple[Deployment, RecordStatus | None]],
    live_commits: Collection[str],
    newest_commit: str,
) -> tuple[Deployment, str] | None:
    """Return the deployment that is hidden and its state, or None if what is live is not hidden.

    One that is still in progress is hidden only if no other one is.
    """
    unfinished = None
    for deployment, read_status in older:
        if deployment.commit == newest_commit:
            continue
        is_live = deployment.commit in live_commits
        status = read_status or repository.search_status(deployment.number)
        if status is None:
            if not is_live:
                return deployment, "not read"
            continue
        is_ended = status.state in ENDED_STATES
        if is_ended and not status.was_deployed:
            continue
        creator = repository.find_creator(status)
        if creator is Creator.OWN_WORKFLOW:
            continue
        if is_live:
            if creator is Creator.OTHER and status.was_deployed:
                return None
        elif status.was_deployed:
            return deployment, status.state
        else:
            unfinished = unfinished or (deployment, status.state)
    return unfinished


def _make_hidden_reference(
    deployment: Deployment, state: str, newest: Deployment, creator: Creator
) -> LiveReference:
    who = "this workflow" if creator is Creator.OWN_WORKFLOW else "possibly a cleanup"
    evidence = (
        f"{shorten_commit(deployment.commit)} may be live in {deployment.environment} (status "
        f"{state}): {who} created GitHub's newer deployment record of "
        f"{shorten_commit(newest.commit)}"
    )
    return LiveReference(
        name=deployment.commit,
        evidence=evidence,
        is_required=False,
        is_precaution=True,
        reference=deployment.reference,
    )


def shorten_commit(commit: str) -> str:
    """Return the beginning of a commit that is shown."""
    return commit[:_DISPLAYED_DIGITS]
