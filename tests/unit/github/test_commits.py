"""Which commits the names of deployments contain."""

import pytest

from ci3.core.live.commit_names import find_commit_digits, interleave_names
from ci3.github.commits import REQUEST_LIMIT, find_commits

FIX = "f1c0ffee" + "0" * 32
SIDE = "51deb0a7" + "0" * 32


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("f1c0ffee", "f1c0ffee"),
        ("F1C0FFEE", "f1c0ffee"),
        ("web-f1c0ffee", "f1c0ffee"),
        ("20261123-f1c0ffe", "f1c0ffe"),
        ("20261123-1234567", "20261123"),
        ("f1c0ff", ""),
        ("release-2.4", ""),
        ("f1c0ffeeg", ""),
        ("a" * 65, ""),
        ("", ""),
    ],
)
def test_part_of_a_name_that_may_be_a_commit_is_found(name, digits):
    assert find_commit_digits(name) == digits


def test_names_of_kept_and_deleted_deployments_alternate():
    assert interleave_names(("a", "b", "c"), ("x", "a")) == ("a", "x", "b", "c")


def test_commit_is_found_with_subject_author_and_time(fake, api):
    fake.content.commit(FIX, "Fix-header\n\nAt last.", "Ann")

    commits = api.find_commits(["web-f1c0ffee", "release-2"])

    assert list(commits) == ["web-f1c0ffee"]
    commit = commits["web-f1c0ffee"]
    assert (commit.sha, commit.subject, commit.author) == (FIX, "Fix-header", "Ann")
    assert f"{commit.authored_at:%Y-%m-%d}" == "2026-01-02"


def test_commits_of_the_default_branch_take_one_request(fake, api):
    names = []
    for number in range(60):
        names.append(f"{number:02x}c0ffee")
        fake.content.commit(names[-1] + "0" * 32, "one of many")

    assert len(api.find_commits(names)) == 60
    assert len(fake.requests) == 1


def test_commit_of_another_branch_is_requested_separately(fake, api):
    fake.content.commit(SIDE, "Try-it", is_on_side=True)

    assert api.find_commits(["51deb0a7"])["51deb0a7"].subject == "Try-it"
    assert fake.requests[-1].query == {"per_page": "1"}


def test_name_without_a_commit_in_the_repository_is_ignored(fake, api):
    fake.content.commit(SIDE, "Try-it", is_on_side=True)

    assert list(api.find_commits(["deadbeef", "51deb0a7"])) == ["51deb0a7"]


def test_branch_that_is_named_like_a_commit_is_ignored(fake, api):
    fake.content.commit(FIX, "Fix-header")
    fake.content.branches["deadbeef"] = FIX

    assert api.find_commits(["deadbeef"]) == {}


def test_names_without_commit_digits_cause_no_request(fake, api):
    assert api.find_commits(["release-1", "main"]) == {}
    assert fake.requests == ()


def test_number_of_requests_is_limited(fake, api):
    api.find_commits([f"{number:04}deadbeef" for number in range(200)])

    assert len(fake.requests) == REQUEST_LIMIT


@pytest.mark.parametrize("status", [403, 404, 429, 500])
def test_failed_request_is_not_retried(fake, api, waits, status):
    fake.content.commit(FIX, "Fix-header")
    fake.fail_next("GET", "/commits", status, {"message": "no"}, {"retry-after": "60"})

    assert api.find_commits(["f1c0ffee"]) == {}
    assert (len(fake.requests), waits) == (1, [])


def test_commits_found_before_a_failure_are_returned(fake, api, waits):
    fake.content.commit(FIX, "Fix-header")
    fake.fail_next("GET", "/commits/51deb0a7", 500)

    assert list(api.find_commits(["51deb0a7", "f1c0ffee", "deadbeef"])) == ["f1c0ffee"]
    assert (len(fake.requests), waits) == (2, [])


def test_invalid_response_is_ignored(fake, api):
    fake.fail_next("GET", "/commits", 200, [{"sha": "x"}])

    assert api.find_commits(["f1c0ffee"]) == {}


def test_search_ends_after_its_time_limit(fake, api):
    ticks = iter(range(0, 1000, 10))

    find_commits(
        api.transport, [f"{number}deadbeef" for number in range(9)], clock=lambda: next(ticks)
    )

    assert len(fake.requests) == 2


@pytest.mark.parametrize("author", [None, {}, {"name": "Ann"}])
def test_commit_without_an_author_is_no_error(fake, api, author):
    entry = {"sha": FIX, "commit": {"message": "Fix", "author": author}}
    fake.fail_next("GET", "/commits", 200, [entry])

    assert [commit.author for commit in api.find_commits(["f1c0ffee"]).values()] in ([], [""])
