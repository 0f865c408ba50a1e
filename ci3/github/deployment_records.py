"""Deployment records of a repository: their statuses, and what created them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from ci3.errors import GitHubError
from ci3.github.http import GitHubTransport, RequestFailure
from ci3.github.own_workflow import NO_WORKFLOW, Creator, OwnWorkflow
from ci3.github.responses import JsonObject

SEARCH_REQUEST_LIMIT: Final = 50
"""Requests of one process for older records and for the runs that created records.

A workflow's token has 1,000 per hour and repository, and every run of a workflow that cleans up
after each deploy may need all of these.
"""

SUCCESS_STATE: Final = "success"
INACTIVE_STATE: Final = "inactive"
FAILED_STATES: Final = frozenset({"failure", "error"})
ENDED_STATES: Final = frozenset({INACTIVE_STATE, *FAILED_STATES})
"""Deployment states in which nothing is live; in every other one, something may be."""

_NOT_FOUND: Final = 404
_RUN_PATH: Final = re.compile(r"/actions/runs/([0-9]{1,20})(?:/|$)")
_CHECK_RUN_PATH: Final = re.compile(r"/runs/[0-9]+")
"""Older log URLs of jobs do not have the number of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStatus:
    """The statuses of one deployment record.

    `state` is the latest one. `log_urls` are those of whoever deployed.
    """

    state: str
    log_urls: frozenset[str]
    was_successful: bool
    has_failed: bool

    @classmethod
    def from_statuses(cls, statuses: Iterable[JsonObject]) -> "RecordStatus":
        """Summarize the statuses that GitHub lists for a record, in any order."""
        dated = sorted(
            (
                status.get_time("created_at"),
                status.get_int("id"),
                status.get_text("state"),
                status.get_optional_text("log_url"),
            )
            for status in statuses
        )
        states = {state for *_, state, _ in dated}
        # A newer deployment may have made this one inactive, and written its own log URL.
        own = [url for *_, state, url in dated if url and state != INACTIVE_STATE]
        return cls(
            state=dated[-1][2] if dated else "not yet set",
            log_urls=frozenset(own or (url for *_, url in dated if url)),
            was_successful=SUCCESS_STATE in states,
            has_failed=bool(FAILED_STATES & states),
        )

    @property
    def was_deployed(self) -> bool:
        """True if GitHub had it as deployed, and no later status says that it failed."""
        if self.state == INACTIVE_STATE:
            return self.was_successful or not self.has_failed
        return self.state == SUCCESS_STATE


@dataclass(slots=True, kw_only=True)
class DeploymentRecords:
    """What was read about deployment records and is kept for all readings of one process.

    `statuses` are those of older records, by number. They do not change any more, or only to
    `inactive`. `requests_left` is what remains of SEARCH_REQUEST_LIMIT.
    """

    transport: GitHubTransport
    own_workflow: OwnWorkflow = NO_WORKFLOW
    requests_left: int = SEARCH_REQUEST_LIMIT
    statuses: dict[int, RecordStatus] = field(default_factory=dict)
    _creators: dict[str, Creator] = field(init=False, default_factory=dict)
    """By the number of the run."""
    _can_read_runs: bool = field(init=False, default=True)

    def count_request(self) -> bool:
        """Count a request of the search; return False if no more may be sent."""
        self.requests_left -= 1
        return self.requests_left >= 0

    @property
    def _repository(self) -> str:
        return self.transport.repository_path.removeprefix("/repos/")

    def find_creator(self, status: RecordStatus, may_request: Callable[[], bool]) -> Creator:
        """Return what created a record: its log URLs lead to the run.

        `may_request` is called before each request, and returns False to forbid it. Whatever
        can't be read, such as without the permission `actions: read`, is UNKNOWN.
        """
        creators = {self._find_creator_of_url(url, may_request) for url in status.log_urls}
        return creators.pop() if len(creators) == 1 else Creator.UNKNOWN

    def _find_creator_of_url(self, url: str, may_request: Callable[[], bool]) -> Creator:
        try:
            path = urlsplit(url).path
        except ValueError:
            return Creator.UNKNOWN
        if run := _RUN_PATH.search(path):
            return self._find_creator_of_run(run[1], may_request)
        is_on_github = f"/{self._repository}/".casefold() in path.casefold()
        if is_on_github or _CHECK_RUN_PATH.search(path):
            return Creator.UNKNOWN
        return Creator.OTHER

    def _find_creator_of_run(self, run_id: str, may_request: Callable[[], bool]) -> Creator:
        if run_id == self.own_workflow.run_id:
            return Creator.OWN_WORKFLOW
        if not self.own_workflow.file:
            return Creator.UNKNOWN
        if run_id not in self._creators:
            if not self._can_read_runs or not may_request():
                return Creator.UNKNOWN
            self._creators[run_id] = self._read_creator_of_run(run_id)
        return self._creators[run_id]

    def _read_creator_of_run(self, run_id: str) -> Creator:
        """Request a run, also under a former name of the repository: its number is unique."""
        try:
            run = self.transport.try_get(f"{self.transport.repository_path}/actions/runs/{run_id}")
            if isinstance(run, RequestFailure):
                # The other runs can't be read either, unless only this one was deleted.
                self._can_read_runs = run.status == _NOT_FOUND
                return Creator.UNKNOWN
            return self.own_workflow.find_creator(
                self._repository, run.get_text("path"), run.get_optional_text("name")
            )
        except GitHubError:  # an answer that can't be read
            return Creator.UNKNOWN
