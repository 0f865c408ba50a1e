"""Pull requests that the event of a run contains only in part."""

import pytest

from ci3.core.live.references import Reference
from ci3.errors import GitHubError, SettingsError
from ci3.github.run_references import (
    complete_references,
    find_pull_request,
    select_references_after_close,
)
from ci3.github.workflow_run import Lookup, WorkflowRun
from tests.support.github.fake_github import REPOSITORY
from tests.support.golden import assert_messages

MAIN = Reference(commits=("a" * 40,), branches=("main",))
HEAD = "b" * 40
FORK = "octocat/storefront"
TRIGGER = Reference(commits=(HEAD,), branches=("topic",))


def make_run(**fields):
    defaults = {"run_url": "", "api_url": "", "pull_request": None, "references": (MAIN,)}
    fields = defaults | fields
    return WorkflowRun(
        repository=REPOSITORY, **{"references_after_close": fields["references"]} | fields
    )


COMMENT = make_run(pull_request=7, references=(MAIN, Reference(pull_request=7)), lookup=Lookup.HEAD)
FORK_RUN = make_run(
    head_commit=HEAD,
    head_repository=FORK,
    references=(MAIN, TRIGGER),
    lookup=Lookup.NUMBER,
)


def test_run_with_a_complete_event_causes_no_request():
    assert complete_references(make_run(pull_request=7, head_commit=HEAD), None) == (MAIN,)


def test_run_of_a_comment_keeps_the_head_of_its_pull_request(fake, api):
    fake.content.open_pull_request(7, HEAD, branch="topic")

    assert complete_references(COMMENT, api) == (
        MAIN,
        Reference(commits=(HEAD,), pull_request=7, branches=("topic",)),
    )


def test_run_triggered_by_a_fork_keeps_all_its_pull_requests_with_that_head(fake, api):
    fake.content.open_pull_request(5, HEAD)
    fake.content.open_pull_request(8, HEAD, head=FORK)
    fake.content.open_pull_request(9, HEAD, head=FORK)

    *first_references, last = complete_references(FORK_RUN, api)

    assert first_references == [
        MAIN,
        Reference(commits=(HEAD,), pull_request=8, branches=("topic",)),
    ]
    assert last == Reference(commits=(HEAD,), pull_request=9)


def test_run_triggered_by_a_fork_without_a_pull_request_keeps_its_commit(api):
    assert complete_references(FORK_RUN, api) == (MAIN, TRIGGER)


@pytest.mark.parametrize("run", [COMMENT, FORK_RUN], ids=["comment", "fork"])
@pytest.mark.parametrize("status", [403, 404, 500])
def test_pull_request_that_cannot_be_read_is_an_error(fake, api, run, status):
    for _ in range(9):
        fake.fail_next("GET", "/pulls", status, {"message": "Nothing for you."})

    with pytest.raises(GitHubError):
        complete_references(run, api)


def test_comment_is_posted_on_the_oldest_pull_request_of_the_fork(fake, api):
    fake.content.open_pull_request(5, HEAD)
    fake.content.open_pull_request(9, HEAD, head=FORK)
    fake.content.open_pull_request(8, HEAD, head=FORK)

    assert find_pull_request(FORK_RUN, api) == 8


def test_run_of_a_fork_without_a_pull_request_has_none_to_comment_on(fake, api):
    fake.content.open_pull_request(5, HEAD)

    assert find_pull_request(FORK_RUN, api) is None


def test_messages_are_the_golden_ones(fake, api):
    cases = {}
    for name, run in {"comment": COMMENT, "fork": FORK_RUN}.items():
        with pytest.raises(SettingsError) as no_token:
            complete_references(run, None)
        cases[f"{name}, no token"] = no_token.value
        fake.fail_next("GET", "/pulls", 403, {"message": "Resource not accessible by integration"})
        with pytest.raises(GitHubError) as denied:
            complete_references(run, api)
        cases[f"{name}, no permission"] = denied.value
    assert_messages(__file__, cases.items())


def test_targets_with_expire_closed_keep_references_read_from_github(fake, api):
    fake.content.open_pull_request(7, HEAD, branch="topic")
    references = complete_references(COMMENT, api)
    assert select_references_after_close(COMMENT, references) == references


def test_targets_with_expire_closed_do_not_keep_the_closed_pull_request():
    closing = make_run(
        pull_request=7,
        references=(MAIN, Reference(pull_request=7)),
        references_after_close=(MAIN,),
    )
    references = complete_references(closing, None)
    assert select_references_after_close(closing, references) == (MAIN,)
