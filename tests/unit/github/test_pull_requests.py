"""Pull requests by the commit of their head or by number."""

import pytest

from ci3.core.live.references import Reference
from tests.support.github.fake_github import REPOSITORY, FakeGitHub
from tests.unit.github.comment_requests import catch_error

HEAD = "f1c0ffee" + "0" * 32
NEWER_HEAD = "51deb0a7" + "0" * 32
FORK = "octocat/storefront"


def test_pull_request_is_found_by_its_head(fake, api):
    fake.content.open_pull_request(7, HEAD)
    fake.content.open_pull_request(8, NEWER_HEAD)

    assert api.find_pull_requests(HEAD, REPOSITORY) == (7,)


@pytest.mark.parametrize(
    ("commit", "changed"),
    [
        (HEAD, {"state": "closed"}),
        (HEAD, {"base": FORK}),
        (HEAD, {"head": FORK}),
        (NEWER_HEAD, {"contains": (HEAD,)}),
    ],
    ids=["closed", "into a fork", "from a fork", "with a newer head"],
)
def test_other_pull_request_with_the_commit_is_not_found(fake, api, commit, changed):
    fake.content.open_pull_request(7, commit, **changed)

    assert api.find_pull_requests(HEAD, REPOSITORY) == ()


def test_pull_request_of_a_deleted_fork_is_not_found(fake, api):
    entry = {"number": 8, "state": "open", "base": {"repo": {"full_name": REPOSITORY}}}
    entry_of_deleted_fork = {**entry, "head": {"sha": HEAD, "ref": "topic", "repo": None}}
    fake.fail_next("GET", "/pulls", 200, [entry_of_deleted_fork])

    assert api.find_pull_requests(HEAD, FORK) == ()


def test_pull_request_of_a_fork_is_found_by_head_and_fork(fake, api):
    fake.content.open_pull_request(7, HEAD)
    fake.content.open_pull_request(8, HEAD, head=FORK)
    fake.content.open_pull_request(9, HEAD, head="mallory/storefront")

    assert api.find_pull_requests(HEAD, FORK.upper()) == (8,)


def test_several_pull_requests_with_a_head_are_listed_oldest_first(fake, api):
    fake.content.open_pull_request(9, HEAD)
    fake.content.open_pull_request(8, HEAD)

    assert api.find_pull_requests(HEAD, REPOSITORY) == (8, 9)


def test_pull_request_is_found_on_a_later_page(connect):
    with FakeGitHub() as fake:
        for number in range(150):
            fake.content.open_pull_request(number + 1, NEWER_HEAD, contains=(HEAD,))
        fake.content.open_pull_request(500, HEAD)

        assert connect(fake).find_pull_requests(HEAD, REPOSITORY) == (500,)


def test_head_of_a_pull_request_is_read(fake, api):
    fake.content.open_pull_request(7, HEAD, branch="feature/login", head=FORK)

    assert api.read_pull_request(7) == Reference(
        pull_request=7, commits=(HEAD,), branches=("feature/login",)
    )


def test_missing_pull_request_is_an_error(fake, api):
    assert "404" in catch_error(api.read_pull_request, 7).message


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"head": None},
        {"head": {"sha": HEAD[:12], "ref": "topic"}},
        {"head": {"sha": None, "ref": "topic"}},
        {"head": {"sha": HEAD}},
    ],
)
def test_pull_request_in_an_unexpected_shape_is_an_error(fake, api, response):
    fake.fail_next("GET", "/pulls/7", 200, response)

    assert "/pulls/7" in catch_error(api.read_pull_request, 7).message
