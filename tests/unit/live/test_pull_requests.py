"""Reading the pull requests of previews, on a fake that is validated by GitHub's description."""

from datetime import timedelta

import pytest

from ci3.core.retention.closed_previews import PullRequest
from ci3.live.pull_requests import REQUEST_LIMIT, PullRequestReader
from tests.support.github.fake_repository import START
from tests.support.golden import assert_messages

CREATED_AT = START
CLOSED_AT = START + timedelta(days=5)
DOWN = {"message": "Server Error"}


@pytest.fixture
def reader(api):
    return PullRequestReader(api.transport)


def open_pull_requests(fake, numbers):
    for number in numbers:
        fake.content.open_pull_request(number, f"{number:040x}", created_at=CREATED_AT)


def close_pull_requests(fake, numbers):
    open_pull_requests(fake, numbers)
    for number in numbers:
        fake.content.close_pull_request(number, CLOSED_AT)


def list_paths(fake):
    """Return the paths of the requests below `/pulls`; `?` for a page of the list."""
    prefix = f"/repos/{fake.repository}/pulls"
    return [request.path.removeprefix(prefix).removeprefix("/") or "?" for request in fake.requests]


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3]], ids=["single", "list"])
def test_state_is_that_of_github(fake, reader, numbers):
    open_pull_requests(fake, numbers)

    assert reader.read(numbers).pull_requests[1] == PullRequest(
        created_at=CREATED_AT, closed_at=None, is_merged=False
    )
    fake.content.close_pull_request(1, CLOSED_AT)
    fake.content.close_pull_request(2, CLOSED_AT, is_merged=True)
    second_reading = PullRequestReader(reader._transport).read(numbers).pull_requests

    assert second_reading[1] == PullRequest(
        created_at=CREATED_AT, closed_at=CLOSED_AT, is_merged=False
    )
    merged = PullRequest(created_at=CREATED_AT, closed_at=CLOSED_AT, is_merged=True)
    assert second_reading.get(2, merged) == merged


def test_number_without_a_pull_request_is_missing(fake, reader):
    open_pull_requests(fake, [1, 2, 5])
    reading = reader.read([1, 2, 3, 4, 5, 99])
    assert reading.pull_requests.keys() == {1, 2, 5}
    assert reading.missing == {3, 4, 99}
    assert PullRequestReader(reader._transport).read([3]).missing == {3}
    assert not reading.problem


@pytest.mark.parametrize(
    ("existing", "numbers", "expected"),
    [
        pytest.param(range(1, 301), range(1, 301), ["?"] * 3, id="300 closed ones"),
        pytest.param(range(1, 301), [7], ["7"], id="one"),
        pytest.param(range(1, 301), [7, 250], ["250", "7"], id="far apart"),
        pytest.param(range(1, 301), [290, 291, 292], ["?"], id="the newest"),
        pytest.param(range(1, 301), [5, *range(290, 301)], ["?", "5"], id="one is far"),
        pytest.param(range(1, 301), [1, 2, 3], ["?", "?", "?"], id="the oldest"),
        pytest.param(range(1, 901), [1, 2, 3], ["?", "3", "2", "1"], id="too far away"),
        pytest.param(range(3, 901, 3), range(3, 901, 3), ["?"] * 3, id="issues between"),
        pytest.param([], [1, 2, 3], ["?"], id="no pull requests"),
        pytest.param(range(1, 301), [], [], id="nothing to read"),
    ],
)
def test_list_is_read_if_that_takes_fewer_requests(fake, reader, existing, numbers, expected):
    close_pull_requests(fake, existing)

    reading = reader.read(numbers)

    assert list_paths(fake) == expected
    assert {*reading.pull_requests}.issuperset({*numbers} & {*existing})
    assert reading.missing == {*numbers} - {*existing}


def test_same_reader_reads_each_number_once(fake, reader):
    close_pull_requests(fake, range(1, 301))
    reader.read(range(1, 301))
    reader.read([7, 250])
    reader.read([999])
    reader.read([999])
    assert list_paths(fake) == ["?", "?", "?", "999"]


def test_request_limit_leaves_the_remaining_numbers_unavailable(fake, api):
    close_pull_requests(fake, range(1, 1000))
    numbers = [100, 300, 500, 700, 900]

    reading = PullRequestReader(api.transport, request_limit=3).read(numbers)

    assert reading.pull_requests.keys() == {500, 700, 900}
    assert reading.problem
    assert len(list_paths(fake)) == 3
    assert REQUEST_LIMIT < 1000


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3]], ids=["single", "list"])
@pytest.mark.parametrize("status", [401, 403, 410, 422])
def test_failure_is_a_problem_and_no_state(fake, reader, numbers, status):
    close_pull_requests(fake, numbers)
    fake.fail_next("GET", "/pulls", status, DOWN)

    reading = reader.read(numbers)

    assert reading.problem
    assert not reading.pull_requests
    assert not reading.missing
    assert reader.read(numbers) == reading
    assert len(fake.requests) == 1


def test_pages_before_the_request_limit_are_kept(fake, reader):
    close_pull_requests(fake, range(1, 301))
    reading = PullRequestReader(reader._transport, request_limit=1).read(range(1, 301))
    assert min(reading.pull_requests) == 201
    assert not reading.missing
    assert reading.problem


def test_list_that_does_not_exist_is_a_problem(fake, reader):
    fake.fail_next("GET", "/pulls", 404, {"message": "Not Found"})
    reading = reader.read([1, 2, 3])
    assert reading.problem
    assert not reading.missing


ENTRY = {
    "number": 12,
    "state": "closed",
    "base": {"repo": {"full_name": "acme/storefront"}},
    "created_at": "2026-01-02T03:04:05Z",
    "closed_at": "2026-01-03T03:04:05Z",
    "merged_at": None,
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"number": 13}, id="another number"),
        pytest.param({"number": None}, id="no number"),
        pytest.param({"state": "open"}, id="open and closed"),
        pytest.param({"closed_at": None}, id="closed without a time"),
        pytest.param({"state": "locked"}, id="unknown state"),
        pytest.param({"closed_at": "yesterday"}, id="no time"),
        pytest.param({"closed_at": "2026-01-03T03:04:05"}, id="no time zone"),
        pytest.param({"created_at": None}, id="no creation"),
        pytest.param({"base": {"repo": {"full_name": "acme/fork"}}}, id="another repository"),
        pytest.param({"base": {}}, id="no repository"),
    ],
)
def test_invalid_answer_is_a_problem(fake, reader, change):
    fake.fail_next("GET", "/pulls/12", 200, ENTRY | change)
    reading = reader.read([12])
    assert reading.problem
    assert not reading.pull_requests


def test_valid_answer_of_the_same_form_is_read(fake, reader):
    base = {"repo": {"full_name": "Acme/Storefront"}}
    fake.fail_next("GET", "/pulls/12", 200, ENTRY | {"base": base})
    assert reader.read([12]).pull_requests[12].closed_at


def test_numbers_are_read_one_by_one_if_the_list_is_in_another_order(fake, reader):
    close_pull_requests(fake, [11, 12])
    entries = [ENTRY | {"number": number} for number in (11, 12, 13)]
    fake.fail_next("GET", "/pulls", 200, entries)

    reading = reader.read([11, 12, 13])

    assert reading.pull_requests.keys() == {11, 12}
    assert reading.missing == {13}
    assert not reading.problem
    assert list_paths(fake) == ["?", "13", "12", "11"]


def test_problems_are_the_golden_ones(fake, api):
    close_pull_requests(fake, range(1, 1000))
    limited = PullRequestReader(api.transport, request_limit=1)
    cases = {"limit": limited.read([1, 500]).problem}
    changes = {
        "state": [ENTRY | {"state": "open"}],
        "repository": [ENTRY | {"base": {"repo": {"full_name": "acme/fork"}}}],
    }
    for case, entries in changes.items():
        fake.fail_next("GET", "/pulls", 200, entries)
        cases[case] = PullRequestReader(api.transport).read([11, 12, 13]).problem
    fake.fail_next("GET", "/pulls", 403, {"message": "Resource not accessible by integration"})
    cases["permission"] = PullRequestReader(api.transport).read([12]).problem
    assert_messages(__file__, cases.items())
