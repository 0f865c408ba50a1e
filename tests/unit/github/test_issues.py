"""The issue that ci3 maintains is found, opened, updated and closed; users may close it, too."""

import pytest

from ci3.errors import GitHubError, GitHubReadOnlyError
from ci3.github.issues import MAX_CLOSED_PAGES, IssueAction, IssueReport, post_issue
from ci3.github.markers import POST_LIMIT_BYTES, make_marker
from tests.support.github.fake_github import WORKFLOW_LOGIN, FakeGitHub
from tests.support.golden import assert_messages
from tests.unit.github.comment_requests import catch_error

ISSUE_ID = "s3://my-site/"
MARKER = make_marker(ISSUE_ID)
OPEN, CLOSE, UPDATE = IssueAction.OPEN, IssueAction.CLOSE, IssueAction.UPDATE


def post_report(api, action=OPEN, body="plan", news="a", issue_id=ISSUE_ID):
    report = IssueReport(issue_id=issue_id, title="Plan", body=body, action=action, news=news)
    return post_issue(api, report)


def list_issues(fake):
    """Return the state and the visible text of each issue."""
    return [
        (issue.state, issue.body.rpartition("-->\n")[2]) for issue in fake.issues.by_number.values()
    ]


def count_requests(fake, method):
    return len([request for request in fake.requests if request.method == method])


def test_issue_is_created_with_its_marker_as_the_first_line(fake, api):
    issue = post_report(api)

    (created,) = fake.issues.by_number.values()
    assert (created.title, created.state) == ("Plan", "open")
    assert created.body.startswith(f"{MARKER}\n<!-- ci3:")
    assert issue.url.endswith(f"/issues/{created.number}")


@pytest.mark.parametrize("action", [CLOSE, UPDATE])
def test_no_issue_is_created_if_there_is_nothing_to_delete(fake, api, action):
    assert post_report(api, action) is None
    assert list_issues(fake) == []


def test_issue_is_edited_and_keeps_the_title_of_a_user(fake, api):
    first = post_report(api)
    fake.issues.update_title(first.number, "Ours")
    post_report(api, body="new")

    (issue,) = fake.issues.by_number.values()
    assert (issue.title, list_issues(fake)) == ("Ours", [("open", "new")])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(OPEN, "a"), (CLOSE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (CLOSE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (UPDATE, "-")], ("closed", "2")),
        ([(OPEN, "a"), (CLOSE, "-"), (OPEN, "a")], ("open", "3")),
        ([(OPEN, "a"), (UPDATE, "-")], ("open", "2")),
        ([(OPEN, "a"), (UPDATE, "-"), (CLOSE, "-")], ("closed", "3")),
        ([(OPEN, "a"), "user closes", (OPEN, "a")], ("closed", "1")),
        ([(OPEN, "a"), "user closes", (OPEN, "b")], ("open", "3")),
        ([(OPEN, "a"), "user closes", (UPDATE, "-")], ("closed", "1")),
        ([(OPEN, "a"), "user closes", (CLOSE, "-")], ("closed", "3")),
        ([(OPEN, "a"), "user closes", (CLOSE, "-"), (OPEN, "a")], ("open", "4")),
        ([(OPEN, "a"), (UPDATE, "-"), "user closes", (OPEN, "a")], ("closed", "2")),
    ],
    ids=str,
)
def test_state_and_text_of_an_issue_after_reports_and_closing(fake, api, steps, expected):
    for number, step in enumerate(steps, start=1):
        if step == "user closes":
            fake.issues.close(501)
        else:
            action, news = step
            post_report(api, action, body=str(number), news=news)

    assert list_issues(fake) == [expected]


def test_issue_with_only_its_marker_is_edited(fake, api):
    fake.issues.add(MARKER, WORKFLOW_LOGIN)
    post_report(api)

    assert list_issues(fake) == [("open", "plan")]


def test_issue_with_windows_line_ends_is_found_and_stays_closed(fake, api):
    issue = post_report(api)
    fake.issues.by_number.clear()
    fake.issues.add(issue.body.replace("\n", "\r\n"), WORKFLOW_LOGIN)
    fake.issues.close(501)
    post_report(api)

    assert [state for state, _ in list_issues(fake)] == ["closed"]


@pytest.mark.parametrize("state", ["open", "closed"])
def test_issue_after_250_others_of_the_same_author_is_found(fake, api, state):
    for number in range(250):
        fake.issues.add(f"issue {number}", WORKFLOW_LOGIN)
    issue = post_report(api)
    if state == "closed":
        post_report(api, CLOSE)
        for number in range(501, 751):
            fake.issues.close(number)
    post_report(api, body="new", news="b")

    assert len(fake.issues.by_number) == 251
    assert list_issues(fake)[-1] == ("open", "new")
    assert issue.number == 751


def test_search_for_a_closed_issue_is_limited(fake, api):
    post_report(api)
    post_report(api, CLOSE)
    for _ in range(100 * MAX_CLOSED_PAGES):
        fake.issues.close(fake.issues.add("other", WORKFLOW_LOGIN).number)
    earlier_count = count_requests(fake, "GET")
    post_report(api)

    assert len(fake.issues.by_number) == 2 + 100 * MAX_CLOSED_PAGES
    assert count_requests(fake, "GET") - earlier_count == 1 + MAX_CLOSED_PAGES


def test_pull_request_and_foreign_issues_with_the_marker_are_not_edited(fake, api):
    copied_body = f"{MARKER}\nnot ours"
    fake.issues.add(copied_body, WORKFLOW_LOGIN, is_pull_request=True)
    for author in ("mallory", ""):
        fake.issues.add(copied_body, author)
    post_report(api, CLOSE)
    post_report(api)

    assert [issue.body for issue in fake.issues.by_number.values()][:-1] == [copied_body] * 3
    assert list_issues(fake)[-1] == ("open", "plan")


def test_foreign_issue_is_not_edited_if_github_ignores_the_author_filter(fake, api):
    foreign_issue = fake.issues.add(f"{MARKER}\nnot ours", "mallory")
    url = f"{fake.url}/repos/{fake.repository}/issues/{foreign_issue.number}"
    user = {"login": "mallory"}
    entry = {
        "number": 501,
        "body": foreign_issue.body,
        "html_url": url,
        "user": user,
        "state": "open",
    }
    fake.fail_next("GET", "/issues$", 200, [entry])
    post_report(api)

    assert fake.issues.by_number[501] == foreign_issue
    assert len(fake.issues.by_number) == 2


def test_oldest_of_several_open_issues_is_edited(fake, api):
    for _ in range(2):
        fake.issues.add(f"{MARKER}\n-->\nold", WORKFLOW_LOGIN)
    post_report(api, body="new")

    assert list_issues(fake) == [("open", "new"), ("open", "old")]


def test_two_ids_make_two_issues(fake, api):
    for body in ("one", "two"):
        post_report(api, body=body, issue_id="a")
        post_report(api, body=body, issue_id="b")

    assert list_issues(fake) == [("open", "two"), ("open", "two")]


def test_issue_of_a_personal_token_is_found_by_its_login(connect):
    with FakeGitHub(login="octocat") as fake:
        post_report(connect(fake), body="one")
        post_report(connect(fake), body="two")

        assert list_issues(fake) == [("open", "two")]


def test_issue_is_not_created_twice_after_a_lost_response(fake, api):
    fake.lose_next_answer("POST", "/issues$")

    assert post_report(api).number == 501
    assert len(fake.issues.by_number) == count_requests(fake, "POST") == 1


def test_failed_creation_of_an_issue_is_an_error_without_a_retry(fake, api):
    fake.fail_next("POST", "/issues$", 502)

    with pytest.raises(GitHubError, match="502"):
        post_report(api)
    assert count_requests(fake, "POST") == 1


def test_issue_may_have_the_maximum_size_and_no_more(fake, api):
    hidden_bytes = len(post_report(api, body="").body.encode())
    post_report(api, body="x" * (POST_LIMIT_BYTES - hidden_bytes))

    with pytest.raises(ValueError, match="65001 bytes"):
        post_report(api, body="x" * (POST_LIMIT_BYTES - hidden_bytes + 1))


@pytest.mark.parametrize(
    "entry",
    [
        {"number": 1},
        {"number": "1", "body": "x", "html_url": "x", "user": None, "state": "open"},
        {"number": 1, "body": "x", "html_url": "x", "user": None, "state": None},
        {"number": 1, "body": 5, "html_url": "x", "user": None, "state": "open"},
        {"number": 1, "body": "x", "html_url": "x", "user": {}, "state": "open"},
        {"number": 1, "pull_request": 5},
    ],
)
def test_list_in_an_unexpected_shape_is_an_error(fake, api, entry):
    fake.fail_next("GET", "/issues$", 200, [entry])

    assert "/issues" in catch_error(post_report, api).message


def test_token_that_may_not_write_issues_is_read_only(fake, api):
    fake.issues.can_write = False

    assert isinstance(catch_error(post_report, api), GitHubReadOnlyError)
    assert list_issues(fake) == []


def test_messages_are_the_golden_ones(fake, api):
    fake.issues.can_write = False
    cases = {"read-only": catch_error(post_report, api)}
    fake.issues.can_write, fake.issues.is_enabled = True, False
    cases["disabled"] = catch_error(post_report, api)
    fake.fail_next("GET", "/issues$", 403, {"message": "Resource not accessible by integration"})
    cases["unreadable"] = catch_error(post_report, api)
    assert_messages(__file__, cases.items())
