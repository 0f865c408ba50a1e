"""Read the state of the pull requests that previews are named by, for `expire-closed`."""

from collections.abc import Iterable, Iterator
from math import ceil
from typing import Final

from ci3.core.retention.closed_previews import PullRequest, PullRequestReading
from ci3.errors import GitHubError
from ci3.github.http import PAGE_SIZE, GitHubTransport, RequestFailure
from ci3.github.responses import JsonObject
from ci3.live.reader import GITHUB_LOCK

REQUEST_LIMIT: Final = 200
"""Maximum requests per reading: a workflow's token has 1,000 per hour and repository.

Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""
_NOT_FOUND: Final = 404


class PullRequestReader:
    """Reads pull requests of one repository; each number once, however often it is asked for.

    A new reader reads everything again. May be used by any thread.
    """

    def __init__(self, transport: GitHubTransport, request_limit: int = REQUEST_LIMIT) -> None:
        self._transport = transport
        self._path = f"{transport.repository_path}/pulls"
        self._request_limit = self._requests_left = request_limit
        self._pull_requests: dict[int, PullRequest] = {}
        self._missing: set[int] = set()
        self._problem = ""

    def read(self, numbers: Iterable[int]) -> PullRequestReading:
        """Return the pull requests with these numbers, as far as they could be read.

        After a failure, nothing more is requested.
        """
        with GITHUB_LOCK:
            wanted = {*numbers}.difference(self._pull_requests, self._missing)
            if not self._problem:
                try:
                    self._read_wanted(wanted)
                except GitHubError as exc:
                    self._problem = exc.full_message
            return PullRequestReading(
                repository=self._transport.repository,
                pull_requests={**self._pull_requests},
                missing=frozenset(self._missing),
                problem=self._problem,
            )

    def _read_wanted(self, wanted: set[int]) -> None:
        """Read the list, newest first, as long as that takes fewer requests than single numbers.

        Example with the numbers 290 to 300 and 5, in a repository whose last one is 320:

        | request                 | read         | left                                     |
        |-------------------------|--------------|------------------------------------------|
        | page 1: 320 to 221      | 290 to 300   | 5: three pages, or one single request    |
        | single: 5               | 5            |                                          |
        """
        pages = self._list_pages()
        lowest, span = max(wanted, default=0) + 1, PAGE_SIZE
        while wanted:
            page_count = ceil((lowest - min(wanted)) / span)
            if len(wanted) <= page_count:
                self._read_each(wanted)
                return
            page = next(pages, None)
            if page == {}:
                self._read_each(wanted)
                return
            if page is None:
                self._missing |= wanted
                return
            lowest, span = min(page), max(page) - min(page) + 1
            self._pull_requests |= page
            wanted.difference_update(page)
            absent = {number for number in wanted if number >= lowest}
            self._missing |= absent
            wanted -= absent

    def _list_pages(self) -> Iterator[dict[int, PullRequest]]:
        """Yield the pull requests of each page by number, and an empty page at the end of an order.

        Where the list is not ordered by number, as after a transfer, a number that is not on a page
        may be on a later one.
        """
        query = {"state": "all", "sort": "created", "direction": "desc"}
        last = None
        for page in self._transport.list_pages(self._path, query, self._count_request):
            pull_requests = {}
            for entry in page:
                number = entry.get_int("number")
                if last is not None and number > last:
                    yield {}
                    return
                last = number
                pull_requests[number] = self._parse(entry)
            if pull_requests:
                yield pull_requests

    def _read_each(self, numbers: Iterable[int]) -> None:
        for number in sorted(numbers, reverse=True):
            self._count_request()
            outcome = self._transport.try_get(f"{self._path}/{number}")
            if not isinstance(outcome, RequestFailure):
                if outcome.get_int("number") != number:
                    raise outcome.make_error("it is another pull request")
                self._pull_requests[number] = self._parse(outcome)
            elif outcome.status == _NOT_FOUND:
                self._missing.add(number)
            else:
                raise outcome.error from outcome.cause

    def _parse(self, fields: JsonObject) -> PullRequest:
        """Return the state; raise GitHubError if it contradicts itself, or for another repository.

        Source: https://docs.github.com/rest/pulls/pulls#get-a-pull-request
        """
        repository = fields.get_object("base").get_object("repo").get_text("full_name")
        if f"/repos/{repository}".casefold() != self._transport.repository_path.casefold():
            raise GitHubError(
                f"the repository is now {repository}", f"Set GITHUB_REPOSITORY to {repository}."
            )
        state = fields.get_text("state")
        is_open = not fields.get_optional_text("closed_at")
        if state not in ("open", "closed") or is_open is not (state == "open"):
            raise fields.make_error("`state` and `closed_at` contradict each other")
        return PullRequest(
            created_at=fields.get_time("created_at"),
            closed_at=None if is_open else fields.get_time("closed_at"),
            is_merged=bool(fields.get_optional_text("merged_at")),
        )

    def _count_request(self) -> None:
        if not self._requests_left:
            raise GitHubError(
                f"more than {self._request_limit} requests to GitHub would be needed",
                "Run again: the pull requests of deleted previews are not read any more.",
            )
        self._requests_left -= 1
