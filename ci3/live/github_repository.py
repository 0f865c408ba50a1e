"""Requests of the live sources on GitHub, with a limit on their number."""

from collections.abc import Iterator
from typing import Final

from ci3.errors import GitHubError
from ci3.github.deployment_records import DeploymentRecords, RecordStatus
from ci3.github.http import GitHubTransport
from ci3.github.own_workflow import Creator
from ci3.github.responses import JsonObject

REQUEST_LIMIT: Final = 200
"""Maximum requests per source: a workflow's token has 1,000 per hour and repository.

Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""


class GitHubRepository:
    """Requests about one repository, with a limit on the total number."""

    def __init__(self, transport: GitHubTransport, records: DeploymentRecords) -> None:
        self._transport = transport
        self._records = records
        self._requests_left = REQUEST_LIMIT

    def pages(self, path: str, **query: str) -> Iterator[tuple[JsonObject, ...]]:
        """Request a list page by page, lazily; raise GitHubError at the limit."""
        full_path = f"{self._transport.repository_path}/{path}"
        return self._transport.list_pages(full_path, query, self._count_request)

    def entries(self, path: str, **query: str) -> Iterator[JsonObject]:
        """Request a list, and iterate over the entries of all pages."""
        for page in self.pages(path, **query):
            yield from page

    def read_status(self, number: int) -> RecordStatus:
        """Return the status of a deployment record."""
        return RecordStatus.from_statuses(self.entries(f"deployments/{number}/statuses"))

    def search_status(self, number: int) -> RecordStatus | None:
        """Return the status of an older record, or None if the search needs too many requests."""
        statuses = self._records.statuses
        if number not in statuses:
            if not self._may_search():
                return None
            statuses[number] = self.read_status(number)
        return statuses[number]

    def find_creator(self, status: RecordStatus) -> Creator:
        """Return what created a record; UNKNOWN if that needs too many requests."""
        return self._records.find_creator(status, self._count_search_request)

    def _may_search(self) -> bool:
        return bool(self._requests_left) and self._records.count_request()

    def _count_search_request(self) -> bool:
        if may_search := self._may_search():
            self._count_request()
        return may_search

    def _count_request(self) -> None:
        if not self._requests_left:
            raise GitHubError(
                f"more than {REQUEST_LIMIT} requests to GitHub would be needed",
                "For github-deployments, name the environment, such as "
                "github-deployments:production; or use another live source.",
            )
        self._requests_left -= 1
